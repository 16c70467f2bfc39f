//! A client's mistakes, each with the service's words, and in the service's order.
//!
//! A plan is made from the request and the catalog alone, so none of these touches a store: there is none in this file.
//! Messages without another source were recorded from the service by public suites (dynalite's, run against AWS; moto's
//! tests marked as verified on AWS).

use dynamo_protocol::error::ApiError;
use serde_json::{Value, json};

use crate::fixture::plan;

fn error(operation: &str, request: &Value) -> ApiError {
    match plan(operation, request) {
        Err(error) => error,
        Ok(plan) => panic!("{request} is planned as {plan:?}"),
    }
}

fn check(operation: &str, request: Value, message: &str) {
    let error = error(operation, &request);
    assert_eq!(error.message(), message, "{operation} {request}");
    assert!(error.type_name().ends_with("#ValidationException"), "{operation} {request}");
}

/// `base` with the members of `more`.
fn with(base: &Value, more: Value) -> Value {
    let mut request = base.clone();
    for (name, value) in more.as_object().expect("members are an object") {
        request[name] = value.clone();
    }
    request
}

const MISMATCH: &str = "The provided key element does not match the schema";
const START_INVALID: &str = "The provided starting key is invalid";
const START_MISMATCH: &str = "The provided starting key is invalid: The provided key element does not match the schema";
const MIXED: &str = "Can not use both expression and non-expression parameters in the same request: Non-expression \
                     parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}";

#[test]
fn unknown_tables_are_not_found() {
    let key = json!({ "a": { "S": "x" } });
    let values = json!({ ":a": { "S": "x" } });
    for (operation, request) in [
        ("GetItem", json!({ "TableName": "none", "Key": key })),
        ("BatchGetItem", json!({ "RequestItems": { "none": { "Keys": [key, {}] } } })),
        ("Scan", json!({ "TableName": "none", "IndexName": "none", "ExclusiveStartKey": {} })),
        ("TransactGetItems", json!({ "TransactItems": [{ "Get": { "TableName": "none", "Key": {} } }] })),
        (
            "Query",
            json!({ "TableName": "none", "KeyConditionExpression": "b = :a", "ExpressionAttributeValues": values }),
        ),
    ] {
        let error = error(operation, &request);
        assert_eq!(error.message(), "Requested resource not found", "{operation}");
        assert!(error.type_name().ends_with("#ResourceNotFoundException"), "{operation}");
    }
}

#[test]
fn item_keys() {
    for key in [
        json!({}),
        json!({ "a": { "S": "x" } }),
        json!({ "a": { "S": "x" }, "c": { "N": "1" } }),
        json!({ "a": { "N": "1" }, "b": { "N": "1" } }),
        json!({ "a": { "S": "x" }, "b": { "S": "1" } }),
        json!({ "a": { "S": "x" }, "b": { "N": "1" }, "c": { "S": "x" } }),
    ] {
        check("GetItem", json!({ "TableName": "ranges", "Key": key }), MISMATCH);
        check("BatchGetItem", json!({ "RequestItems": { "ranges": { "Keys": [key] } } }), MISMATCH);
        let get = json!({ "Get": { "TableName": "ranges", "Key": key } });
        let good = json!({ "Get": { "TableName": "hashes", "Key": { "a": { "S": "x" } } } });
        let error = error("TransactGetItems", &json!({ "TransactItems": [good, get] }));
        let reasons: Vec<(&str, Option<&str>)> =
            error.cancellation_reasons().iter().map(|reason| (reason.code, reason.message.as_deref())).collect();
        assert_eq!(reasons, [("None", None), ("ValidationError", Some(MISMATCH))]);
    }
    check(
        "GetItem",
        json!({ "TableName": "hashes", "Key": { "a": { "S": "" } } }),
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty \
         string value. Key: a",
    );
    check(
        "GetItem",
        json!({ "TableName": "hashes", "Key": { "a": { "S": "x".repeat(2049) } } }),
        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
    );
}

