//! A read's way through the node: fence, guard, view, execute.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dynamo_engine::catalog::{Catalog, LoadError, TableDescriptor, TableStats};
use dynamo_engine::item::Corrupt;
use dynamo_engine::read::{Fence, ReadError, ReadPlan};
use futures::future::{try_join, try_join_all};
use ordered_kv::{Reader, StateStore};
use shard_router::ShardId;
use tokio::sync::OwnedSemaphorePermit;

use super::Node;
use super::counters::StoreReads;
use crate::env::Env;
use crate::guard::ReadFailure;
use crate::shard::{Deadline, Shard, ShardError};

impl<E: Env> Node<E> {
    /// Runs a read plan and gives the body of its reply.
    ///
    /// The plan's tables must still be installed as they were planned; the shards that it fences are checked once each;
    /// only then the state is looked at. What is in memory is read in place; what needs the disk goes to the blocking
    /// pool.
    ///
    /// # Errors
    /// [`ReadFailure::Stale`] asks for another plan; everything else is final.
    pub async fn read(&self, plan: ReadPlan, deadline: Deadline) -> Result<Vec<u8>, ReadFailure> {
        if self.fault.reason().is_some() {
            return Err(ShardError::Stopped.into());
        }
        self.pass(&self.fenced(&plan.fence()), deadline).await?;
        if !self.is_current(&plan) {
            return Err(ReadFailure::Stale);
        }
        if plan.is_short() {
            match self.read_cached(&plan) {
                Err(error) if error.is_not_cached() => {}
                result => return Ok(result?),
            }
        }
        self.read_blocking(plan, deadline).await
    }

    /// Makes sure that the catalog installed here is as new as this moment: what it does not know afterwards does not
    /// exist.
    ///
    /// # Errors
    /// When the system group cannot confirm it within the deadline.
    pub async fn refresh_catalog(&self, deadline: Deadline) -> Result<(), ShardError> {
        self.catch_up(self.system(), deadline).await
    }

    /// How many items and bytes a table and its indexes have, over all shards.
    ///
    /// # Errors
    /// When a shard cannot be believed within the deadline, or the counts cannot be read.
    pub async fn table_stats(&self, table: &TableDescriptor, deadline: Deadline) -> Result<TableStats, ReadFailure> {
        self.pass(&self.fenced(&Fence::All), deadline).await?;
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

    /// Makes sure that the state of these shards on this node may be read now, each once and all at the same time: by
    /// this node's lease, or where another node leads by catching up with it.
    async fn pass(&self, shards: &[Arc<Shard<E>>], deadline: Deadline) -> Result<(), ShardError> {
        if self.is_alone {
            return self.guard.pass(shards, deadline).await;
        }
        let mut led = Vec::with_capacity(shards.len());
        let mut others = Vec::new();
        for shard in shards {
            match shard.group().lease().leading_term() {
                Some(_) => led.push(Arc::clone(shard)),
                None => others.push(self.catch_up(shard, deadline)),
            }
        }
        try_join(self.guard.pass(&led, deadline), try_join_all(others)).await.map(|_| ())
    }

    /// The shards of a fence, each once. Where there is only one nothing is looked up or allocated.
    fn fenced(&self, fence: &Fence) -> Cow<'_, [Arc<Shard<E>>]> {
        match fence {
            Fence::Keys(tokens) if self.shards.len() > 1 => {
                let mut shards: Vec<_> = tokens.iter().map(|token| Arc::clone(self.shard_of(*token))).collect();
                shards.sort_by_key(|shard| shard.id());
                shards.dedup_by_key(|shard| shard.id());
                Cow::Owned(shards)
            }
            Fence::Ranges(ranges) if self.shards.len() > 1 => {
                let owners = ranges.iter().flat_map(|range| self.map.owners(*range));
                let numbers: BTreeSet<ShardId> = owners.map(|owner| owner.shard).collect();
                Cow::Owned(numbers.into_iter().map(|shard| Arc::clone(&self.shards[shard.0 as usize])).collect())
            }
            Fence::Keys(_) | Fence::Ranges(_) | Fence::All => Cow::Borrowed(&self.shards[..]),
        }
    }

    /// Whether the plan's tables are installed as they were planned.
    fn is_current(&self, plan: &ReadPlan) -> bool {
        let catalog = self.catalog();
        plan.tables().into_iter().all(|planned| {
            catalog.table(&planned.name).is_some_and(|installed| {
                Arc::ptr_eq(&installed, planned)
                    || (installed.id == planned.id && installed.schema_version == planned.schema_version)
            })
        })
    }

    /// On the memory-only tier of the store, without leaving the calling thread.
    fn read_cached(&self, plan: &ReadPlan) -> Result<Vec<u8>, ReadError> {
        let state = &*self.stores.state;
        if plan.needs_view() {
            execute_inline(plan, &*state.view_cached(), &self.reads)
        } else {
            execute_inline(plan, state.cached(), &self.reads)
        }
    }

    async fn read_blocking(&self, plan: ReadPlan, deadline: Deadline) -> Result<Vec<u8>, ReadFailure> {
        let place = E::timeout(deadline.remaining::<E>(), Arc::clone(&self.blocking).acquire_owned()).await;
        let Some(Ok(place)) = place else { return Err(ShardError::Overloaded.into()) };
        self.reads.blocking.fetch_add(1, Ordering::Relaxed);
        let read =
            BlockingRead { plan, state: Arc::clone(&self.stores.state), reads: Arc::clone(&self.reads), _place: place };
        Ok(E::blocking(move || read.run()).await?)
    }
}

/// A read that may wait for the disk, with its place in the pool.
struct BlockingRead {
    plan: ReadPlan,
    state: Arc<dyn StateStore>,
    reads: Arc<StoreReads>,
    _place: OwnedSemaphorePermit,
}

impl BlockingRead {
    fn run(self) -> Result<Vec<u8>, ReadError> {
        if self.plan.needs_view() {
            execute(&self.plan, &*self.state.view(), &self.reads)
        } else {
            execute(&self.plan, newest(&*self.state), &self.reads)
        }
    }
}

fn execute_inline(plan: &ReadPlan, reader: &dyn Reader, reads: &StoreReads) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    plan.execute_inline(&(&reads.count(reader) as &dyn Reader), &mut body)?;
    Ok(body)
}

fn execute(plan: &ReadPlan, reader: &dyn Reader, reads: &StoreReads) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    plan.execute(&(&reads.count(reader) as &dyn Reader), &mut body)?;
    Ok(body)
}

/// The store's newest state as a reader.
fn newest(state: &dyn StateStore) -> &dyn Reader {
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::TokioEnv;

    /// The front runs requests as tasks; a future that is not `Send` would only be noticed there.
    #[allow(dead_code)]
    fn reads_can_be_tasks(node: &Node<TokioEnv>, plan: ReadPlan, deadline: Deadline) {
        fn is_send<T: Send>(_: T) {}
        is_send(node.read(plan, deadline));
    }
}
