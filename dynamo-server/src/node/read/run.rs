//! Running what was fenced: in place while memory has it, in the blocking pool where the disk is needed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dynamo_engine::catalog::MemoryCatalog;
use dynamo_engine::read::remote::{Need, Supplied, Supply};
use dynamo_engine::read::{Execution, ReadError, ShardViews, Step, Views};
use ordered_kv::{Reader, StateStore};
use shard_router::{ShardId, TokenRange};
use tokio::sync::OwnedSemaphorePermit;

use crate::env::Env;
use crate::guard::ReadFailure;
use crate::node::Node;
use crate::node::counters::StoreReads;
use crate::shard::{Deadline, Shard, ShardError};

/// What an execution reads from.
pub(super) enum Sources {
    /// The store of this node has everything.
    Here,
    /// By parts of the ring: what was supplied, or the store of this node.
    Parts(Vec<(Vec<TokenRange>, Option<Supplied>)>),
}

/// Where a run may wait.
#[derive(Clone, Copy)]
enum Pace {
    /// Nowhere, and not take long.
    Inline,
    /// For the disk.
    Blocking,
}

impl Sources {
    /// Whether nothing is read from the store.
    fn are_supplied(&self) -> bool {
        match self {
            Sources::Here => false,
            Sources::Parts(parts) => parts.iter().all(|(_, supplied)| supplied.is_some()),
        }
    }

    fn advance(&self, read: &mut Execution, here: &dyn Reader, pace: Pace) -> Result<Step, ReadError> {
        match self {
            Sources::Here => advance(read, &here, pace),
            Sources::Parts(parts) => {
                let mut views = ShardViews::new();
                for (tokens, supplied) in parts {
                    let reader = supplied.as_ref().map_or(here, |supplied| supplied as &dyn Reader);
                    tokens.iter().for_each(|tokens| views.insert(*tokens, reader));
                }
                advance(read, &views, pace)
            }
        }
    }
}

fn advance(read: &mut Execution, views: &dyn Views, pace: Pace) -> Result<Step, ReadError> {
    match pace {
        Pace::Inline => read.advance_inline(views),
        Pace::Blocking => read.advance(views),
    }
}

impl<E: Env> Node<E> {
    /// Goes on with an execution whose next shards are fenced.
    pub(super) async fn advance(
        &self,
        mut read: Execution,
        sources: Sources,
        deadline: Deadline,
    ) -> Result<(Execution, Step), ReadFailure> {
        if read.plan().is_short() || sources.are_supplied() {
            let state = &*self.stores.state;
            let advanced = match read.plan().needs_view() {
                true => sources.advance(&mut read, &self.reads.count(&*state.view_cached()), Pace::Inline),
                false => sources.advance(&mut read, &self.reads.count(state.cached()), Pace::Inline),
            };
            match advanced {
                Err(error) if error.is_not_cached() => {}
                advanced => return Ok((read, advanced?)),
            }
        }
        let place = self.blocking_place(deadline).await?;
        let run = BlockingRead { read, sources, store: self.pooled(place) };
        Ok(E::blocking(move || run.run()).await?)
    }

    /// Reads what is needed of a shard that is fenced.
    pub(super) async fn serve(
        &self,
        shard: &Arc<Shard<E>>,
        need: Need,
        deadline: Deadline,
    ) -> Result<Supply, ReadFailure> {
        let state = &*self.stores.state;
        let installed = shard.group().published().catalog();
        let served = match need.needs_view() {
            true => need.serve_inline(shard.id(), &self.reads.count(&*state.view_cached()), &*installed),
            false => need.serve_inline(shard.id(), &self.reads.count(state.cached()), &*installed),
        };
        match served {
            Err(error) if error.is_not_cached() => {}
            served => return Ok(served?),
        }
        let place = self.blocking_place(deadline).await?;
        let run = BlockingServe { need, shard: shard.id(), installed, store: self.pooled(place) };
        Ok(E::blocking(move || run.run()).await?)
    }

    async fn blocking_place(&self, deadline: Deadline) -> Result<OwnedSemaphorePermit, ShardError> {
        let place = E::timeout(deadline.remaining::<E>(), Arc::clone(&self.blocking).acquire_owned()).await;
        let Some(Ok(place)) = place else { return Err(ShardError::Overloaded) };
        self.reads.blocking.fetch_add(1, Ordering::Relaxed);
        Ok(place)
    }

    fn pooled(&self, place: OwnedSemaphorePermit) -> PooledStore {
        PooledStore { state: Arc::clone(&self.stores.state), reads: Arc::clone(&self.reads), _place: place }
    }
}

/// The store for a read that may wait for the disk, with the read's place in the pool.
struct PooledStore {
    state: Arc<dyn StateStore>,
    reads: Arc<StoreReads>,
    _place: OwnedSemaphorePermit,
}

struct BlockingRead {
    read: Execution,
    sources: Sources,
    store: PooledStore,
}

impl BlockingRead {
    fn run(mut self) -> Result<(Execution, Step), ReadError> {
        let PooledStore { state, reads, .. } = &self.store;
        let step = match self.read.plan().needs_view() {
            true => self.sources.advance(&mut self.read, &reads.count(&*state.view()), Pace::Blocking)?,
            false => self.sources.advance(&mut self.read, &reads.count(newest(&**state)), Pace::Blocking)?,
        };
        Ok((self.read, step))
    }
}

struct BlockingServe {
    need: Need,
    shard: ShardId,
    installed: Arc<MemoryCatalog>,
    store: PooledStore,
}

impl BlockingServe {
    fn run(self) -> Result<Supply, ReadError> {
        let PooledStore { state, reads, .. } = &self.store;
        match self.need.needs_view() {
            true => self.need.serve(self.shard, &reads.count(&*state.view()), &*self.installed),
            false => self.need.serve(self.shard, &reads.count(newest(&**state)), &*self.installed),
        }
    }
}

/// The store's newest state as a reader.
pub(super) fn newest(state: &dyn StateStore) -> &dyn Reader {
    state
}
