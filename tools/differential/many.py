"""Requests that reach many shards at once: answers beyond 16 MB, transactions of many items, below and above their limits.

Random transactions over a hundred items: puts, updates, deletes and checks, some with conditions that fail, some that are
sent twice under one token; in between, all that there is in the table and its index.
"""

import random

NAME = "many"
TABLE = {
    "TableName": NAME,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "N"}],
    "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {"IndexName": "by_g", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}
    ],
}
LARGE_BYTES = 300_000
LARGE_ITEMS = 70


def key(number):
    return {"p": {"S": f"k{number}"}}


def large(pair):
    pair.call("large", "CreateTable", TABLE)
    for number in range(LARGE_ITEMS):
        item = {**key(number), "g": {"N": str(number % 2)}, "v": {"S": chr(97 + number % 26) * (LARGE_BYTES + number)}}
        pair.call("large", "PutItem", {"TableName": NAME, "Item": item, "ReturnConsumedCapacity": "INDEXES"})
    for form in ({}, {"ProjectionExpression": "p"}, {"ConsistentRead": True}):
        met = 0
        wanted = {NAME: {"Keys": [key(number) for number in range(90)], **form}}
        while wanted:
            answer = pair.call("large", "BatchGetItem", {"RequestItems": wanted, "ReturnConsumedCapacity": "INDEXES"})
            if answer.is_error():
                break
            met += len(answer.body["Responses"][NAME])
            wanted = answer.body["UnprocessedKeys"]
        if met != LARGE_ITEMS:
            pair.wrong("large", "BatchGetItem", form, f"{met} items for {LARGE_ITEMS}")
    # 12 such items are within 4 MB, 14 are not.
    for count in (12, 14):
        gets = [{"Get": {"TableName": NAME, "Key": key(number)}} for number in range(count)]
        pair.call("large", "TransactGetItems", {"TransactItems": gets})
        items = [{**key(number), "v": {"S": "z" * LARGE_BYTES}} for number in range(count)]
        puts = [{"Put": {"TableName": NAME, "Item": item}} for item in items]
        pair.call("large", "TransactWriteItems", {"TransactItems": puts, "ReturnConsumedCapacity": "INDEXES"})
    for number in range(0, LARGE_ITEMS, 3):
        body = {"TableName": NAME, "Key": key(number), "ReturnValues": "ALL_OLD", "ReturnConsumedCapacity": "INDEXES"}
        pair.call("large", "DeleteItem", body)
    pair.call("large", "DescribeTable", {"TableName": NAME})


def condition(chance):
    if chance.random() < 0.9:
        return {"ConditionExpression": "attribute_not_exists(never)"}
    function = chance.choice(["attribute_exists", "attribute_not_exists"])
    return {"ConditionExpression": f"{function}(p)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def action(chance, number, round_number):
    body = {"TableName": NAME, "Key": key(number), **condition(chance)}
    kind = chance.choice(["Put", "Update", "Delete", "ConditionCheck"])
    if kind == "Put":
        del body["Key"]
        body["Item"] = {**key(number), "n": {"N": str(round_number)}}
    if kind == "Update":
        # The last one fails where there is no list.
        body["UpdateExpression"] = chance.choice(["ADD n :o", "SET n = if_not_exists(n, :o) + :o, g = :o"] * 10 + ["SET l[0] = :o"])
        body["ExpressionAttributeValues"] = {":o": {"N": "1"}}
    return {kind: body}


def transactions(pair, seed, rounds):
    chance = random.Random(seed)
    for round_number in range(rounds):
        place = f"transaction {round_number} of seed {seed}"
        numbers = chance.sample(range(100), chance.randint(1, 25))
        actions = [action(chance, number, round_number) for number in numbers]
        body = {"TransactItems": actions, "ReturnConsumedCapacity": "INDEXES", "ClientRequestToken": f"{seed}-{round_number}"}
        pair.call(place, "TransactWriteItems", body)
        if round_number % 3 == 0:
            pair.call(place, "TransactWriteItems", body)
        if round_number % 5 == 0:
            gets = [{"Get": {"TableName": NAME, "Key": key(number), "ProjectionExpression": "n, g, p"}} for number in numbers]
            pair.call(place, "TransactGetItems", {"TransactItems": gets, "ReturnConsumedCapacity": "TOTAL"})
            for index in ({}, {"IndexName": "by_g"}):
                pair.call(place, "Scan", {"TableName": NAME, "ProjectionExpression": "p, n, g", **index})
    pair.call("transactions", "DescribeTable", {"TableName": NAME})
