#!/usr/bin/env python3
"""Counts the instructions of one kind of request in the server, with callgrind (valgrind must be installed).

    cargo build --profile profiling -p dynamo-server \\
        --config 'profile.profiling.inherits="release"' \\
        --config 'profile.profiling.debug="line-tables-only"' --config 'profile.profiling.strip="none"'
    tools/profile/request.py target/profiling/dynamo-server get.callgrind GetItem 1000
    tools/profile/components.py 1000 get.callgrind

The server starts on an empty folder, a table is filled, and only the measured requests, one after the other on one
connection, are counted.
"""

import json
import random
import shutil
import socket
import string
import subprocess
import sys
import tempfile
import time

PORT = 9177
ITEMS = 400
LETTERS = "".join(random.Random(7).choice(string.ascii_lowercase) for _ in range(5000))
HEAD = (
    "POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/x-amz-json-1.0\r\n"
    "X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 "
    "Credential=bench/20260101/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=%s\r\n"
    "X-Amz-Target: DynamoDB_20120810.%s\r\nContent-Length: %d\r\n\r\n"
)


class Connection:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, operation, body):
        text = json.dumps(body, separators=(",", ":"))
        self.socket.sendall((HEAD % (PORT, "0" * 64, operation, len(text)) + text).encode())
        reply = b""
        while b"\r\n\r\n" not in reply:
            reply += self.socket.recv(65536)
        head, _, rest = reply.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        while len(rest) < int(lengths[0].split(b":")[1]):
            rest += self.socket.recv(1 << 20)
        assert b" 200 " in head.split(b"\r\n")[0], (head, rest)
        return rest


def item(number, generation=0):
    at = (number * 37 + generation * 11) % 3000
    payload = "v-%08d g-%08d %s" % (number, generation, LETTERS[at : at + 977])
    return {"pk": {"S": "item-%08d" % number}, "n": {"N": "0"}, "payload": {"S": payload}}


def request(operation, number, generation):
    key = {"TableName": "items", "Key": {"pk": {"S": "item-%08d" % number}}}
    if operation == "GetItem":
        return {**key, "ConsistentRead": True}
    if operation == "PutItem":
        return {"TableName": "items", "Item": item(number, generation)}
    if operation == "UpdateItem":
        one = {":one": {"N": "1"}}
        return {**key, "UpdateExpression": "SET n = n + :one", "ExpressionAttributeValues": one, "ReturnValues": "UPDATED_NEW"}
    raise SystemExit("GetItem, PutItem or UpdateItem")


def connect(server):
    for _ in range(1200):
        if server.poll() is not None:
            raise SystemExit("the server ended")
        try:
            return Connection()
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not listen")


def fill(connection):
    connection.call(
        "CreateTable",
        {
            "TableName": "items",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    while b"ACTIVE" not in connection.call("DescribeTable", {"TableName": "items"}):
        time.sleep(0.05)
    for first in range(0, ITEMS, 25):
        puts = [{"PutRequest": {"Item": item(number)}} for number in range(first, first + 25)]
        connection.call("BatchWriteItem", {"RequestItems": {"items": puts}})


def main():
    binary, out, operation, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    data = tempfile.mkdtemp(prefix="profile-")
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=" + out]
    server = subprocess.Popen(
        valgrind + [binary, "--port", str(PORT), "--data-dir", data], stderr=subprocess.DEVNULL
    )

    def control(*arguments):
        subprocess.run(["callgrind_control", *arguments, str(server.pid)], stdout=subprocess.DEVNULL, check=True)

    try:
        connection = connect(server)
        fill(connection)
        numbers = random.Random(7)
        ask = lambda at: connection.call(operation, request(operation, numbers.randrange(ITEMS), at))
        for at in range(50):
            ask(at)
        control("-i", "on")
        for at in range(count):
            ask(at)
        control("-i", "off")
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(data)


main()
