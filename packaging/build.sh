# Sourced by the packages' scripts: builds the binary, and says what it is called, how old its C library may be, and so on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh
set_up Cargo.toml
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
target=${CARGO_TARGET_DIR:-$PWD/target}
packages="$target/packages"
mkdir -p "$packages"
# DYNAMO_SERVER_BUILT names a folder where dynamo-server and packaging were built already, however.
bin=${DYNAMO_SERVER_BUILT:-}
CFLAGS=${CFLAGS:-}
# fold: the flag by which the linker keeps one of several functions that are equal, where it knows how; Rust's own on x86-64 does.
fold() {
    local flag=-Clink-arg=-Wl,--icf=all scratch
    scratch=$(mktemp -d)
    ! echo 'fn main() {}' | rustc "$flag" -o "$scratch/program" - 2>/dev/null || printf '%s' "$flag"
    rm -rf "$scratch"
}
if [ -n "$bin" ]; then
    binary="$bin/dynamo-server" pages="$bin/packaging"
else
    # What zstd does at the levels above the one that is used, 3: three hundred kilobytes.
    for strategy in GREEDY LAZY LAZY2 BTLAZY2 BTOPT BTULTRA; do CFLAGS+=" -DZSTD_EXCLUDE_${strategy}_BLOCK_COMPRESSOR"; done
    export CFLAGS
    # shellcheck disable=SC2046  # a word or none
    cargo rustc --profile packaged --locked -p dynamo-server --bin dynamo-server -- $(fold)
    binary="$target/packaged/dynamo-server" pages="$target/debug/packaging"
fi
# write_pages FOLDER: the manual pages and completions, whose writer need not be fast.
write_pages() {
    [ -n "$bin" ] || cargo build --locked --quiet -p packaging --bins
    "$pages" "$1"
}
machine=$(uname -m)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
# So that two builds of one commit make the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# The newest version of the C library that the binary asks for.
glibc() { grep -aoE 'GLIBC_2\.[0-9]+' "$binary" | sort -uV | tail -n 1 | cut -d_ -f2; }

# built FILE: tells what was made.
built() { printf '%s: %s\n' "$1" "$(du -h --apparent-size "$1" | cut -f1)"; }
