//! LeaseGuard: the one way from a read plan to a view.
//!
//! A plan says exactly which shards it reads ([`ReadSet`](dynamo_engine::read::ReadSet)). For each of them, once, the guard
//! of the node that leads it makes sure that its state is current, in this order:
//!
//! 1. *lease*: nobody else leads the shard. Two atomic loads and a look at the clock; without a lease one round to a
//!    quorum, shared by everybody who waits.
//! 2. *locks*: no prepared transaction holds what is read. One atomic load while there are none.
//! 3. *view*: only now the state is looked at. A pause between the steps makes the view newer, never older.
//!
//! The first step is this module's; the others are taken where the read runs (`read`), here or on the node that
//! leads the shard, with the number and the epoch of the shard carried from the first step to the last.
//!
//! A failed check returns one error; no partial response exists.

mod counters;
pub mod fault;
mod handler;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::read::ReadError;
use dynamo_protocol::error::ApiError;
use futures::future::try_join_all;

pub use counters::{Checks, GuardCounters};
pub use handler::Handler;

use crate::env::Env;
use crate::shard::{Deadline, Shard, ShardError};

/// How reads make sure that this node still leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadMode {
    /// By the lease, and by a quorum where there is none.
    #[default]
    Lease,
    /// Always by a quorum: for machines whose time may stop without their knowing (a virtual machine that is paused
    /// or restored), which no lease survives.
    ReadIndex,
}

/// Who answers reads that are not to be strongly consistent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventualReads {
    /// The leader, as for consistent ones: with a lease that costs nothing.
    #[default]
    Leader,
    /// Any replica that knows to show everything acknowledged [`REPLICA_AGE_MAX`] ago.
    AnyReplica,
}

/// How old the state may be from which [`EventualReads::AnyReplica`] answers. Several heartbeats: the leader says with each
/// how far its followers must have come (`raft/lease/freshness.rs`).
pub const REPLICA_AGE_MAX: Duration = Duration::from_secs(1);

/// Why a read gave no body.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// A table of the plan is no longer installed as it was planned: plan again.
    #[error("the plan was made for another version of a table")]
    Stale,
    /// The shards' state is not known to be current.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The plan's execution.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl ReadFailure {
    /// What the client is told.
    pub fn into_api_error(self) -> ApiError {
        match self {
            ReadFailure::Shard(error) => error.into_api_error(),
            ReadFailure::Read(ReadError::Client(error)) => error,
            ReadFailure::Read(ReadError::NoRoom) => ApiError::throughput_exceeded(),
            // Too long for the calling thread, or a view that is to be fetched: the caller goes on, so this never ends
            // a request.
            ReadFailure::Read(
                ReadError::Store(_)
                | ReadError::Corrupt(_)
                | ReadError::TooLong
                | ReadError::Missing(_)
                | ReadError::Abandoned,
            )
            | ReadFailure::Stale => ApiError::internal(),
        }
    }
}

/// The guard of a node.
#[derive(Debug)]
pub struct LeaseGuard {
    /// Whether leases count, or a quorum is asked each time.
    mode: ReadMode,
    /// What it has checked.
    counters: GuardCounters,
    /// What tests inject.
    faults: fault::Faults,
}

impl LeaseGuard {
    /// The guard of a node with so many shards, which confirms in this way.
    pub fn new(mode: ReadMode, shards: usize) -> Self {
        LeaseGuard { mode, counters: GuardCounters::new(shards), faults: fault::Faults::default() }
    }

    /// What it has done so far.
    pub fn counters(&self) -> &GuardCounters {
        &self.counters
    }

    /// The faults that are injected into it.
    pub fn faults(&self) -> &fault::Faults {
        &self.faults
    }

    /// Makes sure that this node leads these shards and that their state here shows everything acknowledged before.
    /// Each is checked once, all at the same time; the first error ends the others.
    ///
    /// # Errors
    /// A quorum did not confirm within the deadline that a shard's state is current.
    pub async fn pass<E: Env>(
        &self,
        handler: Handler,
        shards: &[Arc<Shard<E>>],
        deadline: Deadline,
    ) -> Result<(), ShardError> {
        let is_first = |at: usize| shards[..at].iter().all(|shard| shard.id() != shards[at].id());
        debug_assert!((0..shards.len()).all(is_first), "each shard is checked once");
        let missed = self.missed(handler, shards);
        if missed.is_empty() {
            return Ok(());
        }
        let mut misses = Vec::with_capacity(missed.len());
        for shard in missed {
            misses.push(self.miss(handler, shard, deadline));
        }
        try_join_all(misses).await.map(|_| ())
    }

    /// The shards that no lease lets through. Nothing is allocated while there are none.
    fn missed<E: Env>(&self, handler: Handler, shards: &[Arc<Shard<E>>]) -> Vec<Arc<Shard<E>>> {
        let mut missed = Vec::new();
        for shard in shards {
            if !self.hit(handler, shard) {
                missed.push(Arc::clone(shard));
            }
        }
        missed
    }

    /// Whether the lease of a shard lets a read through at once; counts it where it does.
    #[inline]
    fn hit<E: Env>(&self, handler: Handler, shard: &Shard<E>) -> bool {
        let is_hit = self.holds(handler, shard);
        if is_hit {
            self.count_hit(handler, shard);
        }
        is_hit
    }

    /// Whether the lease of a shard lets reads through at this moment.
    #[inline]
    pub fn holds<E: Env>(&self, handler: Handler, shard: &Shard<E>) -> bool {
        self.faults.lets_hit(shard.id(), handler) && self.mode == ReadMode::Lease && shard.has_lease()
    }

    /// A read was let through by the lease of a shard.
    #[inline]
    pub fn count_hit<E: Env>(&self, handler: Handler, shard: &Shard<E>) {
        self.counters.hit(shard.id(), handler);
    }

    async fn miss<E: Env>(&self, handler: Handler, shard: Arc<Shard<E>>, deadline: Deadline) -> Result<(), ShardError> {
        let began_ns = E::monotonic_ns();
        let confirmed = self.confirm(handler, &shard, deadline).await;
        self.counters.miss(shard.id(), handler, &confirmed, E::monotonic_ns().saturating_sub(began_ns));
        confirmed.map(|_| ())
    }

    async fn confirm<E: Env>(
        &self,
        handler: Handler,
        shard: &Shard<E>,
        deadline: Deadline,
    ) -> Result<bool, ShardError> {
        self.faults.meet::<E>(shard.id(), handler, deadline).await?;
        shard.confirm(self.mode == ReadMode::Lease, deadline).await
    }
}
