#!/usr/bin/env bash
# Tries ./run where nothing is installed: in bare Debian roots, of which only a Rust toolchain is brought in.
#
#   scripts/bare-root.sh [CASE...]     default: all; `quick` stands for the first three
#
# The cases of `quick` go until the first binding to RocksDB is compiled, with RocksDB's archive from this machine's cache:
#   empty      as root in an empty root: no git, HOME unset, umask 077, a clone whose path has spaces; interrupted, and then
#              without network
#   deceiving  as a user without sudo, in a root with what looks like compilers and libclang, from a read-only clone
#   refused    what cannot be: no or too old a Rust, another RocksDB, a full disk (needs `empty` before it)
# One goes to the end, and does nothing while all that decides set-up is as it was when that last passed here:
#   whole      until the first answer, RocksDB compiled from nothing, interrupted once, two builds at once, no network
#
# COMMIT names another commit than HEAD. Needs root and Debian; the roots are kept in the cache and come from the mirror that
# this machine's apt uses.
set -euo pipefail
cd "$(dirname "$0")/.."
clone=$PWD
source scripts/root.sh
commit=$(git rev-parse "${COMMIT:-HEAD}")
# What decides set-up, in one hash; $passed has those with which `whole` has passed on this machine.
deciding=$({ rustc -V; git ls-tree -r "$commit" -- run scripts .cargo Cargo.lock Cargo.toml vendor rust-toolchain rust-toolchain.toml; } |
    cksum | tr ' ' '-')
passed="$work/passed"
[ $# -gt 0 ] || set -- quick whole
cases=()
for case in "$@"; do
    case $case in
        quick) cases+=(empty deceiving refused) ;;
        empty | deceiving | refused) cases+=("$case") ;;
        whole)
            if grep -qxF -- "$deciding" "$passed" 2>/dev/null; then
                say "whole: passed before with this set-up, says $passed"
            else
                cases+=(whole)
            fi ;;
        *) echo "there is no case $case"; exit 2 ;;
    esac
