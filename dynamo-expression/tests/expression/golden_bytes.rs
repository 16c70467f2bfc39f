//! The binary forms are pinned: what a log holds today must be read tomorrow.

use std::collections::BTreeMap;

use dynamo_expression::partiql::{Select, Statement};
use dynamo_expression::{Condition, ExpressionKind, Placeholders, Projection, Update};
use dynamo_protocol::number::Number;
use dynamo_protocol::value::AttributeValue;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn values() -> BTreeMap<String, AttributeValue> {
    BTreeMap::from([
        (":s".to_owned(), AttributeValue::S("x".to_owned())),
        (":n".to_owned(), AttributeValue::N(Number::from_i64(1))),
        (":t".to_owned(), AttributeValue::S("SS".to_owned())),
        (":e".to_owned(), AttributeValue::Ss(vec!["m".to_owned()])),
        (":l".to_owned(), AttributeValue::L(Vec::new())),
    ])
}

#[test]
fn conditions() {
    let values = values();
    let text = "a.b[3] <> :s AND (size(c) BETWEEN :n AND :n OR NOT d IN (:s)) AND attribute_exists(e) AND \
                attribute_not_exists(f) AND attribute_type(g, :t) AND begins_with(h, :s) AND contains(i, :s)";
    let condition = Placeholders::new(None, Some(&values)).condition(ExpressionKind::Condition, text).unwrap();
    let mut bytes = Vec::new();
    condition.encode(&mut bytes);
    assert_eq!(hex(&bytes), include_str!("golden/condition.hex").trim());
    assert_eq!(Condition::decode(&mut bytes.as_slice()), Ok(condition));
}

/// What only PartiQL has: the truth of a condition as an operand.
#[test]
fn truths() {
    let statement = Statement::parse("SELECT * FROM t WHERE (a = 'x') <> b", &[]).unwrap();
    let Statement::Select(Select { condition: Some(condition), .. }) = statement else { panic!("a SELECT") };
    let mut bytes = Vec::new();
    condition.encode(&mut bytes);
    assert_eq!(hex(&bytes), "04 01 05 0400 010161 00 02 010178 01 0162 00".replace(' ', ""));
    assert_eq!(Condition::decode(&mut bytes.as_slice()), Ok(condition));
}

#[test]
fn updates() {
    let values = values();
    let text = "SET a = :s, b.c = if_not_exists(d, :s), e = list_append(:l, f), g[1] = h + :n, i = :n - j REMOVE k \
                ADD l :n DELETE m :e";
    let update = Placeholders::new(None, Some(&values)).update(text).unwrap();
    let mut bytes = Vec::new();
    update.encode(&mut bytes);
    assert_eq!(hex(&bytes), include_str!("golden/update.hex").trim());
    assert_eq!(Update::decode(&mut bytes.as_slice()), Ok(update));
}

#[test]
fn projections() {
    let projection = Placeholders::new(None, None).projection("a, b.c[300]").unwrap();
    let mut bytes = Vec::new();
    projection.encode(&mut bytes);
    assert_eq!(hex(&bytes), "02016100016202000163 01ac02".replace(' ', ""));
    assert_eq!(Projection::decode(&mut bytes.as_slice()), Ok(projection));
}

/// A long name and a large value that come again stand as their numbers.
#[test]
fn repeated_names_and_values_are_encoded_as_references() {
    let names = BTreeMap::from([("#n".to_owned(), "n".repeat(33)), ("#short".to_owned(), "n".repeat(32))]);
    let values = BTreeMap::from([(":v".to_owned(), AttributeValue::S("v".repeat(33)))]);
    let placeholders = Placeholders::new(Some(&names), Some(&values));
    let (name, value) = (format!("21{}", "6e".repeat(33)), format!("0121{}", "76".repeat(33)));
    let short = format!("20{}", "6e".repeat(32));

    let condition = placeholders.condition(ExpressionKind::Condition, "#n = :v OR #n.#n <> :v").unwrap();
    let mut bytes = Vec::new();
    condition.encode(&mut bytes);
    assert_eq!(hex(&bytes), format!("0202 0400 01{name}00 02{value} 0401 01 0000 01 0200 0400").replace(' ', ""));
    assert_eq!(Condition::decode(&mut bytes.as_slice()), Ok(condition));

    let update = placeholders.update("SET #n.a = :v, b = :v ADD #short.a :v, #short.b :v").unwrap_err();
    assert!(update.to_string().contains("Incorrect operand type"), "{update}");
    let values = BTreeMap::from([(":v".to_owned(), AttributeValue::Ss(vec!["v".to_owned()]))]);
    let update = Placeholders::new(Some(&names), Some(&values));
    let update = update.update("SET #n.a = :v, #n.b = :v ADD #short.a :v DELETE #short.b :v").unwrap();
    let mut bytes = Vec::new();
    update.encode(&mut bytes);
    let expected = format!(
        "01 04 01 {name} 01 00 01 61 02 07 01 01 76 01 00 00 01 00 01 62 07 00 05 {short} 01 00 01 61 00 06 {short} 01 00 \
         01 62 00"
    );
    assert_eq!(hex(&bytes), expected.replace(' ', ""));
    assert_eq!(Update::decode(&mut bytes.as_slice()), Ok(update));
}
