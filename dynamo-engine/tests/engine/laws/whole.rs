//! The whole engine against the model: random writes of every kind, crashes and restarts between them.
//!
//! 1. Every reply to a write says what the model says: done or refused, and the old item where it is asked for.
//! 2. After every crash, and at the end, the table and every index hold exactly the model's rows, in the model's order.
//! 3. A fresh replica that applies the same log holds the same bytes.
//! 4. An index that is added to a filled table holds what it would hold had it been there from the start.

use dynamo_protocol::value::{AttributeValue, Item};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{item, item_json, n, s};
use crate::model::Model;
use crate::node::Node;

const INDEXES: [&str; 4] = ["local_all", "local_keys", "global_all", "global_some"];

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Put(Item),
    /// Only where there is no such item.
    Create(Item),
    Delete(Item),
    /// `ADD v :n SET w = :w`.
    Count(Item, i64),
    /// `SET c = :c`, which moves the item in three indexes.
    Move(Item, String),
    /// `REMOVE c, e`.
    Strip(Item),
    /// Two puts and a deletion, of different items, if the third is there.
    Transact(Vec<Item>),
    Batch(Vec<Item>),
    Flush,
    Crash(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => row().prop_map(Step::Put),
        2 => row().prop_map(Step::Create),
        3 => key().prop_map(Step::Delete),
        3 => (key(), -3_i64..4).prop_map(|(key, by)| Step::Count(key, by)),
        3 => (key(), text()).prop_map(|(key, to)| Step::Move(key, to)),
        2 => key().prop_map(Step::Strip),
        2 => distinct(3).prop_map(Step::Transact),
        2 => distinct(4).prop_map(Step::Batch),
        1 => Just(Step::Flush),
        1 => any::<u64>().prop_map(Step::Crash),
    ];
    proptest::collection::vec(step, 1..40)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just("x"), Just("xy"), Just("y")].prop_map(str::to_owned)
}

fn key() -> impl Strategy<Value = Item> {
    (prop_oneof![Just("p"), Just("q")], 0_i64..4).prop_map(|(a, b)| item([("a", s(a)), ("b", n(b))]))
}

fn row() -> impl Strategy<Value = Item> {
    let sort = proptest::option::of(0_u8..4);
    let number = proptest::option::of(-3_i64..4);
    (key(), proptest::option::of(text()), sort, number, 0_i64..9).prop_map(|(mut row, c, d, e, v)| {
        row.insert("v".to_owned(), n(v));
        let c = c.map(|text| ("c", s(text)));
        let d = d.map(|byte| ("d", AttributeValue::B(vec![byte])));
        let e = e.map(|number| ("e", n(number)));
        row.extend([c, d, e].into_iter().flatten().map(|(name, value)| (name.to_owned(), value)));
        row
    })
}

/// `count` items with different keys.
fn distinct(count: usize) -> impl Strategy<Value = Vec<Item>> {
    proptest::collection::vec(row(), count).prop_map(|mut rows| {
        for (number, row) in rows.iter_mut().enumerate() {
            row.insert("b".to_owned(), n(number as i64));
        }
        rows
    })
}

fn create_table() -> Value {
    let keys = |partition: &str, sort: Option<&str>| {
        let mut keys = vec![json!({ "AttributeName": partition, "KeyType": "HASH" })];
        keys.extend(sort.map(|sort| json!({ "AttributeName": sort, "KeyType": "RANGE" })));
        keys
    };
    json!({
        "TableName": "ranges",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": keys("a", Some("b")),
        "AttributeDefinitions": [
            { "AttributeName": "a", "AttributeType": "S" },
            { "AttributeName": "b", "AttributeType": "N" },
            { "AttributeName": "c", "AttributeType": "S" },
            { "AttributeName": "d", "AttributeType": "B" },
            { "AttributeName": "e", "AttributeType": "N" },
        ],
        "LocalSecondaryIndexes": [
            { "IndexName": "local_all", "KeySchema": keys("a", Some("c")), "Projection": { "ProjectionType": "ALL" } },
            {
                "IndexName": "local_keys", "KeySchema": keys("a", Some("d")),
                "Projection": { "ProjectionType": "KEYS_ONLY" },
            },
        ],
        "GlobalSecondaryIndexes": [
            { "IndexName": "global_all", "KeySchema": keys("c", None), "Projection": { "ProjectionType": "ALL" } },
            {
                "IndexName": "global_some", "KeySchema": keys("c", Some("e")),
                "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["v"] },
            },
        ],
    })
}

