#!/usr/bin/env bash
# Whether the published crates compile with the oldest that their manifests allow: of each dependency, and of Rust.
#
# Without C, since what belongs to RocksDB is pinned. Once it has passed, it does nothing until a manifest changes; which
# parts of the standard library the sources may use is looked at by every clippy (`incompatible_msrv`).
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/pass-over.sh
cache="${DYNAMO_SERVER_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/dynamo-server}"
members='lease hlc shard-router ordered-kv raft-log dynamo-protocol dynamo-expression dynamo-engine checker dynamo-server'
manifests=(Cargo.toml vendor/*/Cargo.toml)
for member in $members; do manifests+=("$member/Cargo.toml"); done
state="$(cat "${manifests[@]}" Cargo.lock scripts/oldest-versions.sh | cksum | tr ' ' '-')"
if [ "$(cat "$cache/oldest-versions" 2>/dev/null)" = "$state" ]; then
    echo 'oldest versions: passed before'
    exit 0
fi
target="${CARGO_TARGET_DIR:-$PWD/target}"
started=$SECONDS

# A workspace of what is published, without what only tests need.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# shellcheck disable=SC2086  # a list of words
cp -r --parents $members vendor .cargo "$copy/"
awk -v members="$members" '
    /^resolver/ { gsub(" ", "\", \"", members); print "members = [\"" members "\"]" }
    /^(default-)?members = / { skip = 1 }
    !skip
    /\]$/ { skip = 0 }
' Cargo.toml >"$copy/Cargo.toml"
for manifest in "${manifests[@]:1}"; do
    awk '/^\[/ { skip = /dev-dependencies|\[bench\]/ } !skip' "$manifest" >"$copy/$manifest"
done
# A step ends with 9 where it cannot be tried.
dependencies() (
    cd "$copy" || exit
    cargo generate-lockfile --quiet || exit 9
    # The flag is unstable; this one call of cargo is allowed it.
    RUSTC_BOOTSTRAP=1 cargo generate-lockfile --quiet -Z direct-minimal-versions || exit
    cargo fetch --locked --quiet || exit 9
    CARGO_TARGET_DIR="$target/oldest" cargo check --locked --quiet --keep-going --workspace --no-default-features --features dynamo-server/cli
)

# rust VERSION FLAGS...: with that Rust, which is kept in the cache, and the dependencies that all tests use.
rust() (
    export RUSTUP_HOME="$cache/rustup" RUSTUP_TOOLCHAIN=$1
    command -v rustup >/dev/null 2>&1 || exit 9
    rustup --quiet toolchain install "$1" --profile minimal --no-self-update >/dev/null 2>&1 || exit 9
    CARGO_TARGET_DIR="$target/oldest" cargo check --locked --quiet --no-default-features "${@:2}"
)

tried=all
try() {
    local what=$1 result=0
    shift
    "$@" || result=$?
    case $result in
        0) echo "oldest versions: $what: passed after $((SECONDS - started)) s" ;;
        9) tried=some; pass_over "oldest versions: $what: nothing can be fetched" ;;
        *) echo "oldest versions: $what: FAILED"; exit 1 ;;
    esac
}
try dependencies dependencies
for version in $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "${manifests[@]}" | sort -uV); do
    flags=()
    for member in $members; do
        if grep -q "^rust-version = \"$version\"" "$member/Cargo.toml" || grep -q "^rust-version = \"$version\"" Cargo.toml; then
            flags+=(-p "$(sed -n 's/^name = "\(.*\)"/\1/p' "$member/Cargo.toml" | head -n 1)")
        fi
    done
    try "Rust $version" rust "$version" "${flags[@]}"
done
mkdir -p "$cache"
[ "$tried" = some ] || printf '%s' "$state" >"$cache/oldest-versions"
