"""Generated requests in the parameters from before expressions."""

PLAIN = ["EQ", "NE", "LT", "LE", "GT", "GE"]
ATTRIBUTES = ["g", "a", "s", "l", "m", "ss", "ns", "t", "missing"]


def condition(g):
    """One ComparisonOperator with its operands."""
    kind = g.pick(PLAIN * 2 + ["NULL", "NOT_NULL", "CONTAINS", "NOT_CONTAINS", "BEGINS_WITH", "IN", "BETWEEN"])
    if kind in ("NULL", "NOT_NULL"):
        values = []
    elif kind == "BETWEEN":
        values = g.pick([[{"N": "-1"}, {"N": "5"}], [{"S": "a"}, {"S": "b"}]])
    elif kind == "IN":
        values = [g.pick([g.string(), g.number()]) for _ in range(g.random.randint(1, 3))]
    elif kind == "BEGINS_WITH":
        values = [g.string()]
    elif kind in ("EQ", "NE"):
        values = [g.value()]
    else:
        values = [g.pick([g.string(), g.number(), {"B": "AAE="}])]
    return {"ComparisonOperator": kind, "AttributeValueList": values} if values else {"ComparisonOperator": kind}


def conditions(g):
    names = g.random.sample(ATTRIBUTES, g.random.randint(1, 3))
    return {name: condition(g) for name in names}


def expected(g):
    if g.chance(0.3):
        return {g.pick(ATTRIBUTES): g.pick([{"Exists": False}, {"Value": g.value()}, {"Exists": True, "Value": g.value()}])}
    return conditions(g)


def joined(g, body, what):
    if len(body[what]) > 1 and g.chance(0.5):
        body["ConditionalOperator"] = g.pick(["AND", "OR"])
    return body


def put(g):
    body = {"TableName": "differential", "Item": g.item(), "Expected": expected(g), "ReturnValues": "ALL_OLD"}
    return "PutItem", joined(g, body, "Expected")


def update(g):
    updates = {}
    for name in g.random.sample(["g", "a", "s", "ss", "ns", "l", "t"], g.random.randint(1, 3)):
        action = g.pick(["PUT", "PUT", "ADD", "DELETE"])
        if action == "PUT":
            value = {"S": g.pick("uvw")} if name == "g" else {"N": "4"} if name == "a" else g.value()
            updates[name] = {"Value": value, "Action": "PUT"}
        elif action == "ADD":
            # Strings cannot be added to, so the index key `g` is left alone.
            if name != "g":
                values = [g.number()] if name == "a" else [g.number(), {"SS": ["a", "e"]}, {"NS": ["1", "9"]}]
                updates[name] = {"Value": g.pick(values), "Action": "ADD"}
        elif g.chance(0.5) or name in ("g", "a"):
            updates[name] = {"Action": "DELETE"}
        else:
            updates[name] = {"Value": g.pick([{"SS": ["a", "b"]}, {"NS": ["1", "2"]}]), "Action": "DELETE"}
    body = {
        "TableName": "differential", "Key": g.key(), "AttributeUpdates": updates,
        "ReturnValues": g.pick(["ALL_NEW", "ALL_OLD", "UPDATED_NEW", "UPDATED_OLD"]),
    }
    if g.chance(0.3):
        body["Expected"] = expected(g)
        joined(g, body, "Expected")
    return "UpdateItem", body


def query(g):
    body = {"TableName": "differential", "ScanIndexForward": g.chance(0.5)}
    keys = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": g.pick("pq")}]}}
    if g.chance(0.6):
        keys["sk"] = g.pick([
            {"ComparisonOperator": g.pick(["EQ", "LT", "LE", "GT", "GE"]), "AttributeValueList": [{"N": "3"}]},
            {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "2"}, {"N": "4"}]},
        ])
    body["KeyConditions"] = keys
    if g.chance(0.6):
        body["QueryFilter"] = conditions(g)
        joined(g, body, "QueryFilter")
    if g.chance(0.3):
        body["AttributesToGet"] = g.random.sample(["pk", "s", "m", "missing"], 2)
    return "Query", body


def scan(g):
    body = {"TableName": "differential", "ScanFilter": conditions(g)}
    return "Scan", joined(g, body, "ScanFilter")
