#!/usr/bin/env bash
# Tries ./run where nothing is installed: in a bare Debian root, of which only a Rust toolchain is brought in.
#
#   scripts/bare-root.sh [quick|whole] [COMMIT]
#
# quick: until the first binding to RocksDB is compiled. As root in an empty root (no git, HOME unset, umask 077, a clone
# whose path has spaces), and as a user without sudo in a root with what has deceived set-up before (libraries that look
# like libclang, broken links), from a read-only clone. RocksDB's archive is taken from this machine's cache.
# whole: also until the first answer, without that cache, and with a full disk, an interrupted and a second build.
# Without an argument: whole where anything that decides set-up is not what it was when that last passed, else quick.
# Needs root and Debian; the roots are kept in the cache and come from the mirror that this machine's apt uses.
set -euo pipefail
cd "$(dirname "$0")/.."
clone=$PWD
source scripts/root.sh
commit=${2:-HEAD}
need_roots

# What decides set-up, in one hash.
deciding=$(git ls-tree -r "$commit" -- run check scripts .ci .cargo Cargo.lock Cargo.toml substitutes rust-toolchain rust-toolchain.toml |
    cksum | tr ' ' '-')
how=${1:-}
if [ -z "$how" ]; then
    how=whole
    [ "$(cat "$work/passed" 2>/dev/null)" = "$deciding" ] && how=quick
fi

base_root

# --- What is brought in: the toolchain, the crates that cargo has, a clone without git's folder, RocksDB's archive.
toolchain=$(rustc --print sysroot)
cargo_home="${CARGO_HOME:-${HOME:-/root}/.cargo}"
cargo fetch --locked --quiet

# clone_root NAME: a root with a clone and the crates.
clone_root() {
    new_root "$1"
    mkdir -p "$root/opt/cargo/registry"
    git -C "$clone" archive "$commit" | tar -x -C "$root/srv/a clone"
    local part
    for part in index cache; do
        [ ! -d "$cargo_home/registry/$part" ] || cp -a "$cargo_home/registry/$part" "$root/opt/cargo/registry/"
    done
    [ ! -e "$cargo_home/config.toml" ] || cp "$cargo_home/config.toml" "$root/opt/cargo/"
    chmod -R a+rX "$root/opt/cargo" "$root/srv"
}

as_tester() { printf 'su tester -c %q' "$1"; }

# What a binding that is compiled leaves behind.
binding='release/deps/liblibrocksdb_sys-*.rlib'

# bring_archive HOME: RocksDB's archive from this machine's cache, so that it is not compiled again.
bring_archive() {
    mkdir -p "$root$1/.cache/dynamo-server"
    local folder
    for folder in "$cache"/rocksdb-*; do
        [ ! -e "$folder/librocksdb.a.sum" ] || cp -a "$folder" "$root$1/.cache/dynamo-server/"
    done
}

started=$SECONDS
say "$how, of $(git rev-parse --short "$commit")"

# --- 1. Empty, as root.
clone_root empty
bring_archive /root
until_there "$work/empty.log" "$root/srv/a clone/target/$binding" \
    inside '' 'umask 077; export CARGO_HOME=/opt/cargo; cd "/srv/a clone" && ./run --port 0' ||
    fail 'as root in an empty root, no binding to RocksDB was compiled'
say "as root in an empty root: first binding after $((SECONDS - started)) s"

# --- 2. What deceives, as a user without sudo, from a read-only clone.
clone_root deceiving
inside '' 'apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install -y libclang-cpp14' >"$work/deceive.log" 2>&1 ||
    { tail "$work/deceive.log"; fail 'libclang-cpp14 cannot be installed'; }
mkdir -p "$root/usr/lib/llvm-13/lib" "$root/usr/lib/llvm-15/lib"
ln -s /nowhere/libclang.so.1 "$root/usr/lib/llvm-14/lib/libclang.so"
: >"$root/usr/lib/llvm-13/lib/libclang-13.so.1"
ln -s /nowhere/clang "$root/usr/local/bin/clang"
ln -s /nowhere/c++ "$root/usr/local/bin/c++"
run_as_tester='umask 077; export CARGO_HOME=$HOME/cargo; mkdir -p "$CARGO_HOME"; ln -sfn /opt/cargo/registry/cache "$HOME/crates"
    mkdir -p "$CARGO_HOME/registry"; cp -r /opt/cargo/registry/. "$CARGO_HOME/registry/"; cp /opt/cargo/config.toml "$CARGO_HOME/" 2>/dev/null
    cd "/srv/a clone" && ./run --port 0'
