//! What writes answer.

use dynamo_engine::apply::{Outcome, Rejection, WriteOutcome};
use dynamo_protocol::error::ApiError;
use serde_json::{Value, json};

use crate::writer::{Writer, hash, plan_write, put, with};

#[test]
fn old_items_are_returned_when_asked_for() {
    let mut db = Writer::new();
    let all_old = json!({ "ReturnValues": "ALL_OLD" });
    let first = json!({ "a": { "S": "x" }, "n": { "N": "1.50" } });
    assert_eq!(db.send("PutItem", put(first.clone(), all_old.clone())).unwrap(), json!({}));
    let second = json!({ "a": { "S": "x" }, "m": { "M": { "l": { "L": [{ "NULL": true }] } } } });
    let expected = json!({ "Attributes": { "a": { "S": "x" }, "n": { "N": "1.5" } } });
    assert_eq!(db.send("PutItem", put(second.clone(), all_old.clone())).unwrap(), expected);
    assert_eq!(db.send("DeleteItem", hash("x", all_old.clone())).unwrap(), json!({ "Attributes": second }));
    assert_eq!(db.send("DeleteItem", hash("x", all_old)).unwrap(), json!({}));
}

#[test]
fn an_update_returns_what_it_is_asked_for() {
    let mut db = Writer::new();
    let item = json!({
        "a": { "S": "x" }, "keep": { "S": "k" }, "n": { "N": "1" },
        "m": { "M": { "in": { "N": "1" }, "side": { "N": "2" } } },
    });
    let mut run = |mode: &str| {
        db.send("PutItem", put(item.clone(), json!({}))).unwrap();
        let request = json!({
            "UpdateExpression": "SET m.#in = :two, fresh = :two ADD n :two",
            "ExpressionAttributeNames": { "#in": "in" },
            "ExpressionAttributeValues": { ":two": { "N": "2" } },
            "ReturnValues": mode,
        });
        db.send("UpdateItem", hash("x", request)).unwrap()
    };
    assert_eq!(run("NONE"), json!({}));
    assert_eq!(run("ALL_OLD"), json!({ "Attributes": item }));
    let mut new = item.clone();
    new["n"] = json!({ "N": "3" });
    new["fresh"] = json!({ "N": "2" });
    new["m"]["M"]["in"] = json!({ "N": "2" });
    assert_eq!(run("ALL_NEW"), json!({ "Attributes": new }));
    let old = json!({ "Attributes": { "m": { "M": { "in": { "N": "1" } } }, "n": { "N": "1" } } });
    assert_eq!(run("UPDATED_OLD"), old);
    let new = json!({ "Attributes": {
        "m": { "M": { "in": { "N": "2" } } }, "n": { "N": "3" }, "fresh": { "N": "2" },
    } });
    assert_eq!(run("UPDATED_NEW"), new);
}

#[test]
fn an_update_that_only_removes_creates_nothing() {
    let mut db = Writer::new();
    let remove = json!({ "UpdateExpression": "REMOVE n", "ReturnValues": "ALL_NEW" });
    assert_eq!(db.send("UpdateItem", hash("x", remove)).unwrap(), json!({}));
    assert_eq!(db.send("DeleteItem", hash("x", json!({ "ReturnValues": "ALL_OLD" }))).unwrap(), json!({}));
    let nothing = json!({ "ReturnValues": "ALL_NEW" });
    let created = json!({ "Attributes": { "a": { "S": "x" } } });
    assert_eq!(db.send("UpdateItem", hash("x", nothing)).unwrap(), created);
}

#[test]
fn legacy_updates_do_the_same() {
    let mut db = Writer::new();
    let request = json!({
        "AttributeUpdates": { "n": { "Action": "ADD", "Value": { "N": "5" } }, "s": { "Value": { "S": "t" } } },
        "Expected": { "a": { "Exists": false } },
        "ReturnValues": "UPDATED_NEW",
    });
    let expected = json!({ "Attributes": { "n": { "N": "5" }, "s": { "S": "t" } } });
    assert_eq!(db.send("UpdateItem", hash("x", request.clone())).unwrap(), expected);
    let refused = db.refused("UpdateItem", hash("x", request));
    assert_eq!(refused["message"], "The conditional request failed");
}

