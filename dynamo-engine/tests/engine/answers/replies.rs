//! Replies, byte for byte where that is plain.

use dynamo_protocol::value::AttributeValue;
use serde_json::{Value, json};

use crate::fixture::{hashes, item, multi, n, plan, ranges, s};
use crate::model::Model;
use crate::store::{CountingReader, filled};

fn reply(model: &Model, operation: &str, request: Value) -> Value {
    let reader = CountingReader::new(&filled(model));
    let body = reader.run(&plan(operation, &request).unwrap()).unwrap();
    serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)))
}

fn songs() -> Model {
    let mut model = Model::new(hashes());
    let nested = item([("x", s("deep")), ("y", n(2))]);
    let list = AttributeValue::L(vec![s("zero"), s("one"), s("two")]);
    model.put(item([("a", s("song")), ("l", list), ("m", AttributeValue::M(nested)), ("n", n(42))]));
    model.put(item([("a", s("large")), ("text", s("z".repeat(9_000)))]));
    model
}

#[test]
fn get_item() {
    let key = |name: &str| json!({ "TableName": "hashes", "Key": { "a": { "S": name } } });
    assert_eq!(reply(&songs(), "GetItem", key("none")), json!({}));
    let mut request = key("song");
    request["ProjectionExpression"] = json!("n, l[2], m.x, l[0], absent");
    assert_eq!(
        reply(&songs(), "GetItem", request.clone()),
        json!({ "Item": {
            "n": { "N": "42" },
            "l": { "L": [{ "S": "zero" }, { "S": "two" }] },
            "m": { "M": { "x": { "S": "deep" } } },
        } })
    );
    request["ProjectionExpression"] = json!("absent");
    assert_eq!(reply(&songs(), "GetItem", request), json!({ "Item": {} }), "the item is there");
    let mut request = key("song");
    request["AttributesToGet"] = json!(["n"]);
    assert_eq!(reply(&songs(), "GetItem", request), json!({ "Item": { "n": { "N": "42" } } }));
}

#[test]
fn tables_are_named_by_arn_too() {
    let arn = "arn:aws:dynamodb:eu-west-1:000000000000:table/hashes";
    let request = json!({
        "RequestItems": { arn: { "Keys": [{ "a": { "S": "song" } }], "ProjectionExpression": "n" } },
        "ReturnConsumedCapacity": "TOTAL",
    });
    let reply = reply(&songs(), "BatchGetItem", request);
    assert_eq!(reply["Responses"][arn], json!([{ "n": { "N": "42" } }]));
    assert_eq!(reply["ConsumedCapacity"], json!([{ "TableName": arn, "CapacityUnits": 0.5 }]));
}

#[test]
fn capacity_of_point_reads() {
    let get = |name: &str, consistent: bool| {
        let request = json!({
            "TableName": "hashes", "Key": { "a": { "S": name } }, "ConsistentRead": consistent,
            "ReturnConsumedCapacity": "INDEXES", "ProjectionExpression": "n",
        });
        reply(&songs(), "GetItem", request)["ConsumedCapacity"].clone()
    };
    for (name, consistent, units) in
        [("none", false, 0.5), ("none", true, 1.0), ("song", false, 0.5), ("large", false, 1.5), ("large", true, 3.0)]
    {
        assert_eq!(
            get(name, consistent),
            json!({ "TableName": "hashes", "CapacityUnits": units, "Table": { "CapacityUnits": units } })
        );
    }
    let keys = json!([{ "a": { "S": "song" } }, { "a": { "S": "large" } }, { "a": { "S": "none" } }]);
    let request = json!({ "RequestItems": { "hashes": { "Keys": keys } }, "ReturnConsumedCapacity": "TOTAL" });
    let batch = reply(&songs(), "BatchGetItem", request);
    assert_eq!(batch["ConsumedCapacity"], json!([{ "TableName": "hashes", "CapacityUnits": 2.5 }]));
    assert_eq!(batch["UnprocessedKeys"], json!({}));
    let gets: Vec<Value> = ["song", "large", "none"]
        .iter()
        .map(|name| json!({ "Get": { "TableName": "hashes", "Key": { "a": { "S": name } }, "ProjectionExpression": "n" } }))
        .collect();
    let transaction =
        reply(&songs(), "TransactGetItems", json!({ "TransactItems": gets, "ReturnConsumedCapacity": "TOTAL" }));
    assert_eq!(transaction["Responses"], json!([{ "Item": { "n": { "N": "42" } } }, {}, {}]));
    assert_eq!(
        transaction["ConsumedCapacity"],
        json!([{ "TableName": "hashes", "CapacityUnits": 10.0, "ReadCapacityUnits": 10.0 }])
    );
}

