#!/usr/bin/env bash
# Makes an OCI image: the binary, the C libraries that it needs, nothing else. No Docker engine is needed.
#
# It runs as any user, with a read-only root; /data is where data goes. DynamoDB Local's flags are understood, also in the
# form in which its image is started (-jar DynamoDBLocal.jar -sharedDb).
source "$(dirname "$0")/build.sh"
case $machine in x86_64) architecture=amd64 ;; aarch64) architecture=arm64 ;; *) architecture=$machine ;; esac
digest() { sha256sum "$1" | cut -d' ' -f1; }

root="$stage/root"
mkdir -p "$root/etc" "$root/tmp" "$root/data" "$root/usr/bin"
chmod 1777 "$root/tmp" "$root/data"
install -m755 "$binary" "$root/usr/bin/dynamo-server"
# The libraries and the loader, where the binary looks for them.
ldd "$binary" | grep -oE '/[^ ]+' | while read -r library; do install -Dm755 "$(realpath "$library")" "$root$library"; done
printf 'root:x:0:0::/:/nologin\ndynamo:x:1000:1000::/data:/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\ndynamo:x:1000:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$root" -cf "$stage/layer.tar" .
unpacked=$(digest "$stage/layer.tar")
gzip -9n "$stage/layer.tar"

image="$stage/image"
blobs="$image/blobs/sha256"
mkdir -p "$blobs"
# blob FILE MEDIA-TYPE: takes the file in, and prints its descriptor.
blob() {
    local name size
    name=$(digest "$1") size=$(stat -c %s "$1")
    mv "$1" "$blobs/$name"
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$2" "$name" "$size"
}
layer=$(blob "$stage/layer.tar.gz" application/vnd.oci.image.layer.v1.tar+gzip)
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
cat >"$stage/config.json" <<END
{"created":"$created","architecture":"$architecture","os":"linux","config":{"User":"1000:1000","ExposedPorts":{"8000/tcp":{}},
"Env":["DYNAMO_SERVER_HOST=0.0.0.0","DYNAMO_SERVER_DATA_DIR=/data"],"Entrypoint":["/usr/bin/dynamo-server"],
"Volumes":{"/data":{}},"WorkingDir":"/data","StopSignal":"SIGTERM",
"Healthcheck":{"Test":["CMD","/usr/bin/dynamo-server","healthcheck"],"Interval":5000000000,"Timeout":3000000000},
"Labels":{"org.opencontainers.image.title":"dynamo-server","org.opencontainers.image.version":"$version","org.opencontainers.image.licenses":"MIT OR Apache-2.0"}},
"rootfs":{"type":"layers","diff_ids":["sha256:$unpacked"]},"history":[{"created":"$created","created_by":"packaging/oci.sh"}]}
END
config=$(blob "$stage/config.json" application/vnd.oci.image.config.v1+json)
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' "$config" "$layer" >"$stage/manifest.json"
manifest=$(blob "$stage/manifest.json" application/vnd.oci.image.manifest.v1+json)
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,"annotations":{"io.containerd.image.name":"dynamo-server:%s","org.opencontainers.image.ref.name":"%s"}}]}' \
    "${manifest%\}}" "$version" "$version" >"$image/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$image/oci-layout"
# What `docker load` reads where it does not know OCI's layout.
path() { sed -E 's/.*sha256:([0-9a-f]+).*/blobs\/sha256\/\1/' <<<"$1"; }
printf '[{"Config":"%s","RepoTags":["dynamo-server:%s"],"Layers":["%s"]}]' "$(path "$config")" "$version" "$(path "$layer")" >"$image/manifest.json"
package="$packages/dynamo-server-$version-$architecture.oci.tar"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$image" -cf "$package" .
built "$package"