#[test]
fn a_failed_condition_shows_the_item_when_asked_for() {
    let mut db = Writer::new();
    let item = json!({ "a": { "S": "x" }, "n": { "N": "1" } });
    db.send("PutItem", put(item.clone(), json!({}))).unwrap();
    let condition = json!({ "ConditionExpression": "attribute_not_exists(a)" });
    let plain = db.refused("PutItem", put(item.clone(), condition.clone()));
    assert_eq!(plain["__type"], "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException");
    assert_eq!(plain.get("Item"), None);
    let shown = with(condition, json!({ "ReturnValuesOnConditionCheckFailure": "ALL_OLD" }));
    assert_eq!(db.refused("PutItem", put(item.clone(), shown.clone()))["Item"], item);
    assert_eq!(db.refused("DeleteItem", hash("x", shown.clone()))["Item"], item);
    let absent = with(shown, json!({ "ConditionExpression": "attribute_exists(a)" }));
    assert_eq!(db.refused("DeleteItem", hash("none", absent)).get("Item"), None);
}

fn ranges_put(more: Value) -> Value {
    let item = with(json!({ "a": { "S": "p" }, "b": { "N": "1" } }), more);
    json!({
        "TableName": "ranges", "Item": item,
        "ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE",
    })
}

#[test]
fn capacity_is_told_by_table_and_index() {
    let mut db = Writer::new();
    let reply = db.send("PutItem", ranges_put(json!({ "c": { "S": "c" }, "e": { "N": "1" } }))).unwrap();
    let one = json!({ "CapacityUnits": 1.0 });
    let expected = json!({
        "ConsumedCapacity": {
            "TableName": "ranges", "CapacityUnits": 4.0, "Table": one,
            "LocalSecondaryIndexes": { "local_all": one },
            "GlobalSecondaryIndexes": { "global_all": one, "global_some": one },
        },
        "ItemCollectionMetrics": { "ItemCollectionKey": { "a": { "S": "p" } }, "SizeEstimateRangeGB": [0.0, 1.0] },
    });
    assert_eq!(reply, expected);
    let large = "x".repeat(1500);
    let reply = db.send("PutItem", ranges_put(json!({ "c": { "S": "d" }, "f": { "S": large } }))).unwrap();
    let two = json!({ "CapacityUnits": 2.0 });
    let three = json!({ "CapacityUnits": 3.0 });
    assert_eq!(
        reply["ConsumedCapacity"],
        json!({
            "TableName": "ranges", "CapacityUnits": 9.0, "Table": two,
            "LocalSecondaryIndexes": { "local_all": three },
            "GlobalSecondaryIndexes": { "global_all": three, "global_some": one },
        })
    );
    let request = with(ranges_put(json!({})), json!({ "ReturnConsumedCapacity": "TOTAL" }));
    let reply = db.send("PutItem", request).unwrap();
    assert_eq!(reply["ConsumedCapacity"], json!({ "TableName": "ranges", "CapacityUnits": 6.0 }));
    let request = hash("none", json!({ "ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE" }));
    let reply = db.send("DeleteItem", request).unwrap();
    let expected = json!({ "TableName": "hashes", "CapacityUnits": 1.0, "Table": one });
    assert_eq!(reply, json!({ "ConsumedCapacity": expected }), "no local index, no item collection");
}

#[test]
fn batches_write_each_item_on_its_own() {
    let mut db = Writer::new();
    let item = |name: &str| json!({ "PutRequest": { "Item": { "a": { "S": name }, "b": { "N": "1" } } } });
    let gone = json!({ "DeleteRequest": { "Key": { "a": { "S": "gone" } } } });
    let request = json!({
        "RequestItems": { "hashes": [item("x"), gone], "ranges": [item("p"), item("q")] },
        "ReturnConsumedCapacity": "TOTAL", "ReturnItemCollectionMetrics": "SIZE",
    });
    let metrics =
        |name: &str| json!({ "ItemCollectionKey": { "a": { "S": name } }, "SizeEstimateRangeGB": [0.0, 1.0] });
    let expected = json!({
        "UnprocessedItems": {},
        "ConsumedCapacity": [
            { "TableName": "hashes", "CapacityUnits": 2.0 }, { "TableName": "ranges", "CapacityUnits": 2.0 },
        ],
        "ItemCollectionMetrics": { "ranges": [metrics("p"), metrics("q")] },
    });
    assert_eq!(db.send("BatchWriteItem", request).unwrap(), expected);
    let request = json!({ "RequestItems": { "hashes": [item("x")] } });
    assert_eq!(db.send("BatchWriteItem", request).unwrap(), json!({ "UnprocessedItems": {} }));
}