#[test]
fn a_batch_gives_back_what_does_not_fit() {
    let mut model = Model::new(hashes());
    let keys: Vec<Value> = (0..50).map(|number| json!({ "a": { "S": format!("{number:02}") } })).collect();
    for number in 0..50 {
        model.put(item([("a", s(format!("{number:02}"))), ("text", s("z".repeat(400_000)))]));
    }
    let table = json!({
        "Keys": keys, "ConsistentRead": true, "ProjectionExpression": "#a", "ExpressionAttributeNames": { "#a": "a" },
    });
    let batch = reply(&model, "BatchGetItem", json!({ "RequestItems": { "hashes": table } }));
    let found = batch["Responses"]["hashes"].as_array().unwrap().len();
    assert_eq!(found, 16 * 1024 * 1024 / 400_007);
    let rest = &batch["UnprocessedKeys"]["hashes"];
    assert_eq!(rest["Keys"].as_array().unwrap()[..], keys[found..]);
    assert_eq!(rest["ProjectionExpression"], "#a");
    assert_eq!(rest["ExpressionAttributeNames"], json!({ "#a": "a" }));
    assert_eq!(rest["ConsistentRead"], true);
}

#[test]
fn pages_end_at_a_megabyte() {
    let mut model = Model::new(ranges());
    for number in 0..30 {
        model.put(item([("a", s("p")), ("b", n(number)), ("v", n(number)), ("text", s("z".repeat(100_000)))]));
    }
    let request = json!({
        "TableName": "ranges",
        "KeyConditionExpression": "a = :p",
        "FilterExpression": "v > :high",
        "ExpressionAttributeValues": { ":p": { "S": "p" }, ":high": { "N": "1000" } },
        "ReturnConsumedCapacity": "TOTAL",
    });
    let page = reply(&model, "Query", request);
    assert_eq!(
        page,
        json!({
            "Items": [],
            "Count": 0,
            "ScannedCount": 11,
            "LastEvaluatedKey": { "a": { "S": "p" }, "b": { "N": "10" } },
            "ConsumedCapacity": { "TableName": "ranges", "CapacityUnits": 134.5 },
        }),
        "the row that crosses the bound is evaluated; the filter does not save anything"
    );
}

#[test]
fn index_pages() {
    let mut model = Model::new(ranges());
    for number in 0..3 {
        let d = AttributeValue::B(vec![number as u8]);
        model.put(item([("a", s("p")), ("b", n(number)), ("c", s("x")), ("d", d), ("e", n(-number)), ("v", n(1))]));
    }
    let request = json!({
        "TableName": "ranges",
        "IndexName": "global_some",
        "KeyConditionExpression": "c = :x",
        "ExpressionAttributeValues": { ":x": { "S": "x" } },
        "Limit": 1,
        "ReturnConsumedCapacity": "INDEXES",
    });
    assert_eq!(
        reply(&model, "Query", request),
        json!({
            "Items": [{ "a": { "S": "p" }, "b": { "N": "2" }, "c": { "S": "x" }, "e": { "N": "-2" }, "v": { "N": "1" } }],
            "Count": 1,
            "ScannedCount": 1,
            "LastEvaluatedKey": { "a": { "S": "p" }, "b": { "N": "2" }, "c": { "S": "x" }, "e": { "N": "-2" } },
            "ConsumedCapacity": {
                "TableName": "ranges",
                "CapacityUnits": 0.5,
                "Table": { "CapacityUnits": 0.0 },
                "GlobalSecondaryIndexes": { "global_some": { "CapacityUnits": 0.5 } },
            },
        })
    );
    let request = json!({
        "TableName": "ranges",
        "IndexName": "local_keys",
        "KeyConditionExpression": "a = :p",
        "ExpressionAttributeValues": { ":p": { "S": "p" } },
        "ProjectionExpression": "v",
        "ConsistentRead": true,
        "ReturnConsumedCapacity": "INDEXES",
    });
    assert_eq!(
        reply(&model, "Query", request),
        json!({
            "Items": [{ "v": { "N": "1" } }, { "v": { "N": "1" } }, { "v": { "N": "1" } }],
            "Count": 3,
            "ScannedCount": 3,
            "ConsumedCapacity": {
                "TableName": "ranges",
                "CapacityUnits": 4.0,
                "Table": { "CapacityUnits": 3.0 },
                "LocalSecondaryIndexes": { "local_keys": { "CapacityUnits": 1.0 } },
            },
        })
    );
}

