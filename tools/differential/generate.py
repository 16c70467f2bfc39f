"""Requests from a seed: one table with both kinds of index, few keys so that requests meet, every kind of expression.

Same seed, same requests. Values are drawn so that some expressions fail (wrong types, missing paths): how they fail is
compared, too. Scans and index queries are not limited, since the order of equal keys is nobody's promise.
"""

import random

import legacy

TABLE = {
    "TableName": "differential",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "g", "AttributeType": "S"},
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
            "IndexName": "keys_g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["s", "m"]},
        },
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by_a",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "a", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
}

NUMBERS = ["0", "1", "-1", "2", "7", "10", "3.5", "-0.25", "100", "12345678901234567890"]
STRINGS = ["", "a", "b", "ab", "abc", "ü", "z z"]
PATHS = ["g", "a", "s", "l", "m", "ss", "ns", "t", "l[0]", "l[1]", "m.x", "m.y", "m.l[0]", "missing", "missing.x", "pk"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, values):
        return self.random.choice(values)

    def number(self):
        return {"N": self.pick(NUMBERS)}

    def string(self):
        return {"S": self.pick(STRINGS)}

    def value(self, depth=0):
        kinds = ["S", "N", "S", "N", "BOOL", "NULL", "B", "SS", "NS"] + (["L", "M"] if depth < 2 else [])
        kind = self.pick(kinds)
        if kind == "S":
            return self.string()
        if kind == "N":
            return self.number()
        if kind == "BOOL":
            return {"BOOL": self.chance(0.5)}
        if kind == "NULL":
            return {"NULL": True}
        if kind == "B":
            return {"B": self.pick(["", "AAE=", "/w==", "YWJj"])}
        if kind == "SS":
            return {"SS": self.random.sample(["a", "b", "c", "d"], self.random.randint(1, 3))}
        if kind == "NS":
            return {"NS": self.random.sample(["1", "2", "3.5", "-4"], self.random.randint(1, 3))}
        if kind == "L":
            return {"L": [self.value(depth + 1) for _ in range(self.random.randint(0, 3))]}
        return {"M": {name: self.value(depth + 1) for name in self.random.sample(["x", "y", "l"], self.random.randint(0, 3))}}

    def key(self):
        return {"pk": {"S": self.pick("pq")}, "sk": {"N": str(self.random.randint(1, 6))}}

    def item(self):
        item = self.key()
        shapes = {
            "g": lambda: {"S": self.pick("uvw")},
            "a": lambda: {"N": self.pick(["0", "1", "2", "3.5", "-1", "10"])},
            "s": self.string,
            "l": lambda: {"L": [self.value(1) for _ in range(self.random.randint(0, 3))]},
            "m": lambda: {"M": {"x": self.value(1), "y": self.number(), "l": {"L": [self.number()]}}},
            "ss": lambda: {"SS": self.random.sample(["a", "b", "c", "d"], 2)},
            "ns": lambda: {"NS": self.random.sample(["1", "2", "3.5", "-4"], 2)},
            "t": self.value,
        }
        for name, make in shapes.items():
            if self.chance(0.6):
                item[name] = make()
        return item


class Conditions:
    """Conditions of every form; those who build on this say how paths, values and words are written."""

    FORMS = 9

    def word(self, text):
        return text

    def condition(self, depth=0, paths=PATHS):
        g = self.g
        roll = g.random.random()
        if depth < 2 and roll < 0.25:
            word = self.word(g.pick(["AND", "OR"]))
            return f"({self.condition(depth + 1, paths)} {word} {self.condition(depth + 1, paths)})"
        if depth < 2 and roll < 0.32:
            return f"{self.word('NOT')} {self.condition(depth + 1, paths)}"
        path = self.path(g.pick(paths))
        form = g.random.randrange(self.FORMS)
        if form == 0:
            return f"attribute_exists({path})"
        if form == 1:
            return f"attribute_not_exists({path})"
        if form == 2:
            kind = g.pick(["S", "N", "L", "M", "SS", "NS", "BOOL", "NULL", "B"])
            return f"attribute_type({path}, {self.value({'S': kind})})"
        if form == 3:
            return f"begins_with({path}, {self.value(g.string())})"
        if form == 4:
            return f"contains({path}, {self.value(g.pick([g.string(), g.number()]))})"
        if form == 5:
            return f"size({path}) {g.pick(['<', '>', '=', '<>', '<=', '>='])} {self.value({'N': str(g.random.randint(0, 4))})}"
        if form == 6:
            low, high = sorted([g.random.randint(-2, 12), g.random.randint(-2, 12)])
            return f"{path} {self.word('BETWEEN')} {self.value({'N': str(low)})} AND {self.value({'N': str(high)})}"
        if form == 7:
            return f"{path} {self.word('IN')} {self.operands(', '.join(self.value() for _ in range(g.random.randint(1, 3))))}"
        return self.comparison(path)

    def operands(self, operands):
        return f"({operands})"

    def comparison(self, path):
        return f"{path} {self.g.pick(['=', '<>', '<', '<=', '>', '>='])} {self.value()}"


