#!/usr/bin/env bash
# Searches for requests that cost more than is accounted for, guided by every edge of the program that they pass:
# dynamo-engine/tests/engine/search.rs. COST_SECONDS says how long (60), COST_KEEP=1 keeps what was found in the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTC_WORKSPACE_WRAPPER="$PWD/scripts/count-edges.sh" COST_SECONDS="${COST_SECONDS:-60}"
exec cargo test --locked --profile checked --workspace --test engine -- --nocapture search_for_the_most_expensive_request
