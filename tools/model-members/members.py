#!/usr/bin/env python3
"""Lists every member of every operation of DynamoDB's public model as honoured, refused or missing here. See README.md.

What we do is read from our sources, not from a list that could drift: `structure!` declarations are what a request may
hold, `refuse_unsupported` names what is refused, `Operation::X =>` in the server's dispatch is what is answered, and the
string literals of the reply writers are what a reply can hold.
"""

import argparse
import glob
import gzip
import json
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def model():
    """The newest models of the installed botocore: of the service and of its streams, whose common shapes are the same."""
    import botocore

    both = {"operations": {}, "shapes": {}}
    for service in ("dynamodbstreams", "dynamodb"):
        pattern = os.path.join(os.path.dirname(botocore.__file__), f"data/{service}/*/service-2.json.gz")
        found = json.loads(gzip.open(sorted(glob.glob(pattern))[-1]).read())
        for part, content in both.items():
            content.update(found[part])
    return botocore.__version__, both


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.rs")):
            yield path.read_text()


def declared():
    """Members of each structure that our requests are read into."""
    structures = {}
    for text in sources("dynamo-protocol/src"):
        for block in re.finditer(r"pub struct (\w+) \{(.*?)\n    \}", text, re.S):
            names = re.findall(r'^\s*(?:optional|required|\w+) \w+: [^;]*? = "(\w+)"', block[2], re.M)
            if names:
                structures[block[1]] = set(names)
    return structures


def refused():
    """Members of each request that are refused when they are set."""
    found = {}
    for text in sources("dynamo-engine/src/plan"):
        for block in re.finditer(r"fn refuse_unsupported\(input: &(\w+)\).*?\n\}", text, re.S):
            found[block[1]] = set(re.findall(r'"(\w+)"', block[0]))
    return found


def answered():
    """Operations that the server carries out."""
    text = (ROOT / "dynamo-server/src/ops/mod.rs").read_text()
    return set(re.findall(r"Operation::(\w+) =>", text))


def written():
    """Every name that a reply may hold."""
    names = set()
    for text in sources("dynamo-engine/src", "dynamo-protocol/src/json", "dynamo-server/src/ops"):
        names.update(re.findall(r'b?"(?:\\")?([A-Za-z]\w+)(?:\\":?)?"', text))
    return names


class Report:
    def __init__(self):
        self.version, self.model = model()
        self.shapes = self.model["shapes"]
        self.declared = declared()
        self.refused = refused()
        self.answered = answered()
        self.written = written()

    def structures(self, shape, seen):
        """The structures below a shape, itself first, each once, values of attributes left out."""
        definition = self.shapes[shape]
        if shape in seen or shape == "AttributeValue":
            return
        seen.add(shape)
        if definition["type"] == "structure":
            yield shape, list(definition.get("members", {}))
            for member in definition.get("members", {}).values():
                yield from self.structures(member["shape"], seen)
        elif definition["type"] == "list":
            yield from self.structures(definition["member"]["shape"], seen)
        elif definition["type"] == "map":
            yield from self.structures(definition["value"]["shape"], seen)

    def operation(self, name):
        """(place, member, verdict) of everything in the request, then in the reply."""
        definition = self.model["operations"][name]
        above = self.refused.get(definition.get("input", {}).get("shape"), set())
        seen, hidden = set(), set()
        for shape, members in self.structures(definition["input"]["shape"], seen):
            if shape in hidden:
                continue
            for member in members:
                known = member in self.declared.get(shape, set())
                if shape == definition["input"]["shape"] and member in above:
                    verdict = "refused"
                    target = self.shapes[shape]["members"][member]["shape"]
                    hidden.update(inner for inner, _ in self.structures(target, set()))
                else:
                    verdict = "honoured" if known else "missing"
                yield f"request {shape}", member, verdict
        output = definition.get("output", {}).get("shape")
        hidden = set()
        for shape, members in self.structures(output, set()) if output else ():
            for member in () if shape in hidden else members:
                missing = member not in self.written
                if missing:
                    target = self.shapes[shape]["members"][member]["shape"]
                    hidden.update(inner for inner, _ in self.structures(target, set()))
                yield f"reply {shape}", member, "missing" if missing else "honoured"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="list honoured members, too")
    options = parser.parse_args()
    report = Report()
    print(f"model: botocore {report.version}")
    unanswered = []
    for name in sorted(report.model["operations"]):
        if name not in report.answered:
            unanswered.append(name)
            continue
        rows = list(report.operation(name))
        count = {verdict: sum(row[2] == verdict for row in rows) for verdict in ("honoured", "refused", "missing")}
        print(f"{name}: " + ", ".join(f"{number} {verdict}" for verdict, number in count.items() if number))
        for place, member, verdict in rows:
            if options.all or verdict != "honoured":
                print(f"    {verdict:8} {place}.{member}")
    print(f"not answered ({len(unanswered)}): " + ", ".join(unanswered))
    return 0


if __name__ == "__main__":
    sys.exit(main())
