//! Bringing index entries to the shards where they live.
//!
//! A write leaves the changes of index rows on other shards in its shard's outbox (see [`dynamo_engine::outbox`]). On the
//! node that leads the shard one task carries them over: for each channel it reads the next rows from the applied state,
//! proposes them to the target's leader, wherever that is, and waits for the outcome before it sends more; so a channel
//! is in order, and different channels do not wait for each other. Commands that arrive twice do no harm, so everything
//! that has no outcome is simply sent again, also by the next leader, which finds the same rows in its own state.
//!
//! ```text
//!   applied ──▶ (a channel grew) ──▶ read rows ──▶ ApplyOutbox to the target's leader ──▶ arrived: replies go out
//!                                     ▲                     │ short: rest, again          │
//!                                     └─────────────────────┘            a moment later: TrimOutbox
//! ```
//!
//! Delivered rows are removed a moment later, many with one command, so that trimming costs next to nothing and an idle
//! shard writes nothing. The trimmed mark also tells the other replicas how far the channel has come: a node that has lost
//! the leadership answers its waiting writes by it.
//!
//! A node with one shard has no channels and starts no task.

mod relay;

use std::sync::Arc;

use dynamo_engine::outbox::OutboxPosition;

use self::relay::{Outbox, OutboxRelay};
use crate::env::{Env, Stores, Tasks};
use crate::peer::{Header, IndexWait};
use crate::router::{Called, Place, Router};
use crate::shard::{Deadline, Shard};

/// What brings index entries to other shards, and waits for them.
pub(crate) struct IndexRelay<E: Env> {
    /// The way to the shards that have sent entries.
    router: Arc<Router<E>>,
    /// The rows of the outboxes are read from the applied state.
    stores: Arc<Stores>,
}

impl<E: Env> IndexRelay<E> {
    /// The relay of a node.
    pub(crate) fn new(router: Arc<Router<E>>, stores: Arc<Stores>) -> IndexRelay<E> {
        IndexRelay { router, stores }
    }

    /// Starts one task for each shard.
    pub(crate) fn start(&self, tasks: &Tasks<E>) {
        if self.router.shards.len() > 1 {
            for shard in &self.router.shards {
                let (router, stores) = (Arc::clone(&self.router), Arc::clone(&self.stores));
                let outbox = Outbox { router, stores, shard: Arc::clone(shard) };
                tasks.start_until_stopped(OutboxRelay::new(outbox).run());
            }
        }
    }

    /// Waits until index entries that `shard` has sent have arrived, wherever it is led; within the limits of a write's
    /// reply. A leader that does not answer is not looked for again: what this replica sees being tidied away has arrived.
    pub(crate) async fn wait_for_entries(&self, shard: &Shard<E>, positions: Vec<OutboxPosition>, deadline: Deadline) {
        if positions.is_empty() {
            return;
        }
        if let Ok(Place::At(leader)) = self.router.place_of(shard, None, deadline).await
            && let Called::Answer(()) = self.router.call::<IndexWait>(leader, shard.id(), &positions, deadline).await
        {
            return;
        }
        shard.arrivals().wait::<E>(&positions, deadline.remaining::<E>() / 2).await;
    }

    /// Waits for the entries that a peer asks about, for half of its time.
    pub(crate) async fn wait_for_peers_entries(&self, header: Header, positions: Vec<OutboxPosition>) {
        // A shard that is not known here has no entries either.
        if let Ok(shard) = self.router.shard(header.shard) {
            shard.arrivals().wait::<E>(&positions, header.remaining / 2).await;
        }
    }
}
