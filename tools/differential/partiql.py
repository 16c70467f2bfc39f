"""PartiQL from a seed: statements on the table of `generate.py`, alone, in batches, in transactions; some of them broken.

Same seed, same statements. Values stand in the text as literals, or as parameters of every type. Reads of a partition
come in pages, which the caller follows; items are put by the item API in between.
"""

import random

import generate

NAME = '"differential"'
# What a broken statement may be given, or have in another one's place.
WORDS = [
    "AND", "OR", "NOT", "WHERE", "SET", "REMOVE", "FROM", "SELECT", "VALUE", "RETURNING", "ORDER", "BY", "IS", "MISSING", "NULL",
    "IN", "BETWEEN", "LIKE", "LIMIT", "(", ")", "[", "]", "<<", ">>", "{", "}", ",", ".", ";", "=", "<>", "-", "?", "'x'", "1", "s", '"',
    "#", "*", "true", "size", "begins_with", "EXISTS",
]
TARGETS = ["s", "a", "g", "l[0]", "l[5]", "m.x", "m.z", "ss", "ns", "t", "absent"]
COLUMNS = ["pk", "sk", "g", "a", "s", "l", "m", "ss", "ns", "t", "m.x", "m.l[0]", "l[0]", "l[1]", "absent"]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def literal(value):
    """A value as a literal, or None where it needs a parameter."""
    (kind, inner), = value.items()
    if kind == "S":
        return quoted(inner)
    if kind == "N":
        return inner
    if kind == "BOOL":
        return "true" if inner else "false"
    if kind == "NULL":
        return "NULL"
    if kind in ("SS", "NS"):
        return f"<<{', '.join(quoted(one) if kind == 'SS' else one for one in inner)}>>"
    if kind == "L":
        parts = [literal(one) for one in inner]
        return None if None in parts else f"[{', '.join(parts)}]"
    if kind == "M":
        parts = {name: literal(one) for name, one in inner.items()}
        return None if None in parts.values() else "{" + ", ".join(f"{quoted(name)}: {text}" for name, text in parts.items()) + "}"
    return None


class Statement(generate.Conditions):
    """Builds one statement; parameters are collected in the order of its text."""

    # So that a third of the conditions compare, or ask what is missing.
    FORMS = 12

    def __init__(self, g):
        self.g = g
        self.parameters = []

    def value(self, value=None):
        value = self.g.value() if value is None else value
        text = literal(value)
        if text is None or self.g.chance(0.3):
            self.parameters.append(value)
            return "?"
        return text

    def word(self, text):
        return text.lower() if self.g.chance(0.1) else text

    def path(self, path):
        return '"' + path + '"' if path.isalnum() and self.g.chance(0.2) else path

    def operands(self, operands):
        return f"({operands})" if self.g.chance(0.5) else f"[{operands}]"

    def comparison(self, path):
        g = self.g
        if g.chance(0.25):
            return f"{path} IS {g.pick(['', 'NOT '])}{g.pick(['MISSING', 'NULL'])}"
        return f"{path} {g.pick(['=', '<>', '!=', '<', '<=', '>', '>='])} {self.value()}"

    def key(self):
        """An equality on each part of the key, and now and then only on one."""
        g = self.g
        key = g.key()
        parts = [lambda: f"pk = {self.value(key['pk'])}", lambda: f"sk = {self.value(key['sk'])}"]
        if g.chance(0.04):
            parts.pop(g.random.randrange(2))
        return " AND ".join(part() for part in parts)

    def columns(self):
        g = self.g
        if g.chance(0.4):
            return "*"
        return ", ".join(self.path(path) for path in g.random.sample(COLUMNS, g.random.randint(1, 4)))

    def select_item(self, filtered):
        text = f"SELECT {self.columns()} FROM {NAME} WHERE {self.key()}"
        return f"{text} AND {self.condition()}" if self.g.chance(filtered) else text

    def select(self):
        """Any read: one item, partitions, an index, everything."""
        g = self.g
        if g.chance(0.15):
            return self.select_item(0.5)
        index, partition, letters, sort = g.pick([
            ("", "pk", "pq", "sk"), ("", "pk", "pq", "sk"), ('."by_g"', "g", "uvw", "a"), ('."keys_g"', "g", "uvw", None), ('."by_a"', "pk", "pq", "a"),
        ])
        text = f"SELECT {self.columns()} FROM {NAME}{index}"
        kind = g.random.random()
        keyed = kind < 0.7
        if kind < 0.5:
            text += f" WHERE {partition} = {self.value({'S': g.pick(letters)})}"
        elif keyed:
            text += f" WHERE {partition} IN [{', '.join(self.value({'S': letter}) for letter in g.random.sample(letters, 2))}]"
        elif kind < 0.9:
            return f"{text} WHERE {self.condition()}"
        else:
            return text
        if sort and g.chance(0.5):
            form = g.random.randint(0, 3)
            bound = {"N": str(g.random.randint(0, 5))}
            if form == 0:
                text += f" AND {sort} BETWEEN {self.value({'N': '-1'})} AND {self.value(bound)}"
            elif form == 1:
                text += f" AND {sort} IN ({self.value({'N': '1'})}, {self.value({'N': '3'})})"
            else:
                text += f" AND {sort} {g.pick(['=', '<', '<=', '>', '>='])} {self.value(bound)}"
        if g.chance(0.4):
            text += f" AND {self.condition()}"
        if sort and not index and g.chance(0.3):
            order = g.pick([[sort], [partition], [partition, sort], [sort, partition]])
            text += " ORDER BY " + ", ".join(f"{name}{g.pick(['', ' ASC', ' DESC'])}" for name in order)
        return text

    def item(self):
        return self.value({"M": self.g.item()})

    def insert(self):
        return f"{self.word('INSERT')} INTO {NAME} VALUE {self.item()}"

    def right_side(self, target):
        g = self.g
        form = g.random.randint(0, 9)
        if form == 0:
            return f"{self.path(g.pick(TARGETS))} {g.pick(['+', '-'])} {self.value(g.number())}"
        if form == 1:
            return f"list_append({g.pick(['l', target])}, {self.value({'L': [g.value(1)]})})"
        if form == 2:
            return f"list_append({self.value({'L': [g.value(1)]})}, l)"
        if form == 3:
            return f"set_add({target}, {self.value(g.pick([{'SS': ['a', 'e']}, {'NS': ['1', '9']}]))})"
        if form == 4:
            return f"set_delete({target}, {self.value(g.pick([{'SS': ['a', 'b']}, {'NS': ['1', '2']}]))})"
        if form == 5:
            return self.path(g.pick(TARGETS))
        return self.value()

    def changes(self):
        g = self.g
        parts = []
        for target in g.random.sample(TARGETS, g.random.randint(1, 3)):
            if g.chance(0.25):
                parts.append(f"{self.word('REMOVE')} {self.path(target)}")
            else:
                parts.append(f"{self.word('SET')} {self.path(target)} = {self.right_side(target)}")
        return " ".join(parts)

    def where(self, filtered):
        text = f"WHERE {self.key()}"
        return f"{text} AND {self.condition()}" if self.g.chance(filtered) else text

    def update(self, returning):
        g = self.g
        if g.chance(0.15):
            text = f"FROM {NAME} {self.where(0.3)} {self.changes()}"
        else:
            text = f"{self.word('UPDATE')} {NAME} {self.changes()} {self.where(0.3)}"
        if g.chance(returning):
            text += f" RETURNING {g.pick(['ALL', 'MODIFIED'])} {g.pick(['OLD', 'NEW'])} *"
        return text

    def delete(self, returning):
        text = f"{self.word('DELETE')} FROM {NAME} {self.where(0.4)}"
        return f"{text} RETURNING {self.g.pick(['ALL OLD *'] * 5 + ['ALL NEW *', 'MODIFIED OLD *'])}" if self.g.chance(returning) else text

    def write(self, returning):
        kind = self.g.random.random()
        return self.insert() if kind < 0.35 else self.update(returning) if kind < 0.8 else self.delete(returning)


