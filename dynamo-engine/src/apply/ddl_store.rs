//! The shard as catalog commands see it.

use std::sync::Arc;

use shard_router::{ShardId, TokenRange};

use super::ddl::DdlStore;
use super::{Applier, Fault};
use crate::catalog::{EndedStream, Rollout, TableDescriptor, TableId};
use crate::codec::DecodeError;
use crate::keyspace::{RowRange, local, system};
use crate::stream::StreamId;

impl DdlStore for Applier<'_> {
    type Fault = Fault;

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.overlay.get(key)?.map(|value| value.to_vec()))
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Fault> {
        self.overlay.put(key, value);
        Ok(())
    }

    fn delete(&mut self, key: Vec<u8>) -> Result<(), Fault> {
        self.overlay.delete(key);
        Ok(())
    }

    fn delete_range(&mut self, start: Vec<u8>, end: Vec<u8>) -> Result<(), Fault> {
        self.empty(RowRange { start, end });
        Ok(())
    }

    fn installed(&self, table: TableId) -> Option<Arc<TableDescriptor>> {
        self.shard.tables.get(&table).cloned()
    }

    fn install(&mut self, table: Arc<TableDescriptor>) -> Result<(), Fault> {
        if let Some(before) = self.shard.tables.get(&table.id).cloned() {
            let gone = before.indexes.iter().filter(|index| table.index_by_id(index.id).is_none());
            gone.for_each(|index| self.forget_counters(index.id.0));
        }
        let before = self.shard.tables.get(&table.id).and_then(|before| before.stream_id());
        self.follow_stream(before, table.stream_id());
        self.overlay.put(local::installed(self.shard.id, table.id.0), table.to_bytes());
        self.shard.tables.insert(table.id, table);
        Ok(())
    }

    fn uninstall(&mut self, table: &TableDescriptor) -> Result<(), Fault> {
        self.overlay.delete(local::installed(self.shard.id, table.id.0));
        self.shard.tables.remove(&table.id);
        self.follow_stream(table.stream_id(), None);
        // The locks' rows go with the table's ranges.
        self.shard.locks.drop_table(table.id);
        self.forget_counters(table.id.0);
        table.indexes.iter().for_each(|index| self.forget_counters(index.id.0));
        Ok(())
    }

    fn is_alone(&self) -> bool {
        self.shard.is_alone()
    }

    fn rollout(&self, table: TableId) -> Option<Rollout> {
        self.shard.rollouts.get(&table).cloned()
    }

    fn put_rollout(&mut self, rollout: Rollout) -> Result<(), Fault> {
        self.overlay.put(system::rollout(rollout.table.id.0), rollout.to_bytes());
        self.shard.rollouts.insert(rollout.table.id, rollout);
        Ok(())
    }

    fn end_rollout(&mut self, table: TableId) -> Result<(), Fault> {
        self.overlay.delete(system::rollout(table.0));
        self.shard.rollouts.remove(&table);
        Ok(())
    }

    fn era(&self) -> u64 {
        self.shard.era
    }

    fn set_era(&mut self, era: u64) -> Result<(), Fault> {
        self.shard.era = era;
        self.overlay.put(local::era(self.shard.id), self.shard.encode_era());
        Ok(())
    }

    fn end_stream(&mut self, stream: EndedStream) -> Result<(), Fault> {
        self.overlay.put(system::ended_stream(stream.id), stream.to_bytes());
        self.shard.ended_streams.insert(stream.id, Arc::new(stream));
        Ok(())
    }

    fn forget_stream(&mut self, stream: StreamId) -> Result<bool, Fault> {
        let is_known = self.shard.ended_streams.remove(&stream).is_some();
        if is_known {
            self.overlay.delete(system::ended_stream(stream));
        }
        Ok(is_known)
    }

    fn newest_ended_stream(&self, table_name: &str) -> Option<u64> {
        let of_name = self.shard.ended_streams.values().filter(|stream| stream.table_name == table_name);
        of_name.map(|stream| stream.id.since_ms).max()
    }

    fn shard(&self) -> ShardId {
        self.shard.id
    }

    fn ranges(&self) -> Vec<TokenRange> {
        self.shard.ranges()
    }

    fn now_ms(&self) -> u64 {
        self.entry.stamped_ms
    }

    fn corrupt(error: DecodeError) -> Fault {
        Fault::Record(error)
    }
}

impl Applier<'_> {
    /// The counters in memory go with the rows, which the command removes.
    fn forget_counters(&mut self, id: u64) {
        self.shard.stats.remove(&id);
        self.entry.counted.remove(&id);
    }
}
