#!/usr/bin/env bash
# Stands between cargo and rustc (RUSTC_WORKSPACE_WRAPPER): the crates that carry out requests count every edge of the program
# that is passed, and the test that searches for expensive requests knows it. What is not of this workspace is as ever.
set -euo pipefail
name='' previous=''
for argument in "$@"; do
    [ "$previous" = --crate-name ] && name=$argument
    previous=$argument
done
case $name in
    dynamo_protocol | dynamo_expression | dynamo_engine | ordered_kv | shard_router)
        exec "$@" -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=3 -C llvm-args=-sanitizer-coverage-trace-pc-guard
        ;;
    engine) exec "$@" --cfg counts_edges ;;
    *) exec "$@" ;;
esac