class Expressions(Conditions):
    """Builds expressions together with their names and values."""

    def __init__(self, generator):
        self.g = generator
        self.names = {}
        self.values = {}

    def path(self, path):
        parts = []
        for part in path.split("."):
            name, bracket, rest = part.partition("[")
            alias = f"#{name}"
            self.names[alias] = name
            parts.append(alias + bracket + rest)
        return ".".join(parts)

    def value(self, value=None):
        name = f":v{len(self.values)}"
        self.values[name] = value if value is not None else self.g.value()
        return name

    def operand(self):
        g = self.g
        roll = g.random.random()
        if roll < 0.4:
            return self.value()
        if roll < 0.6:
            return self.path(g.pick(PATHS[:-1]))
        if roll < 0.75:
            return f"if_not_exists({self.path(g.pick(PATHS[:-1]))}, {self.value(g.number())})"
        return f"list_append({self.path('l')}, {self.value({'L': [g.value(1)]})})"

    def update(self):
        g = self.g
        free = ["g", "a", "s", "l[0]", "l[5]", "m.x", "m.z", "ss", "ns", "t", "missing"]
        targets = g.random.sample(free, g.random.randint(1, 4))
        clauses = {"SET": [], "REMOVE": [], "ADD": [], "DELETE": []}
        for target in targets:
            kind = g.pick(["SET", "SET", "SET", "REMOVE", "ADD", "DELETE"])
            path = self.path(target)
            if target == "g" and kind in ("SET", "ADD", "DELETE"):
                clauses["SET"].append(f"{path} = {self.value({'S': g.pick('uvw')})}")
            elif kind == "SET" and target == "a":
                clauses["SET"].append(f"{path} = {self.path('a')} {g.pick('+-')} {self.value(g.number())}")
            elif kind == "SET" and g.chance(0.2):
                clauses["SET"].append(f"{path} = {self.operand()} {g.pick('+-')} {self.operand()}")
            elif kind == "SET":
                clauses["SET"].append(f"{path} = {self.operand()}")
            elif kind == "REMOVE":
                clauses["REMOVE"].append(path)
            elif kind == "ADD":
                clauses["ADD"].append(f"{path} {self.value(g.pick([g.number(), {'SS': ['a', 'e']}, {'NS': ['1', '9']}]))}")
            else:
                clauses["DELETE"].append(f"{path} {self.value(g.pick([{'SS': ['a', 'b']}, {'NS': ['1', '2']}]))}")
        return " ".join(f"{word} {', '.join(parts)}" for word, parts in clauses.items() if parts)

    def projection(self):
        g = self.g
        roots = g.random.sample(["pk", "sk", "g", "a", "s", "l[0]", "m.x", "m.l[0]", "ss", "missing"], g.random.randint(1, 4))
        return ", ".join(self.path(path) for path in roots)

    def into(self, body):
        if self.names:
            body["ExpressionAttributeNames"] = self.names
        if self.values:
            body["ExpressionAttributeValues"] = self.values
        return body


def put(g):
    body = {"TableName": "differential", "Item": g.item()}
    expressions = Expressions(g)
    if g.chance(0.4):
        body["ConditionExpression"] = expressions.condition()
        if g.chance(0.5):
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if g.chance(0.5):
        body["ReturnValues"] = "ALL_OLD"
    return "PutItem", expressions.into(body)


def update(g):
    body = {"TableName": "differential", "Key": g.key(), "ReturnValues": g.pick(["ALL_NEW", "ALL_OLD", "UPDATED_NEW", "UPDATED_OLD", "NONE"])}
    expressions = Expressions(g)
    body["UpdateExpression"] = expressions.update()
    if g.chance(0.3):
        body["ConditionExpression"] = expressions.condition()
    return "UpdateItem", expressions.into(body)


def delete(g):
    body = {"TableName": "differential", "Key": g.key(), "ReturnValues": g.pick(["ALL_OLD", "NONE"])}
    expressions = Expressions(g)
    if g.chance(0.5):
        body["ConditionExpression"] = expressions.condition()
    return "DeleteItem", expressions.into(body)


def get(g):
    body = {"TableName": "differential", "Key": g.key(), "ConsistentRead": g.chance(0.5)}
    expressions = Expressions(g)
    if g.chance(0.5):
        body["ProjectionExpression"] = expressions.projection()
    return "GetItem", expressions.into(body)


