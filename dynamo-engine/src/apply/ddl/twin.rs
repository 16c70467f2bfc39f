//! A shard for the tests of this module: a map of rows and the installed descriptors.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use shard_router::{ShardId, TokenRange};

use crate::apply::ddl::DdlStore;
use crate::catalog::{TableDescriptor, TableId};
use crate::codec::DecodeError;
use crate::keyspace::local;

/// Shard 0 of one, at a time that the test sets.
#[derive(Default)]
pub struct Twin {
    /// All rows.
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Installed descriptors.
    pub tables: BTreeMap<TableId, Arc<TableDescriptor>>,
    /// The stamp of the next command.
    pub now_ms: u64,
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
        ShardId(0)
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
