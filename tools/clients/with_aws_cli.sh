#!/usr/bin/env bash
# The AWS CLI, unchanged, against a running server: create, wait, put, get, update, query, transact, delete.
set -eu
endpoint=${1:-http://127.0.0.1:8000}
export AWS_ENDPOINT_URL_DYNAMODB=$endpoint AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_REGION=eu-west-1 \
    AWS_DEFAULT_REGION=eu-west-1 AWS_PAGER=
ddb() { aws dynamodb "$@"; }
is() { [ "$1" = "$2" ] || { echo "expected $2, got $1" >&2; exit 1; }; }
table=clients-cli

ddb delete-table --table-name $table >/dev/null 2>&1 || true
ddb create-table --table-name $table --billing-mode PAY_PER_REQUEST \
    --attribute-definitions AttributeName=p,AttributeType=S AttributeName=s,AttributeType=N \
    --key-schema AttributeName=p,KeyType=HASH AttributeName=s,KeyType=RANGE >/dev/null
ddb wait table-exists --table-name $table
for s in 1 2 3; do ddb put-item --table-name $table --item "{\"p\": {\"S\": \"a\"}, \"s\": {\"N\": \"$s\"}}"; done
is "$(ddb get-item --table-name $table --key '{"p": {"S": "a"}, "s": {"N": "2"}}' --consistent-read --query Item.s.N --output text)" 2
is "$(ddb update-item --table-name $table --key '{"p": {"S": "a"}, "s": {"N": "2"}}' --update-expression 'ADD hits :one' \
    --expression-attribute-values '{":one": {"N": "1"}}' --return-values ALL_NEW --query Attributes.hits.N --output text)" 1
is "$(ddb query --table-name $table --key-condition-expression 'p = :p AND s > :s' \
    --expression-attribute-values '{":p": {"S": "a"}, ":s": {"N": "1"}}' --query Count --output text)" 2
is "$(ddb scan --table-name $table --page-size 1 --query 'length(Items)' --output json)" 3
ddb transact-write-items --transact-items "[{\"Put\": {\"TableName\": \"$table\", \"Item\": {\"p\": {\"S\": \"b\"}, \"s\": {\"N\": \"1\"}}}},
    {\"Delete\": {\"TableName\": \"$table\", \"Key\": {\"p\": {\"S\": \"a\"}, \"s\": {\"N\": \"3\"}}}}]"
is "$(ddb scan --table-name $table --select COUNT --query Count --output text)" 3
refused=$(ddb put-item --table-name $table --item '{"p": {"S": "b"}, "s": {"N": "1"}}' --condition-expression 'attribute_not_exists(p)' 2>&1) && exit 1
case $refused in *ConditionalCheckFailedException*"The conditional request failed"*) ;; *) echo "$refused" >&2; exit 1 ;; esac
is "$(ddb list-tables --query "contains(TableNames, '$table')" --output text)" True
ddb delete-item --table-name $table --key '{"p": {"S": "b"}, "s": {"N": "1"}}'
ddb delete-table --table-name $table >/dev/null
ddb wait table-not-exists --table-name $table
echo "$(aws --version 2>&1 | cut -d' ' -f1): all well"
