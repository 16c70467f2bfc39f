//! A read's way through the node: fence, guard, view, execute.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dynamo_engine::catalog::{Catalog, LoadError, TableDescriptor, TableStats};
use dynamo_engine::item::Corrupt;
use dynamo_engine::read::{Fence, ReadError, ReadPlan};
use ordered_kv::{Reader, StateStore};

use super::Node;
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
        self.guard.pass(&self.fenced(&plan.fence()), deadline).await?;
        if !self.is_current(&plan) {
            return Err(ReadFailure::Stale);
        }
        if plan.is_point_reads() {
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
        self.guard.pass(&[&**self.system()], deadline).await
    }

    /// How many items and bytes a table and its indexes have, over all shards.
    ///
    /// # Errors
    /// When a shard cannot be believed within the deadline, or the counts cannot be read.
    pub async fn table_stats(&self, table: &TableDescriptor, deadline: Deadline) -> Result<TableStats, ReadFailure> {
        self.guard.pass(&self.fenced(&Fence::All), deadline).await?;
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

    /// The shards of a fence, each once.
    fn fenced(&self, fence: &Fence) -> Vec<&Shard<E>> {
        let mut shards: Vec<&Shard<E>> = match fence {
            Fence::Keys(tokens) => tokens.iter().map(|token| &**self.shard_of(*token)).collect(),
            Fence::Ranges(_) | Fence::All => self.shards.iter().map(|shard| &**shard).collect(),
        };
        shards.sort_by_key(|shard| shard.id());
        shards.dedup_by_key(|shard| shard.id());
        shards
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
        if plan.needs_view() { self.execute(plan, &*state.view_cached()) } else { self.execute(plan, state.cached()) }
    }

    async fn read_blocking(&self, plan: ReadPlan, deadline: Deadline) -> Result<Vec<u8>, ReadFailure> {
        let place = E::timeout(deadline.remaining::<E>(), Arc::clone(&self.blocking).acquire_owned()).await;
        let Some(Ok(place)) = place else { return Err(ShardError::Overloaded.into()) };
        self.reads.blocking.fetch_add(1, Ordering::Relaxed);
        let state = Arc::clone(&self.stores.state);
        let reads = Arc::clone(&self.reads);
        let body = E::blocking(move || {
            let _place = place;
            let execute = |reader: &dyn Reader| {
                let mut body = Vec::new();
                plan.execute(&(&reads.count(reader) as &dyn Reader), &mut body).map(|()| body)
            };
            if plan.needs_view() { execute(&*state.view()) } else { execute(newest(&*state)) }
        })
        .await?;
        Ok(body)
    }

    fn execute(&self, plan: &ReadPlan, reader: &dyn Reader) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        plan.execute(&(&self.reads.count(reader) as &dyn Reader), &mut body)?;
        Ok(body)
    }
}

/// The store's newest state as a reader.
fn newest(state: &dyn StateStore) -> &dyn Reader {
    state
}
