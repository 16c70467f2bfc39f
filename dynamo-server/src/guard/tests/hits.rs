//! What a check costs: the lease lets through at once, each shard is asked once, those that wait share a round.

use std::time::{Duration, Instant};

use super::rig::{DATA, Rig, batch_get, call, get, query, scan, send, transact_get};
use crate::guard::fault::Fault;
use crate::guard::{Checks, Handler};

const HIT: Checks = Checks { hits: 1, misses: 0, coalesced: 0, failed: 0, wait_ns: 0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_lets_a_read_through_without_asking_anybody() {
    let rig = Rig::alone(4).await;
    let key = &rig.keys_of(2, 1)[0];
    let shard = rig.shard_of(key);
    rig.put(0, key, "1").await;
    let before = rig.nodes[0].counters();
    assert_eq!(rig.value(0, key).await.as_deref(), Some("1"));
    let after = rig.nodes[0].counters();
    assert_eq!(rig.checks(shard, Handler::GetItem), HIT);
    assert_eq!((after.store_gets - before.store_gets, after.store_cursors - before.store_cursors), (1, 0));
    assert_eq!((after.lease_hits - before.lease_hits, after.lease_misses - before.lease_misses), (1, 0));
    assert_eq!(after.read_rounds, before.read_rounds);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_lease_a_quorum_is_asked_and_then_there_is_one() {
    let rig = Rig::alone(4).await;
    let key = &rig.keys_of(1, 1)[0];
    let shard = rig.shard_of(key);
    rig.put(0, key, "1").await;
    rig.break_for(shard, Handler::GetItem, Fault::NoLease);
    let before = rig.nodes[0].counters();
    assert_eq!(rig.value(0, key).await.as_deref(), Some("1"));
    let checks = rig.checks(shard, Handler::GetItem);
    assert_eq!((checks.hits, checks.misses, checks.coalesced, checks.failed), (0, 1, 0, 0));
    assert!(checks.wait_ns > 0);
    assert_eq!(rig.nodes[0].counters().read_rounds - before.read_rounds, 1);
    rig.heal();
    assert_eq!(rig.value(0, key).await.as_deref(), Some("1"));
    assert_eq!(rig.checks(shard, Handler::GetItem).hits, 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_one_shard_are_one_check() {
    let rig = Rig::alone(4).await;
    let keys = rig.keys_of(3, 7);
    let shard = rig.shard_of(&keys[0]);
    rig.done(0, "BatchGetItem", batch_get(&keys)).await;
    rig.done(0, "TransactGetItems", transact_get(&keys)).await;
    rig.done(0, "Query", query(&keys[0])).await;
    for handler in [Handler::BatchGetItem, Handler::TransactGetItems, Handler::Query] {
        assert_eq!(rig.checks(shard, handler), HIT, "{handler:?}");
        for other in rig.ring().into_iter().filter(|other| *other != shard) {
            assert_eq!(rig.checks(other, handler), Checks::default(), "{handler:?} of shard {other}");
        }
    }
    rig.stop().await;
}

/// Whatever the number of keys: a check for each shard, a point read for each key, a cursor for each part of the ring.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_shards_that_are_led_here_are_one_check_each() {
    let rig = Rig::alone(4).await;
    let keys: Vec<String> = (0..4).flat_map(|shard| rig.keys_of(shard, 10)).collect();
    for (operation, request, reads) in [
        ("BatchGetItem", batch_get(&keys), Some((40, 0))),
        ("Scan", scan(), Some((0, 4))),
        // Row, version and lock of each, from one view.
        ("TransactGetItems", transact_get(&keys), None),
    ] {
        let before = rig.nodes[0].counters();
        rig.done(0, operation, request).await;
        let after = rig.nodes[0].counters();
        let checks = (after.lease_hits - before.lease_hits, after.lease_misses - before.lease_misses);
        assert_eq!(checks, (4, 0), "{operation}");
        let (gets, cursors) = (after.store_gets - before.store_gets, after.store_cursors - before.store_cursors);
        assert!(reads.is_none_or(|reads| reads == (gets, cursors)), "{operation}: {gets} gets, {cursors} cursors");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_several_shards_are_checked_at_the_same_time() {
    const PAUSE: Duration = Duration::from_millis(400);
    let rig = Rig::alone(4).await;
    let keys: Vec<String> = (0..4).flat_map(|shard| rig.keys_of(shard, 3)).collect();
    rig.ring().into_iter().for_each(|shard| rig.break_for(shard, Handler::BatchGetItem, Fault::Slow(PAUSE)));
    let began = Instant::now();
    rig.done(0, "BatchGetItem", batch_get(&keys)).await;
    let took = began.elapsed();
    assert!(took >= PAUSE && took < 2 * PAUSE, "{took:?} for four checks of {PAUSE:?} each");
    for shard in rig.ring() {
        assert_eq!(rig.checks(shard, Handler::BatchGetItem).misses, 1, "shard {shard}");
    }
    rig.stop().await;
}

/// The round is held up until all have come; whoever comes while it runs goes by the lease that it renews.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reads_of_a_cold_lease_are_one_round() {
    let rig = Rig::alone(4).await;
    let key = rig.keys_of(0, 1).remove(0);
    let shard = rig.shard_of(&key);
    rig.put(0, &key, "1").await;
    rig.break_for(shard, Handler::GetItem, Fault::NoLease);
    let node = &rig.nodes[0];
    node.router.shard(shard).unwrap().read_round_delay().set(Duration::from_millis(1_000));
    let before = node.counters();
    let address = rig.address(0);
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let request = get(&key);
        reads.spawn(async move { call(address, "GetItem", &request).await });
    }
    while let Some(read) = reads.join_next().await {
        let answer = read.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["Item"]["v"]["S"], "1");
    }
    let after = node.counters();
    assert_eq!(after.read_rounds - before.read_rounds, 1);
    assert_eq!((after.lease_misses - before.lease_misses, after.lease_coalesced - before.lease_coalesced), (100, 99));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_without_a_lease_leaves_the_others_alone() {
    let rig = Rig::alone(2).await;
    let (ill, well) = (&rig.keys_of(0, 1)[0], &rig.keys_of(1, 1)[0]);
    rig.put(0, well, "1").await;
    rig.break_data(rig.shard_of(ill), Fault::Refuses);
    let before = rig.nodes[0].counters();
    for _ in 0..10 {
        assert!(rig.call(0, "GetItem", get(ill)).await.is_internal());
        assert_eq!(rig.value(0, well).await.as_deref(), Some("1"));
    }
    let after = rig.nodes[0].counters();
    let ill = rig.checks(rig.shard_of(ill), Handler::GetItem);
    assert_eq!((ill.hits, ill.misses, ill.failed), (0, 10, 10));
    assert_eq!(rig.checks(rig.shard_of(well), Handler::GetItem), Checks { hits: 10, ..Checks::default() });
    assert_eq!(after.read_rounds, before.read_rounds);
    assert_eq!(after.store_gets - before.store_gets, 10, "nothing was read of the ill shard");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_page_tells_shards_and_handlers_apart() {
    let rig = Rig::alone(2).await;
    let key = &rig.keys_of(1, 1)[0];
    rig.value(0, key).await;
    rig.done(0, "Scan", scan()).await;
    let node = &rig.nodes[0];
    let page = crate::metrics::Metrics::new().render(
        &node.counters(),
        node.guard().counters(),
        node.transactions(),
        &node.health(),
    );
    let page = String::from_utf8(page).unwrap();
    for line in [
        "dynamo_shard_lease_hits_total{shard=\"1\",handler=\"GetItem\"} 1\n",
        "dynamo_shard_lease_hits_total{shard=\"0\",handler=\"Scan\"} 1\n",
        "dynamo_shard_lease_hits_total{shard=\"1\",handler=\"Scan\"} 1\n",
        "dynamo_shard_lease_failed_total{shard=\"1\",handler=\"GetItem\"} 0\n",
    ] {
        assert!(page.contains(line), "{line} is missing in\n{page}");
    }
    assert!(!page.contains("shard=\"0\",handler=\"GetItem\""), "what was not checked is not shown");
    rig.stop().await;
}

/// A client that has gone is not worked for: its check ends with its connection, and nothing is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_stops_the_work() {
    let rig = Rig::alone(2).await;
    let key = &rig.keys_of(0, 1)[0];
    let keys: Vec<String> = (0..2).flat_map(|shard| rig.keys_of(shard, 1)).collect();
    let before = rig.nodes[0].counters();
    rig.ring().into_iter().for_each(|shard| rig.break_data(shard, Fault::Slow(Duration::from_millis(600))));
    for (operation, request) in [
        ("GetItem", get(key)),
        ("BatchGetItem", batch_get(&keys)),
        ("TransactGetItems", transact_get(&keys)),
        ("Query", query(key)),
        ("Scan", scan()),
    ] {
        let stream = send(rig.address(0), operation, &request).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Reset rather than closed: one that only closes its half may still wait for the answer (`http/connection/ending.rs`).
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        drop(stream);
    }
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let after = rig.nodes[0].counters();
    assert_eq!((after.read_rounds, after.lease_misses), (before.read_rounds, before.lease_misses));
    assert_eq!((after.store_gets, after.store_cursors), (before.store_gets, before.store_cursors));
    assert!(DATA.iter().all(|handler| rig.checks(rig.shard_of(key), *handler) == Checks::default()));
    rig.stop().await;
}