def broken(g, text):
    """The same text with one word left out, put in or exchanged."""
    words = text.split(" ")
    at = g.random.randrange(len(words))
    kind = g.random.randint(0, 2)
    if kind == 0:
        del words[at]
    elif kind == 1:
        words.insert(at, g.pick(WORDS))
    else:
        words[at] = g.pick(WORDS)
    return " ".join(words)


def made(g, make, failing=0.06):
    """A statement with its parameters."""
    statement = Statement(g)
    text = make(statement)
    body = {"Statement": broken(g, text) if g.chance(failing) else text}
    if statement.parameters and not g.chance(0.01):
        body["Parameters"] = statement.parameters
    return body


def read(g):
    body = made(g, Statement.select)
    if g.chance(0.3):
        body["ConsistentRead"] = g.chance(0.5)
    if f"FROM {NAME} WHERE pk = " in body["Statement"] and g.chance(0.4):
        body["Limit"] = g.random.randint(1, 4)
    if g.chance(0.3):
        body["ReturnConsumedCapacity"] = g.pick(["TOTAL", "INDEXES"])
    return "ExecuteStatement", body


def write(g):
    body = made(g, lambda statement: statement.write(0.6))
    if g.chance(0.3):
        body["ReturnConsumedCapacity"] = g.pick(["TOTAL", "INDEXES"])
    if g.chance(0.3):
        body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return "ExecuteStatement", body


def batch(g):
    if g.chance(0.4):
        make = lambda statement: statement.select_item(0.1)
    else:
        make = lambda statement: statement.write(0.4)
    return "BatchExecuteStatement", {"Statements": [made(g, make, 0.03) for _ in range(g.random.randint(1, 3))]}


def transaction(g):
    if g.chance(0.3):
        make = lambda statement: statement.select_item(0.05)
    else:
        make = lambda statement: (
            f"EXISTS(SELECT * FROM {NAME} {statement.where(0.9)})" if g.chance(0.2) else statement.write(0.03)
        )
    return "ExecuteTransaction", generate.charged(g, {"TransactStatements": [made(g, make, 0.03) for _ in range(g.random.randint(1, 3))]})


def requests(seed, count):
    g = generate.Generator(f"partiql {seed}")
    yield "CreateTable", generate.TABLE
    kinds = [read] * 6 + [write] * 6 + [batch] * 2 + [transaction] * 2 + [generate.put] * 2
    for _ in range(count):
        yield g.pick(kinds)(g)
