"""What counts as the same answer.

Left out: what is bound to differ (ids, ARNs, times) and orders that DynamoDB does not promise (sets, scans, the items of
a batch, rows of an index that have equal sort keys). Everything else must be equal.
"""

import json
import re

# Members that name a moment, a machine or an account; compared only for being there.
OPAQUE = {
    "TableId", "TableArn", "IndexArn", "LatestStreamArn", "LatestStreamLabel", "CreationDateTime",
    "LastIncreaseDateTime", "LastDecreaseDateTime", "LastUpdateToPayPerRequestDateTime", "LastUpdateDateTime",
    "KMSMasterKeyArn", "NextToken",
}
# Lists of the control plane whose order is not promised.
UNORDERED = {"AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "NonKeyAttributes", "Tags"}


def normal(value, name=None, unordered=False):
    """The same value with opaque members replaced and unordered lists sorted."""
    if isinstance(value, dict):
        result = {}
        for key, inner in value.items():
            if key in OPAQUE:
                result[key] = "…"
            elif key in ("SS", "NS", "BS") and isinstance(inner, list):
                result[key] = sorted(inner)
            else:
                result[key] = normal(inner, key, unordered)
        return result
    if isinstance(value, list):
        items = [normal(inner, None, unordered) for inner in value]
        if name in UNORDERED or (unordered and name == "Items"):
            items.sort(key=lambda item: json.dumps(item, sort_keys=True))
        return items
    if isinstance(value, float) and value == int(value):
        return int(value)
    return value


def normal_exactly(value):
    """The same value with opaque members replaced, and nothing else."""
    if isinstance(value, dict):
        return {key: "…" if key in OPAQUE else normal_exactly(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [normal_exactly(inner) for inner in value]
    return value


def normal_batch(body):
    """BatchGetItem's answer with the items of each table sorted."""
    responses = body.get("Responses")
    if isinstance(responses, dict):
        for items in responses.values():
            items.sort(key=lambda item: json.dumps(item, sort_keys=True))
    return body


def normal_slots(body, texts):
    """BatchExecuteStatement's answer, whose errors are told inside, with or without their words."""
    for slot in body.get("Responses", []):
        if "Error" in slot and "Message" in slot["Error"]:
            slot["Error"]["Message"] = words(slot["Error"]["Message"]) if texts else "…"
    return body


def failed(oracle):
    """Whether the oracle broke rather than answered."""
    return oracle.status == 0 or oracle.status >= 500


def difference(operation, request, ours, oracle, texts):
    """A line that says how two answers differ, or None."""
    unordered = operation == "Scan" or "IndexName" in request or not in_order(request.get("Statement"))
    if "ReturnConsumedCapacity" not in request:
        oracle.body.pop("ConsumedCapacity", None)
    if ours.is_error() != oracle.is_error():
        return f"{outcome(ours)} | {outcome(oracle)}"
    if ours.is_error():
        if ours.kind() != oracle.kind() or ours.status != oracle.status:
            return f"{outcome(ours)} | {outcome(oracle)}"
        if texts and words(ours.message()) != words(oracle.message()):
            return f"{outcome(ours)} | {outcome(oracle)}"
        left, right = ours.body.get("CancellationReasons"), oracle.body.get("CancellationReasons")
        if codes(left) != codes(right):
            return f"reasons {codes(left)} | {codes(right)}"
        return None
    left = normal(ours.body, None, unordered)
    right = normal(oracle.body, None, unordered)
    if operation == "BatchExecuteStatement":
        left, right = normal_slots(left, texts), normal_slots(right, texts)
    if operation == "BatchGetItem":
        left, right = normal_batch(left), normal_batch(right)
    return where(left, right, "")


def in_order(statement):
    """Whether a statement says in which order it reads: one partition of a table, or ORDER BY."""
    return not statement or "ORDER BY" in statement or bool(re.search(r'FROM "\w+" WHERE pk = ', statement))


def words(message):
    """A message without what the validation layer of 2026 changed everywhere, and oracles do not know yet."""
    message = re.sub(r"^\d+ validation errors? detected: ", "", message or "")
    return re.sub(r"Syntax error; .*", "Syntax error", message).lower()


def outcome(answer):
    if not answer.is_error():
        return "200"
    return f"{answer.status} {answer.kind()}: {answer.message()}"


def codes(reasons):
    return None if reasons is None else [reason.get("Code") for reason in reasons]


def where(left, right, path):
    """The first place where two bodies differ."""
    if left == right:
        return None
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            if key not in left or key not in right:
                side = "only ours has" if key in left else "only the oracle has"
                return f"{side} {path}/{key} = {short(left.get(key, right.get(key)))}"
            inner = where(left[key], right[key], f"{path}/{key}")
            if inner:
                return inner
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for at, (one, other) in enumerate(zip(left, right)):
            inner = where(one, other, f"{path}/{at}")
            if inner:
                return inner
    return f"{path}: {short(left)} | {short(right)}"


def short(value):
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "…"
