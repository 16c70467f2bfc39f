//! How long it takes to read requests and to write replies, on one core: `cargo run --release -p dynamo-protocol --example speed`.

use std::hint::black_box;
use std::time::Instant;

use dynamo_protocol::json::push_item;
use dynamo_protocol::ops::{GetItemInput, PutItemInput};

fn main() {
    let get = br##"{"TableName":"orders","Key":{"pk":{"S":"customer#0123456789"},"sk":{"S":"order#2026-01-01#0001"}},"ConsistentRead":true,"ProjectionExpression":"#n, total","ExpressionAttributeNames":{"#n":"name"}}"##;
    let put = put_item();
    println!("GetItem of {} bytes: {} ns", get.len(), nanoseconds(|| drop(black_box(GetItemInput::from_json(get)))));
    println!("PutItem of {} bytes: {} ns", put.len(), nanoseconds(|| drop(black_box(PutItemInput::from_json(&put)))));
    let item = PutItemInput::from_json(&put).expect("the request is right").item.view().to_item().expect("it is whole");
    let mut out = Vec::with_capacity(2048);
    let write = nanoseconds(|| {
        out.clear();
        push_item(&mut out, black_box(&item));
    });
    println!("writing the item's {} bytes: {write} ns", out.len());
}

/// A put of about 1 KB: keys, texts, numbers, a set, a nested map.
fn put_item() -> Vec<u8> {
    let mut body =
        String::from(r#"{"TableName":"orders","Item":{"pk":{"S":"customer#0123456789"},"sk":{"S":"order#1"},"#);
    for index in 0..6 {
        body.push_str(&format!(
            r#""attribute{index}":{{"S":"{}"}},"number{index}":{{"N":"{}.25"}},"#,
            "text ".repeat(12),
            index * 1001
        ));
    }
    body.push_str(r#""tags":{"SS":["blue","green","red"]},"address":{"M":{"city":{"S":"Berlin"},"zip":{"N":"10115"},"geo":{"L":[{"N":"52.52"},{"N":"13.405"}]}}}},"ReturnValues":"ALL_OLD"}"#);
    body.into_bytes()
}

/// The best of many short rounds, as the least disturbed one.
fn nanoseconds(mut run: impl FnMut()) -> u128 {
    const TIMES: u32 = 200;
    let round = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| run());
        start.elapsed().as_nanos() / u128::from(TIMES)
    };
    (0..2000).map(|_| round(&mut run)).min().expect("there are rounds")
}
