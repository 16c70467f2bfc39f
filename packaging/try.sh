#!/usr/bin/env bash
# Makes every package, then installs and starts each in a bare Debian root, and asks it for a table and its health. What
# documents show for it is run as it stands there.
# packaging/try.sh [deb|wheel|oci|npm ...]    (default: all)
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/root.sh
say() { printf '== packages: %s\n' "$*"; }
kinds=()
# Each package is made where its tools are: dpkg-deb makes Debian's, python3 the wheel.
for kind in ${*:-deb wheel oci npm}; do
    tool=tar
    case $kind in deb) tool=dpkg-deb ;; wheel) tool=python3 ;; esac
    if command -v "$tool" >/dev/null 2>&1; then
        "packaging/$kind.sh"
        kinds+=("$kind")
    else
        pass_over "the package $kind: $tool is missing"
    fi
done
packages="${CARGO_TARGET_DIR:-$PWD/target}/packages"
need_roots
base_root
# Servers are started without the machine's network, where their ports are free.
toolchain=$(mktemp -d) # nothing is brought in

# ask PORT: a request and its health, by hand, since nothing else is there.
ask='
ask() {
    local body="{\"TableName\":\"songs\",\"BillingMode\":\"PAY_PER_REQUEST\",\"AttributeDefinitions\":[{\"AttributeName\":\"k\",\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"k\",\"KeyType\":\"HASH\"}]}"
    for _ in $(seq 300); do
        if exec 3<>"/dev/tcp/127.0.0.1/$1"; then printf "GET /health/ready HTTP/1.0\r\n\r\n" >&3; head -n 1 <&3 | grep -q " 200 " && break; fi 2>/dev/null
        sleep 0.1
    done
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    printf "POST / HTTP/1.0\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.CreateTable\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=0\r\nContent-Length: %s\r\n\r\n%s" "${#body}" "$body" >&3
    grep -q TableStatus <&3
}
'

