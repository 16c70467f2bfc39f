#!/usr/bin/env python3
"""PartiQL with boto3, unchanged, against a running server: parameters of every type, pages, batches, transactions, errors."""

import random
import sys
import time
from decimal import Decimal

import boto3
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

endpoint = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
settings = dict(endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="any", aws_secret_access_key="any")
client = boto3.client("dynamodb", **settings)
resource = boto3.resource("dynamodb", **settings)
name = f"clients-partiql-{int(time.time() * 1000)}"
to_wire, from_wire = TypeSerializer().serialize, TypeDeserializer().deserialize
T = f'"{name}"'


def fails(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{code} expected")


def run(statement, *parameters, **more):
    if parameters:
        more["Parameters"] = [to_wire(parameter) for parameter in parameters]
    return client.execute_statement(Statement=statement, **more)


def rows(answer):
    return [{key: from_wire(value) for key, value in item.items()} for item in answer["Items"]]


client.create_table(
    TableName=name, BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in (("pk", "S"), ("sk", "N"), ("g", "S"))],
    GlobalSecondaryIndexes=[{"IndexName": "by_g", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}],
)
client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})

# Random values of every type arrive unchanged, and are found by what they are.
seed = random.randrange(1 << 32)
rng = random.Random(seed)


def value(depth=3):
    leaves = [
        lambda: "".join(rng.choice("abc'\"?\\-é😀 ") for _ in range(rng.randrange(12))),
        lambda: Decimal(rng.randrange(-10**15, 10**15)).scaleb(rng.randrange(-30, 22)),  # boto3 reads no more than 38 digits
        lambda: Binary(bytes(rng.randrange(256) for _ in range(rng.randrange(9)))),
        lambda: rng.random() < 0.5,
        lambda: None,
        lambda: {f"m{rng.randrange(99)}'" for _ in range(rng.randrange(1, 4))},
        lambda: {Decimal(rng.randrange(-999, 999)) for _ in range(rng.randrange(1, 4))},
    ]
    trees = [
        lambda: [value(depth - 1) for _ in range(rng.randrange(4))],
        lambda: {f"k{i} '\"": value(depth - 1) for i in range(rng.randrange(4))},
    ]
    return rng.choice(leaves + (trees if depth else []))()


table = resource.Table(name)
for number in range(200):
    first, second = value(), value()
    run(f"INSERT INTO {T} VALUE {{'pk': ?, 'sk': ?, 'v': ?}}", "random", number, first)
    run(f"UPDATE {T} SET w = ? WHERE pk = ? AND sk = ?", second, "random", number)
    item = {"pk": "random", "sk": Decimal(number), "v": first, "w": second}
    assert table.get_item(Key={"pk": "random", "sk": number})["Item"] == item, (seed, item)
    assert rows(run(f"SELECT * FROM {T} WHERE pk = ? AND sk = ? AND v = ? AND w = ?", "random", number, first, second)) == [item], (seed, item)

# Pages, by NextToken: of partitions, of an index, of the table.
for number in range(60):
    table.put_item(Item={"pk": f"p{number % 6}", "sk": number, "g": f"g{number % 3}"})
for statement, expected in (
    (f"SELECT * FROM {T} WHERE pk IN ['p0', 'p3', 'p5']", 30), (f"SELECT * FROM {T}.\"by_g\" WHERE g = 'g1'", 20), (f"SELECT * FROM {T} WHERE g = 'g2' OR pk = 'p0'", 30),
):
    found, token = [], None
    while True:
        page = run(statement, Limit=7, **({"NextToken": token} if token else {}))
        assert len(page["Items"]) <= 7
        found += rows(page)
        token = page.get("NextToken")
        if not token:
            break
    assert len(found) == expected and len({(row["pk"], row["sk"]) for row in found}) == expected, (statement, len(found))
page = run(f"SELECT * FROM {T} WHERE pk = 'p0'", Limit=1, ReturnConsumedCapacity="TOTAL")
assert page["ConsumedCapacity"]["CapacityUnits"] == 0.5
fails("ValidationException", client.execute_statement, Statement=f"SELECT * FROM {T}", NextToken=page["NextToken"])

# RETURNING, conditions as values, errors.
changed = rows(run(f"UPDATE {T} SET n = 1 SET s = set_add(s, <<'x'>>) WHERE pk = 'p0' AND sk = 0 AND attribute_exists(n) = false RETURNING MODIFIED NEW *"))
assert changed == [{"n": 1, "s": {"x"}}], changed
fails("DuplicateItemException", client.execute_statement, Statement=f"INSERT INTO {T} VALUE {{'pk': 'p0', 'sk': 0}}")
failed = fails("ConditionalCheckFailedException", client.execute_statement, Statement=f"DELETE FROM {T} WHERE pk = 'p0' AND sk = 0 AND n = 2",
               ReturnValuesOnConditionCheckFailure="ALL_OLD")
assert failed["Item"]["n"] == {"N": "1"}, failed
fails("ResourceNotFoundException", client.execute_statement, Statement="SELECT * FROM \"nothing-here\"")

# Batches and transactions.
batch = client.batch_execute_statement(Statements=[
    {"Statement": f"SELECT n FROM {T} WHERE pk = ? AND sk = ?", "Parameters": [{"S": "p0"}, {"N": "0"}]},
    {"Statement": f"SELECT n FROM {T} WHERE pk = 'p0'"},
])["Responses"]
assert batch[0]["Item"] == {"n": {"N": "1"}} and batch[1]["Error"]["Code"] == "ValidationError", batch
client.execute_transaction(TransactStatements=[
    {"Statement": f"INSERT INTO {T} VALUE {{'pk': 't', 'sk': 1}}"},
    {"Statement": f"EXISTS(SELECT * FROM {T} WHERE pk = 'p0' AND sk = 0 AND n = 1)"},
])
cancelled = fails("TransactionCanceledException", client.execute_transaction, TransactStatements=[
    {"Statement": f"INSERT INTO {T} VALUE {{'pk': 't', 'sk': 1}}"}, {"Statement": "DELETE FROM \"nothing-here\" WHERE pk = 'x'"},
])
assert [reason["Code"] for reason in cancelled["CancellationReasons"]] == ["None", "ResourceNotFound"], cancelled
cancelled = fails("TransactionCanceledException", client.execute_transaction, TransactStatements=[{"Statement": f"INSERT INTO {T} VALUE {{'pk': 't', 'sk': 1}}"}])
assert cancelled["CancellationReasons"][0]["Code"] == "DuplicateItem", cancelled
both = client.execute_transaction(TransactStatements=[{"Statement": f"SELECT pk FROM {T} WHERE pk = 't' AND sk = {sk}"} for sk in (1, 2)])
assert both["Responses"] == [{"Item": {"pk": {"S": "t"}}}, {}], both

client.delete_table(TableName=name)
print(f"PartiQL with boto3 {boto3.__version__}: all well (seed {seed})")
