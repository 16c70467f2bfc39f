#!/usr/bin/env python3
"""Adds up callgrind's counts by component: components.py REQUESTS FILE [FILE…], one column for each file.

A function's own instructions count for the crate that its name begins with; what was inlined into it counts with it.
"""

import collections
import re
import sys

COMPONENTS = [
    ("HTTP (hyper, http, httparse)", ("hyper", "http", "bytes::")),
    ("Raft (openraft)", ("openraft", "base2histogram")),
    ("tasks, channels, timers (tokio, futures)", ("tokio", "futures", "parking_lot", "mio")),
    ("JSON, headers of the API (dynamo-protocol)", ("dynamo_protocol", "memchr")),
    ("plan, keys, apply, encode (dynamo-engine)", ("dynamo_engine", "dynamo_expression", "shard_router", "ordered_kv", "hlc")),
    ("server (dynamo-server, CRC-32, metrics)", ("dynamo_server", "crc32fast", "prometheus", "lease", "tracing")),
]
HEAP_OF_C = ("malloc", "free", "_int_malloc", "_int_free", "__tls_init")


def costs(path):
    """A function's own instructions, by its name. Lines after `calls=` are what its callees cost."""
    names, own, function, is_call = {}, collections.Counter(), None, False
    for line in open(path):
        named = re.match(r"^(c?)fn=\((\d+)\)(?: (.*))?$", line.rstrip("\n"))
        if named:
            callee, number, name = named.groups()
            if name:
                names[number] = name
            if not callee:
                function = names[number]
        elif line.startswith("calls="):
            is_call = True
        elif cost := re.match(r"^[+\-*\d]\S* (\d+)$", line):
            # Counting that begins within a function makes some costs negative.
            if not is_call and int(cost[1]) < 1 << 62:
                own[function] += int(cost[1])
            is_call = False
    return own


def component(function):
    if "rocksdb" in function or function.startswith("non-virtual") or "__cxx11" in function or function in HEAP_OF_C:
        return "RocksDB, with its heap"
    if function.startswith("__mem"):
        return "copying and comparing memory"
    if function.startswith(("mi_", "_mi_")):
        return "allocator (mimalloc)"
    bare = re.sub(r"^[<_&\[\]()* ]*((mut|dyn|impl|void|bool|int) )*", "", function)
    if bare.startswith(("alloc", "core", "std")) and " as " in function:
        inner = re.search(r"(dynamo_\w+|openraft|tokio|hyper)", function)
        bare = inner[1] if inner else bare
    return next((name for name, starts in COMPONENTS if bare.startswith(starts)), "standard library, rest")


def main():
    requests = int(sys.argv[1])
    columns = []
    for path in sys.argv[2:]:
        column = collections.Counter()
        for function, cost in costs(path).items():
            column[component(function)] += cost
        columns.append(column)
    for name in sorted(set().union(*columns), key=lambda name: -columns[-1][name]):
        print("| " + name + " | " + " | ".join(f"{column[name] / requests:,.0f}" for column in columns) + " |")
    print("| **together** | " + " | ".join(f"**{column.total() / requests:,.0f}**" for column in columns) + " |")


main()
