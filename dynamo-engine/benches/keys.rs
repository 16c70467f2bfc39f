//! What it costs to make a row's key, and to take one apart.
//!
//! `cargo bench -p dynamo-engine --bench keys` measures; `cargo test -p dynamo-engine` runs each once.

#![allow(missing_docs, reason = "the macros of criterion write functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dynamo_engine::keyspace::{KeyPart, RowKey, row_key};
use dynamo_protocol::number::Number;

fn keys(criterion: &mut Criterion) {
    let number = Number::from_i64(-17);
    let cases: [(&str, KeyPart<'_>, Vec<KeyPart<'_>>); 3] = [
        ("a text", KeyPart::S("user#000042"), Vec::new()),
        ("a text and a number", KeyPart::S("user#000042"), vec![KeyPart::N(&number)]),
        ("bytes and a text", KeyPart::B(&[0, 1, 2, 255, 0, 7, 9, 13]), vec![KeyPart::S("2026-11-22T18:45:10Z")]),
    ];
    for (name, partition, sort) in cases {
        let partition = [partition];
        criterion.bench_function(&format!("encode a key of {name}"), |bencher| {
            bencher.iter(|| row_key(7, black_box(&partition), black_box(&sort)));
        });
        let key = row_key(7, &partition, &sort);
        criterion.bench_function(&format!("decode a key of {name}"), |bencher| {
            bencher.iter(|| RowKey::parse(black_box(&key)).and_then(|key| key.decode_parts()));
        });
    }
}

criterion_group!(benches, keys);
criterion_main!(benches);