/// A node with the table, and the model of it.
fn start() -> (Node, Model) {
    let mut node = Node::new();
    node.send("CreateTable", &create_table()).expect("the table is well-formed");
    let model = Model::new(node.table("ranges"));
    (node, model)
}

/// The key's part of an item.
fn key_of(item: &Item) -> Item {
    item.iter().filter(|(name, _)| ["a", "b"].contains(&name.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Does a step on both, and compares the replies.
fn take(step: Step, node: &mut Node, model: &mut Model) {
    match step {
        Step::Put(row) => {
            let request = json!({ "TableName": "ranges", "Item": item_json(&row), "ReturnValues": "ALL_OLD" });
            let reply = node.send("PutItem", &request).unwrap();
            let old = model.put(row);
            assert_eq!(reply.get("Attributes").cloned(), old.as_ref().map(item_json), "law 1");
        }
        Step::Create(row) => {
            let request = json!({
                "TableName": "ranges", "Item": item_json(&row), "ConditionExpression": "attribute_not_exists(a)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            });
            let reply = node.send("PutItem", &request);
            match model.get(&row) {
                Some(old) => {
                    let error = reply.unwrap_err();
                    let shown = error.item().map(|json| serde_json::from_slice::<Value>(json).expect("JSON"));
                    assert_eq!(shown, Some(item_json(old)), "law 1");
                }
                None => {
                    reply.unwrap();
                    model.put(row);
                }
            }
        }
        Step::Delete(key) => {
            let request = json!({ "TableName": "ranges", "Key": item_json(&key), "ReturnValues": "ALL_OLD" });
            let reply = node.send("DeleteItem", &request).unwrap();
            assert_eq!(reply.get("Attributes").cloned(), model.delete(&key).as_ref().map(item_json), "law 1");
        }
        Step::Count(key, by) => {
            let mut row = model.get(&key).cloned().unwrap_or_else(|| key.clone());
            let sum = match row.get("v") {
                Some(AttributeValue::N(v)) => v.to_i64().unwrap() + by,
                _ => by,
            };
            row.extend(item([("v", n(sum)), ("w", s("counted"))]));
            let request = json!({
                "TableName": "ranges", "Key": item_json(&key), "UpdateExpression": "ADD v :by SET w = :w",
                "ExpressionAttributeValues": { ":by": { "N": by.to_string() }, ":w": { "S": "counted" } },
                "ReturnValues": "ALL_NEW",
            });
            assert_eq!(node.send("UpdateItem", &request).unwrap()["Attributes"], item_json(&row), "law 1");
            model.put(row);
        }
        Step::Move(key, to) => {
            let mut row = model.get(&key).cloned().unwrap_or_else(|| key.clone());
            row.insert("c".to_owned(), s(&to));
            let request = json!({
                "TableName": "ranges", "Key": item_json(&key), "UpdateExpression": "SET c = :c",
                "ExpressionAttributeValues": { ":c": { "S": to } },
            });
            node.send("UpdateItem", &request).unwrap();
            model.put(row);
        }
        Step::Strip(key) => {
            let request = json!({ "TableName": "ranges", "Key": item_json(&key), "UpdateExpression": "REMOVE c, e" });
            node.send("UpdateItem", &request).unwrap();
            // An update that only removes creates nothing.
            if let Some(mut row) = model.get(&key).cloned() {
                row.remove("c");
                row.remove("e");
                model.put(row);
            }
        }
        Step::Transact(rows) => transact(rows, node, model),
        Step::Batch(rows) => {
            let last = rows.len() - 1;
            let requests: Vec<Value> = rows
                .iter()
                .enumerate()
                .map(|(number, row)| match number == last {
                    true => json!({ "DeleteRequest": { "Key": item_json(&key_of(row)) } }),
                    false => json!({ "PutRequest": { "Item": item_json(row) } }),
                })
                .collect();
            let reply = node.send("BatchWriteItem", &json!({ "RequestItems": { "ranges": requests } })).unwrap();
            assert_eq!(reply["UnprocessedItems"], json!({}), "law 1");
            for (number, row) in rows.into_iter().enumerate() {
                if number == last {
                    model.delete(&row);
                } else {
                    model.put(row);
                }
            }
        }
        Step::Flush => node.flush(),
        Step::Crash(seed) => {
            node.crash(seed);
            compare(node, model);
        }
    }
}

fn transact(rows: Vec<Item>, node: &mut Node, model: &mut Model) {
    let put = |row: &Item| json!({ "Put": { "TableName": "ranges", "Item": item_json(row) } });
    let delete = json!({ "Delete": {
        "TableName": "ranges", "Key": item_json(&key_of(&rows[2])), "ConditionExpression": "attribute_exists(a)",
    } });
    let reply = node.send("TransactWriteItems", &json!({ "TransactItems": [put(&rows[0]), put(&rows[1]), delete] }));
    if model.get(&rows[2]).is_none() {
        let error = reply.unwrap_err();
        let codes: Vec<&str> = error.cancellation_reasons().iter().map(|reason| reason.code).collect();
        assert_eq!(codes, ["None", "None", "ConditionalCheckFailed"], "law 1");
        return;
    }
    reply.unwrap();
    let mut rows = rows.into_iter();
    model.put(rows.next().expect("three rows"));
    model.put(rows.next().expect("three rows"));
    model.delete(&rows.next().expect("three rows"));
}

/// Law 2.
fn compare(node: &mut Node, model: &Model) {
    for index in [None].into_iter().chain(model.table.indexes.iter().map(|index| Some(index.name.as_str()))) {
        let mut request = json!({ "TableName": "ranges" });
        if let Some(index) = index {
            request["IndexName"] = json!(index);
        }
        let scanned = node.send("Scan", &request).unwrap();
        let expected: Vec<Value> = model.scan(index).iter().map(item_json).collect();
        assert_eq!(scanned["Items"], json!(expected), "law 2, {index:?}");
    }
    for row in model.items() {
        let get = node.send("GetItem", &json!({ "TableName": "ranges", "Key": item_json(&key_of(row)) })).unwrap();
        assert_eq!(get["Item"], item_json(row), "law 2");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_engine_is_the_model(steps in steps()) {
        let (mut node, mut model) = start();
        for step in steps {
            take(step, &mut node, &mut model);
        }
        compare(&mut node, &model);
        prop_assert!(node.replica().rows() == node.rows(), "law 3");
        node.crash(0);
        compare(&mut node, &model);
    }

    #[test]
    fn an_index_added_later_is_the_same(steps in steps()) {
        let (mut node, mut model) = start();
        for step in steps {
            take(step, &mut node, &mut model);
        }
        node.send("UpdateTable", &json!({
            "TableName": "ranges",
            "AttributeDefinitions": [
                { "AttributeName": "e", "AttributeType": "N" },
                { "AttributeName": "w", "AttributeType": "S" },
            ],
            "GlobalSecondaryIndexUpdates": [{ "Create": {
                "IndexName": "late",
                "KeySchema": [
                    { "AttributeName": "e", "KeyType": "HASH" },
                    { "AttributeName": "w", "KeyType": "RANGE" },
                ],
                "Projection": { "ProjectionType": "ALL" },
            } }],
        })).unwrap();
        model.table = node.table("ranges");
        prop_assert_eq!(model.table.indexes.len(), INDEXES.len() + 1);
        compare(&mut node, &model);
        prop_assert!(node.replica().rows() == node.rows(), "law 3");
    }
}
