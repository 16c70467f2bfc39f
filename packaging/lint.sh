#!/usr/bin/env bash
# Checks the manifests for containers, and the workflow that docs/packages.md shows, against their own schemas, and that they
# name this version's image.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/pass-over.sh
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
for file in packaging/docker-compose.yml packaging/kubernetes/dynamo.yaml docs/packages.md; do
    others=$(grep -oE 'dynamo-server[:_-][0-9]+\.[0-9]+\.[0-9]+' "$file" | grep -vE "[:_-]${version//./\\.}\$" || true)
    [ -z "$others" ] || { echo "$file names $others, not $version"; exit 1; }
done
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
if ! { python3 -m venv "$tools" && "$tools/bin/pip" -q install 'kubernetes-validate<2' 'check-jsonschema<1' yamllint; } >"$tools/log" 2>&1; then
    tail -n 3 "$tools/log"
    pass_over "the manifests' schemas: they need python3 with venv, and its package index"
    exit 0
fi
"$tools/bin/kubernetes-validate" -k 1.31 --strict packaging/kubernetes/dynamo.yaml
"$tools/bin/check-jsonschema" --builtin-schema vendor.compose-spec packaging/docker-compose.yml
# The services that docs/packages.md shows, in a job.
{
    printf 'on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps: [{run: "true"}]\n'
    sed -n '/^```yaml$/,/^```$/{/^```/!s/^/    /p}' docs/packages.md
} >"$tools/workflow.yml"
grep -q 'dynamo-server:' "$tools/workflow.yml"
"$tools/bin/check-jsonschema" --builtin-schema vendor.github-workflows "$tools/workflow.yml"
"$tools/bin/yamllint" -s -d '{extends: default, rules: {line-length: {max: 140}, document-start: disable, braces: {max-spaces-inside: 1}}}' packaging
