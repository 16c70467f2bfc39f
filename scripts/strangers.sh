#!/usr/bin/env bash
# Uses the crates as a stranger does: a project outside the workspace, built from the packaged .crate files, runs the
# example of each crate's README. The server is taken without its feature `rocksdb`, and no C compiler is to be had.
#
#   scripts/strangers.sh [FOLDER WITH .crate FILES]      (default: packs them first)
set -euo pipefail
cd "$(dirname "$0")/.."
clone=$PWD
target=${CARGO_TARGET_DIR:-$clone/target}
crates=${1:-}
if [ -z "$crates" ]; then
    cargo package --locked --workspace --no-verify --allow-dirty --quiet
    crates="$target/package"
fi
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir -p "$project/src" "$project/crates"

# names: package and crate as the examples call it, of everything that is published.
names='quorum-lease:lease quorum-hlc:hlc shard-router:shard_router ordered-kv:ordered_kv raft-log:raft_log dynamo-protocol:dynamo_protocol
    dynamo-expression:dynamo_expression dynamo-engine:dynamo_engine history-checker:checker dynamo-server:dynamo_server'
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

dependencies='' patches='' modules='' calls=''
for pair in $names; do
    package=${pair%:*} crate=${pair#*:}
    # As of now: what is packed has one date for ever, by which cargo would take it for what it has compiled before.
    tar -xmzf "$crates/$package-$version.crate" -C "$project/crates"
    dependencies+="$crate = { package = \"$package\", version = \"$version\", default-features = false }"$'\n'
    patches+="$package = { path = \"crates/$package-$version\" }"$'\n'
    modules+="mod example_$crate { include!(\"$crate.rs\"); }"$'\n'
    calls+="    example_$crate::main().expect(\"$crate\"); println!(\"example of $crate: passed\");"$'\n'
    # The README's block, with the lines that are hidden in documentation.
    {
        grep -q '^fn main()' <(sed -n '/^```rust/,/^```$/p' "$project/crates/$package-$version/README.md") && plain=1 || plain=
        [ "$plain" ] || printf 'pub fn main() -> Result<(), Box<dyn std::error::Error>> {\n'
        sed -n '/^```rust/,/^```$/{/^```/!p}' "$project/crates/$package-$version/README.md" |
            sed -e 's/^# //' -e '/^Ok::</d' -e 's/^fn main()/pub fn main()/'
        [ "$plain" ] || printf 'Ok(())\n}\n'
    } >"$project/src/$crate.rs"
done

cat >"$project/Cargo.toml" <<END
[package]
name = "stranger"
version = "0.0.0"
edition = "2024"
[dependencies]
${dependencies}tokio = { version = "1", features = ["rt-multi-thread"] }
serde_json = "1"
[patch.crates-io]
$patches
[profile.dev]
debug = false
END
cat >"$project/src/main.rs" <<END
${modules}fn main() {
$calls    on_disk();
}
/// Without the feature, a directory is refused with the reason.
fn on_disk() {
    let config = dynamo_server::Config { data_dir: Some("/nowhere".into()), ..Default::default() };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let refusal = runtime.block_on(dynamo_server::Server::start(config)).err().expect("refused").to_string();
    assert!(refusal.contains("feature \`rocksdb\`"), "{refusal}");
}
END
# The versions that the workspace was tested with.
cp Cargo.lock "$project/Cargo.lock"
cd "$project"
export CC=/nowhere/cc CXX=/nowhere/c++ LIBCLANG_PATH=/nowhere CARGO_TARGET_DIR="$target/strangers"
cargo tree --quiet --prefix none | sort -u | grep -E -- '-sys v|^(cc|cmake|bindgen) v' && { echo 'something in it is not Rust'; exit 1; }
cargo tree --quiet --prefix none | sort -u | grep -E '^(clap|toml|tracing-subscriber) v' &&
    { echo 'a server inside a test needs nothing of a command line'; exit 1; }
started=$SECONDS
cargo run --quiet
echo "all crates built and tried in $((SECONDS - started)) s"
