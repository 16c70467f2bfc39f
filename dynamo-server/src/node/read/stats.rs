//! How much a table holds, over all shards.

use dynamo_engine::catalog::{LoadError, TableDescriptor, TableStats};
use dynamo_engine::item::Corrupt;
use dynamo_engine::read::ReadError;

use super::run::newest;
use crate::env::Env;
use crate::guard::ReadFailure;
use crate::node::Node;

impl<E: Env> Node<E> {
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
        for shard in &self.shards {
            let reader = self.reads.count(newest(&*self.stores.state));
            let stats = TableStats::read(&reader, shard.id(), table).map_err(|error| {
                self.faulty(match error {
                    LoadError::Store(error) => ReadError::Store(error),
                    LoadError::Decode(_) => ReadError::Corrupt(Corrupt("a row of counts")),
                })
            })?;
            sum.add(&stats);
        }
        Ok(sum)
    }
}
