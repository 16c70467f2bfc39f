//! A shard for the tests of this module: a map of rows and the installed descriptors.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use shard_router::{ShardId, TokenRange};

use crate::apply::ddl::DdlStore;
use crate::catalog::{EndedStream, MemoryCatalog, Rollout, TableDescriptor, TableId, TablePhase};
use crate::codec::DecodeError;
use crate::keyspace::{local, system};
use crate::stream::StreamId;

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
    /// Streams that are over.
    pub ended_streams: BTreeMap<StreamId, Arc<EndedStream>>,
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
        self.ended_streams.values().for_each(|stream| catalog.insert_ended_stream(Arc::clone(stream)));
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

    fn end_stream(&mut self, stream: EndedStream) -> Result<(), Infallible> {
        self.rows.insert(system::ended_stream(stream.id), stream.to_bytes());
        self.ended_streams.insert(stream.id, Arc::new(stream));
        Ok(())
    }

    fn forget_stream(&mut self, stream: StreamId) -> Result<bool, Infallible> {
        self.rows.remove(&system::ended_stream(stream));
        Ok(self.ended_streams.remove(&stream).is_some())
    }

    fn newest_ended_stream(&self, table_name: &str) -> Option<u64> {
        let of_name = self.ended_streams.values().filter(|stream| stream.table_name == table_name);
        of_name.map(|stream| stream.id.since_ms).max()
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
