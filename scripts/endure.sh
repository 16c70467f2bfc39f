#!/usr/bin/env bash
# The long run, at low priority: SEEDS (300) of each scenario of the simulated cluster, then MINUTES (60) of faults in real
# processes, whose first seed is SEED (1). STAGES="simulation" or "nemesis" runs one of the two. Ends at the first violation,
# which says how it is played again. Everything goes to endure/log in the target folder, and what is worth keeping to endure/report.md there,
# which also an interrupted run leaves; see bench/results. A seed takes about a second of a processor.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${SEEDS:-300} minutes=${MINUTES:-60} seed=${SEED:-${NEMESIS_SEED:-1}} stages=${STAGES:-simulation nemesis}
build=(--locked --profile checked --workspace)
out=${CARGO_TARGET_DIR:-$PWD/target}/endure
mkdir -p "$out"
rm -f "$out"/{log,simulation,table.md}
began=$(date -u '+%d %B %Y, %H:%M')

report() {
  {
    echo "# Long run"
    echo
    echo "$began to $(date -u '+%H:%M') UTC; $(nproc) processors ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)), load at the"
    echo "end $(cut -d' ' -f1-3 /proc/loadavg); profile \`checked\` of $(git rev-parse --short HEAD). \`scripts/endure.sh\` with SEEDS=$seeds MINUTES=$minutes"
    echo "SEED=$seed STAGES=\"$stages\"."
    if [ -s "$out/simulation" ]; then
      printf '\n## Simulation\n\n```text\n'
      cat "$out/simulation"
      printf '```\n'
    fi
    if [ -s "$out/table.md" ]; then
      printf '\n## Faults in real processes\n\n'
      cat "$out/table.md"
    fi
  } >"$out/report.md"
  echo "report: $out/report.md"
}
trap report EXIT

if [[ $stages == *simulation* ]]; then
  nice -n 10 env SIM_SEEDS="$seeds" cargo test "${build[@]}" --lib -- cluster::green --nocapture 2>&1 | tee -a "$out/log"
  # Tests run beside each other: a line of theirs may begin in the middle of another's.
  grep -oE '[A-Za-z]+: seeds .*virtual seconds|test result: .*' "$out/log" | grep -v ' 0 passed' >"$out/simulation"
fi
if [[ $stages == *nemesis* ]]; then
  nice -n 10 cargo build "${build[@]}" --features dynamo-server/fault-injection --bin dynamo-server-faults
  nice -n 10 env NEMESIS_MINUTES="$minutes" NEMESIS_SEED="$seed" NEMESIS_REPORT="$out/table.md" \
    cargo test "${build[@]}" --test cluster -- faults::long --exact --ignored --nocapture 2>&1 | tee -a "$out/log"
fi
