"""Walks tables and indexes page by page, in every way that pages can be asked for.

Whatever the limit, the filter, the number of segments or the direction: all pages together hold every item that belongs
to the answer exactly once, and `ScannedCount` counts everything that was looked at. That is checked against the items
that were written, apart from the two servers being compared with each other.
"""

import itertools
import random

TABLE = {
    "TableName": "walked",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "g", "AttributeType": "B"},
        {"AttributeName": "a", "AttributeType": "N"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "a", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        },
        {
            "IndexName": "keys_a",
            "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by_a",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "a", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["flag"]},
        }
    ],
}

# Index (None: the table) -> its partition key, its sort key.
KEYS = {None: ("pk", "sk"), "by_g": ("g", "a"), "keys_a": ("a", None), "by_a": ("pk", "a")}
GROUPS = ["AA==", "AQ==", "/w=="]


def items_of(seed, count):
    """Many partitions of a few items, one of many items (more than a page), some items without the index keys."""
    chance = random.Random(seed)
    items = []
    for number in range(count):
        partition = "large" if number % 3 == 0 else f"p{chance.randrange(count // 4)}"
        item = {"pk": {"S": partition}, "sk": {"N": str(number - count // 2)}, "flag": {"BOOL": chance.random() < 0.3}}
        if chance.random() < 0.8:
            item["g"] = {"B": chance.choice(GROUPS)}
        if chance.random() < 0.8:
            item["a"] = {"N": chance.choice(["-1.5", "0", "3", "1E+20"])}
        item["load"] = {"S": "x" * chance.choice([0, 10, 500, 3000, 9000, 40000])}
        items.append(item)
    return items


def load(pair, items):
    pair.call("load", "CreateTable", TABLE)
    for start in range(0, len(items), 20):
        puts = [{"PutRequest": {"Item": item}} for item in items[start : start + 20]]
        pair.call("load", "BatchWriteItem", {"RequestItems": {"walked": puts}, "ReturnConsumedCapacity": "INDEXES"})


def identity(item):
    return item["pk"]["S"], item["sk"]["N"]


def same_value(left, right):
    """Numbers come back in another notation than they were written in."""
    if "N" in left and "N" in right:
        return float(left["N"]) == float(right["N"])
    return left == right


def belongs(item, index):
    return all(name in item for name in KEYS[index] if name)


def walk(pair, place, operation, body, pages_max=5000):
    """(identities met, Count, ScannedCount) over all pages."""
    met, count, scanned = [], 0, 0
    for _ in range(pages_max):
        answer = pair.call(place, operation, body)
        if answer.is_error():
            pair.wrong(place, operation, body, f"refused: {answer.body}")
            return None
        met += [identity(item) for item in answer.body.get("Items", [])]
        count += answer.body["Count"]
        scanned += answer.body["ScannedCount"]
        if "Limit" in body and answer.body["ScannedCount"] > body["Limit"]:
            pair.wrong(place, operation, body, "more than Limit was evaluated")
        if "LastEvaluatedKey" not in answer.body:
            return met, count, scanned
        body = {**body, "ExclusiveStartKey": answer.body["LastEvaluatedKey"]}
    pair.wrong(place, operation, body, "does not end")
    return None


def expect(pair, place, operation, body, walks, evaluated, kept):
    """`walks` together evaluated exactly the items `evaluated` and returned exactly `kept`."""
    if None in walks:
        return
    met = sorted(itertools.chain.from_iterable(met for met, _, _ in walks))
    count, scanned = sum(count for _, count, _ in walks), sum(scanned for _, _, scanned in walks)
    if scanned != len(evaluated) or count != len(kept):
        pair.wrong(place, operation, body, f"Count {count}, ScannedCount {scanned}, not {len(kept)}, {len(evaluated)}")
    if body.get("Select") != "COUNT" and met != sorted(map(identity, kept)):
        pair.wrong(place, operation, body, f"lost or repeated: {len(met)} items for {len(kept)}")


def conditions(index):
    """(members of the request, the same as a predicate), of attributes that the index projects."""
    flag = {"FilterExpression": "flag = :t", "ExpressionAttributeValues": {":t": {"BOOL": True}}}
    everything = ({}, lambda item: True)
    if index == "keys_a":
        return [everything]
    return [everything, (flag, lambda item: item["flag"]["BOOL"])]


def scans(pair, items):
    forms = [(index, condition) for index in KEYS for condition in conditions(index)]
    for (index, (filters, keeps)), limit, segments in itertools.product(forms, (None, 1, 7, 100), (None, 1, 3, 16)):
        if limit == 1 and (filters or segments):
            continue
        body = {"TableName": "walked", "ReturnConsumedCapacity": "INDEXES", **filters}
        if index:
            body["IndexName"] = index
        if limit:
            body["Limit"] = limit
        elif segments is None:
            body["Select"] = "COUNT"
        if index in (None, "by_a"):
            body["ConsistentRead"] = limit == 7
        evaluated = [item for item in items if belongs(item, index)]
        kept = [item for item in evaluated if keeps(item)]
        parts = [{}] if segments is None else [{"Segment": n, "TotalSegments": segments} for n in range(segments)]
        walks = [walk(pair, "scan", "Scan", {**body, **part}) for part in parts]
        expect(pair, f"scan in {segments} segments", "Scan", body, walks, evaluated, kept)


def queries(pair, items):
    for index, (partition, sort) in KEYS.items():
        values = {str(item[partition]): item[partition] for item in items if partition in item}
        chosen = [value for value in values.values() if value in ({"S": "large"}, {"S": "p1"}, {"B": "AA=="}, {"N": "3"})]
        for value, (filters, keeps), limit, forward, narrowed in itertools.product(
            chosen, conditions(index), (None, 3, 50), (True, False), (False, True)
        ):
            if narrowed and not sort:
                continue
            names, holds = {"#p": partition}, {":p": value, **filters.get("ExpressionAttributeValues", {})}
            body = {**filters, "TableName": "walked", "KeyConditionExpression": "#p = :p", "ScanIndexForward": forward}
            if narrowed:
                names["#s"] = sort
                holds.update({":low": {"N": "-20"}, ":high": {"N": "3"}})
                body["KeyConditionExpression"] += " AND #s BETWEEN :low AND :high"
            body.update({"ExpressionAttributeNames": names, "ExpressionAttributeValues": holds})
            body["ReturnConsumedCapacity"] = "INDEXES"
            if index:
                body["IndexName"] = index
            if limit:
                body["Limit"] = limit
            evaluated = [item for item in items if belongs(item, index) and same_value(item[partition], value)]
            if narrowed:
                evaluated = [item for item in evaluated if -20 <= float(item[sort]["N"]) <= 3]
            kept = [item for item in evaluated if keeps(item)]
            walks = [walk(pair, "query", "Query", body)]
            expect(pair, "query", "Query", body, walks, evaluated, kept)


def deleting(pair, items):
    """The item that a page ended with is gone when the next page is asked for."""
    left = {identity(item): item for item in items}
    body, met = {"TableName": "walked", "Limit": 9}, []
    while True:
        answer = pair.call("deleting", "Scan", body)
        met += [identity(item) for item in answer.body.get("Items", [])]
        key = answer.body.get("LastEvaluatedKey")
        if key is None:
            break
        pair.call("deleting", "DeleteItem", {"TableName": "walked", "Key": key, "ReturnConsumedCapacity": "INDEXES"})
        left.pop(identity(key))
        body = {**body, "ExclusiveStartKey": key}
    if sorted(met) != sorted(map(identity, items)):
        pair.wrong("deleting", "Scan", body, f"lost or repeated: {len(met)} items for {len(items)}")
    return list(left.values())


def batches(pair, items):
    """A hundred keys, more than 16 MB of them, go on through UnprocessedKeys."""
    for start in range(0, len(items), 100):
        wanted = [{"pk": item["pk"], "sk": item["sk"]} for item in items[start : start + 100]]
        body = {"RequestItems": {"walked": {"Keys": wanted}}, "ReturnConsumedCapacity": "TOTAL"}
        met = []
        while body["RequestItems"]:
            answer = pair.call("batches", "BatchGetItem", body)
            if answer.is_error():
                break
            met += [identity(item) for item in answer.body["Responses"]["walked"]]
            body = {**body, "RequestItems": answer.body["UnprocessedKeys"]}
        if sorted(met) != sorted((key["pk"]["S"], key["sk"]["N"]) for key in wanted):
            pair.wrong("batches", "BatchGetItem", body, f"lost or repeated: {len(met)} items for {len(wanted)}")


def walk_all(pair, seed, count):
    items = items_of(seed, count)
    load(pair, items)
    scans(pair, items)
    queries(pair, items)
    batches(pair, items)
    left = deleting(pair, items)
    queries(pair, left)
