"""One DynamoDB-compatible endpoint, spoken to by hand: no SDK stands between a request and what is sent."""

import http.client
import json
import urllib.parse

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=differential/20260101/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host;x-amz-date;x-amz-target, Signature=0000"
)


class Answer:
    """Status and JSON body of one reply."""

    def __init__(self, status, body):
        self.status = status
        self.body = body

    def is_error(self):
        return self.status != 200

    def kind(self):
        """The error's name without its namespace."""
        return str(self.body.get("__type", "")).rsplit("#", 1)[-1]

    def message(self):
        return self.body.get("message", self.body.get("Message"))


class Endpoint:
    """Keeps one connection open and renews it when the other side closed it."""

    def __init__(self, url, timeout=30):
        self.url = url
        parts = urllib.parse.urlsplit(url)
        self.host = parts.hostname
        self.port = parts.port or 80
        self.timeout = timeout
        self.connection = None

    def call(self, operation, body):
        payload = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "DynamoDB_20120810." + operation,
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": AUTHORIZATION,
        }
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            try:
                self.connection.request("POST", "/", payload, headers)
                response = self.connection.getresponse()
                text = response.read()
                break
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if attempt == 2:
                    return Answer(0, {"__type": "NoAnswer", "message": "the connection was closed"})
        try:
            return Answer(response.status, json.loads(text or b"{}"))
        except ValueError:
            return Answer(response.status, {"__type": "NotJson", "message": text[:200].decode("utf-8", "replace")})

    def raw(self, method, path, headers, payload):
        """(status, headers by lower-case name, body) of a request that need not be one of the API."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.putrequest(method, path)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(payload)))
            connection.endheaders(payload)
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        except (http.client.HTTPException, OSError):
            return 0, {}, b""
        finally:
            connection.close()

    def empty(self):
        """Deletes every table."""
        while True:
            names = self.call("ListTables", {}).body.get("TableNames", [])
            if not names:
                return
            for name in names:
                self.call("UpdateTable", {"TableName": name, "DeletionProtectionEnabled": False})
                self.call("DeleteTable", {"TableName": name})


def following(left, right, operation, body):
    """Both answers to a request, and to what its tokens lead to, as long as both have one."""
    sides = [(left, body), (right, body)]
    for _ in range(20):
        answers = [side.call(operation, request) for side, request in sides]
        yield answers
        if not all("NextToken" in answer.body for answer in answers):
            return
        sides = [(side, {**body, "NextToken": answer.body["NextToken"]}) for (side, _), answer in zip(sides, answers)]