result=0
inside read-only "$(as_tester "$run_as_tester")" >"$work/user.log" 2>&1 || result=$?
[ "$result" = 1 ] && [ "$(grep -c . "$work/user.log")" = 1 ] && grep -q 'apt-get install -y gcc g++' "$work/user.log" ||
    { cat "$work/user.log"; fail "a user without sudo must get one line and exit code 1, not $result"; }
say "as a user without sudo: $(cat "$work/user.log")"
rm "$root/usr/local/bin/c++"
inside '' "DEBIAN_FRONTEND=noninteractive $(grep -o 'apt-get install -y .*' "$work/user.log")" >"$work/install.log" 2>&1 ||
    { tail "$work/install.log"; fail 'the line that the user was told does not work'; }
bring_archive /home/tester
chroot "$root" chown -R tester /home/tester
until_there "$work/user.log" "$root/home/tester/.cache/dynamo-server/target-of-read-only/$binding" \
    inside read-only "$(as_tester "$run_as_tester")" ||
    fail 'as a user, among libraries that deceive, no binding to RocksDB was compiled'
say 'as a user without sudo, read-only clone, after the line was run: first binding compiled'

# --- 3. What is refused, and how.
refused() { # WHAT TEXT COMMAND
    inside small-disk "export CARGO_HOME=/opt/cargo HOME=/root; cd '/srv/a clone'; $3" >"$work/refused.log" 2>&1 && fail "$1 is not refused"
    grep -q "$2" "$work/refused.log" || { tail -n 30 "$work/refused.log"; fail "$1: no word of '$2'"; }
    say "$1: $(grep -m 1 "$2" "$work/refused.log")"
}
refused 'a Rust that is too old' 'Rust 1.75.0 is too old' \
    'mkdir -p /tmp/old; printf "#!/bin/sh\necho cargo 1.75.0\n" >/tmp/old/cargo; chmod +x /tmp/old/cargo; PATH=/tmp/old:$PATH ./run'
refused 'no Rust' 'Rust is missing' 'PATH=/usr/bin:/bin HOME=/nowhere CARGO_HOME= ./run'
refused 'another RocksDB in ROCKSDB_LIB_DIR' 'ROCKSDB_LIB_DIR is refused' \
    'mkdir -p /tmp/other; echo "rocksdb_build_git_tag:v7.8.3" >/tmp/other/librocksdb.a
     CARGO_TARGET_DIR=/home/tester/.cache/dynamo-server/target-of-read-only ROCKSDB_LIB_DIR=/tmp/other ./run'

if [ "$how" = whole ]; then
    refused 'a full disk' 'The disk is full' \
        'CARGO_TARGET_DIR=/home/tester/.cache/dynamo-server/target-of-read-only DYNAMO_SERVER_CACHE=/var/empty-disk ./run'
    # --- 4. From nothing to the first answer, interrupted once.
    root="$work/root-empty"
    rm -rf "$root/root/.cache" "$root/srv/a clone/target"
    started=$SECONDS
    until_there "$work/whole.log" "$root/root/.cache/dynamo-server/rocksdb-*/*.o" \
        inside '' 'cd "/srv/a clone" && HOME=/root CARGO_HOME=/opt/cargo ./run --port 0' || fail 'RocksDB is not compiled'
    say "first file of RocksDB after $((SECONDS - started)) s; interrupted"
    inside '' 'cd "/srv/a clone" && export HOME=/root CARGO_HOME=/opt/cargo && (./run --port 8000 & cargo build --release --locked --target-dir /tmp/second -p ordered-kv 2>/tmp/second.log &
        for _ in $(seq 3600); do
            if exec 3<>/dev/tcp/127.0.0.1/8000; then printf "GET /health/ready HTTP/1.0\r\n\r\n" >&3; grep -q "200 OK" <&3 && exit 0; fi 2>/dev/null
            sleep 1
        done; exit 1)' >>"$work/whole.log" 2>&1 || { tail -n 30 "$work/whole.log"; fail 'no answer'; }
    grep -q 'files are compiled already' "$work/whole.log" || fail 'the second build began anew'
    say "first answer after $((SECONDS - started)) s, one interruption and a second build beside it included"
    printf '%s' "$deciding" >"$work/passed"
fi
rm -rf "$work"/root-*
say 'passed'
