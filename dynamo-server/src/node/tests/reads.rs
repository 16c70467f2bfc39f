//! Reads through the guard, and what they cost.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{create_table, get, put};
use crate::env::sim::{SimEnv, SimNode, run};
use crate::env::{Storage, TokioEnv};
use crate::guard::ReadMode;
use crate::node::{Node, NodeOptions};

async fn in_memory(options: NodeOptions) -> Arc<Node<TokioEnv>> {
    Node::start(NodeOptions { storage: Storage::Memory, ..options }, TokioEnv::new()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn written_items_are_read() {
    let node = in_memory(NodeOptions::default()).await;
    create_table(&node).await;
    put(&node, "a", "1").await.unwrap();
    assert_eq!(get(&node, "a").await.unwrap(), r#"{"Item":{"id":{"S":"a"},"value":{"S":"1"}}}"#);
    put(&node, "a", "2").await.unwrap();
    assert!(get(&node, "a").await.unwrap().contains(r#""value":{"S":"2"}"#));
    assert_eq!(get(&node, "b").await.unwrap(), "{}");
    node.shutdown().await;
    assert!(get(&node, "a").await.is_err(), "no lease and no quorum after the end");
    assert!(put(&node, "a", "3").await.is_err());
}

/// Design §7: a GetItem is one lease check and one point read; a PutItem one proposal and one sync, shared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_costs_what_its_budget_says() {
    let node = in_memory(NodeOptions::default()).await;
    create_table(&node).await;
    put(&node, "a", "1").await.unwrap();

    let before = node.counters();
    get(&node, "a").await.unwrap();
    let after = node.counters();
    assert_eq!(after.store_gets - before.store_gets, 1);
    assert_eq!(after.store_cursors - before.store_cursors, 0);
    assert_eq!(after.lease_hits - before.lease_hits, 1);
    assert_eq!(after.lease_misses, before.lease_misses);
    assert_eq!(after.proposals, before.proposals);
    assert_eq!(after.blocking_reads, before.blocking_reads);

    let before = node.counters();
    put(&node, "a", "2").await.unwrap();
    let after = node.counters();
    assert_eq!(after.proposals - before.proposals, 1);
    assert_eq!(after.commands - before.commands, 1);
    assert_eq!(after.log_syncs - before.log_syncs, 1);

    let before = node.counters();
    let writes: Vec<_> = (0..200)
        .map(|number| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { put(&node, &format!("key-{number}"), "v").await })
        })
        .collect();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let after = node.counters();
    assert_eq!(after.commands - before.commands, 200);
    assert!(after.proposals - before.proposals < 200, "neighbours share entries");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_leases_a_quorum_is_asked_and_rounds_are_shared() {
    let node = in_memory(NodeOptions { read_mode: ReadMode::ReadIndex, ..NodeOptions::default() }).await;
    create_table(&node).await;
    put(&node, "a", "1").await.unwrap();
    let reads: Vec<_> = (0..100)
        .map(|_| {
            let node = Arc::clone(&node);
            let id = "a".to_owned();
            tokio::spawn(async move { get(&node, &id).await.unwrap() })
        })
        .collect();
    for read in reads {
        assert!(read.await.unwrap().contains(r#"{"S":"1"}"#));
    }
    let counters = node.counters();
    assert_eq!(counters.lease_hits, 0);
    assert_eq!(counters.lease_misses, 100);
    assert_eq!(counters.lease_failed, 0);
    node.shutdown().await;
}

/// A node whose disk fails stops answering writes, says why, and gives up its lease with its process.
#[test]
fn a_failed_sync_stops_the_node() {
    run(11, async {
        let machine = SimNode::new(1, 1);
        let options = NodeOptions { storage: Storage::Memory, ..NodeOptions::default() };
        let node = machine.scope(Node::start(options, SimEnv::new(&machine))).await.unwrap();
        machine.scope(create_table(&node)).await;
        machine.scope(put(&node, "a", "1")).await.unwrap();
        machine.log().fail_writes(Some(std::io::Error::other("the disk is on fire")));
        assert!(machine.scope(put(&node, "a", "2")).await.is_err());
        let reason = tokio::time::timeout(Duration::from_secs(1), node.failed()).await.expect("the fault is raised");
        assert!(reason.contains("on fire"), "{reason}");
        assert!(!node.health().is_live());
        assert!(machine.scope(put(&node, "a", "3")).await.is_err());
        assert!(machine.scope(get(&node, "a")).await.is_err());
    });
}
