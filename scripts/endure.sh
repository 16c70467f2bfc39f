#!/usr/bin/env bash
# The long run, at low priority: SEEDS (300) of each scenario of the simulated cluster, then MINUTES (60) of torment of real
# processes. Ends at the first violation, which says how it is played again. A seed takes about a second of a processor.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${SEEDS:-300} minutes=${MINUTES:-60}
build=(--locked --profile checked --workspace)

nice -n 10 env SIM_SEEDS="$seeds" cargo test "${build[@]}" --lib -- cluster::green --nocapture
nice -n 10 cargo build "${build[@]}" --features dynamo-server/fault-injection --bin dynamo-server-faults
nice -n 10 env NEMESIS_MINUTES="$minutes" NEMESIS_SEED="${SEED:-1}" \
  cargo test "${build[@]}" --test cluster -- faults::long --exact --ignored --nocapture