#[test]
fn a_batch_gives_back_what_was_refused() {
    let item = |name: &str| json!({ "PutRequest": { "Item": { "a": { "S": name }, "b": { "N": "1" } } } });
    let gone = json!({ "DeleteRequest": { "Key": { "a": { "S": "gone" } } } });
    let request = json!({
        "RequestItems": { "hashes": [item("x"), gone], "ranges": [item("p"), item("p2"), item("q")] },
        "ReturnConsumedCapacity": "TOTAL", "ReturnItemCollectionMetrics": "SIZE",
    });
    let reply = plan_write("BatchWriteItem", &request).unwrap().reply;
    let written = || Ok(Outcome::Written(WriteOutcome::default()));
    let behind = || Ok(Outcome::Rejected(Rejection::Behind));
    let outcomes = vec![written(), Err(ApiError::throughput_exceeded()), Ok(Outcome::Conflict), written(), behind()];
    let body: Value = serde_json::from_slice(&reply.render(outcomes).unwrap()).unwrap();
    assert_eq!(body["UnprocessedItems"], json!({ "hashes": [gone], "ranges": [item("p"), item("q")] }));
    let metrics = json!([{ "ItemCollectionKey": { "a": { "S": "p2" } }, "SizeEstimateRangeGB": [0.0, 1.0] }]);
    assert_eq!(body["ItemCollectionMetrics"], json!({ "ranges": metrics }), "of what was done");
    assert_eq!(body["ConsumedCapacity"].as_array().map(Vec::len), Some(2));

    let error = reply.render(vec![behind(), behind(), behind(), behind(), behind()]).unwrap_err();
    assert!(error.type_name().ends_with("#ProvisionedThroughputExceededException"), "nothing was done");
    let error = reply.render((0..5).map(|_| Ok(Outcome::Conflict)).collect()).unwrap_err();
    assert!(error.type_name().ends_with("#TransactionConflictException"), "nothing was done");
    assert!(reply.render(vec![written(), Ok(Outcome::Done)]).is_err(), "what is not understood may have been done");
}

fn action(kind: &str, name: &str, more: Value) -> Value {
    json!({ kind: hash(name, more) })
}

#[test]
fn transactions_pay_double_and_replays_pay_for_reading() {
    let mut db = Writer::new();
    let put = |name: &str| json!({ "Put": put(json!({ "a": { "S": name } }), json!({})) });
    let check = action("ConditionCheck", "z", json!({ "ConditionExpression": "attribute_not_exists(a)" }));
    let request = json!({
        "TransactItems": [put("x"), put("y"), check], "ClientRequestToken": "token",
        "ReturnConsumedCapacity": "INDEXES",
    });
    let units = |kind: &str| {
        json!({ "ConsumedCapacity": [{
            "TableName": "hashes", "CapacityUnits": 6.0, kind: 6.0, "Table": { "CapacityUnits": 6.0, kind: 6.0 },
        }] })
    };
    assert_eq!(db.send("TransactWriteItems", request.clone()).unwrap(), units("WriteCapacityUnits"));
    assert_eq!(db.send("TransactWriteItems", request.clone()).unwrap(), units("ReadCapacityUnits"));
    let other = with(request.clone(), json!({ "TransactItems": [put("x")] }));
    let refused = db.refused("TransactWriteItems", other);
    assert_eq!(refused["__type"], "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException");
    db.outlive_tokens();
    assert_eq!(db.send("TransactWriteItems", request).unwrap(), units("WriteCapacityUnits"));
}

#[test]
fn cancellations_give_a_reason_for_each_action() {
    let mut db = Writer::new();
    let item = json!({ "a": { "S": "x" }, "n": { "N": "1" } });
    db.send("PutItem", put(item.clone(), json!({}))).unwrap();
    let show = json!({ "ReturnValuesOnConditionCheckFailure": "ALL_OLD" });
    let request = json!({ "TransactItems": [
        action("Delete", "free", json!({})),
        action("ConditionCheck", "x", with(json!({ "ConditionExpression": "attribute_not_exists(a)" }), show)),
        action("Update", "y", json!({ "UpdateExpression": "SET n = absent" })),
        action("Delete", "z", json!({ "ConditionExpression": "attribute_exists(a)" })),
    ] });
    let refused = db.refused("TransactWriteItems", request);
    assert_eq!(refused["__type"], "com.amazonaws.dynamodb.v20120810#TransactionCanceledException");
    let reasons = json!([
        { "Code": "None" },
        { "Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": item },
        {
            "Code": "ValidationError",
            "Message": "The provided expression refers to an attribute that does not exist in the item",
        },
        { "Code": "ConditionalCheckFailed", "Message": "The conditional request failed" },
    ]);
    assert_eq!(refused["CancellationReasons"], reasons);
}
