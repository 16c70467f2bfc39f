#!/usr/bin/env bash
# How long somebody waits for a test that has the server as a dev-dependency, in pure Rust and beside an AWS SDK: README's
# lines in a project outside the workspace, compiled from nothing, and the test run. For a quiet machine; the goal is 90 s.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/pass-over.sh
clone=$PWD
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir "$project/src" "$project/tests"
cp Cargo.lock "$project/"
cat >"$project/Cargo.toml" <<END
[package]
name = "songs"
version = "0.0.0"
edition = "2024"

[dependencies]
aws-credential-types = { version = "1", features = ["hardcoded-credentials"] }
aws-sdk-dynamodb = { version = "1", default-features = false, features = ["rt-tokio", "behavior-version-latest"] }
aws-smithy-http-client = { version = "1", default-features = false, features = ["default-client"] }

END
# The block of README that names the clone, with this clone.
sed -n '/^```toml/,/^```/{/^```/!p}' README.md | sed "s|\.\./dynamo-server/|$clone/|" >>"$project/Cargo.toml"
cat >"$project/src/lib.rs" <<'END'
pub async fn tables(client: &aws_sdk_dynamodb::Client) -> Vec<String> {
    client.list_tables().send().await.expect("an answer").table_names().to_vec()
}
END
cat >"$project/tests/songs.rs" <<'END'
use aws_sdk_dynamodb::{Client, Config, config::{Credentials, Region}};

#[tokio::test]
async fn there_are_no_tables_yet() {
    let server = dynamo_server::Server::in_memory().await.expect("it starts");
    let config = Config::builder().endpoint_url(server.endpoint_url()).region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::from_keys("any", "any", None)).behavior_version_latest()
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    assert!(songs::tables(&Client::from_conf(config.build())).await.is_empty());
}
END
cd "$project"
export CC=/nowhere/cc CXX=/nowhere/c++ CARGO_TARGET_DIR="$project/target" CARGO_INCREMENTAL=0
cargo fetch --quiet || { pass_over "README's lines for a test: the crates cannot be fetched"; exit 0; }
# timed WHAT COMMAND: how long it took, and how much of the processors.
timed() {
    printf '%s:' "$1"
    local TIMEFORMAT=' %0R s; %0U s of processors for itself, %0S s in the system'
    time "${@:2}"
}
timed 'the SDK alone' cargo build --quiet --lib
rm -rf target
timed 'the SDK, the server and the test' cargo test --quiet "$@"
