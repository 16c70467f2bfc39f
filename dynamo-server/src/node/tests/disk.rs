//! A node on a real disk: restart, the lock, a log that stays short, and a damaged one that is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fixture::{create_table, get, put, table};
use crate::env::{DirectoryError, OpenError, Storage, TokioEnv};
use crate::node::{Node, NodeError, NodeOptions};
use crate::raft::{GroupError, LogEndError};

fn options(dir: &Path) -> NodeOptions {
    NodeOptions { storage: Storage::Directory(dir.to_owned()), free_bytes_min: Some(0), ..NodeOptions::default() }
}

async fn open(dir: &Path) -> Result<Arc<Node<TokioEnv>>, NodeError> {
    Node::start(options(dir), TokioEnv::new()).await
}

async fn close(node: Arc<Node<TokioEnv>>) {
    node.shutdown().await;
    assert!(node.is_quiet(), "it waited to the end for whoever holds its stores");
    assert_eq!(Arc::strong_count(&node), 1, "nobody else holds the node");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await.unwrap();
    let identity = node.identity().clone();
    create_table(&node).await;
    put(&node, "a", "1").await.unwrap();
    assert!(matches!(open(dir.path()).await, Err(NodeError::Open(OpenError::Directory(DirectoryError::InUse(_))))));
    close(node).await;

    let node = open(dir.path()).await.unwrap();
    assert_eq!(*node.identity(), identity);
    assert_eq!(table(&node).schema_version, 1);
    assert!(get(&node, "a").await.unwrap().contains(r#"{"S":"1"}"#));
    put(&node, "a", "2").await.unwrap();
    close(node).await;

    let asked = NodeOptions { shards: 2, ..options(dir.path()) };
    assert!(matches!(Node::start(asked, TokioEnv::new()).await, Err(NodeError::OtherShards { found: 1, asked: 2 })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_within_its_bound() {
    const BOUND: u64 = 256 << 10;
    let dir = tempfile::tempdir().unwrap();
    let small = NodeOptions { log_bytes_max: BOUND, ..options(dir.path()) };
    let node = Node::start(small, TokioEnv::new()).await.unwrap();
    create_table(&node).await;
    let value = "x".repeat(8 << 10);
    // Ten times the bound, and no sleep: the log may be ahead of the upkeep by what its interval lets through.
    for number in 0..10 * BOUND / value.len() as u64 {
        put(&node, &format!("key-{}", number % 16), &value).await.unwrap();
    }
    let mut waited = 0;
    while node.counters().log_bytes > BOUND * 3 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        waited += 1;
        assert!(waited < 1_200, "the log holds {} bytes", node.counters().log_bytes);
    }
    put(&node, "last", "1").await.unwrap();
    close(node).await;

    let node = open(dir.path()).await.unwrap();
    assert!(node.counters().log_bytes <= BOUND * 3);
    assert!(get(&node, "last").await.unwrap().contains(r#"{"S":"1"}"#));
    assert!(get(&node, "key-3").await.unwrap().contains(&value));
    put(&node, "last", "2").await.unwrap();
    close(node).await;

    // What the log has dropped is nowhere but in the state.
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    let refused = open(dir.path()).await.err();
    assert!(matches!(refused, Some(NodeError::Group(GroupError::LogEnd(LogEndError::State { .. })))), "{refused:?}");
}

/// The segments of the node's log.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("segment-");
    let mut files: Vec<PathBuf> = entries.filter(is_segment).collect();
    files.sort();
    files
}

/// Flips one bit of every segment, at a place that depends on how much of it is written.
fn damage(dir: &Path, place: impl Fn(usize) -> usize) {
    for path in segments(dir) {
        let mut bytes = std::fs::read(&path).unwrap();
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes[place(written)] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
    }
}

async fn refused_after_damage(place: impl Fn(usize) -> usize) {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await.unwrap();
    create_table(&node).await;
    for number in 0..50 {
        put(&node, &format!("key-{number}"), "some value that takes some room").await.unwrap();
    }
    close(node).await;
    assert!(!segments(dir.path()).is_empty(), "there is a log to damage");
    damage(dir.path(), place);
    match open(dir.path()).await {
        Err(error @ (NodeError::Group(GroupError::LogEnd(_)) | NodeError::Open(_))) => {
            let text = error.to_string();
            assert!(text.contains("log"), "the message says what is damaged: {text}");
        }
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => panic!("a node started on a damaged log"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_flipped_in_the_middle_of_the_log_is_noticed() {
    refused_after_damage(|written| written / 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_flipped_at_the_tail_of_the_log_is_noticed() {
    // The byte before the last mark, of which the kind is the last byte that is not zero.
    refused_after_damage(|written| written - 1 - 20 - 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_node_serves_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let began = std::time::Instant::now();
    let node = open(dir.path()).await.unwrap();
    let took = began.elapsed();
    assert!(node.health().is_ready());
    // The goal is 25 ms on a quiet machine; an election timeout would take a second.
    assert!(took < std::time::Duration::from_millis(900), "started in {took:?}: did it wait for a timeout?");
    println!("started in {took:?}");
    close(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_room_refuses_writes_and_goes_on_reading() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await.unwrap();
    create_table(&node).await;
    put(&node, "a", "1").await.unwrap();
    close(node).await;

    let full = NodeOptions { free_bytes_min: Some(u64::MAX), ..options(dir.path()) };
    let node = Node::start(full, TokioEnv::new()).await.unwrap();
    let mut waited = 0;
    while !node.health().is_disk_full() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        waited += 1;
        assert!(waited < 12_000, "a minute");
    }
    assert_eq!(put(&node, "a", "2").await, Err(crate::shard::ShardError::DiskFull));
    assert!(get(&node, "a").await.unwrap().contains(r#"{"S":"1"}"#));
    close(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_once_the_directory_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await.unwrap();
    create_table(&node).await;
    put(&node, "a", "1").await.unwrap();
    std::fs::remove_dir_all(dir.path()).unwrap();
    assert!(put(&node, "a", "2").await.is_err(), "it is on no disk");
    let reason = node.failed().await;
    assert!(reason.contains("deleted while it was open"), "{reason}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_in_the_kernels_cache_are_soon_read_in_place() {
    const ITEMS: u64 = 1_000;
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await.unwrap();
    create_table(&node).await;
    let value = "x".repeat(8 << 10);
    for number in 0..ITEMS {
        put(&node, &format!("key-{number}"), &value).await.unwrap();
    }
    close(node).await;

    // Every item is a block of its own, and none is in the store's cache; the kernel has just written them all.
    let node = open(dir.path()).await.unwrap();
    for number in 0..ITEMS {
        assert!(get(&node, &format!("key-{number}")).await.unwrap().contains(&value));
    }
    let pooled = node.counters().blocking_reads;
    assert!(pooled > 0, "the first reads are careful");
    assert!(pooled < ITEMS, "all {pooled} reads went to the pool");
    close(node).await;
}
