//! PartiQL against the item operations, over random values of every type.
//!
//! 1. A parameter arrives unchanged, whatever it is: what INSERT, UPDATE, SELECT and DELETE make of it is what PutItem,
//!    UpdateItem and DeleteItem make of the same value, to the byte of every row.
//! 2. SELECT finds an item by the value of any of its attributes, and gives it back as it was written.

use std::collections::BTreeSet;

use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{item_json, n, s, value_json};
use crate::node::Node;

fn number() -> impl Strategy<Value = Number> {
    let digits = "-?[1-9][0-9]{0,36}(\\.[0-9]{1,2})?(e-?[0-9]{1,2})?";
    digits.prop_filter_map("in range", |text: String| Number::parse(&text).ok())
}

/// Text that would matter, were it part of a statement.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z?'\"\\\\\u{0}-\u{1f}é😀-]{0,12}",
        Just("' OR 1 = 1 --".to_owned()),
        Just("<<?>>; DELETE FROM t".to_owned())
    ]
}

fn value() -> impl Strategy<Value = AttributeValue> {
    let bytes = vec(any::<u8>(), 0..10);
    let leaf = prop_oneof![
        text().prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        bytes.clone().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        btree_set(text(), 1..4).prop_map(|set: BTreeSet<String>| AttributeValue::Ss(set.into_iter().collect())),
        btree_set(number(), 1..4).prop_map(|set: BTreeSet<Number>| AttributeValue::Ns(set.into_iter().collect())),
        btree_set(bytes, 1..4).prop_map(|set: BTreeSet<Vec<u8>>| AttributeValue::Bs(set.into_iter().collect())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            btree_map("[a-z.# '\"]{1,5}", inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

fn node() -> Node {
    let mut node = Node::new();
    let table = json!({
        "TableName": "law",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" }, { "AttributeName": "b", "KeyType": "RANGE" }],
        "AttributeDefinitions": [
            { "AttributeName": "a", "AttributeType": "S" },
            { "AttributeName": "b", "AttributeType": "N" },
        ],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    });
    node.send("CreateTable", &table).expect("created");
    node
}

fn run(node: &mut Node, statement: &str, parameters: &[&AttributeValue]) -> Value {
    let parameters: Vec<Value> = parameters.iter().map(|value| value_json(value)).collect();
    let request = json!({ "Statement": statement, "Parameters": parameters });
    node.send("ExecuteStatement", &request).unwrap_or_else(|error| panic!("{statement} {parameters:?}: {error:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn statements_do_to_the_byte_what_item_operations_do(
        key in "[a-z'?]{1,8}",
        sort in any::<i32>(),
        first in value(),
        second in value(),
    ) {
        let (mut by_statements, mut by_items) = (node(), node());
        prop_assert_eq!(by_statements.rows(), by_items.rows());
        let (a, b) = (s(key), n(i64::from(sort)));
        let key = || json!({ "a": value_json(&a), "b": value_json(&b) });
        let mut item = Item::from([("a".into(), a.clone()), ("b".into(), b.clone()), ("v".into(), first.clone())]);

        run(&mut by_statements, "INSERT INTO law VALUE {'a': ?, 'b': ?, 'v': ?}", &[&a, &b, &first]);
        by_items.send("PutItem", &json!({ "TableName": "law", "Item": item_json(&item) })).unwrap();
        prop_assert_eq!(by_statements.rows(), by_items.rows(), "INSERT");

        let changed = run(
            &mut by_statements,
            "UPDATE law SET w = ? WHERE a = ? AND b = ? AND v = ? RETURNING ALL NEW *",
            &[&second, &a, &b, &first],
        );
        let values = json!({ ":w": value_json(&second), ":v": value_json(&first) });
        by_items.send("UpdateItem", &json!({
            "TableName": "law", "Key": key(), "UpdateExpression": "SET w = :w", "ConditionExpression": "v = :v",
            "ExpressionAttributeValues": values,
        })).unwrap();
        prop_assert_eq!(by_statements.rows(), by_items.rows(), "UPDATE");
        item.insert("w".into(), second.clone());
        prop_assert_eq!(&changed["Items"], &json!([item_json(&item)]));

        for (statement, parameters) in [
            ("SELECT * FROM law WHERE a = ? AND b = ?", vec![&a, &b]),
            ("SELECT * FROM law WHERE a = ? AND w = ?", vec![&a, &second]),
            ("SELECT * FROM law WHERE v = ? AND w IN [?]", vec![&first, &second]),
        ] {
            let found = run(&mut by_statements, statement, &parameters);
            prop_assert_eq!(&found["Items"], &json!([item_json(&item)]), "{}", statement);
        }

        run(&mut by_statements, "DELETE FROM law WHERE a = ? AND b = ? AND w = ?", &[&a, &b, &second]);
        by_items.send("DeleteItem", &json!({
            "TableName": "law", "Key": key(), "ConditionExpression": "w = :w",
            "ExpressionAttributeValues": { ":w": value_json(&second) },
        })).unwrap();
        prop_assert_eq!(by_statements.rows(), by_items.rows(), "DELETE");
    }
}
