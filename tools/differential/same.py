#!/usr/bin/env python3
"""Sends the same requests to two servers of ours and prints every answer that differs at all. See README.md.

Meant for servers that differ in where data lies (one shard and four, one node and three): clients must not be able to
tell. So nothing is sorted and no word is overlooked, only what is bound to differ (ids, ARNs, times) is left out. After
the requests, tables of some megabytes are walked page by page in every way that pages can be asked for; pages must be
the same on both sides, and together hold every item exactly once (`pages.py`). Last come requests that reach many shards
at once (`many.py`).
"""

import argparse
import sys

import control
import generate
import many
import pages
import partiql
import wire
from compare import normal_exactly, where
from endpoint import Endpoint, following
from run import SCRIPTS, scripts_in


class Pair:
    """Two servers that are asked the same; remembers where they disagreed."""

    def __init__(self, left, right):
        self.left, self.right = left, right
        self.sent = 0
        self.found = []

    def empty(self):
        self.left.empty()
        self.right.empty()

    def call(self, place, operation, body):
        """The left side's answer."""
        left, right = self.left.call(operation, body), self.right.call(operation, body)
        self.compare(place, operation, body, left, right)
        return left

    def follow(self, place, operation, body):
        """A request and the pages that its answer's token leads to."""
        for left, right in following(self.left, self.right, operation, body):
            self.compare(place, operation, body, left, right)

    def compare(self, place, operation, body, left, right):
        self.sent += 1
        line = None
        if left.status != right.status:
            line = f"status {left.status} {left.body} | {right.status} {right.body}"
        else:
            line = where(normal_exactly(left.body), normal_exactly(right.body), "")
        if line:
            self.wrong(place, operation, body, line)

    def wrong(self, place, operation, body, line):
        self.found.append((place, operation, body, line))

    def report(self, shown):
        for place, operation, body, line in self.found[:shown]:
            print(f"== {place}: {operation} {str(body)[:600]}\n   {line}")
        print(f"{self.sent} requests, {len(self.found)} differences")
        return 1 if self.found else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("left", help="URL of one server")
    parser.add_argument("right", help="URL of the other; both are emptied")
    parser.add_argument("--random", type=int, default=2000, metavar="N", help="generated requests for each seed")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--items", type=int, default=600, help="items of the tables that are walked")
    parser.add_argument("--transactions", type=int, default=200, help="random transactions for each seed")
    parser.add_argument("--control", type=int, default=300, help="changes of tables for each seed")
    parser.add_argument("--shown", type=int, default=20, help="differences printed")
    options = parser.parse_args()

    pair = Pair(Endpoint(options.left), Endpoint(options.right))
    for name, steps in scripts_in(SCRIPTS, None):
        pair.empty()
        for number, (operation, body) in enumerate(steps, 1):
            pair.call(f"{name}, step {number}", operation, body)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        pair.empty()
        for number, (operation, body) in enumerate(generate.requests(seed, options.random), 1):
            pair.call(f"seed {seed}, step {number}", operation, body)
            if number % 100 == 0:
                for index in ({}, {"IndexName": "by_g"}, {"IndexName": "keys_g"}, {"IndexName": "by_a"}):
                    pair.call(f"seed {seed}, after step {number}", "Scan", {"TableName": "differential", **index})
        pair.empty()
        for number, (operation, body) in enumerate(partiql.requests(seed, options.random), 1):
            pair.follow(f"partiql, seed {seed}, step {number}", operation, body)
        pair.empty()
        pages.walk_all(pair, seed, options.items)
        pair.empty()
        many.large(pair)
        many.transactions(pair, seed, options.transactions)
        pair.empty()
        for number, (operation, body) in enumerate(control.requests(seed, options.control), 1):
            pair.call(f"control, seed {seed}, step {number}", operation, body)
    for name, one, other in wire.differences(pair.left, pair.right):
        pair.wrong("wire", name, "", f"{one} | {other}")
    pair.empty()
    return pair.report(options.shown)


if __name__ == "__main__":
    sys.exit(main())
