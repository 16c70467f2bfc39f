//! What it costs to find the shard of a key.
//!
//! `cargo bench -p shard-router` measures; `cargo test -p shard-router` runs each once.

#![allow(missing_docs, reason = "the macros of criterion write functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use shard_router::{ShardMap, Token};

fn route(criterion: &mut Criterion) {
    for bytes in [8, 36, 300] {
        let key = vec![b'k'; bytes];
        criterion.bench_function(&format!("token of a key of {bytes} bytes"), |bencher| {
            bencher.iter(|| Token::of(7, &[(1, black_box(&key))]));
        });
    }
    let map = ShardMap::even(64).expect("64 shards are few");
    criterion.bench_function("locate among 64 shards", |bencher| {
        let mut token = Token(1);
        bencher.iter(|| {
            token = Token(token.0.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            map.locate(token)
        });
    });
}

criterion_group!(benches, route);
criterion_main!(benches);