#[test]
fn batches() {
    let key = json!({ "a": { "S": "x" } });
    let batch = |tables: Value| json!({ "RequestItems": tables });
    check(
        "BatchGetItem",
        batch(json!({ "hashes": { "Keys": [key, { "a": { "S": "y" } }, key] } })),
        "Provided list of item keys contains duplicates",
    );
    check(
        "BatchGetItem",
        batch(json!({ "hashes": { "Keys": [{}, {}] }, "none": { "Keys": [key] } })),
        "Provided list of item keys contains duplicates",
    );
    check(
        "BatchGetItem",
        batch(json!({ "hashes": { "Keys": [key], "AttributesToGet": ["a"], "ProjectionExpression": "a" } })),
        MIXED,
    );
    check(
        "BatchGetItem",
        batch(json!({
            "hashes": { "Keys": [key], "AttributesToGet": ["a"] },
            "ranges": { "Keys": [{ "a": { "S": "x" }, "b": { "N": "1" } }], "ProjectionExpression": "a" },
        })),
        MIXED,
    );
    check(
        "BatchGetItem",
        batch(json!({ "none": { "Keys": [{}], "AttributesToGet": ["a", "a"] } })),
        "One or more parameter values were invalid: Duplicate value in attribute name: a",
    );
    let many: Vec<Value> = (0..60).map(|number| json!({ "a": { "S": number.to_string() } })).collect();
    check(
        "BatchGetItem",
        batch(json!({ "hashes": { "Keys": many }, "others": { "Keys": many } })),
        "Too many items requested for the BatchGetItem call",
    );
}

#[test]
fn an_empty_key_value_refuses_a_transaction() {
    let empty = json!({ "Get": { "TableName": "hashes", "Key": { "a": { "S": "" } } } });
    let mismatch = json!({ "Get": { "TableName": "hashes", "Key": {} } });
    check(
        "TransactGetItems",
        json!({ "TransactItems": [mismatch, empty] }),
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty \
         string value. Key: a",
    );
}

#[test]
fn transactions_name_an_item_once() {
    let get = json!({ "Get": { "TableName": "hashes", "Key": { "a": { "S": "x" } } } });
    check(
        "TransactGetItems",
        json!({ "TransactItems": [get, get] }),
        "Transaction request cannot include multiple operations on one item",
    );
}

#[test]
fn projections() {
    let get = json!({ "TableName": "hashes", "Key": { "a": { "S": "x" } } });
    for (more, message) in [
        (json!({ "AttributesToGet": ["a"], "ProjectionExpression": "a" }), MIXED),
        (
            json!({ "ExpressionAttributeNames": { "#a": "a" } }),
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            json!({ "ProjectionExpression": "a", "ExpressionAttributeNames": { "#a": "a" } }),
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}",
        ),
        (
            json!({ "ProjectionExpression": "a.b" }),
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: a",
        ),
    ] {
        check("GetItem", with(&get, more), message);
    }
}

