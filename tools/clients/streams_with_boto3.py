#!/usr/bin/env python3
"""Streams with boto3, unchanged, against a running server: every change once and in order, parents before children.

Pages of shards, all types of iterators, closed shards, an ended stream, a deleted table. A server with
--stream-shard-roll-s 1 gives shards that have children.
"""

import datetime
import sys
import time

import boto3
from botocore.exceptions import ClientError

endpoint = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
settings = dict(endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="any", aws_secret_access_key="any")
items, streams = boto3.client("dynamodb", **settings), boto3.client("dynamodbstreams", **settings)
name = f"clients-streams-{time.time_ns()}"


def fails(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{code} expected")


def describe():
    shards, after = [], {}
    while True:
        stream = streams.describe_stream(StreamArn=arn, Limit=2, **after)["StreamDescription"]
        shards += stream["Shards"]
        if "LastEvaluatedShardId" not in stream:
            return stream["StreamStatus"], shards
        after = {"ExclusiveStartShardId": stream["LastEvaluatedShardId"]}


def begin(shard, kind, **place):
    return streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **place)["ShardIterator"]


def read(iterator):
    records = []
    while iterator:
        page = streams.get_records(ShardIterator=iterator, Limit=50)
        records += page["Records"]
        if not page["Records"] and "NextShardIterator" in page:
            break
        iterator = page.get("NextShardIterator")
    return records


def read_all():
    records, done, waiting = [], set(), describe()[1]
    known = {shard["ShardId"] for shard in waiting}
    while waiting:
        ready = [shard for shard in waiting if shard.get("ParentShardId") not in known - done]
        for shard in ready:
            records += read(begin(shard["ShardId"], "TRIM_HORIZON"))
            done.add(shard["ShardId"])
        waiting = [shard for shard in waiting if shard["ShardId"] not in done]
    return records


items.create_table(
    TableName=name,
    BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
)
items.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
arn = items.describe_table(TableName=name)["Table"]["LatestStreamArn"]
assert [stream["StreamArn"] for stream in streams.list_streams(TableName=name)["Streams"]] == [arn]
changes, until = 0, time.time() + 3
while time.time() < until or changes < 200:
    items.put_item(TableName=name, Item={"k": {"S": f"i{changes % 40}"}, "n": {"N": str(changes)}, "b": {"B": b"\0\xff"}})
    changes += 1
items.transact_write_items(
    TransactItems=[{"Delete": {"TableName": name, "Key": {"k": {"S": f"i{number}"}}}} for number in range(3)]
)
items.delete_item(TableName=name, Key={"k": {"S": "none"}})
changes += 3

records = read_all()
assert len(records) == changes == len({record["eventID"] for record in records}), (len(records), changes)
state = {}
for record in records:
    change = record["dynamodb"]
    key = change["Keys"]["k"]["S"]
    assert state.get(key) == change.get("OldImage"), f"the changes of {key} are in order"
    state[key] = change.get("NewImage")
    assert isinstance(change["ApproximateCreationDateTime"], datetime.datetime)

shard = describe()[1][0]["ShardId"]
own = read(begin(shard, "TRIM_HORIZON"))
number = own[3]["dynamodb"]["SequenceNumber"]
assert read(begin(shard, "AT_SEQUENCE_NUMBER", SequenceNumber=number)) == own[3:]
assert read(begin(shard, "AFTER_SEQUENCE_NUMBER", SequenceNumber=number)) == own[4:]
assert read(begin(shard, "AT_TIMESTAMP", Timestamp=datetime.datetime(2020, 1, 1))) == own
assert read(begin(shard, "LATEST")) == []
for child in [shard for shard in describe()[1] if "ParentShardId" in shard]:
    parent = {"Type": "CHILD_SHARDS", "ShardId": child["ParentShardId"]}
    found = streams.describe_stream(StreamArn=arn, ShardFilter=parent)["StreamDescription"]["Shards"]
    assert [shard["ShardId"] for shard in found] == [child["ShardId"]], found

items.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
status, shards = describe()
assert status == "DISABLED" and all("EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in shards)
assert len(read_all()) == changes
items.delete_table(TableName=name)
assert len(read_all()) == changes
fails("ValidationException", streams.get_records, ShardIterator="garbage")
fails("ValidationException", streams.list_streams, Limit=101)
tomorrow = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.datetime.now() + datetime.timedelta(days=1)}
fails("ValidationException", streams.get_shard_iterator, StreamArn=arn, ShardId=shard, **tomorrow)
fails("ResourceNotFoundException", streams.describe_stream, StreamArn=arn.replace("/stream/2", "/stream/1"))
print(f"ok: {changes} changes in {len(shards)} shards")
