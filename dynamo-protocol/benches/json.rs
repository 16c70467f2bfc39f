//! What it costs to read a request's JSON and to write an item's, and to read the header in front of it.
//!
//! `cargo bench -p dynamo-protocol` measures; `cargo test -p dynamo-protocol` runs each once.

#![allow(missing_docs, reason = "the macros of criterion write functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::ops::{GetItemInput, PutItemInput};
use dynamo_protocol::sigv4::{self, Credentials};
use dynamo_protocol::value::Item;

/// A PutItem of ten attributes with `letters` letters in one of them.
fn put_request(letters: usize) -> String {
    let text = "x".repeat(letters);
    format!(
        r#"{{"TableName":"users","Item":{{"pk":{{"S":"user#000042"}},"sk":{{"N":"17"}},"name":{{"S":"Ada"}},"age":{{"N":"36"}},"tags":{{"SS":["a","b","c"]}},"active":{{"BOOL":true}},"scores":{{"L":[{{"N":"1.5"}},{{"N":"-2"}}]}},"address":{{"M":{{"city":{{"S":"London"}},"zip":{{"S":"W1"}}}}}},"nothing":{{"NULL":true}},"data":{{"S":"{text}"}}}}}}"#
    )
}

fn item_of(body: &str) -> Item {
    PutItemInput::from_json(body.as_bytes()).expect("the request is valid").item.view().to_item().expect("it is whole")
}

fn decode(criterion: &mut Criterion) {
    let get = br#"{"TableName":"users","Key":{"pk":{"S":"user#000042"},"sk":{"N":"17"}},"ConsistentRead":true}"#;
    criterion.bench_function("decode a GetItem", |bencher| {
        bencher.iter(|| GetItemInput::from_json(black_box(get)));
    });
    for letters in [100, 1_000, 10_000] {
        let body = put_request(letters);
        criterion.bench_function(&format!("decode a PutItem of {letters} letters"), |bencher| {
            bencher.iter(|| PutItemInput::from_json(black_box(body.as_bytes())));
        });
    }
}

fn encode(criterion: &mut Criterion) {
    for letters in [100, 1_000, 10_000] {
        let item = item_of(&put_request(letters));
        let mut out = Vec::new();
        criterion.bench_function(&format!("encode an item of {letters} letters"), |bencher| {
            bencher.iter(|| {
                out.clear();
                JsonWriter::new(&mut out).item(black_box(&item));
                out.len()
            });
        });
    }
}

fn authorize(criterion: &mut Criterion) {
    let header = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-west-1/dynamodb/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={}",
        "0".repeat(64)
    );
    criterion.bench_function("read an Authorization header", |bencher| {
        bencher.iter(|| {
            let authorization = Some(black_box(header.as_str()));
            sigv4::authorize(&Credentials { authorization, date: Some("20260101T000000Z"), query: None })
        });
    });
}

criterion_group!(benches, decode, encode, authorize);
criterion_main!(benches);
