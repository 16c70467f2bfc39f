#!/usr/bin/env bash
# Makes the Debian package.
source "$(dirname "$0")/build.sh"
write_pages "$stage/usr/share"
find "$stage/usr/share/man" -type f -exec gzip -9n {} +
install -Dm755 "$binary" "$stage/usr/bin/dynamo-server"
install -Dm644 packaging/deb/dynamo-server.service "$stage/usr/lib/systemd/system/dynamo-server.service"
install -Dm644 packaging/deb/dynamo-server.toml "$stage/etc/dynamo-server/dynamo-server.toml"
install -Dm644 packaging/deb/copyright "$stage/usr/share/doc/dynamo-server/copyright"
install -Dm644 README.md "$stage/usr/share/doc/dynamo-server/README.md"
install -d "$stage/DEBIAN"
install -m755 packaging/deb/postinst packaging/deb/prerm packaging/deb/postrm "$stage/DEBIAN/"
echo /etc/dynamo-server/dynamo-server.toml >"$stage/DEBIAN/conffiles"
architecture=$(dpkg --print-architecture)
cat >"$stage/DEBIAN/control" <<END
Package: dynamo-server
Version: $version
Architecture: $architecture
Maintainer: The dynamo-server authors <noreply@example.org>
Installed-Size: $(du -sk "$stage/usr" | cut -f1)
Depends: libc6 (>= $(glibc)), libgcc-s1, libstdc++6, passwd
Section: database
Priority: optional
Homepage: $(sed -n 's/^homepage = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
Description: open database that speaks the DynamoDB API
 One binary: a durable single node out of the box, in memory for tests, or a
 replicated and sharded cluster. Any AWS SDK can use it.
END
package="$packages/dynamo-server_${version}_$architecture.deb"
dpkg-deb --root-owner-group --build "$stage" "$package" >/dev/null
built "$package"
