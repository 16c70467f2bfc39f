//! The shard as catalog commands see it.

use std::sync::Arc;

use shard_router::{ShardId, TokenRange};

use super::ddl::DdlStore;
use super::{Applier, Fault};
use crate::catalog::{TableDescriptor, TableId};
use crate::codec::DecodeError;
use crate::keyspace::{RowRange, local};

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
        self.overlay.delete_range(RowRange { start, end });
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
        self.overlay.put(local::installed(self.shard.id, table.id.0), table.to_bytes());
        self.shard.tables.insert(table.id, table);
        Ok(())
    }

    fn uninstall(&mut self, table: &TableDescriptor) -> Result<(), Fault> {
        self.overlay.delete(local::installed(self.shard.id, table.id.0));
        self.shard.tables.remove(&table.id);
        self.forget_counters(table.id.0);
        table.indexes.iter().for_each(|index| self.forget_counters(index.id.0));
        Ok(())
    }

    fn shard(&self) -> ShardId {
        self.shard.id
    }

    fn ranges(&self) -> Vec<TokenRange> {
        self.shard.ranges()
    }

    fn now_ms(&self) -> u64 {
        self.stamped_ms
    }

    fn corrupt(error: DecodeError) -> Fault {
        Fault::Record(error)
    }
}

impl Applier<'_> {
    /// The counters in memory go with the rows, which the command removes.
    fn forget_counters(&mut self, id: u64) {
        self.shard.stats.remove(&id);
        self.counted.remove(&id);
    }
}
