//! What writes refuse, in which words and in which order.

use serde_json::{Value, json};

use crate::writer::{Writer, hash, put, with};

const ENVELOPE: &str = "1 validation error detected: ";
const INVALID: &str = "One or more parameter values were invalid: ";

fn check(operation: &str, request: Value, expected: &str) {
    assert_eq!(Writer::new().invalid(operation, request.clone()), expected, "{operation} {request}");
}

fn unknown_table(operation: &str, request: Value) {
    let refused = Writer::new().refused(operation, request);
    assert_eq!(refused["__type"], "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException");
    assert_eq!(refused["message"], "Requested resource not found");
}

fn item() -> Value {
    json!({ "a": { "S": "x" } })
}

#[test]
fn parameters_that_do_not_go_together() {
    let both = json!({ "Expected": { "a": { "Exists": false } }, "ConditionExpression": "attribute_exists(a)" });
    let text = "1 validation error detected: Can not use both expression and non-expression parameters in the same \
                request: Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}";
    check("PutItem", put(item(), both.clone()), text);
    check("DeleteItem", hash("x", both), text);
    let values = json!({ "ExpressionAttributeValues": { ":v": { "S": "x" } } });
    let text = "1 validation error detected: ExpressionAttributeValues can only be specified when using expressions";
    check("PutItem", put(item(), values.clone()), text);
    check("UpdateItem", hash("x", values), text);
    let names = json!({ "ExpressionAttributeNames": { "#a": "a" }, "Expected": { "a": { "Exists": false } } });
    let text = "1 validation error detected: ExpressionAttributeNames can only be specified when using expressions";
    check("DeleteItem", hash("x", names), text);
    for mode in ["ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"] {
        let text = "1 validation error detected: ReturnValues can only be ALL_OLD or NONE";
        check("PutItem", put(item(), json!({ "ReturnValues": mode })), text);
        check("DeleteItem", hash("x", json!({ "ReturnValues": mode })), text);
    }
    let operator = json!({ "ConditionalOperator": "OR" });
    let text = "1 validation error detected: ConditionalOperator cannot be used without Filter or Expected";
    check("PutItem", put(item(), operator), text);
}

#[test]
fn expressions_come_before_the_table() {
    let request = put(item(), json!({ "TableName": "absent", "ConditionExpression": "a = :v" }));
    let text = "Invalid ConditionExpression: An expression attribute value used in expression is not defined; \
                attribute value: :v";
    check("PutItem", request, &format!("{ENVELOPE}{text}"));
    let unused = json!({
        "TableName": "absent", "UpdateExpression": "SET n = :v",
        "ExpressionAttributeValues": { ":v": { "S": "x" }, ":u": { "S": "x" } },
    });
    let text = "Value provided in ExpressionAttributeValues unused in expressions: keys: {:u}";
    check("UpdateItem", hash("x", unused), &format!("{ENVELOPE}{text}"));
    let both = json!({ "TableName": "absent", "UpdateExpression": "SET", "ConditionExpression": "" });
    let text = "Invalid ConditionExpression: The expression can not be empty;";
    check("UpdateItem", hash("x", both.clone()), &format!("{ENVELOPE}{text}"));
    let both = with(both, json!({ "UpdateExpression": "" }));
    let text = "Invalid UpdateExpression: The expression can not be empty;";
    check("UpdateItem", hash("x", both), &format!("{ENVELOPE}{text}"));
    unknown_table("PutItem", put(json!({}), json!({ "TableName": "absent" })));
    unknown_table("UpdateItem", hash("x", json!({ "TableName": "absent" })));
    unknown_table("DeleteItem", hash("x", json!({ "TableName": "absent" })));
    let large = json!({ "a": { "S": "x" }, "b": { "S": "y".repeat(409_598) } });
    check("PutItem", put(large, json!({ "TableName": "absent" })), "Item size has exceeded the maximum allowed size");
}

