//! What expressions cost: nanoseconds for each step of a typical conditional update.
//!
//! `cargo run --release -p dynamo-expression --example expression_costs`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use dynamo_expression::{Condition, ExpressionKind, Placeholders, Steps, Update};
use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};

const CONDITION: &str = "attribute_exists(pk) AND version = :expected AND #state <> :closed";
const UPDATE: &str = "SET version = version + :one, profile.city = :city REMOVE draft";

fn main() {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number| AttributeValue::N(Number::from_u64(number));
    let names = BTreeMap::from([("#state".to_owned(), "state".to_owned())]);
    let values = BTreeMap::from([
        (":expected".to_owned(), number(7)),
        (":one".to_owned(), number(1)),
        (":closed".to_owned(), text("closed")),
        (":city".to_owned(), text("Oslo")),
    ]);
    let item = Item::from([
        ("pk".to_owned(), text("user#1")),
        ("version".to_owned(), number(7)),
        ("state".to_owned(), text("open")),
        ("profile".to_owned(), AttributeValue::M(Item::from([("city".to_owned(), text("Bergen"))]))),
    ]);

    let parse = || {
        let placeholders = Placeholders::new(Some(&names), Some(&values));
        let condition = placeholders.condition(ExpressionKind::Condition, CONDITION).expect("a valid condition");
        let update = placeholders.update(UPDATE).expect("a valid update");
        placeholders.finish().expect("all placeholders are used");
        (condition, update)
    };
    let (condition, update) = parse();
    let mut bytes = Vec::new();
    condition.encode(&mut bytes);
    update.encode(&mut bytes);

    time("parse both, check placeholders", || drop(black_box(parse())));
    time("evaluate the condition", || {
        let _ = black_box(condition.eval(black_box(&item), &Steps::unlimited()));
    });
    time("copy the item and apply the update", || {
        let mut item = item.clone();
        update.apply(&mut item).expect("the update fits the item");
        black_box(&item);
    });
    time("encode both", || {
        bytes.clear();
        condition.encode(&mut bytes);
        update.encode(&mut bytes);
        black_box(&bytes);
    });
    time("decode both", || {
        let mut rest = bytes.as_slice();
        black_box(Condition::decode(&mut rest).expect("just encoded"));
        black_box(Update::decode(&mut rest).expect("just encoded"));
    });
}

fn time(what: &str, mut step: impl FnMut()) {
    const ROUNDS: u32 = 100_000;
    for _ in 0..ROUNDS / 10 {
        step();
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        step();
    }
    let nanoseconds = start.elapsed().as_nanos() / u128::from(ROUNDS);
    println!("{nanoseconds:>6} ns  {what}");
}
