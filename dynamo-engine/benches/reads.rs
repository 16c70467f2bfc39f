//! What reads cost above the store: request bytes to reply bytes, over the in-memory store.
//!
//! `cargo bench -p dynamo-engine` measures; `cargo test -p dynamo-engine` runs each once.

#![allow(missing_docs, reason = "the macros of criterion write functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dynamo_engine::catalog::{Catalog, KeyAttribute, KeySchema, KeyType, MemoryCatalog, TableDescriptor, TableId};
use dynamo_engine::item::{ItemBody, stored};
use dynamo_engine::keyspace::{KeyPart, row_key};
use dynamo_engine::plan;
use dynamo_engine::read::{ReadPlan, Run};
use dynamo_protocol::number::Number;
use dynamo_protocol::ops::{GetItemInput, QueryInput, ScanInput};
use dynamo_protocol::value::{AttributeValue, Item};
use hlc::Timestamp;
use ordered_kv::memory::MemoryState;
use ordered_kv::{Reader, StateStore, WriteBatch};

const PARTITIONS: u64 = 50;
const ROWS: u64 = 200;

/// A table of partition `pk` (S) and sort `sk` (N), 10,000 items of about `item_bytes`.
fn table(item_bytes: usize) -> (MemoryCatalog, MemoryState) {
    let attribute = |name: &str, kind| KeyAttribute { name: name.to_owned(), kind };
    let keys = KeySchema { partition: vec![attribute("pk", KeyType::S)], sort: vec![attribute("sk", KeyType::N)] };
    let store = MemoryState::new();
    let mut batch = WriteBatch::new();
    for number in 0..PARTITIONS * ROWS {
        let (partition, sort) = (format!("user#{:06}", number / ROWS), Number::from_u64(number % ROWS));
        let item = Item::from([
            ("age".to_owned(), AttributeValue::N(Number::from_u64(number % 97))),
            ("data".to_owned(), AttributeValue::S("x".repeat(item_bytes.saturating_sub(60)))),
            ("name".to_owned(), AttributeValue::S(format!("name of {number}"))),
            ("pk".to_owned(), AttributeValue::S(partition.clone())),
            ("sk".to_owned(), AttributeValue::N(sort)),
        ]);
        let key = row_key(1, &[KeyPart::S(&partition)], &[KeyPart::N(&sort)]);
        batch.put(&key, &stored(&ItemBody::encode(&item), Timestamp(1)));
    }
    store.write(&batch).expect("memory takes writes");
    (MemoryCatalog::new([TableDescriptor::new(TableId(1), "users", keys)]), store)
}

fn run(plan: &ReadPlan, store: &MemoryState) -> usize {
    let mut out = Vec::new();
    let reader: &dyn Reader = store;
    plan.execute(&reader, &mut out, Run::WHOLE).expect("memory can be read");
    out.len()
}

fn get(catalog: &dyn Catalog, store: &MemoryState, body: &[u8]) -> usize {
    let input = GetItemInput::from_json(body).expect("the request is valid");
    run(&plan::get_item::plan(input, catalog).expect("the request is valid"), store)
}

fn query(catalog: &dyn Catalog, store: &MemoryState, body: &[u8]) -> usize {
    let input = QueryInput::from_json(body).expect("the request is valid");
    run(&plan::query::plan(input, catalog).expect("the request is valid"), store)
}

fn scan(catalog: &dyn Catalog, store: &MemoryState, body: &[u8]) -> usize {
    let input = ScanInput::from_json(body).expect("the request is valid");
    run(&plan::scan::plan(input, catalog).expect("the request is valid"), store)
}

fn reads(criterion: &mut Criterion) {
    let (catalog, store) = table(1000);
    let body = br##"{"TableName":"users","Key":{"pk":{"S":"user#000007"},"sk":{"N":"42"}},"ConsistentRead":true}"##;
    criterion.bench_function("GetItem, 1 KB", |bencher| {
        bencher.iter(|| get(&catalog, &store, black_box(body)));
    });
    let body = br##"{"TableName":"users","Key":{"pk":{"S":"user#000007"},"sk":{"N":"42"}},"ProjectionExpression":"age, #n","ExpressionAttributeNames":{"#n":"name"}}"##;
    criterion.bench_function("GetItem, two attributes of 1 KB", |bencher| {
        bencher.iter(|| get(&catalog, &store, black_box(body)));
    });
    let body = br#"{"TableName":"users"}"#;
    criterion.bench_function("Scan, 1 MB page of 1 KB items", |bencher| {
        bencher.iter(|| scan(&catalog, &store, black_box(body)));
    });

    let (catalog, store) = table(200);
    for limit in [10, 100] {
        let body = format!(
            r#"{{"TableName":"users","KeyConditionExpression":"pk = :p AND sk > :s","ExpressionAttributeValues":{{":p":{{"S":"user#000007"}},":s":{{"N":"5"}}}},"Limit":{limit}}}"#
        );
        criterion.bench_function(&format!("Query, {limit} of 200 B"), |bencher| {
            bencher.iter(|| query(&catalog, &store, black_box(body.as_bytes())));
        });
    }
    criterion.bench_function("Scan, 1 MB page of 200 B items", |bencher| {
        bencher.iter(|| scan(&catalog, &store, black_box(br#"{"TableName":"users"}"#)));
    });
    let body =
        br##"{"TableName":"users","FilterExpression":"age = :a","ExpressionAttributeValues":{":a":{"N":"13"}}}"##;
    criterion.bench_function("Scan, 1 MB of 200 B items, filtered to 1 %", |bencher| {
        bencher.iter(|| scan(&catalog, &store, black_box(body)));
    });
}

criterion_group!(benches, reads);
criterion_main!(benches);
