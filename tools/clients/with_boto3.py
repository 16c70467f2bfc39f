#!/usr/bin/env python3
"""boto3, unchanged, against a running server: both of its faces (client and resource), waiters and paginators."""

import sys
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

endpoint = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
settings = dict(endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="any", aws_secret_access_key="any")
client = boto3.client("dynamodb", **settings)
resource = boto3.resource("dynamodb", **settings)
name = "clients-boto3"


def fails(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{code} expected")


if name in client.list_tables()["TableNames"]:
    client.delete_table(TableName=name)
    client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
table = resource.create_table(
    TableName=name,
    BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "artist", "KeyType": "HASH"}, {"AttributeName": "year", "KeyType": "RANGE"}],
    AttributeDefinitions=[
        {"AttributeName": "artist", "AttributeType": "S"},
        {"AttributeName": "year", "AttributeType": "N"},
        {"AttributeName": "label", "AttributeType": "S"},
    ],
    GlobalSecondaryIndexes=[
        {
            "IndexName": "by_label",
            "KeySchema": [{"AttributeName": "label", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
)
table.wait_until_exists()
table.reload()
assert table.table_status == "ACTIVE"

# Batch writer: 60 items in three requests.
with table.batch_writer() as batch:
    for year in range(1960, 2020):
        batch.put_item(Item={"artist": "Nina", "year": year, "label": f"l{year % 3}", "songs": [1, Decimal("2.5"), None, True, b"\x00\xff", {"a", "b"}]})
got = table.get_item(Key={"artist": "Nina", "year": 1964}, ConsistentRead=True)["Item"]
assert got["songs"][1] == Decimal("2.5") and got["songs"][5] == {"a", "b"} and got["songs"][4].value == b"\x00\xff"

found = table.query(KeyConditionExpression=Key("artist").eq("Nina") & Key("year").between(1970, 1979), FilterExpression=Attr("label").eq("l2"))
assert found["Count"] == 4 and found["ScannedCount"] == 10, found
found = table.query(IndexName="by_label", KeyConditionExpression=Key("label").eq("l0"), Select="COUNT")
assert found["Count"] == 20, found
pages = list(client.get_paginator("scan").paginate(TableName=name, PaginationConfig={"PageSize": 7}))
assert sum(page["Count"] for page in pages) == 60 and len(pages) == 9, len(pages)
assert sum(page["Count"] for page in client.get_paginator("query").paginate(
    TableName=name, KeyConditionExpression="artist = :a", ExpressionAttributeValues={":a": {"S": "Nina"}}, Limit=50)) == 60

updated = table.update_item(
    Key={"artist": "Nina", "year": 1964}, UpdateExpression="SET plays = if_not_exists(plays, :z) + :o",
    ExpressionAttributeValues={":z": 0, ":o": 1}, ReturnValues="UPDATED_NEW", ReturnConsumedCapacity="INDEXES",
)
assert updated["Attributes"] == {"plays": 1} and updated["ConsumedCapacity"]["Table"]["CapacityUnits"] == 1.0
failed = fails("ConditionalCheckFailedException", client.put_item, TableName=name,
               Item={"artist": {"S": "Nina"}, "year": {"N": "1964"}}, ConditionExpression="attribute_not_exists(artist)",
               ReturnValuesOnConditionCheckFailure="ALL_OLD")
assert failed["Item"]["plays"] == {"N": "1"}

new = {"artist": {"S": "Ella"}, "year": {"N": "1956"}}
client.transact_write_items(TransactItems=[
    {"Put": {"TableName": name, "Item": new}},
    {"ConditionCheck": {"TableName": name, "Key": {"artist": {"S": "Nina"}, "year": {"N": "1964"}}, "ConditionExpression": "plays = :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}},
])
cancelled = fails("TransactionCanceledException", client.transact_write_items, TransactItems=[
    {"Delete": {"TableName": name, "Key": new}},
    {"ConditionCheck": {"TableName": name, "Key": {"artist": {"S": "none"}, "year": {"N": "1"}}, "ConditionExpression": "attribute_exists(artist)"}},
])
assert [reason["Code"] for reason in cancelled["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
both = client.transact_get_items(TransactItems=[{"Get": {"TableName": name, "Key": new}}])
assert both["Responses"] == [{"Item": new}]
batch = resource.batch_get_item(RequestItems={name: {"Keys": [{"artist": "Nina", "year": year} for year in (1960, 1961)]}})
assert len(batch["Responses"][name]) == 2 and batch["UnprocessedKeys"] == {}

arn = client.describe_table(TableName=name)["Table"]["TableArn"]
client.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
assert client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["AttributeName"] == "expires"
fails("ValidationException", client.put_item, TableName=name, Item={"artist": {"S": "x"}})
fails("ResourceNotFoundException", client.get_item, TableName="nothing-here", Key=new)

table.delete_item(Key={"artist": "Ella", "year": 1956})
table.delete()
table.wait_until_not_exists()
print(f"boto3 {boto3.__version__}: all well")
