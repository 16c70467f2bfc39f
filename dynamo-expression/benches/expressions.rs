//! What expressions cost: parsing them, and evaluating what was parsed on an item.
//!
//! `cargo bench -p dynamo-expression` measures; `cargo test -p dynamo-expression` runs each once.

#![allow(missing_docs, reason = "the macros of criterion write functions without any")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dynamo_expression::{ExpressionKind, Placeholders, Steps};
use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};

const CONDITION: &str =
    "attribute_exists(pk) AND (#v BETWEEN :low AND :high OR begins_with(#t, :text)) AND NOT #a.#c = :text";
const UPDATE: &str = "SET #v = #v + :low, #t = if_not_exists(#t, :text), #a.#c = :text REMOVE gone";
const PROJECTION: &str = "pk, #v, #a.#c";

fn names() -> BTreeMap<String, String> {
    [("#v", "views"), ("#t", "title"), ("#a", "address"), ("#c", "city")]
        .map(|(name, attribute)| (name.to_owned(), attribute.to_owned()))
        .into()
}

fn values() -> BTreeMap<String, AttributeValue> {
    let number = |value| AttributeValue::N(Number::from_u64(value));
    let text = AttributeValue::S("a text".to_owned());
    [(":low", number(1)), (":high", number(9)), (":text", text)].map(|(name, value)| (name.to_owned(), value)).into()
}

fn item() -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    Item::from([
        ("pk".to_owned(), text("page#000042")),
        ("views".to_owned(), AttributeValue::N(Number::from_u64(17))),
        ("title".to_owned(), text("a text that goes on")),
        ("address".to_owned(), AttributeValue::M(Item::from([("city".to_owned(), text("London"))]))),
        ("data".to_owned(), text(&"x".repeat(1000))),
    ])
}

fn parse(criterion: &mut Criterion) {
    let (names, values) = (names(), values());
    criterion.bench_function("parse a condition", |bencher| {
        bencher.iter(|| {
            Placeholders::new(Some(&names), Some(&values)).condition(ExpressionKind::Condition, black_box(CONDITION))
        });
    });
    criterion.bench_function("parse an update", |bencher| {
        bencher.iter(|| Placeholders::new(Some(&names), Some(&values)).update(black_box(UPDATE)));
    });
}

fn evaluate(criterion: &mut Criterion) {
    let (names, values, item) = (names(), values(), item());
    let placeholders = Placeholders::new(Some(&names), Some(&values));
    let condition = placeholders.condition(ExpressionKind::Condition, CONDITION).expect("the condition is valid");
    criterion.bench_function("evaluate a condition", |bencher| {
        bencher.iter(|| condition.eval(black_box(&item), &Steps::unlimited()))
    });

    let update = placeholders.update(UPDATE).expect("the update is valid");
    criterion.bench_function("apply an update to a copy of 1 KB", |bencher| {
        bencher.iter(|| {
            let mut item = black_box(&item).clone();
            update.apply(&mut item).map(|()| item)
        });
    });

    let projection = placeholders.projection(PROJECTION).expect("the projection is valid");
    criterion.bench_function("project an item", |bencher| {
        bencher.iter(|| projection.project(black_box(&item), &Steps::unlimited()))
    });
}

criterion_group!(benches, parse, evaluate);
criterion_main!(benches);
