//! A snapshot of a shard installed elsewhere: the same rows, and nothing else's.

use std::sync::Arc;

use dynamo_engine::apply::ShardState;
use ordered_kv::memory::MemoryState;
use ordered_kv::{Direction, KeyRange, Reader, StateStore, WriteBatch};
use shard_router::{ShardId, ShardMap};

use super::fixture::{create_table, put};
use crate::env::sim::{SimEnv, SimNode, run};
use crate::env::{Env, Storage, StoreOptions};
use crate::node::{Node, NodeOptions};
use crate::raft::snapshot::{SnapshotPin, StagedSnapshot};
use crate::raft::types::SnapshotMeta;

const SHARD: ShardId = ShardId(0);

fn whole() -> Arc<ShardMap> {
    Arc::new(ShardMap::whole())
}

fn rows(store: &dyn Reader) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut cursor = store.cursor(KeyRange::all(), Direction::Forward).unwrap();
    let mut rows = Vec::new();
    while let Some((key, value)) = cursor.next().unwrap() {
        rows.push((key.to_vec(), value.to_vec()));
    }
    rows
}

/// What a node with one table and these items has in its state.
async fn state_of_node(items: &[(&str, &str)]) -> Arc<dyn StateStore> {
    let machine = SimNode::new(1, 1);
    let options = NodeOptions { storage: Storage::Memory, ..NodeOptions::default() };
    let node = machine.scope(Node::start(options, SimEnv::new(&machine))).await.unwrap();
    machine.scope(create_table(&node)).await;
    for (id, value) in items {
        machine.scope(put(&node, id, value)).await.unwrap();
    }
    machine.scope(node.shutdown()).await;
    SimEnv::new(&machine).open(&Storage::Memory, &StoreOptions::default()).unwrap().state
}

#[test]
fn an_installed_snapshot_is_the_shard_and_leaves_others_alone() {
    run(51, async {
        let source = state_of_node(&[("a", "1"), ("b", "2"), ("c", "3")]).await;
        let target = state_of_node(&[("a", "old"), ("z", "gone")]).await;
        let of_others = b"\x01\x00\x00\x00\x07\x01";
        let mut batch = WriteBatch::new();
        batch.put(of_others, b"another shard's record");
        target.write(&batch).unwrap();

        let pin = SnapshotPin { meta: SnapshotMeta::default(), store: Arc::clone(&source), shard: SHARD, map: whole() };
        let current = ShardState::load(&*target, SHARD, whole()).unwrap();
        StagedSnapshot::copy::<SimEnv>(&pin, &target, &current).await.unwrap().commit().await.unwrap();

        let mut expected = rows(&*source);
        expected.push((of_others.to_vec(), b"another shard's record".to_vec()));
        expected.sort();
        assert_eq!(rows(&*target), expected);
        assert_eq!(
            ShardState::load(&*target, SHARD, whole()).unwrap(),
            ShardState::load(&*source, SHARD, whole()).unwrap()
        );
    });
}

#[test]
fn an_empty_shard_can_be_sent_too() {
    run(52, async {
        let empty: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let target = state_of_node(&[("a", "1")]).await;
        let pin = SnapshotPin { meta: SnapshotMeta::default(), store: empty, shard: SHARD, map: whole() };
        let current = ShardState::load(&*target, SHARD, whole()).unwrap();
        StagedSnapshot::copy::<SimEnv>(&pin, &target, &current).await.unwrap().commit().await.unwrap();
        assert_eq!(rows(&*target), []);
    });
}
