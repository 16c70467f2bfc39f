# Sourced: what cannot be tried on this machine is said, and counted for the closing line of whoever began to count.

# begin_counting: counts from here on, unless a caller counts already.
begin_counting() {
    [ -z "${DYNAMO_SERVER_PASSED_OVER:-}" ] || return 0
    DYNAMO_SERVER_PASSED_OVER=$(mktemp)
    export DYNAMO_SERVER_PASSED_OVER
    trap 'rm -f "$DYNAMO_SERVER_PASSED_OVER"' EXIT
}

# pass_over WORDS: what is not tried, and why.
pass_over() {
    printf 'PASSED OVER: %s\n' "$*"
    [ -z "${DYNAMO_SERVER_PASSED_OVER:-}" ] || printf '%s\n' "$*" >>"$DYNAMO_SERVER_PASSED_OVER"
}

# closing WORDS: the last line, with the number of what was passed over; each is said once more before it.
closing() {
    sed 's/^/passed over: /' "$DYNAMO_SERVER_PASSED_OVER"
    printf '%s %s passed over.\n' "$*" "$(grep -c . "$DYNAMO_SERVER_PASSED_OVER" || true)"
}
