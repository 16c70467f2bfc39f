"""What lies around the JSON: methods, types, credentials, bodies that are none.

Compared are the status, the content type, the error's name, and whether the headers are there that SDKs and browsers look
for. Bodies that are no JSON are compared as they are.
"""

import json

from endpoint import AUTHORIZATION

TYPE = {"Content-Type": "application/x-amz-json-1.0"}
TARGET = {"X-Amz-Target": "DynamoDB_20120810.ListTables"}
SIGNED = {"X-Amz-Date": "20260101T000000Z", "Authorization": AUTHORIZATION}
ORIGIN = {"Origin": "http://localhost:3000"}
QUERY = (
    "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fdynamodb%2Faws4_request"
    "&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)
HEADERS = ["x-amzn-requestid", "x-amz-crc32", "access-control-allow-origin", "access-control-max-age"]

# (what it is, method, address, headers, body)
CASES = [
    ("a call", "POST", "/", {**TYPE, **TARGET, **SIGNED}, b"{}"),
    ("no credentials", "POST", "/", {**TYPE, **TARGET}, b"{}"),
    ("no credentials, no body", "POST", "/", {**TYPE, **TARGET}, b""),
    ("no credentials, no JSON", "POST", "/", {**TYPE, **TARGET}, b"nonsense"),
    ("no body", "POST", "/", {**TYPE, **TARGET, **SIGNED}, b""),
    ("no JSON", "POST", "/", {**TYPE, **TARGET, **SIGNED}, b"nonsense"),
    ("a list", "POST", "/", {**TYPE, **TARGET, **SIGNED}, b"[]"),
    ("no target", "POST", "/", {**TYPE, **SIGNED}, b"{}"),
    ("an unknown target", "POST", "/", {**TYPE, **SIGNED, "X-Amz-Target": "DynamoDB_20120810.Nonsense"}, b"{}"),
    ("half an Authorization", "POST", "/", {**TYPE, **TARGET, "Authorization": "AWS4-HMAC-SHA256 Credential=a"}, b"{}"),
    ("no type", "POST", "/", {**TARGET, **SIGNED}, b"{}"),
    ("neither type nor body", "POST", "/", {}, b""),
    ("type 1.1", "POST", "/", {**TARGET, **SIGNED, "Content-Type": "application/x-amz-json-1.1"}, b"{}"),
    ("a plain type", "POST", "/", {**TARGET, **SIGNED, "Content-Type": "text/plain"}, b"{}"),
    ("a signed address", "POST", QUERY, {**TYPE, **TARGET}, b"{}"),
    ("an address signed twice", "POST", QUERY, {**TYPE, **TARGET, **SIGNED}, b"{}"),
    ("half a signed address", "POST", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256", {**TYPE, **TARGET}, b"{}"),
    ("a call from a browser", "POST", "/", {**TYPE, **TARGET, **SIGNED, **ORIGIN}, b"{}"),
    ("a preflight", "OPTIONS", "/", {**ORIGIN, "Access-Control-Request-Method": "POST"}, b""),
    ("OPTIONS without an origin", "OPTIONS", "/", {}, b""),
    ("another method", "PUT", "/", {**TYPE, **TARGET, **SIGNED}, b"{}"),
    ("another path", "POST", "/other", {**TYPE, **TARGET, **SIGNED}, b"{}"),
]


def shown(answer):
    """What is compared of an answer."""
    status, headers, body = answer
    kind = headers.get("content-type", "")
    try:
        parsed = json.loads(body)
        what = str(parsed.get("__type", "")).rsplit("#", 1)[-1] or "a result"
    except (ValueError, AttributeError):
        what = body.decode("utf-8", "replace")[:200]
    return {"status": status, "type": kind, "body": what, "headers": [name for name in HEADERS if name in headers]}


def differences(left, right):
    """(what it is, one answer, the other) for every case that differs."""
    for name, method, path, headers, body in CASES:
        one, other = (shown(side.raw(method, path, headers, body)) for side in (left, right))
        if one != other:
            yield name, one, other
