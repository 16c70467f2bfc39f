//! What a replica makes of the chunks of a snapshot: staged once, refused when they are no snapshot, thrown away when
//! they stop, and the whole at once or nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::keyspace::RowRange;
use ordered_kv::memory::MemoryState;
use ordered_kv::{StateStore, WriteBatch};

use crate::env::Env;
use crate::env::sim::{SimEnv, run};
use crate::raft::snapshot::message::{Refusal, put_row};
use crate::raft::snapshot::stage::{Staging, Transfer};
use crate::raft::types::{SnapshotMeta, Vote};

fn range(start: &[u8], end: &[u8]) -> RowRange {
    RowRange { start: start.to_vec(), end: end.to_vec() }
}

fn rows(keys: &[&[u8]]) -> Bytes {
    let mut rows = Vec::new();
    keys.iter().for_each(|key| put_row(&mut rows, key, b"new"));
    rows.into()
}

/// A store with two rows of the shard and one of another, and the beginning of a transfer into it.
fn begin() -> (Arc<dyn StateStore>, Staging, Transfer) {
    let store: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let mut batch = WriteBatch::new();
    [b"b1", b"d1", b"e1"].iter().for_each(|key| batch.put(*key, b"old"));
    store.write(&batch).unwrap();
    let staging = Staging::new(Arc::clone(&store));
    let ranges = vec![range(b"b", b"c"), range(b"d", b"e")];
    let head = (Vote::new_committed(1, 1), 7, SnapshotMeta::default());
    let transfer = staging.begin::<SimEnv>(Arc::clone(&store), head, ranges.clone(), ranges);
    (store, staging, transfer)
}

fn value(store: &Arc<dyn StateStore>, key: &[u8]) -> Option<Bytes> {
    store.get(key).unwrap()
}

#[test]
fn chunks_become_the_state_at_once_and_a_repeated_one_counts_once() {
    run(61, async {
        let (store, staging, transfer) = begin();
        assert_eq!(transfer.chunk(0, rows(&[b"b2", b"b3"])).await, Ok(1));
        assert_eq!(transfer.chunk(0, rows(&[b"b2", b"b3"])).await, Ok(1), "its answer was lost");
        assert_eq!(transfer.chunk(1, rows(&[b"d2"])).await, Ok(2));
        assert_eq!(transfer.end(2, 3).await, Ok(()));
        assert_eq!(value(&store, b"b2"), None, "nothing is seen before the installation");
        staging.hand_over(transfer).unwrap().commit().await.unwrap();
        let seen = [b"b1", b"b2", b"b3", b"d1", b"d2", b"e1"].map(|key| value(&store, key).is_some());
        assert_eq!(seen, [false, true, true, false, true, true]);
    });
}

#[test]
fn malformed_snapshots_are_refused_and_leave_no_rows() {
    for (seed, keys) in [(62, [&b"b2"[..], b"b1"]), (63, [b"b1", b"c1"]), (64, [b"a1", b"b1"]), (65, [b"d1", b"e1"])] {
        run(seed, async {
            let (store, staging, transfer) = begin();
            assert_eq!(transfer.chunk(0, rows(&keys)).await, Err(Refusal::Content), "{keys:?}");
            assert_eq!(transfer.chunk(0, rows(&[b"b1"])).await, Err(Refusal::Transfer), "it is thrown away");
            drop(staging);
            assert_eq!(value(&store, b"b1"), Some(Bytes::from_static(b"old")));
        });
    }
    run(66, async {
        let (_, _staging, transfer) = begin();
        assert_eq!(transfer.chunk(0, Bytes::from_static(b"\x05cut")).await, Err(Refusal::Content));
    });
    run(67, async {
        let (_, _staging, transfer) = begin();
        assert_eq!(transfer.chunk(0, rows(&[b"b1"])).await, Ok(1));
        assert_eq!(transfer.end(1, 2).await, Err(Refusal::Content), "a row is missing");
        assert_eq!(transfer.end(2, 1).await, Err(Refusal::Content), "a chunk is missing");
    });
}

#[test]
fn a_transfer_that_falls_silent_is_thrown_away_and_a_newer_one_takes_its_place() {
    run(68, async {
        let (_, _staging, transfer) = begin();
        assert_eq!(transfer.chunk(0, rows(&[b"b1"])).await, Ok(1));
        SimEnv::sleep(Duration::from_secs(120)).await;
        assert_eq!(transfer.chunk(1, rows(&[b"b2"])).await, Err(Refusal::Transfer));
    });
    run(69, async {
        let (store, staging, old) = begin();
        let ranges = vec![range(b"b", b"c")];
        let head = (Vote::new_committed(2, 1), 8, SnapshotMeta::default());
        let new = staging.begin::<SimEnv>(Arc::clone(&store), head, ranges.clone(), ranges);
        assert!(staging.hand_over(old).is_none());
        assert_eq!(new.chunk(0, rows(&[b"b7"])).await, Ok(1));
        staging.close();
        assert!(staging.hand_over(new).is_none(), "the group has stopped");
    });
}

/// Whoever applies may be busy for longer than a sender may be silent.
#[test]
fn a_staged_snapshot_waits_for_its_installation() {
    run(67, async {
        let (store, staging, transfer) = begin();
        assert_eq!(transfer.chunk(0, rows(&[b"b2"])).await, Ok(1));
        assert_eq!(transfer.end(1, 1).await, Ok(()));
        let staged = staging.hand_over(transfer).unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        staged.commit().await.unwrap();
        assert!(value(&store, b"b2").is_some());
    });
}
