#!/usr/bin/env bash
# Makes the npm package.
source "$(dirname "$0")/build.sh"
case $machine in x86_64) cpu=x64 ;; aarch64) cpu=arm64 ;; *) cpu=$machine ;; esac
mkdir -p "$stage/package/bin"
cp packaging/npm/index.js packaging/npm/index.d.ts packaging/npm/cli.js packaging/npm/README.md "$stage/package/"
chmod 755 "$stage/package/cli.js"
install -m755 "$binary" "$stage/package/bin/dynamo-server"
cat >"$stage/package/package.json" <<END
{
  "name": "dynamo-server",
  "version": "$version",
  "description": "An open database that speaks the Amazon DynamoDB API, as one binary",
  "license": "MIT OR Apache-2.0",
  "main": "index.js",
  "types": "index.d.ts",
  "bin": { "dynamo-server": "cli.js" },
  "os": ["linux"],
  "cpu": ["$cpu"],
  "libc": ["glibc"],
  "engines": { "node": ">=16" }
}
END
package="$packages/dynamo-server-$version-linux-$cpu.tgz"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$stage" -cf - package | gzip -9n >"$package"
built "$package"
