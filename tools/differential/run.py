#!/usr/bin/env python3
"""Sends the same requests to a server of ours and to an oracle, and prints where the answers differ. See README.md."""

import argparse
import json
import pathlib
import re
import sys
import time

import control
import generate
import partiql
import wire
from compare import difference, failed
from endpoint import Endpoint, following

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "tests/wire/scripts"
WRITES = {
    "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems",
    "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
}


def grown(value):
    """`«y*1000»` stands for a thousand letters."""
    if isinstance(value, dict):
        return {key: grown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [grown(inner) for inner in value]
    if isinstance(value, str) and (long := re.fullmatch(r"«(.)\*(\d+)»", value)):
        return long[1] * int(long[2])
    return value


def scripts_in(folder, only):
    """(name, steps) of every script of the wire suite; what it expects is not looked at here."""
    for path in sorted(folder.glob("*.txt")):
        if only and only not in path.stem:
            continue
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith(("#", "-->"))]
        steps = [line.split(" ", 1) for line in lines]
        yield path.stem, [(operation, grown(json.loads(body))) for operation, body in steps]


def revive(oracle):
    """Waits for whoever restarts a crashed oracle, and gives it the table again."""
    for _ in range(20):
        time.sleep(0.5)
        if oracle.call("CreateTable", generate.TABLE).status:
            return


def state(ours, oracle):
    """Whether a write left other items behind, which its reply may not tell."""
    request = {"TableName": generate.TABLE["TableName"]}
    left, right = ours.call("Scan", request), oracle.call("Scan", request)
    line = None if failed(right) else difference("Scan", request, left, right, False)
    return line and f"afterwards the table has {line}"


def align(ours, oracle):
    """Brings the oracle's items to ours, so that one difference is not told again by every later request."""
    for name in ours.call("ListTables", {}).body.get("TableNames", []):
        keys = [part["AttributeName"] for part in ours.call("DescribeTable", {"TableName": name}).body["Table"]["KeySchema"]]
        for side in (oracle, ours):
            items = side.call("Scan", {"TableName": name}).body.get("Items", [])
            for item in items:
                if side is oracle:
                    oracle.call("DeleteItem", {"TableName": name, "Key": {key: item[key] for key in keys}})
                else:
                    oracle.call("PutItem", {"TableName": name, "Item": item})


def group(line):
    """Differences that only vary in values belong together."""
    return re.sub(r"\d+", "#", line)[:120]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", default="http://127.0.0.1:8000")
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--only", help="scripts whose name contains this")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N generated requests instead of the scripts")
    parser.add_argument("--partiql", type=int, default=0, metavar="N", help="N generated PartiQL requests instead")
    parser.add_argument("--control", type=int, default=0, metavar="N", help="N generated changes of tables instead")
    parser.add_argument("--wire", action="store_true", help="what lies around the JSON instead")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", action="store_true", help="compare the words of error messages, too")
    parser.add_argument("--each", type=int, default=2, help="examples printed per group of differences")
    options = parser.parse_args()

    ours, oracle = Endpoint(options.ours), Endpoint(options.oracle)
    if options.wire:
        found = list(wire.differences(ours, oracle))
        for name, left, right in found:
            print(f"== {name}\n   ours   {json.dumps(left)}\n   oracle {json.dumps(right)}")
        print(f"{len(wire.CASES)} requests, {len(found)} differences")
        return 1 if found else 0
    if options.control:
        scripts = [(f"control, seed {options.seed}", control.requests(options.seed, options.control))]
    elif options.partiql:
        scripts = [(f"partiql, seed {options.seed}", partiql.requests(options.seed, options.partiql))]
    elif options.random:
        scripts = [(f"seed {options.seed}", generate.requests(options.seed, options.random))]
    else:
        scripts = scripts_in(SCRIPTS, options.only)

    generated = options.random or options.partiql
    sent = broken = 0
    found = {}
    for name, steps in scripts:
        ours.empty()
        oracle.empty()
        for number, (operation, body) in enumerate(steps, 1):
            line = None
            for left, right in following(ours, oracle, operation, body):
                sent += 1
                if failed(right):
                    broken += 1
                else:
                    line = line or difference(operation, body, left, right, options.texts)
            if right.status == 0 and generated:
                revive(oracle)
            if operation in WRITES and generated:
                line = line or state(ours, oracle)
                if line or failed(right):
                    align(ours, oracle)
            if line:
                found.setdefault((operation, group(line)), []).append((f"{name}, step {number}", body, line))
    for (operation, _), cases in sorted(found.items()):
        print(f"== {operation}: {len(cases)} like this")
        for place, body, line in cases[: options.each]:
            print(f"   {place}\n   {json.dumps(body, ensure_ascii=False)[:1200]}\n   ours | oracle: {line}")
    differences = sum(len(cases) for cases in found.values())
    print(f"{sent} requests, {differences} differences in {len(found)} groups; the oracle broke {broken} times")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