#[test]
fn selections() {
    let scan = json!({ "TableName": "ranges" });
    let query = json!({
        "TableName": "ranges",
        "KeyConditionExpression": "a = :a",
        "ExpressionAttributeValues": { ":a": { "S": "x" } },
    });
    for (more, message) in [
        (
            json!({ "Select": "SPECIFIC_ATTRIBUTES" }),
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
        (
            json!({ "Select": "ALL_PROJECTED_ATTRIBUTES" }),
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        ),
        (
            json!({ "Select": "ALL_PROJECTED_ATTRIBUTES", "ProjectionExpression": "v" }),
            "Cannot specify the ProjectionExpression when choosing to get ALL_PROJECTED_ATTRIBUTES",
        ),
        (
            json!({ "Select": "ALL_ATTRIBUTES", "ProjectionExpression": "v" }),
            "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES",
        ),
        (
            json!({ "Select": "COUNT", "ProjectionExpression": "v" }),
            "Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
    ] {
        check("Scan", with(&scan, more.clone()), message);
        check("Query", with(&query, more), &format!("1 validation error detected: {message}"));
    }
    check(
        "Scan",
        json!({ "TableName": "ranges", "Select": "COUNT", "AttributesToGet": ["v"] }),
        "Cannot specify the AttributesToGet when choosing to get only the Count",
    );
}

#[test]
fn global_indexes_give_what_they_project() {
    let all = "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global \
               secondary index global_some because its projection type is not ALL";
    let names = "One or more parameter values were invalid: Global secondary index global_some does not project [w, x]";
    let query = json!({
        "TableName": "ranges",
        "IndexName": "global_some",
        "KeyConditionExpression": "c = :c",
        "ExpressionAttributeValues": { ":c": { "S": "x" } },
    });
    let scan = json!({ "TableName": "ranges", "IndexName": "global_some" });
    for (operation, base) in [("Query", &query), ("Scan", &scan)] {
        check(operation, with(base, json!({ "Select": "ALL_ATTRIBUTES" })), all);
        check(operation, with(base, json!({ "ProjectionExpression": "a, w, v, x.y" })), names);
        check(
            operation,
            with(base, json!({ "ConsistentRead": true })),
            "Consistent reads are not supported on global secondary indexes",
        );
    }
    let filtered = json!({
        "FilterExpression": "w = :c AND v = :c AND x = :c",
    });
    check(
        "Query",
        with(&query, filtered.clone()),
        "One or more parameter values were invalid: Secondary index global_some does not project one or more filter \
         attributes: [w, x]",
    );
    let values = json!({ "ExpressionAttributeValues": { ":c": { "S": "x" } } });
    assert!(plan("Scan", &with(&with(&scan, filtered), values)).is_ok(), "a scan's filter just finds nothing");
}

#[test]
fn indexes_are_known() {
    for operation in ["Query", "Scan"] {
        let mut request = json!({ "TableName": "ranges", "IndexName": "whatever", "ExclusiveStartKey": {} });
        if operation == "Query" {
            request["KeyConditions"] = json!({ "z": { "ComparisonOperator": "NULL" } });
        }
        check(operation, request, "The table does not have the specified index: whatever");
    }
}

#[test]
fn segments() {
    for (more, message) in [
        (
            json!({ "Segment": 0 }),
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
        ),
        (
            json!({ "TotalSegments": 4 }),
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
        ),
        (
            json!({ "Segment": 5, "TotalSegments": 5 }),
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 5 is not less \
             than TotalSegments: 5",
        ),
    ] {
        check("Scan", with(&json!({ "TableName": "none" }), more), message);
    }
    let key = json!({ "a": { "S": "x" } });
    let errors = (0..2)
        .filter_map(|segment| {
            let request = json!({
                "TableName": "hashes", "Segment": segment, "TotalSegments": 2, "ExclusiveStartKey": key,
            });
            plan("Scan", &request).err().map(|error| (segment, error.message().to_owned()))
        })
        .collect::<Vec<_>>();
    let [(segment, message)] = &errors[..] else {
        panic!("the key lies in one of two segments: {errors:?}");
    };
    assert_eq!(
        *message,
        format!(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct \
             Segment. TotalSegments: 2 Segment: {segment}"
        )
    );
}

#[test]
fn start_keys_of_scans() {
    let start = |table: &str, index: Option<&str>, key: Value| {
        let mut request = json!({ "TableName": table, "ExclusiveStartKey": key });
        if let Some(index) = index {
            request["IndexName"] = json!(index);
        }
        request
    };
    for key in [json!({}), json!({ "b": { "S": "x" } }), json!({ "a": { "N": "1" } }), json!({ "a": { "L": [] } })] {
        check("Scan", start("hashes", None, key), START_MISMATCH);
    }
    for key in [
        json!({}),
        json!({ "a": { "S": "x" } }),
        json!({ "a": { "S": "x" }, "b": { "S": "x" } }),
        json!({ "a": { "S": "x" }, "b": { "N": "1" }, "c": { "S": "x" } }),
    ] {
        check("Scan", start("ranges", None, key), START_MISMATCH);
    }
    let one = json!({ "N": "1" });
    let x = json!({ "S": "x" });
    for index in ["local_all", "global_all"] {
        for key in [json!({}), json!({ "a": x, "b": one }), json!({ "a": x, "b": one, "z": x })] {
            check("Scan", start("ranges", Some(index), key), START_INVALID);
        }
        check("Scan", start("ranges", Some(index), json!({ "a": x, "b": one, "c": one })), MISMATCH);
        check("Scan", start("ranges", Some(index), json!({ "a": x, "b": x, "c": x })), START_MISMATCH);
    }
    let mut request = start("ranges", Some("global_some"), json!({ "x": one, "y": one, "c": x, "e": one }));
    check("Scan", request.clone(), START_MISMATCH);
    request["Select"] = json!("ALL_ATTRIBUTES");
    check(
        "Scan",
        request,
        "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary \
         index global_some because its projection type is not ALL",
    );
}

#[test]
fn start_keys_of_queries() {
    let x = json!({ "S": "x" });
    let one = json!({ "N": "1" });
    let query = |index: Option<&str>, condition: &str, key: Value| {
        let mut request = json!({
            "TableName": "ranges",
            "KeyConditionExpression": condition,
            "ExclusiveStartKey": key,
            "ExpressionAttributeValues": { ":x": x },
        });
        if condition.contains(":n") {
            request["ExpressionAttributeValues"][":n"] = one.clone();
        }
        if let Some(index) = index {
            request["IndexName"] = json!(index);
        }
        request
    };
    let missed = "Query condition missed key schema element: a";
    for (index, condition, key, message) in [
        (None, "z = :x", json!({}), START_INVALID),
        (None, "z = :x", json!({ "z": x }), START_INVALID),
        (None, "z = :x", json!({ "b": one, "c": x }), START_INVALID),
        (None, "z = :x", json!({ "a": one, "z": x }), START_INVALID),
        (None, "z = :x", json!({ "a": x, "z": x }), missed),
        (None, "a = :x", json!({ "a": x, "z": x }), START_INVALID),
        (None, "a = :x", json!({ "a": x, "b": x }), START_INVALID),
        (Some("local_all"), "z = :x", json!({ "a": x, "b": x }), START_INVALID),
        (Some("local_all"), "a = :x", json!({ "a": x, "b": one, "c": one }), START_INVALID),
        (Some("local_all"), "a = :x", json!({ "a": x, "b": x, "c": x }), START_MISMATCH),
        (Some("global_all"), "z = :x", json!({ "a": x, "b": one, "z": x }), START_INVALID),
        (Some("global_all"), "c = :x", json!({ "a": x, "b": x, "c": x }), START_MISMATCH),
        (
            None,
            "a = :x",
            json!({ "a": { "S": "other" }, "b": one }),
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            Some("global_all"),
            "c = :x",
            json!({ "a": x, "b": one, "c": { "S": "other" } }),
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            None,
            "a = :x AND b > :n",
            json!({ "a": x, "b": one }),
            "The provided starting key does not match the range key predicate",
        ),
        (
            None,
            "a = :x AND b <= :n",
            json!({ "a": { "S": "other" }, "b": one }),
            "The query can return at most one row and cannot be restarted",
        ),
    ] {
        check("Query", query(index, condition, key), message);
    }
}

#[test]
fn key_conditions() {
    let query = |table: &str, condition: &str| {
        let mut request = json!({
            "TableName": table, "KeyConditionExpression": condition, "ExpressionAttributeValues": {},
        });
        for (name, value) in [(":x", json!({ "S": "x" })), (":n", json!({ "N": "1" })), (":e", json!({ "S": "" }))] {
            if condition.contains(name) {
                request["ExpressionAttributeValues"][name] = value;
            }
        }
        request
    };
    for (table, condition, message) in [
        ("ranges", "b = :n", "Query condition missed key schema element: a"),
        ("ranges", "a = :x AND c = :x", "Query condition missed key schema element: b"),
        ("ranges", "a > :x", "Query key condition not supported"),
        ("hashes", "a > :x", "Query key condition not supported"),
        (
            "hashes",
            ":n > a",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "ranges",
            "a = :x AND b = :x",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "hashes",
            "a = :x AND b = :n",
            "The number of query conditions (2) exceeds the number of key attributes defined in the schema (1)",
        ),
        (
            "hashes",
            "a = :e",
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
             empty string value. Key: a",
        ),
    ] {
        check("Query", query(table, condition), message);
    }
    check(
        "Query",
        json!({ "TableName": "none", "KeyConditionExpression": "a = :x", "AttributesToGet": ["a"], "QueryFilter": {} }),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {AttributesToGet, QueryFilter} Expression parameters: {KeyConditionExpression}",
    );
    check(
        "Query",
        json!({ "TableName": "none" }),
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
    );
}

#[test]
fn a_query_for_one_item_is_not_continued() {
    check(
        "Query",
        json!({
            "TableName": "hashes", "KeyConditionExpression": "a = :x",
            "ExpressionAttributeValues": { ":x": { "S": "x" } }, "ExclusiveStartKey": { "a": { "S": "x" } },
        }),
        "The provided exclusive start key is invalid: ExclusiveStartKey: {a=AttributeValue: {S:x}}",
    );
}

#[test]
fn key_conditions_stand_beside_expressions() {
    let conditions = json!({ "a": { "ComparisonOperator": "EQ", "AttributeValueList": [{ "S": "x" }] } });
    let request = json!({
        "TableName": "ranges", "KeyConditions": conditions, "ProjectionExpression": "v",
        "FilterExpression": "v > :v", "ExpressionAttributeValues": { ":v": { "N": "1" } },
    });
    assert!(plan("Query", &request).is_ok());
    check(
        "Query",
        with(&request, json!({ "KeyConditionExpression": "a = :v" })),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {KeyConditions} Expression parameters: {ProjectionExpression, FilterExpression, KeyConditionExpression}",
    );
    check(
        "Query",
        json!({
            "TableName": "none",
            "QueryFilter": { "a": { "ComparisonOperator": "LT", "AttributeValueList": [{ "BOOL": true }] } },
        }),
        "One or more parameter values were invalid: ComparisonOperator LT is not valid for BOOL AttributeValue type",
    );
}

#[test]
fn filters() {
    let query = |filter: &str| {
        json!({
            "TableName": "ranges",
            "KeyConditionExpression": "a = :x",
            "FilterExpression": filter,
            "ExpressionAttributeValues": { ":x": { "S": "x" } },
        })
    };
    for (filter, message) in [
        ("a = :x", "Filter Expression can only contain non-primary key attributes: Primary key attribute: a"),
        (
            "v = :x AND b[1] = :x",
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: b",
        ),
        (
            "d[1] = :x",
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: d",
        ),
    ] {
        check("Query", query(filter), message);
    }
    check(
        "Query",
        json!({
            "TableName": "ranges",
            "KeyConditions": { "a": { "ComparisonOperator": "EQ", "AttributeValueList": [{ "S": "x" }] } },
            "QueryFilter": { "b": { "ComparisonOperator": "EQ", "AttributeValueList": [{ "N": "1" }] } },
        }),
        "QueryFilter can only contain non-primary key attributes: Primary key attribute: b",
    );
    check(
        "Scan",
        json!({
            "TableName": "hashes",
            "FilterExpression": "attribute_exists(#a[0])",
            "ExpressionAttributeNames": { "#a": "a" },
        }),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: a",
    );
}