#[test]
fn keys_of_items_to_put() {
    check("PutItem", put(json!({ "b": { "S": "x" } }), json!({})), &format!("{INVALID}Missing the key a in the item"));
    let text = format!("{INVALID}Type mismatch for key a expected: S actual: L");
    check("PutItem", put(json!({ "a": { "L": [] } }), json!({})), &text);
    let empty = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty string value. Key: a";
    check("PutItem", put(json!({ "a": { "S": "" } }), json!({})), empty);
    let text = format!("{INVALID}Size of hashkey has exceeded the maximum size limit of2048 bytes");
    check("PutItem", put(json!({ "a": { "S": "x".repeat(2049) } }), json!({})), &text);
}

fn range_item(more: Value) -> Value {
    with(json!({ "a": { "S": "x" }, "b": { "N": "1" } }), more)
}

#[test]
fn index_keys_of_items_to_put() {
    let put = |more: Value| json!({ "TableName": "ranges", "Item": range_item(more) });
    let text = format!("{INVALID}Type mismatch for Index Key c Expected: S Actual: N IndexName: global_all");
    check("PutItem", put(json!({ "c": { "N": "1" } })), &text);
    let batch = json!({ "RequestItems": { "ranges": [{ "PutRequest": { "Item": range_item(json!({ "c": { "N": "1" } })) } }] } });
    check("BatchWriteItem", batch, &text);
    let empty = "One or more parameter values are not valid. A value specified for a secondary index key is not \
                 supported. The AttributeValue for a key attribute cannot contain an empty binary value. IndexName: \
                 local_keys, IndexKey: d";
    check("PutItem", put(json!({ "d": { "B": "" } })), empty);
    let text = format!("{INVALID}Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
    check("PutItem", put(json!({ "c": { "S": "c".repeat(1025) } })), &text);
    let action = |kind: &str, request: Value| transaction(json!([{ kind: request }]));
    check("TransactWriteItems", action("Put", put(json!({ "d": { "B": "" } }))), empty);
    let text = format!("{INVALID}Type mismatch for Index Key c Expected: S Actual: N IndexName: global_all");
    cancelled(action("Put", put(json!({ "c": { "N": "1" } }))), &[Some(&text)]);
    let update = |value: Value| {
        json!({
            "TableName": "ranges", "Key": { "a": { "S": "x" }, "b": { "N": "1" } }, "UpdateExpression": "SET c = :v",
            "ExpressionAttributeValues": { ":v": value },
        })
    };
    cancelled(action("Update", update(json!({ "N": "1" }))), &[Some(&text)]);
    let empty = "One or more parameter values are not valid. The update expression attempted to update a secondary \
                 index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an \
                 empty string value.";
    check("TransactWriteItems", action("Update", update(json!({ "S": "" }))), empty);
    check("UpdateItem", update(json!({ "S": "" })), empty);
}

#[test]
fn keys_of_updates_and_deletes() {
    for key in [
        json!({}),
        json!({ "b": { "S": "x" } }),
        json!({ "a": { "N": "1" } }),
        json!({ "a": { "S": "x" }, "b": { "S": "x" } }),
    ] {
        let request = json!({ "TableName": "hashes", "Key": key });
        check("UpdateItem", request.clone(), "The provided key element does not match the schema");
        check("DeleteItem", request, "The provided key element does not match the schema");
    }
}

#[test]
fn updates_keep_off_the_keys() {
    let update = |text: &str, values: Value| {
        let request = json!({
            "TableName": "ranges", "Key": { "a": { "S": "x" }, "b": { "N": "1" } }, "UpdateExpression": text,
        });
        if values.is_null() { request } else { with(request, json!({ "ExpressionAttributeValues": values })) }
    };
    let text = format!("{INVALID}Cannot update attribute b. This attribute is part of the key");
    check("UpdateItem", update("SET d[1] = :v ADD b.b :v", json!({ ":v": { "N": "1" } })), &text);
    check("UpdateItem", update("REMOVE b", Value::Null), &text);
    let legacy = json!({
        "TableName": "ranges", "Key": { "a": { "S": "x" }, "b": { "N": "1" } },
        "AttributeUpdates": { "b": { "Value": { "N": "2" } } },
    });
    check("UpdateItem", legacy, &text);
    let text = format!("{INVALID}Type mismatch for Index Key c Expected: S Actual: N IndexName: global_all");
    check("UpdateItem", update("SET d.x = f ADD c :v", json!({ ":v": { "N": "1" } })), &text);
    check("UpdateItem", update("SET c = f + :v", json!({ ":v": { "N": "1" } })), &text);
    let text =
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: c";
    check("UpdateItem", update("SET f = c[1]", Value::Null), text);
    check("UpdateItem", update("REMOVE c.x", Value::Null), text);
}

#[test]
fn an_update_expression_is_charged_for_what_it_writes() {
    let update = |padding: usize| {
        hash(
            "K",
            json!({
                "UpdateExpression": "SET b = :pad", "ExpressionAttributeValues": { ":pad": { "S": "x".repeat(padding) } },
            }),
        )
    };
    let fits = 409_600 - 3 - 19 - 1;
    assert_eq!(Writer::new().send("UpdateItem", update(fits)), Ok(json!({})));
    let text = "Item size to update has exceeded the maximum allowed size";
    check("UpdateItem", update(fits + 1), text);
    let legacy = |padding: usize| {
        hash(
            "K",
            json!({
                "AttributeUpdates": { "b": { "Value": { "S": "x".repeat(padding) } } },
            }),
        )
    };
    let fits = 409_600 - 2 - 1;
    assert_eq!(Writer::new().send("UpdateItem", legacy(fits)), Ok(json!({})), "only the finished item counts");
    check("UpdateItem", legacy(fits + 1), text);
    let transacted = |padding: usize| transaction(json!([{ "Update": update(padding) }]));
    assert_eq!(Writer::new().send("TransactWriteItems", transacted(fits)), Ok(json!({})));
    cancelled(transacted(fits + 1), &[Some(text)]);
}

#[test]
fn batches_are_checked_before_anything_is_written() {
    let requests = |list: Value| json!({ "RequestItems": { "hashes": list } });
    let put = json!({ "PutRequest": { "Item": item() } });
    let delete = json!({ "DeleteRequest": { "Key": item() } });
    check("BatchWriteItem", requests(json!([put, delete])), "Provided list of item keys contains duplicates");
    let many = json!([{ "PutRequest": { "Item": { "b": { "S": "x" } } } }]);
    check("BatchWriteItem", requests(many), "The provided key element does not match the schema");
    let absent = json!({ "RequestItems": { "absent": [put, delete] } });
    unknown_table("BatchWriteItem", absent);
    // 25 requests in all, however they are spread over tables.
    let delete = |key: Value| json!({ "DeleteRequest": { "Key": key } });
    let hash = |number: u32| delete(json!({ "a": { "S": number.to_string() } }));
    let range = |number: u32| delete(json!({ "a": { "S": "x" }, "b": { "N": number.to_string() } }));
    let spread = |ranges: u32| {
        let (hashes, ranges): (Vec<_>, Vec<_>) = ((0..13).map(hash).collect(), (0..ranges).map(range).collect());
        json!({ "RequestItems": { "hashes": hashes, "ranges": ranges } })
    };
    check("BatchWriteItem", spread(13), "Too many items requested for the BatchWriteItem call");
    assert!(Writer::new().send("BatchWriteItem", spread(12)).is_ok());
    let large = json!({ "PutRequest": { "Item": { "a": { "S": "x".repeat(409_600) } } } });
    let absent = json!({ "RequestItems": { "absent": [large] } });
    check("BatchWriteItem", absent, "Item size has exceeded the maximum allowed size");
}

fn transaction(actions: Value) -> Value {
    json!({ "TransactItems": actions })
}

fn cancelled(request: Value, expected: &[Option<&str>]) {
    let refused = Writer::new().refused("TransactWriteItems", request);
    let reasons: Vec<Value> = expected
        .iter()
        .map(|text| match text {
            Some(text) => json!({ "Code": "ValidationError", "Message": text }),
            None => json!({ "Code": "None" }),
        })
        .collect();
    assert_eq!(refused["CancellationReasons"], json!(reasons));
}

#[test]
fn transactions_are_checked_action_by_action_first() {
    let bad = json!({ "ConditionCheck": hash("y", json!({ "ConditionExpression": "attribute_not_exists(" })) });
    let absent = json!({ "Put": put(item(), json!({ "TableName": "absent" })) });
    let text = "Invalid ConditionExpression: Syntax error; token: \"<EOF>\", near: \"(\"";
    check("TransactWriteItems", transaction(json!([absent, bad])), text);
    let large = json!({ "Put": put(json!({ "a": { "S": "x" }, "b": { "S": "y".repeat(409_598) } }), json!({})) });
    check("TransactWriteItems", transaction(json!([large, bad])), "Item size has exceeded the maximum allowed size");
    check("TransactWriteItems", transaction(json!([bad, large])), text);
    unknown_table("TransactWriteItems", transaction(json!([absent])));
    let delete = json!({ "Delete": hash("x", json!({})) });
    let twice = json!([{ "Put": put(item(), json!({})) }, delete]);
    let text = "Transaction request cannot include multiple operations on one item";
    check("TransactWriteItems", transaction(twice), text);
    let text = "TransactItems can only contain one of Check, Put, Update or Delete";
    check("TransactWriteItems", transaction(json!([with(delete, json!({ "Put": put(item(), json!({})) }))])), text);
    check("TransactWriteItems", transaction(json!([{}])), text);
}

#[test]
fn keys_that_do_not_fit_cancel_a_transaction_unless_they_are_empty() {
    let good = json!({ "Put": put(item(), json!({})) });
    let wrong = json!({ "Put": put(json!({ "a": { "N": "5" } }), json!({})) });
    let text = format!("{INVALID}Type mismatch for key a expected: S actual: N");
    cancelled(transaction(json!([good, wrong, wrong])), &[None, Some(&text), None]);
    let delete = json!({ "Delete": { "TableName": "hashes", "Key": { "a": { "L": [] } } } });
    let text = "The provided key element does not match the schema";
    cancelled(transaction(json!([delete])), &[Some(text)]);
    let empty = json!({ "Delete": { "TableName": "hashes", "Key": { "a": { "S": "" } } } });
    let text = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                empty string value. Key: a";
    check("TransactWriteItems", transaction(json!([wrong, empty])), text);
    let key = json!({ "Update": hash("x", json!({
        "UpdateExpression": "SET a = :v", "ExpressionAttributeValues": { ":v": { "S": "x" } },
    })) });
    let text = format!("{INVALID}Cannot update attribute a. This attribute is part of the key");
    cancelled(transaction(json!([key])), &[Some(&text)]);
}

#[test]
fn a_transaction_has_a_size_limit() {
    let put = |at: usize| json!({ "Put": put(json!({ "a": { "S": at.to_string() }, "b": { "S": "y".repeat(350_000) } }), json!({})) });
    let twelve: Vec<Value> = (0..12).map(put).collect();
    let text = Writer::new().invalid("TransactWriteItems", transaction(json!(twelve)));
    assert!(text.contains("Transaction payload size cannot exceed 4MB. Payload Size: "), "{text}");
    let eleven: Vec<Value> = (0..11).map(put).collect();
    assert_eq!(Writer::new().send("TransactWriteItems", transaction(json!(eleven))), Ok(json!({})));
}