done
[ ${#cases[@]} -gt 0 ] || exit 0
need_roots

# --- What is brought in: the toolchain, the crates that cargo has, a clone without git's folder, RocksDB's archive.
base_root
toolchain=$(rustc --print sysroot)
cargo_home="${CARGO_HOME:-${HOME:-/root}/.cargo}"

# clone_root NAME: a root with a clone and the crates.
clone_root() {
    new_root "$1"
    mkdir -p "$root/opt/cargo/registry"
    git -C "$clone" archive "$commit" | tar -x -C "$root/srv/a clone"
    cargo fetch --locked --quiet --target "$(rustc -vV | sed -n 's/^host: //p')" --manifest-path "$root/srv/a clone/Cargo.toml" ||
        no_roots 'the crates cannot be fetched'
    local part
    for part in index cache; do
        [ ! -d "$cargo_home/registry/$part" ] || cp -a "$cargo_home/registry/$part" "$root/opt/cargo/registry/"
    done
    [ ! -e "$cargo_home/config.toml" ] || cp "$cargo_home/config.toml" "$root/opt/cargo/"
    chmod -R a+rX "$root/opt/cargo" "$root/srv"
}

# bring_archive HOME: RocksDB's archive from this machine's cache, so that it is not compiled again.
bring_archive() {
    mkdir -p "$root$1/.cache/dynamo-server"
    local folder
    for folder in "$cache"/rocksdb-*; do
        [ ! -e "$folder/librocksdb.a.sum" ] || cp -a "$folder" "$root$1/.cache/dynamo-server/"
    done
}

as_tester() { printf 'su tester -c %q' "$1"; }

# Quick: whether things compile, not how well.
unoptimised='export CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off;'

# What a binding that is compiled leaves behind, and what is compiled next.
binding='release/deps/liblibrocksdb_sys-*.rlib'
next='release/deps/librocksdb-*.rlib'

started=$SECONDS
took() { printf '%s s' $((SECONDS - started)); }

case_empty() {
    clone_root empty
    bring_archive /root
    local run="$unoptimised"' umask 077; export CARGO_HOME=/opt/cargo; cd "/srv/a clone" && ./run --port 0'
    started=$SECONDS
    until_there "$work/empty.log" "$root/srv/a clone/target/$binding" inside '' "$run" ||
        failed "$work/empty.log" 'as root in an empty root, no binding to RocksDB was compiled'
    say "as root in an empty root: first binding after $(took)"
    until_there "$work/empty.log" "$root/srv/a clone/target/$next" inside no-network "$run" ||
        fail 'an interrupted build does not go on without network'
    say "interrupted, it went on without network: next crate after $(took)"
}

# What deceived set-up before: compilers and libraries by name alone.
deceive() {
    # Version 14 is what deceived it; other versions of Debian have others.
    inside '' 'apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
        "$(apt-cache search --names-only "^libclang-cpp[0-9]+\$" | cut -d" " -f1 | sort | head -n 1)"' >"$work/deceive.log" 2>&1 ||
        failed "$work/deceive.log" 'a libclang-cpp cannot be installed'
    mkdir -p "$root/usr/lib/llvm-14/lib"
    mkdir -p "$root/usr/lib/llvm-13/lib" "$root/usr/lib/llvm-15/lib"
    ln -s /nowhere/libclang.so.1 "$root/usr/lib/llvm-14/lib/libclang.so"
    : >"$root/usr/lib/llvm-13/lib/libclang-13.so.1"
    ln -s /nowhere/clang "$root/usr/local/bin/clang"
    ln -s /nowhere/c++ "$root/usr/local/bin/c++"
}

case_deceiving() {
    clone_root deceiving
    deceive
    local run="$unoptimised"' umask 077; export CARGO_HOME=$HOME/cargo; mkdir -p "$CARGO_HOME/registry"
        cp -r /opt/cargo/registry/. "$CARGO_HOME/registry/"; cp /opt/cargo/config.toml "$CARGO_HOME/" 2>/dev/null
        cd "/srv/a clone" && ./run --port 0' result=0
    inside read-only "$(as_tester "$run")" >"$work/user.log" 2>&1 || result=$?
    [ "$result" = 1 ] && [ "$(grep -c . "$work/user.log")" = 1 ] && grep -q 'apt-get install -y gcc g++' "$work/user.log" ||
        { cat "$work/user.log"; fail "a user without sudo must get one line and exit code 1, not $result"; }
    say "as a user without sudo: $(cat "$work/user.log")"
    rm "$root/usr/local/bin/c++"
    inside '' "DEBIAN_FRONTEND=noninteractive $(grep -o 'apt-get install -y .*' "$work/user.log")" >"$work/install.log" 2>&1 ||
        failed "$work/install.log" 'the line that the user was told does not work'
    bring_archive /home/tester
    chroot "$root" chown -R tester /home/tester
    started=$SECONDS
    until_there "$work/user.log" "$root/home/tester/.cache/dynamo-server/target-of-read-only/$binding" \
        inside read-only "$(as_tester "$run")" ||
        failed "$work/user.log" 'as a user, among libraries that deceive, no binding to RocksDB was compiled'
    say "as a user without sudo, read-only clone, after that line: first binding after $(took)"
}

# refused WHAT TEXT COMMAND: the command fails, and says so.
refused() {
    inside full-disk "$unoptimised export CARGO_HOME=/opt/cargo HOME=/root CARGO_TARGET_DIR=\"/srv/a clone/target\"; cd '/srv/a clone'; $3" \
        >"$work/refused.log" 2>&1 && fail "$1 is not refused"
    grep -q "$2" "$work/refused.log" || { tail -n 30 "$work/refused.log"; fail "$1: no word of '$2'"; }
    say "$1: $(grep -m 1 "$2" "$work/refused.log")"
}

# In the root of `empty`, where the crates below RocksDB are compiled already.
case_refused() {
    root="$roots/empty"
    refused 'too old a Rust' 'Rust 1.75.0 is too old' \
        'mkdir -p /tmp/old; printf "#!/bin/sh\necho cargo 1.75.0\n" >/tmp/old/cargo; chmod +x /tmp/old/cargo; PATH=/tmp/old:$PATH ./run'
    refused 'no Rust' 'Rust is missing' 'PATH=/usr/bin:/bin HOME=/nowhere CARGO_HOME= ./run'
    refused 'another RocksDB' 'ROCKSDB_LIB_DIR is refused' \
        'mkdir -p /tmp/other; echo "rocksdb_build_git_tag:v7.8.3" >/tmp/other/librocksdb.a; ROCKSDB_LIB_DIR=/tmp/other ./run'
    refused 'a full disk' 'The disk is full' 'DYNAMO_SERVER_CACHE=/var/full-disk ./run'
    refused 'a full disk for what is compiled' 'No space left on device' 'CARGO_TARGET_DIR=/var/full-disk/target ./run'
    refused 'a full disk for temporary files' 'Nothing can be written to /var/full-disk' 'TMPDIR=/var/full-disk ./run'
}

# In the root: whether a server on port 8000 is ready, and a second build is done. Ends all where ./run, `$run`, has ended.
answers() {
    kill -0 "$run" 2>/dev/null || { echo './run has ended'; exit 1; }
    [ -e /tmp/second ] && exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET /health/ready HTTP/1.0\r\n\r\n' >&3 && grep -q '200 OK' <&3
}

case_whole() {
    clone_root whole
    local enter='cd "/srv/a clone" || exit; export HOME=/root CARGO_HOME=/opt/cargo'
    enter+="; $(declare -f patient answers)"
    started=$SECONDS
    until_there "$work/whole.log" "$root/root/.cache/dynamo-server/rocksdb-*/*.o" inside '' "$enter; ./run --port 0" ||
        failed "$work/whole.log" 'RocksDB is not compiled'
    say "first file of RocksDB after $(took); interrupted"
    inside no-network "$enter; rm -f /tmp/second && { ./run --port 8000 & run=\$!
            { DYNAMO_SERVER_PROGRESS=9 cargo build --release --locked --target-dir /tmp/target -p ordered-kv 9>&2 && touch /tmp/second || kill \$run; } &
            patient 1200 answers 2>/dev/null; }" \
        >"$work/whole.log" 2>&1 || { tail -n 30 "$work/whole.log"; fail "no first answer after $(took)"; }
    grep -q 'files are compiled already' "$work/whole.log" || fail 'the compilation that was interrupted began anew'
    grep -q 'another build compiles it' "$work/whole.log" || fail 'of two builds neither waited for the other'
    say "first answer after $(took), without network, one interruption and a second build beside it included"
    inside no-network "$enter; { ./run --port 8000 & run=\$!
            patient 300 answers 2>/dev/null; }" >"$work/again.log" 2>&1 ||
        { tail -n 30 "$work/again.log"; fail "no second answer after $(took)"; }
    say 'answered again'
    printf '%s\n' "$deciding" >>"$passed"
}

say "${cases[*]}, of $(git rev-parse --short "$commit")"
began=$SECONDS
for case in "${cases[@]}"; do "case_$case"; done
rm -rf "$roots"
say "passed in $(((SECONDS - began) / 60)) min"