/// What the service does with an index key of one partition and four sort attributes, as recorded by a public suite
/// in October 2026.
#[test]
fn keys_of_several_attributes() {
    let mut model = Model::new(multi());
    for (pk, a, b, c, d) in [
        ("p1", "T", "live", Some("b"), "r1"),
        ("p2", "T", "live", Some("a"), "r2"),
        ("p3", "T", "live", Some("a"), "r1"),
        ("p4", "T", "draft", Some("c"), "r1"),
        ("p5", "F", "live", Some("a"), "r0"),
        ("p6", "T", "live", None, "r1"),
    ] {
        let mut row = item([("pk", s(pk)), ("h", s("o")), ("a", s(a)), ("b", s(b)), ("d", s(d))]);
        if let Some(c) = c {
            row.insert("c".to_owned(), s(c));
        }
        model.put(row);
    }
    let values = [(":h", "o"), (":a", "T"), (":b", "live"), (":c", "a"), (":d", "r"), (":x", "r1"), (":y", "r1")];
    let request = |condition: &str| {
        let used = values.iter().filter(|(name, _)| condition.contains(name));
        let used: serde_json::Map<String, Value> =
            used.map(|(name, value)| ((*name).to_owned(), json!({ "S": value }))).collect();
        json!({
            "TableName": "multi", "IndexName": "gsi", "KeyConditionExpression": condition,
            "ExpressionAttributeValues": used,
        })
    };
    for (condition, expected) in [
        ("h = :h", "p5 p4 p3 p2 p1"),
        ("h = :h AND a = :a", "p4 p3 p2 p1"),
        ("b = :b AND h = :h AND a = :a", "p3 p2 p1"),
        ("h = :h AND a = :a AND b = :b AND c = :c", "p3 p2"),
        ("h = :h AND a = :a AND b = :b AND c > :c", "p1"),
        ("h = :h AND a = :a AND b = :b AND c = :c AND begins_with(d, :d)", "p3 p2"),
        ("h = :h AND a = :a AND b = :b AND c = :c AND d BETWEEN :x AND :y", "p3"),
        ("h = :h AND a = :a AND b < :b", "p4"),
    ] {
        let page = reply(&model, "Query", request(condition));
        let found: Vec<&str> =
            page["Items"].as_array().unwrap().iter().map(|row| row["pk"]["S"].as_str().unwrap()).collect();
        assert_eq!(found.join(" "), expected, "{condition}");
    }
    let mut first = request("h = :h AND a = :a");
    first["Limit"] = json!(2);
    let key = reply(&model, "Query", first.clone())["LastEvaluatedKey"].clone();
    assert_eq!(key.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), ["h", "a", "b", "c", "d", "pk"]);
    first["ExclusiveStartKey"] = key;
    assert_eq!(reply(&model, "Query", first)["Items"][0]["pk"]["S"], "p2");
    for (condition, absent, present) in [
        ("h = :h AND a = :a AND c = :c", "b", "c"),
        ("h = :h AND a = :a AND b > :b AND c = :c", "b", "c"),
        ("h = :h AND b = :b", "a", "b"),
    ] {
        assert_eq!(
            plan("Query", &request(condition)).unwrap_err().message(),
            format!(
                "RANGE key attributes {absent} must have equality conditions specified in the query because a condition \
                 is present on key attribute {present}"
            )
        );
    }
}

#[test]
fn one_item_is_one_page() {
    let request = json!({
        "TableName": "hashes", "KeyConditionExpression": "a = :a", "Limit": 1, "ProjectionExpression": "n",
        "ExpressionAttributeValues": { ":a": { "S": "song" } },
    });
    let page = reply(&songs(), "Query", request);
    assert_eq!(page, json!({ "Items": [{ "n": { "N": "42" } }], "Count": 1, "ScannedCount": 1 }));
}

#[test]
fn counting_returns_no_items() {
    let page = reply(&songs(), "Scan", json!({ "TableName": "hashes", "Select": "COUNT" }));
    assert_eq!(page, json!({ "Count": 2, "ScannedCount": 2 }));
}
