//! A snapshot of which one message is lost: the transfer goes on with it a moment later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::env::sim::{Link, run};
use crate::node::tests::cluster::world::{Plan, World, true_ns};
use crate::node::tests::fixture::put;

/// The kinds of messages that a transfer consists of.
const CHUNK: u8 = 6;
const END: u8 = 7;

/// How much longer a transfer may take for a lost message. One that is not repeated at the transfer's own pace costs five
/// seconds, the last one a minute.
const COST_MAX: Duration = Duration::from_millis(1_500);

/// How long a node that was away may take to get its snapshot, without a loss: an attempt may find the leader elsewhere.
const SNAPSHOT_MAX: Duration = Duration::from_secs(30);

/// Takes a node away until only a snapshot helps it, and gives how long it takes from the first message that `is_lost`
/// until it is installed.
fn cost_of(seed: u64, mut is_lost: impl FnMut(&AtomicU64, Link, u64, &[u8]) -> bool + Send + 'static) -> Duration {
    run(seed, async move {
        let plan = Plan { log_bytes_max: 0, snapshot_chunk_bytes: 128, ..Plan::default() };
        let world = World::found(plan).await;
        let leader = world.some_leader().await;
        let node = world.node(leader).expect("it leads");
        let away = world.others(leader)[0];
        world.kill(away).await;
        for number in 0..40 {
            let value = "v".repeat(20 + number);
            world.machine(leader).scope(put(&node, &format!("k{}", number % 10), &value)).await.expect("two of three");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(node);
        let lost_ns = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&lost_ns);
        world.network.lose(move |link, body| {
            let lost = is_lost(&seen, link, away, body);
            if lost && seen.load(Ordering::Relaxed) == 0 {
                seen.store(true_ns(), Ordering::Relaxed);
            }
            lost
        });
        let before = world.snapshots();
        world.start(away).await;
        let installed = async {
            while world.snapshots() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(SNAPSHOT_MAX, installed).await.expect("a snapshot is installed");
        let lost_ns = lost_ns.load(Ordering::Relaxed);
        assert!(lost_ns > 0, "a message was lost");
        Duration::from_nanos(true_ns() - lost_ns)
    })
}

fn is_kind(body: &[u8], kind: u8) -> bool {
    body.get(1) == Some(&kind)
}

#[test]
fn the_last_message_is_sent_again_soon() {
    for seed in 141..146 {
        let cost = cost_of(seed, |lost, (_, to), away, body| {
            to == away && is_kind(body, END) && lost.load(Ordering::Relaxed) == 0
        });
        assert!(cost < COST_MAX, "seed {seed}: {cost:?}");
    }
}

#[test]
fn a_chunk_is_sent_again_soon() {
    for seed in 151..156 {
        let cost = cost_of(seed, |lost, (_, to), away, body| {
            to == away && is_kind(body, CHUNK) && lost.load(Ordering::Relaxed) == 0
        });
        assert!(cost < COST_MAX, "seed {seed}: {cost:?}");
    }
}
