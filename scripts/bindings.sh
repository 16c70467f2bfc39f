#!/usr/bin/env bash
# Makes vendor/bindgen/bindings.rs from the C header of the RocksDB that Cargo.lock names; needs libclang
# (Debian: libclang-dev). `scripts/bindings.sh --check` only says whether the file is what it would write.
set -euo pipefail
cd "$(dirname "$0")/.."
package=$(cargo metadata --locked --format-version 1 |
    grep -o '"manifest_path":"[^"]*/librocksdb-sys-[^"]*/Cargo.toml"' | head -n 1 | cut -d'"' -f4)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
written="$scratch/bindings.rs"
generate="$PWD/vendor/bindgen/generate/Cargo.toml"
# From a folder where rustfmt finds no settings: ours would format the bindings, too.
(cd "$scratch" && cargo run --locked --quiet --manifest-path "$generate" -- "${package%/*}/rocksdb/include/rocksdb/c.h") >"$written"
if [ "${1:-}" = --check ]; then
    cmp "$written" vendor/bindgen/bindings.rs
else
    cp "$written" vendor/bindgen/bindings.rs
fi
