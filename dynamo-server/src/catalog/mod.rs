//! Rollout of table changes: what the system group has decided is carried out on every shard.
//!
//! A change of the catalog is one command to the system group, but most changes go on: every other shard has to install
//! what was decided, an index that is added is written, then filled, then active. What is left to do is a pure function
//! of the system group's replicated catalog ([`DdlWork`](dynamo_engine::catalog::DdlWork)), so a driver keeps nothing of
//! its own: it looks, does one piece, looks again. It runs where the system group is led; one that starts after a
//! crash or on another node finds the same work, and two of them do no harm, since every piece names the version or
//! the era that it was made for.
//!
//! ```text
//!   client ─▶ system group: decided ──▶ driver ─┬─▶ shard 1: installed ─┬─▶ system group: confirmed ─▶ (next piece)
//!                 │                             ├─▶ shard 2: installed ─┤          │
//!                 │                             └─▶ …                  ─┘          │
//!                 ╰── the reply waits for this, bounded ◀──────────────────────────╯
//! ```
//!
//! That a shard has done its part is known from its own answer, or from this node's replica of it: what a replica has
//! applied is agreed and stays. What a replica has *not* applied says nothing, so it is proposed (once more); shards
//! take everything twice without harm.

mod driver;
mod settle;
mod step;

use std::sync::Arc;

use dynamo_engine::catalog::MemoryCatalog;

use crate::env::{Env, Tasks};
use crate::router::Router;
use crate::shard::{Deadline, ShardError};

/// The tables, as this node knows them and has them changed.
pub struct Catalog<E: Env> {
    /// The way to the system group, and to the shards where descriptions are installed.
    router: Arc<Router<E>>,
}

impl<E: Env> Catalog<E> {
    /// That of a node.
    pub(crate) fn new(router: Arc<Router<E>>) -> Catalog<E> {
        Catalog { router }
    }

    /// Starts what drives tables while this node leads the system group.
    pub(crate) fn start(&self, tasks: &Tasks<E>) {
        tasks.start_until_stopped(driver::run(Arc::clone(&self.router)));
    }

    /// The tables installed here, at this moment. One atomic load.
    pub fn installed(&self) -> Arc<MemoryCatalog> {
        self.router.system().group().published().catalog()
    }

    /// Whether the catalog that is installed from now on is not behind, because this node decides about it.
    pub(crate) fn is_led_here(&self) -> bool {
        self.router.is_alone || self.router.system().has_lease()
    }

    /// Makes sure that the catalog installed here is as new as this moment: what it does not know afterwards does not
    /// exist.
    ///
    /// # Errors
    /// When the system group cannot confirm it within the deadline.
    pub(crate) async fn refresh(&self, deadline: Deadline) -> Result<(), ShardError> {
        self.router.catch_up(self.router.system(), deadline).await
    }
}
