//! What a timestamp costs.
//!
//! `cargo bench -p quorum-hlc` measures; `cargo test -p quorum-hlc` runs each once.

#![allow(missing_docs, reason = "the macros of criterion write functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hlc::source::WallClock;
use hlc::{Clock, NodeClock, Timestamp};

fn tick(criterion: &mut Criterion) {
    let mut clock = Clock::resume(Timestamp::ZERO);
    criterion.bench_function("tick, wall time at hand", |bencher| {
        bencher.iter(|| clock.tick_or_raise(black_box(1_700_000_000_000)));
    });
    let mut clock = Clock::resume(Timestamp::ZERO);
    criterion.bench_function("tick, reading the wall clock", |bencher| {
        bencher.iter(|| clock.tick_or_raise(WallClock.now_ms()));
    });
    let node = NodeClock::new();
    criterion.bench_function("observe on the node's clock", |bencher| {
        bencher.iter(|| node.observe(black_box(Timestamp::new(1_700_000_000_000, 3)), 1_700_000_000_000));
    });
}

criterion_group!(benches, tick);
criterion_main!(benches);
