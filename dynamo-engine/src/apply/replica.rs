//! A replica for tests: a store with the state of its shard beside it, and a clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use dynamo_protocol::value::Item;
use hlc::Timestamp;
use ordered_kv::memory::MemoryState;
use ordered_kv::{Direction, KeyRange, Reader, StateStore, WriteBatch};
use shard_router::{ShardId, ShardMap};

use super::{Outcome, ShardState, apply_entry};
use crate::command::{Command, Entry, Stamped};
use crate::item::ItemRef;
use crate::keyspace::{Space, id_prefix};

/// One replica.
pub(super) struct Replica {
    /// Its rows.
    pub store: MemoryState,
    /// Its scalars.
    pub shard: ShardState,
    /// The timestamp of the last command.
    pub clock: u64,
    /// The wall time of the next entry.
    pub now_ms: u64,
}

impl Replica {
    /// An empty shard of `map`.
    pub fn new(id: ShardId, map: ShardMap, now_ms: u64) -> Replica {
        Replica { store: MemoryState::new(), shard: ShardState::new(id, Arc::new(map)), clock: 10, now_ms }
    }

    /// An entry of these commands, stamped.
    pub fn entry(&mut self, commands: Vec<Command>) -> Entry {
        let stamp = |command| {
            self.clock += 1;
            Stamped { ts: Timestamp(self.clock), command }
        };
        let commands = commands.into_iter().map(stamp).collect();
        Entry { stamped_ms: self.now_ms, ceiling: Timestamp(self.clock + 1), commands }
    }

    /// Applies an entry as it comes out of the log.
    pub fn replay(&mut self, entry: &Entry) -> Vec<Outcome> {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        let entry = Entry::decode(&bytes).expect("what was encoded is decoded");
        let mut batch = WriteBatch::new();
        let outcomes = apply_entry(&mut self.shard, &self.store, &mut batch, &entry).unwrap();
        self.store.write(&batch).unwrap();
        outcomes
    }

    /// Applies commands in one entry.
    pub fn apply(&mut self, commands: Vec<Command>) -> Vec<Outcome> {
        let entry = self.entry(commands);
        self.replay(&entry)
    }

    /// Applies one command.
    pub fn one(&mut self, command: Command) -> Outcome {
        self.apply(vec![command]).remove(0)
    }

    /// The rows whose keys begin with `prefix`.
    pub fn rows(&self, prefix: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut cursor = self.store.cursor(KeyRange::prefix(prefix), Direction::Forward).unwrap();
        let mut rows = BTreeMap::new();
        while let Some((key, row)) = cursor.next().unwrap() {
            rows.insert(key.to_vec(), row.to_vec());
        }
        rows
    }

    /// The items of a table or an index.
    pub fn items(&self, space: Space, id: u64) -> BTreeMap<Vec<u8>, Item> {
        let rows = self.rows(&id_prefix(space, id)).into_iter();
        rows.map(|(key, row)| (key, ItemRef::parse(&row).unwrap().to_item().unwrap())).collect()
    }
}
