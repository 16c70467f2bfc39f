//! What a reader pays for a check, and what the network pays for feeding an acknowledgement.
//!
//! `cargo bench -p quorum-lease` measures; `cargo test -p quorum-lease` runs each once.

#![allow(missing_docs, reason = "the macros of criterion write functions without any")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use lease::{AtomicLease, Holder, Moment, SharedHolder, Timing, Vote, Voters};

fn leader(voters: Voters<u64>) -> SharedHolder<u64> {
    let timing = Timing::for_election_timeout(Duration::from_secs(3_600)).expect("an hour is sensible");
    let shared = SharedHolder::new(Holder::new(1, timing, [(0, voters)]));
    shared.update(|holder| {
        holder.vote_saved(Vote { term: 1, node: 1, committed: true });
        holder.own_term_applied(1);
    });
    shared
}

fn check(criterion: &mut Criterion) {
    let start = Instant::now();
    let clock = || Moment::from_nanos(start.elapsed().as_nanos() as u64);

    let three = leader(Voters::of([1, 2, 3]));
    three.update(|holder| holder.acked(1, &2, clock(), Duration::from_secs(1)));
    assert!(three.lease().check(clock));
    let mut group = criterion.benchmark_group("check");
    group.bench_function("hit, clock at hand", |bencher| {
        let now = clock();
        bencher.iter(|| black_box(three.lease()).check(|| black_box(now)));
    });
    group.bench_function("hit, reading the clock", |bencher| bencher.iter(|| black_box(three.lease()).check(clock)));
    let alone = leader(Voters::of([1]));
    group.bench_function("hit, sole voter", |bencher| bencher.iter(|| black_box(alone.lease()).check(clock)));
    let none = AtomicLease::new();
    group.bench_function("miss", |bencher| bencher.iter(|| black_box(&none).check(clock)));
    group.finish();
}

fn feed(criterion: &mut Criterion) {
    let shared = leader(Voters::of([1, 2, 3, 4, 5]));
    let mut sent_at = 0;
    criterion.bench_function("acknowledgement of one of five voters", |bencher| {
        bencher.iter(|| {
            sent_at += 1_000;
            shared.update(|holder| {
                holder.acked(1, &(2 + sent_at % 4), Moment::from_nanos(sent_at), Duration::from_secs(1))
            });
        });
    });
}

criterion_group!(benches, check, feed);
criterion_main!(benches);
