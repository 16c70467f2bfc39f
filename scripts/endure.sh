#!/usr/bin/env bash
# The long run, at low priority: OPERATIONS (ten million) of clients in the simulated cluster, the same number in each scenario, with
# seeds from FROM (1000000) on, which the check does not use; then MINUTES (60) of faults in real processes, whose first seed
# is SEED (1). STAGES="simulation" or "nemesis" runs one of the two. Ends at the first violation, which says how it is played
# again. Everything goes to endure/log in the target folder, and what is worth keeping to endure/report.md there, which also
# an interrupted run leaves; see bench/results. A seed has some 5,000 operations and takes about half a second of a processor.
set -euo pipefail
cd "$(dirname "$0")/.."
operations=${OPERATIONS:-10000000} from=${FROM:-1000000} minutes=${MINUTES:-60} seed=${SEED:-${NEMESIS_SEED:-1}} stages=${STAGES:-simulation nemesis}
build=(--locked --profile checked --workspace)
out=${CARGO_TARGET_DIR:-$PWD/target}/endure
mkdir -p "$out"
rm -f "$out"/{log,simulation,table.md}
began=$(date -u '+%d %B %Y, %H:%M')

# The scenarios' lines as a table, then the faults of all of them.
simulation_table() {
  # shellcheck disable=SC2016
  awk '
    / operations \(/ {
      match($0, /seeds [0-9]+\.\.[0-9]+/); split(substr($0, RSTART + 6, RLENGTH - 6), range, /\.\./)
      match($0, /[0-9]+ operations/); done = substr($0, RSTART, RLENGTH) + 0
      match($0, /[0-9]+ of [0-9]+ messages/); split(substr($0, RSTART, RLENGTH), sent, " ")
      match($0, /[0-9]+ virtual/); seconds = substr($0, RSTART, RLENGTH) + 0
      split($0, parts, "faults: "); count = split(parts[2], kinds, ", "); harm = 0
      for (i = 1; i < count; i++) { split(kinds[i], one, " "); harm += one[1]; kind = substr(kinds[i], length(one[1]) + 2); of[kind] += one[1] }
      sub(/:.*/, "")
      rows = rows sprintf("| %s | %d..%d | %d | %d | %d | %d of %d |\n", $0, range[1], range[2], done, harm, seconds, sent[1], sent[3])
      seeds += range[2] - range[1]; all += done; harms += harm; time += seconds
    }
    /test result: ok/ { passed = 1 }
    /test result: FAILED/ { failed = 1 }
    END {
      printf "**Verdict: %s**: %d operations of clients, %d seeds, %d faults, %d virtual seconds.\n\n", failed || !passed ? "VIOLATED, or not ended: see the log" : "no violation", all, seeds, harms, time
      print "| scenario | seeds | operations | faults | virtual seconds | messages lost |\n|---|---|---|---|---|---|"
      printf "%s\n| fault | times |\n|---|---|\n", rows
      for (kind in of) printf "| %s | %d |\n", kind, of[kind] | "sort"
    }' "$out/simulation"
}

report() {
  {
    echo "# Long run"
    echo
    echo "$began to $(date -u '+%H:%M') UTC; $(nproc) processors ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)), load at the"
    echo "end $(cut -d' ' -f1-3 /proc/loadavg); profile \`checked\` of $(git rev-parse --short HEAD). \`scripts/endure.sh\` with"
    echo "OPERATIONS=$operations FROM=$from MINUTES=$minutes SEED=$seed STAGES=\"$stages\"."
    if [ -s "$out/simulation" ]; then
      printf '\n## Simulation\n\n'
      simulation_table
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
  nice -n 10 env SIM_OPERATIONS="$operations" SIM_FROM="$from" cargo test "${build[@]}" --lib -- cluster::green --nocapture 2>&1 | tee -a "$out/log"
  # Tests run beside each other: a line of theirs may begin in the middle of another's.
  grep -oE '[A-Za-z]+: seeds .*no violation|test result: .*' "$out/log" | grep -v ' 0 passed' >"$out/simulation"
fi
if [[ $stages == *nemesis* ]]; then
  nice -n 10 cargo build "${build[@]}" --features dynamo-server/fault-injection --bin dynamo-server-faults
  nice -n 10 env NEMESIS_MINUTES="$minutes" NEMESIS_SEED="$seed" NEMESIS_REPORT="$out/table.md" \
    cargo test "${build[@]}" --test cluster -- faults::long --exact --ignored --nocapture 2>&1 | tee -a "$out/log"
fi