def query(g):
    index = g.pick([None, None, "by_g", "keys_g", "by_a"])
    body = {"TableName": "differential", "ScanIndexForward": g.chance(0.5)}
    expressions = Expressions(g)
    partition, sort = {None: ("pk", "sk"), "by_g": ("g", "a"), "keys_g": ("g", None), "by_a": ("pk", "a")}[index]
    letters = "pq" if partition == "pk" else "uvw"
    text = f"{expressions.path(partition)} = {expressions.value({'S': g.pick(letters)})}"
    if sort and g.chance(0.6):
        path = expressions.path(sort)
        if g.chance(0.3):
            text += f" AND {path} BETWEEN {expressions.value({'N': '-1'})} AND {expressions.value({'N': '3'})}"
        else:
            text += f" AND {path} {g.pick(['=', '<', '<=', '>', '>='])} {expressions.value({'N': str(g.random.randint(0, 5))})}"
    body["KeyConditionExpression"] = text
    if index:
        body["IndexName"] = index
    elif g.chance(0.4):
        body["Limit"] = g.random.randint(1, 4)
    if g.chance(0.4):
        body["FilterExpression"] = expressions.condition(paths=["s", "l", "m", "ss", "ns", "t", "m.x", "missing"])
    if g.chance(0.3) and index != "by_a":
        body["ProjectionExpression"] = expressions.projection()
    elif g.chance(0.2):
        body["Select"] = "COUNT"
    return "Query", expressions.into(body)


def scan(g):
    body = {"TableName": "differential"}
    expressions = Expressions(g)
    if g.chance(0.4):
        body["IndexName"] = g.pick(["by_g", "keys_g", "by_a"])
    if g.chance(0.7):
        body["FilterExpression"] = expressions.condition()
    return "Scan", expressions.into(body)


def batch_write(g):
    requests, seen = [], set()
    for _ in range(g.random.randint(1, 5)):
        item = g.item()
        if item["pk"]["S"] + item["sk"]["N"] in seen:
            continue
        seen.add(item["pk"]["S"] + item["sk"]["N"])
        if g.chance(0.7):
            requests.append({"PutRequest": {"Item": item}})
        else:
            requests.append({"DeleteRequest": {"Key": {"pk": item["pk"], "sk": item["sk"]}}})
    return "BatchWriteItem", {"RequestItems": {"differential": requests}}


def distinct_keys(g, count):
    keys = {}
    for _ in range(count):
        key = g.key()
        keys[key["pk"]["S"] + key["sk"]["N"]] = key
    return list(keys.values())


def batch_get(g):
    return "BatchGetItem", {"RequestItems": {"differential": {"Keys": distinct_keys(g, 4)}}}


def transact_write(g):
    actions = []
    for key in distinct_keys(g, g.random.randint(1, 4)):
        expressions = Expressions(g)
        kind = g.pick(["Put", "Update", "Delete", "ConditionCheck"])
        if kind == "Put":
            body = {"TableName": "differential", "Item": {**g.item(), **key}}
        else:
            body = {"TableName": "differential", "Key": key}
        if kind == "Update":
            body["UpdateExpression"] = expressions.update()
        if kind == "ConditionCheck" or g.chance(0.3):
            body["ConditionExpression"] = expressions.condition()
        actions.append({kind: expressions.into(body)})
    return "TransactWriteItems", charged(g, {"TransactItems": actions})


def charged(g, body):
    """The same transaction, often asked what it costs: the table's share is doubled, that of indexes is not."""
    if g.chance(0.6):
        body["ReturnConsumedCapacity"] = g.pick(["TOTAL", "INDEXES", "INDEXES"])
    return body


def transact_twice(g):
    """A transaction under a token, and its replay, which costs reads of what the first call saw."""
    operation, body = transact_write(g)
    body = {**body, "ClientRequestToken": f"token-{g.random.randrange(10**12)}", "ReturnConsumedCapacity": "INDEXES"}
    return [(operation, body), (operation, body)]


def transact_get(g):
    gets = []
    for key in distinct_keys(g, 3):
        get = {"TableName": "differential", "Key": key}
        expressions = Expressions(g)
        if g.chance(0.4):
            get["ProjectionExpression"] = expressions.projection()
        gets.append({"Get": expressions.into(get)})
    return "TransactGetItems", charged(g, {"TransactItems": gets})


def requests(seed, count):
    g = Generator(seed)
    yield "CreateTable", TABLE
    kinds = [put] * 6 + [update] * 6 + [delete] * 2 + [get] * 2 + [query] * 5 + [scan] * 2
    kinds += [batch_write, batch_get, transact_write, transact_write, transact_twice, transact_get]
    kinds += [legacy.put, legacy.update, legacy.query, legacy.scan] * 2
    for _ in range(count):
        made = g.pick(kinds)(g)
        yield from made if isinstance(made, list) else [made]
