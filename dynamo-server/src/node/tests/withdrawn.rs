//! Writes whose time is over while they wait for their turn: they are refused, and never done afterwards.

use std::time::Duration;

use futures::future::join_all;

use super::fixture::{applied_value, put, put_within, start_alone};
use crate::env::Env;
use crate::env::sim::{SimEnv, run};
use crate::node::REQUEST_DEADLINE;
use crate::shard::{Deadline, ENTRIES_IN_FLIGHT_MAX, ENTRY_BYTES_MAX, ShardError};

/// A disk that stands still for longer than a request may take: what is in the entries under way is not known, all that
/// waits behind them was not done, and takes up no memory any more.
#[test]
fn writes_withdrawn_at_their_deadline_are_not_done() {
    const WAITING: usize = 40;
    run(81, async {
        let (machine, node) = start_alone().await;
        machine.freeze_disk_after(0);
        let value = "x".repeat(ENTRY_BYTES_MAX);
        let writes = async {
            let keys: Vec<String> = (0..ENTRIES_IN_FLIGHT_MAX + WAITING).map(|number| number.to_string()).collect();
            let mut writes = Vec::new();
            for key in &keys {
                writes.push(put(&node, key, &value));
            }
            let results = join_all(writes).await;
            assert!(node.counters().queued_bytes < ((ENTRIES_IN_FLIGHT_MAX + 1) * ENTRY_BYTES_MAX) as u64);
            machine.thaw_disk();
            put(&node, "later", "the disk goes on").await.expect("it has passed");
            for (number, (key, result)) in keys.iter().zip(results).enumerate() {
                let is_under_way = number < ENTRIES_IN_FLIGHT_MAX;
                let expected = if is_under_way { ShardError::DeadlinePassed } else { ShardError::Overloaded };
                assert_eq!(result, Err(expected), "{number}");
                assert_eq!(applied_value(&node, key).is_some(), is_under_way, "{number}");
            }
            assert_eq!(node.counters().writes_refused, WAITING as u64);
            assert_eq!(node.counters().queued_bytes, 0);
        };
        machine.scope(writes).await;
        machine.scope(node.shutdown()).await;
    });
}

/// A client that goes away takes with it what it has in the queue.
#[test]
fn writes_of_departed_clients_are_withdrawn() {
    run(82, async {
        let (machine, node) = start_alone().await;
        machine.freeze_disk_after(0);
        let value = "x".repeat(ENTRY_BYTES_MAX);
        let under_way = (0..ENTRIES_IN_FLIGHT_MAX).map(|number| number.to_string()).collect::<Vec<_>>();
        let writes = async {
            let mut first = Vec::new();
            for key in &under_way {
                first.push(put(&node, key, &value));
            }
            let gone = async {
                SimEnv::sleep(Duration::from_millis(10)).await;
                let queued = node.counters().queued_bytes;
                assert!(SimEnv::timeout(Duration::from_millis(10), put(&node, "gone", &value)).await.is_none());
                assert_eq!(node.counters().queued_bytes, queued, "its bytes are free at once");
                machine.thaw_disk();
            };
            let (results, ()) = futures::join!(join_all(first), gone);
            assert!(results.iter().all(Result::is_ok));
            put(&node, "later", "").await.expect("written");
            assert_eq!(applied_value(&node, "gone"), None);
            assert_eq!(node.counters().writes_refused, 0, "nobody was told so");
        };
        machine.scope(writes).await;
        machine.scope(node.shutdown()).await;
    });
}

/// Deadlines of all lengths, so that they fall into every moment on the way: in the queue, between queue and entry, in an
/// entry that is written or applied.
#[test]
fn a_refusal_is_true_whenever_the_deadline_falls() {
    const WRITES: u64 = 200;
    let (mut acknowledged, mut refused, mut unknown) = (0, 0, 0);
    for seed in 0..10 {
        run(seed, async {
            let (machine, node) = start_alone().await;
            machine.slow_disk(Some(200_000));
            let value = "x".repeat(ENTRY_BYTES_MAX / 8);
            let writes = async {
                let write = async |number: u64| {
                    let time = Duration::from_micros(SimEnv::random() % 2_000_000);
                    put_within(&node, &number.to_string(), &value, Deadline::after::<SimEnv>(time)).await
                };
                let results = join_all((0..WRITES).map(write)).await;
                SimEnv::sleep(REQUEST_DEADLINE).await;
                put(&node, "last", "").await.expect("all before it is done");
                for (number, result) in results.into_iter().enumerate() {
                    let is_done = applied_value(&node, &number.to_string()).is_some();
                    match result {
                        Ok(()) => {
                            assert!(is_done, "seed {seed}, {number}: acknowledged and lost");
                            acknowledged += 1;
                        }
                        Err(ShardError::Overloaded) => {
                            assert!(!is_done, "seed {seed}, {number}: refused, and done all the same");
                            refused += 1;
                        }
                        Err(ShardError::DeadlinePassed) => unknown += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                assert_eq!(node.counters().queued_bytes, 0);
            };
            machine.scope(writes).await;
            machine.scope(node.shutdown()).await;
        });
    }
    println!("{acknowledged} acknowledged, {refused} refused, {unknown} unknown");
    assert!(acknowledged.min(refused).min(unknown) > 50, "deadlines fell everywhere");
}
