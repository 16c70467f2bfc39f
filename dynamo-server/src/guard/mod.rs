//! LeaseGuard: the one way from a read plan to a view.
//!
//! A plan says exactly which shards it reads ([`Fence`](dynamo_engine::read::Fence)). For each of them, once, the guard
//! makes sure that the state here may be believed, in this order:
//!
//! 1. *lease*: nobody else leads the shard. Two atomic loads and a look at the clock; without a lease one round to a
//!    quorum, shared by everybody who waits.
//! 2. *locks*: no prepared transaction holds anything. One atomic load while there are none.
//! 3. *view*: only now the state is looked at. A pause between the steps makes the view newer, never older.
//!
//! Whoever fails gets one error, and nothing of an answer was made by then.

mod counters;

use std::sync::Arc;

use dynamo_engine::read::ReadError;
use dynamo_protocol::error::ApiError;
use futures::future::try_join_all;

pub use counters::GuardCounters;

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

/// Why a read gave no body.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// A table of the plan is no longer installed as it was planned: plan again.
    #[error("the plan was made for another version of a table")]
    Stale,
    /// The shards' state cannot be believed now.
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
            // Too long for the calling thread: the caller goes on elsewhere, so this never ends a request.
            ReadFailure::Read(
                ReadError::Store(_) | ReadError::Corrupt(_) | ReadError::TooLong | ReadError::Missing(_),
            )
            | ReadFailure::Stale => ApiError::internal(),
        }
    }
}

/// The guard of a node.
#[derive(Debug, Default)]
pub struct LeaseGuard {
    mode: ReadMode,
    counters: GuardCounters,
}

impl LeaseGuard {
    /// A guard that confirms in this way.
    pub fn new(mode: ReadMode) -> Self {
        LeaseGuard { mode, counters: GuardCounters::default() }
    }

    /// What it has done so far.
    pub fn counters(&self) -> &GuardCounters {
        &self.counters
    }

    /// Makes sure that the state of these shards may be read now. Each is checked once, all at the same time; the
    /// first error ends the others.
    ///
    /// # Errors
    /// When a shard cannot be believed within the deadline.
    pub async fn pass<E: Env>(&self, shards: &[Arc<Shard<E>>], deadline: Deadline) -> Result<(), ShardError> {
        let missed = self.missed(shards);
        if missed.is_empty() {
            return Ok(());
        }
        let mut misses = Vec::with_capacity(missed.len());
        for shard in missed {
            misses.push(self.miss(shard, deadline));
        }
        try_join_all(misses).await.map(|_| ())
    }

    /// The shards that no lease lets through. Nothing is allocated while there are none.
    fn missed<E: Env>(&self, shards: &[Arc<Shard<E>>]) -> Vec<Arc<Shard<E>>> {
        let mut missed = Vec::new();
        for shard in shards {
            if !self.hit(shard) {
                missed.push(Arc::clone(shard));
            }
        }
        missed
    }

    #[inline]
    fn hit<E: Env>(&self, shard: &Shard<E>) -> bool {
        let is_hit = self.mode == ReadMode::Lease && shard.has_lease() && shard.group().published().locks() == 0;
        if is_hit {
            self.counters.hit();
        }
        is_hit
    }

    async fn miss<E: Env>(&self, shard: Arc<Shard<E>>, deadline: Deadline) -> Result<(), ShardError> {
        let began_ns = E::monotonic_ns();
        let confirmed = shard.confirm(deadline).await;
        self.counters.miss(&confirmed, E::monotonic_ns().saturating_sub(began_ns));
        confirmed?;
        // Locks are resolved here once transactions span shards; until then nothing takes one.
        match shard.group().published().locks() {
            0 => Ok(()),
            _ => Err(ShardError::NotConfirmed),
        }
    }
}
