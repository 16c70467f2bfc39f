//! How much a table holds, over all shards.

use std::sync::Arc;

use dynamo_engine::catalog::{LoadError, TableDescriptor, TableStats};
use dynamo_engine::item::Corrupt;
use dynamo_engine::read::ReadError;
use futures::future::{try_join, try_join_all};

use super::run::newest;
use crate::env::Env;
use crate::guard::{Handler, ReadFailure};
use crate::node::Node;
use crate::shard::{Deadline, Shard, ShardError};

impl<E: Env> Node<E> {
    /// How many items and bytes a table and its indexes have, over all shards.
    ///
    /// # Errors
    /// When a shard cannot be believed within the deadline, or the counts cannot be read.
    pub async fn table_stats(&self, table: &TableDescriptor, deadline: Deadline) -> Result<TableStats, ReadFailure> {
        self.show_all(&self.shards, deadline).await?;
        let mut sum = TableStats::default();
        for shard in &self.shards {
            let reader = self.reads.count(newest(&*self.stores.state));
            let stats = TableStats::read(&reader, shard.id(), table).map_err(|error| match error {
                LoadError::Store(error) => ReadError::Store(error),
                LoadError::Decode(_) => ReadError::Corrupt(Corrupt("a row of counts")),
            })?;
            sum.add(&stats);
        }
        Ok(sum)
    }

    /// Makes sure that the state of these shards on this node shows everything acknowledged before, each once and all at
    /// the same time: by this node's lease, or where another node leads by catching up with it.
    async fn show_all(&self, shards: &[Arc<Shard<E>>], deadline: Deadline) -> Result<(), ShardError> {
        if self.is_alone {
            return self.guard.pass(Handler::Catalog, shards, deadline).await;
        }
        let mut led = Vec::with_capacity(shards.len());
        let mut others = Vec::new();
        for shard in shards {
            match shard.group().lease().leading_term() {
                Some(_) => led.push(Arc::clone(shard)),
                None => others.push(self.catch_up(shard, deadline)),
            }
        }
        try_join(self.guard.pass(Handler::Catalog, &led, deadline), try_join_all(others)).await.map(|_| ())
    }
}