# block LANGUAGE FILE: what a document shows in that language.
block() {
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{/^\`\`\`/!p}" "$2" | grep . || fail "$2 shows nothing in $1"
}

# shown WORDS: a command that begins with the words, as docs/packages.md shows it, for this kind of machine.
shown() {
    grep -oE "$1[^\`]*" docs/packages.md | head -n 1 | sed "s/amd64/$(dpkg --print-architecture)/" | grep . || fail "docs/packages.md shows no $1"
}

try_deb() {
    new_root deb
    cp "$packages"/dynamo-server_*_"$(dpkg --print-architecture)".deb "$root/root/"
    inside '' "cd /root && apt-get -qq update && DEBIAN_FRONTEND=noninteractive $(shown 'apt-get install') -qq -y"' &&
        test -s /usr/share/man/man1/dynamo-server.1.gz -a -s /usr/share/bash-completion/completions/dynamo-server &&
        dynamo-server --version' >"$log" 2>&1 || failed "$log" 'the Debian package cannot be installed'
    # As the unit starts it.
    inside no-network "$ask"'
        command=$(sed -n "s/^ExecStart=//p" /usr/lib/systemd/system/dynamo-server.service)
        su -s /bin/bash dynamo -c "cd /var/lib/dynamo-server && exec $command" & ask 8000 && dynamo-server healthcheck' >"$log" 2>&1 || failed "$log" 'the Debian package does not start'
    [ -n "$(ls "$root/var/lib/dynamo-server")" ] || fail 'no data was kept'
    # Without `--now`: in a root systemctl starts nothing.
    inside '' 'DEBIAN_FRONTEND=noninteractive apt-get -qq install -y systemd && systemd-analyze verify --man=no dynamo-server.service &&
        systemd-analyze security --offline=true --threshold=20 dynamo-server.service | tail -n 1 && '"$(shown 'systemctl enable' | sed 's/ --now//')"' &&
        test -e /etc/systemd/system/multi-user.target.wants/dynamo-server.service' >"$log" 2>&1 || failed "$log" 'the unit is not in order'
    inside '' 'dpkg --purge dynamo-server && ! getent passwd dynamo && ! test -e /var/lib/dynamo-server' >"$log" 2>&1 ||
        failed "$log" 'the package leaves something'
}

try_wheel() {
    new_root wheel
    mkdir "$root/root/packages"
    cp "$packages"/dynamo_server-*.whl "$root/root/packages/"
    block python packaging/python/README.md >"$root/root/program.py"
    block python docs/packages.md >"$root/root/test_songs.py"
    inside '' 'apt-get -qq update &&
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-pip python3-pytest python3-boto3 &&
        cd /root && pip install --break-system-packages --root-user-action=ignore --no-index packages/*.whl && dynamo-server --version &&
        python3 program.py && python3 -m pytest -q test_songs.py' >"$log" 2>&1 || failed "$log" 'the wheel'
}

try_npm() {
    new_root npm
    cp "$packages"/dynamo-server-*-linux-*.tgz "$root/root/dynamo-server.tgz"
    block js packaging/npm/README.md >"$root/root/readme.js"
    block js docs/packages.md >"$root/root/packages.js"
    # What a test runner does with a global set-up.
    cat >"$root/root/runner.js" <<'END'
require(process.argv[2])().then(async (stop) => {
  const reply = await new Promise((resolve) => require('http').get(process.env.AWS_ENDPOINT_URL_DYNAMODB + '/health/ready', resolve));
  await stop();
  process.exit(reply.statusCode === 200 ? 0 : 1);
});
END
    # Ctrl-C as a terminal sends it: to every process of the group. The server is to hear of it once.
    cat >"$root/root/interrupt.sh" <<'END'
setsid node node_modules/dynamo-server/cli.js --in-memory --port 0 2>server.log &
for _ in $(seq 300); do ! grep -q 'ready on' server.log || break; sleep 0.1; done
kill -INT -- -$!
wait $! && grep -q stopped server.log && ! grep -q second server.log || { cat server.log; exit 1; }
END
    # npm itself is a large package; unpacking is what it does with this one.
    inside '' 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nodejs &&
        mkdir -p /root/node_modules/dynamo-server && tar -xzf /root/dynamo-server.tgz --strip-components=1 -C /root/node_modules/dynamo-server && cd /root &&
        node node_modules/dynamo-server/cli.js --version && node runner.js ./readme.js && node runner.js ./packages.js &&
        bash interrupt.sh' >"$log" 2>&1 ||
        failed "$log" 'the npm package'
}

try_oci() {
    new_root oci
    local image layer loaded
    loaded=$(shown 'docker load -i')
    [ -e "$packages/$(basename "${loaded##* }")" ] || fail 'docs/packages.md loads an image of another name'
    image=$(mktemp -d)
    tar -xf "$packages"/dynamo-server-*.oci.tar -C "$image"
    layer=$(sed -E 's/.*"Layers":\["([^"]+)"\].*/\1/' "$image/manifest.json")
    mkdir "$root/image"
    tar -xzf "$image/$layer" -C "$root/image"
    rm -rf "$image"
    # As a user that nobody knows, nothing writable but /data, with the arguments of DynamoDB Local's image.
    inside no-network "$ask"'
        mount -t proc proc /proc; mount --bind /image /image && mount -o remount,bind,ro /image && mount -t tmpfs -o mode=1777 tmpfs /image/data
        DYNAMO_SERVER_HOST=0.0.0.0 DYNAMO_SERVER_DATA_DIR=/data chroot --userspec=54321:54321 /image /usr/bin/dynamo-server -jar DynamoDBLocal.jar -sharedDb &
        ask 8000 && chroot --userspec=54321:54321 /image /usr/bin/dynamo-server healthcheck && test -n "$(ls /image/data)"' >"$log" 2>&1 || failed "$log" 'the image'
}

for kind in "${kinds[@]}"; do
    log="$work/try-$kind.log"
    "try_$kind"
    say "$kind: installed, started, answered"
done
rm -rf "$roots" "$toolchain"
