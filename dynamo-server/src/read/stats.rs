//! How much a table holds, over all shards.

use dynamo_engine::catalog::{LoadError, TableDescriptor, TableStats};
use dynamo_engine::item::Corrupt;
use dynamo_engine::read::ReadError;

use super::Reader;
use crate::env::Env;
use crate::guard::ReadFailure;

impl<E: Env> Reader<E> {
    /// How many items and bytes a table and its indexes have, over all shards, as this node's replicas of them know.
    ///
    /// Nobody is asked: of shards led elsewhere the counts may be some writes old, as the service's are by hours, and so
    /// a table can be described while one of its shards has no leader. On a node that leads all its shards they are
    /// exact.
    ///
    /// # Errors
    /// When the counts cannot be read.
    pub fn table_stats(&self, table: &TableDescriptor) -> Result<TableStats, ReadFailure> {
        let mut sum = TableStats::default();
        for shard in &self.router.shards {
            let reader = self.runner.newest();
            let stats = TableStats::read(&reader, shard.id(), table).map_err(|error| {
                self.runner.faulty(match error {
                    LoadError::Store(error) => ReadError::Store(error),
                    LoadError::Decode(_) => ReadError::Corrupt(Corrupt("a row of counts")),
                })
            })?;
            sum.add(&stats);
        }
        Ok(sum)
    }
}
