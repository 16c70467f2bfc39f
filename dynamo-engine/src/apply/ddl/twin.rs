//! A shard for the tests of this module: a map of rows and the installed descriptors.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use shard_router::{ShardId, TokenRange};

use crate::apply::ddl::DdlStore;
use crate::catalog::{MemoryCatalog, Rollout, TableDescriptor, TableId, TablePhase};
use crate::codec::DecodeError;
use crate::keyspace::{local, system};

/// A shard at a time that the test sets.
#[derive(Default)]
pub struct Twin {
    /// Its number.
    pub shard: u32,
    /// Whether there are others.
    pub has_others: bool,
    /// All rows.
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Installed descriptors.
    pub tables: BTreeMap<TableId, Arc<TableDescriptor>>,
    /// What is on its way to others.
    pub rollouts: BTreeMap<TableId, Rollout>,
    /// The era.
    pub era: u64,
    /// The stamp of the next command.
    pub now_ms: u64,
}

impl Twin {
    /// As the shard's own.
    pub fn catalog(&self) -> MemoryCatalog {
        let mut catalog = MemoryCatalog::of_era(self.era);
        for table in self.tables.values() {
            catalog.insert(Arc::clone(table), TablePhase::Active);
        }
        for rollout in self.rollouts.values() {
            catalog.insert(Arc::clone(&rollout.table), rollout.phase);
        }
        catalog
    }
}

impl DdlStore for Twin {
    type Fault = Infallible;

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.rows.get(key).cloned())
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Infallible> {
        self.rows.insert(key, value);
        Ok(())
    }

    fn delete(&mut self, key: Vec<u8>) -> Result<(), Infallible> {
        self.rows.remove(&key);
        Ok(())
    }

    fn delete_range(&mut self, start: Vec<u8>, end: Vec<u8>) -> Result<(), Infallible> {
        self.rows.retain(|key, _| *key < start || (!end.is_empty() && *key >= end));
        Ok(())
    }

    fn installed(&self, table: TableId) -> Option<Arc<TableDescriptor>> {
        self.tables.get(&table).cloned()
    }

    fn install(&mut self, table: Arc<TableDescriptor>) -> Result<(), Infallible> {
        self.rows.insert(local::installed(self.shard(), table.id.0), table.to_bytes());
        self.tables.insert(table.id, table);
        Ok(())
    }

    fn uninstall(&mut self, table: &TableDescriptor) -> Result<(), Infallible> {
        self.rows.remove(&local::installed(self.shard(), table.id.0));
        self.tables.remove(&table.id);
        Ok(())
    }

    fn shard(&self) -> ShardId {
        ShardId(self.shard)
    }

    fn is_alone(&self) -> bool {
        !self.has_others
    }

    fn rollout(&self, table: TableId) -> Option<Rollout> {
        self.rollouts.get(&table).cloned()
    }

    fn put_rollout(&mut self, rollout: Rollout) -> Result<(), Infallible> {
        self.rows.insert(system::rollout(rollout.table.id.0), rollout.to_bytes());
        self.rollouts.insert(rollout.table.id, rollout);
        Ok(())
    }

    fn end_rollout(&mut self, table: TableId) -> Result<(), Infallible> {
        self.rows.remove(&system::rollout(table.0));
        self.rollouts.remove(&table);
        Ok(())
    }

    fn era(&self) -> u64 {
        self.era
    }

    fn set_era(&mut self, era: u64) -> Result<(), Infallible> {
        self.era = era;
        Ok(())
    }

    fn ranges(&self) -> Vec<TokenRange> {
        vec![TokenRange::FULL]
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn corrupt(error: DecodeError) -> Infallible {
        panic!("the twin's rows are its own: {error}")
    }
}
