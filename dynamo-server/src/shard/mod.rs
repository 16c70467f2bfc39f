//! A shard on this node: a part of the data, the Raft group that replicates it, and the ways in.
//!
//! Above this module nothing knows of Raft: a command goes in and an [`Outcome`](dynamo_engine::apply::Outcome) comes
//! back; a read asks whether the state that lies here is current.

mod admission;
mod arrivals;
pub mod demand;
mod error;
mod limits;
mod load;
mod mailbox;
mod read_round;
pub mod room;
mod sequencer;
mod ticket;

use std::sync::Arc;
use std::time::Duration;

use hlc::NodeClock;
use shard_router::{Epoch, ShardId};

pub use crate::env::Deadline;
pub use arrivals::{Arrivals, INDEX_WAIT_MAX, outbox_positions};
pub use error::ShardError;
pub use limits::{
    ENTRIES_IN_FLIGHT_MAX, ENTRY_BYTES_MAX, ENTRY_COMMANDS_MAX, ENTRY_EFFECT_BYTES_MAX, QUEUE_BYTES_MAX,
    QUEUE_COMMANDS_MAX,
};
pub use mailbox::Mailbox;
pub use sequencer::{Sequencer, SequencerCounters};
pub use ticket::{Permits, Ticket};

use self::read_round::ReadRounds;
use crate::env::Env;
use crate::raft::{Group, WallClocks};

/// The part of a request's time that it may spend waiting for its turn where there is more work than the shard can do.
/// The rest is for the log, a leader that changes, and index entries.
pub const QUEUE_PART_OF_DEADLINE: u32 = 5;

/// A shard on this node.
pub struct Shard<E: Env> {
    /// Its replicas.
    group: Arc<Group<E>>,
    /// The way in for commands.
    sequencer: Sequencer,
    /// Rounds in which reads ask a quorum.
    rounds: Arc<ReadRounds>,
    /// Who waits for index entries to arrive elsewhere.
    arrivals: Arrivals,
}

impl<E: Env> Shard<E> {
    /// Opens the ways into a running group of the node with these clocks, whose requests have so much time.
    pub fn new(
        group: Group<E>,
        clock: Arc<NodeClock>,
        wall_clocks: Arc<WallClocks>,
        request_deadline: Duration,
    ) -> Self {
        let group = Arc::new(group);
        let wait_max = request_deadline / QUEUE_PART_OF_DEADLINE;
        Shard {
            sequencer: Sequencer::start(Arc::clone(&group), clock, wall_clocks, wait_max),
            group,
            rounds: Arc::default(),
            arrivals: Arrivals::default(),
        }
    }

    /// Which shard.
    pub fn id(&self) -> ShardId {
        self.group.shard()
    }

    /// Its epoch, in the state that is applied here.
    #[inline]
    pub fn epoch(&self) -> Epoch {
        self.group.published().epoch()
    }

    /// The group that replicates it.
    pub fn group(&self) -> &Arc<Group<E>> {
        &self.group
    }

    /// The way in for commands: what it proposes is applied here once it is answered.
    pub fn sequencer(&self) -> &Sequencer {
        &self.sequencer
    }

    /// How far the shard's index entries have arrived on other shards.
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Stops taking commands and leaves the group. The lease is gone before anything else happens.
    pub async fn stop(&self) {
        self.group.shutdown().await;
        self.sequencer.stop();
    }

    /// Whether no task holds on to the group any more.
    pub fn is_quiet(&self) -> bool {
        Arc::strong_count(&self.group) == 1
    }

    /// Whether a lease lets reads through without asking anybody.
    #[inline]
    pub fn has_lease(&self) -> bool {
        self.group.lease().holds(|| E::boot_ns().map(lease::Moment::from_nanos))
    }

    /// Whether the state here shows everything that was acknowledged so long ago or earlier: this node had its lease
    /// then, or knows from the leader what must be applied.
    pub fn is_recent(&self, age_max: Duration) -> bool {
        let age_ns = u64::try_from(age_max.as_nanos()).unwrap_or(u64::MAX);
        let lease = self.group.lease();
        let led = || E::boot_ns().map(|now| lease::Moment::from_nanos(now.saturating_sub(age_ns)));
        let applied_next = self.group.published().applied_next();
        let is_fresh =
            || lease.fresh_since(applied_next).is_some_and(|at| E::monotonic_ns() <= at.saturating_add(age_ns));
        if lease.leading_term().is_some() { lease.holds(led) } else { is_fresh() }
    }

    /// Whether the shard's leader, as this node knows it, was heard that long ago at most; where this node leads, a quorum.
    /// For display: nothing may be read because of it.
    pub fn is_in_contact(&self, age_max: Duration) -> bool {
        match self.group.lease().leading_term() {
            Some(_) => self.has_lease() || self.group.quorum_answered_within(age_max),
            None => {
                let age_ns = u64::try_from(age_max.as_nanos()).unwrap_or(u64::MAX);
                let heard = self.group.lease().heard_at();
                heard.is_some_and(|heard| E::monotonic_ns() <= heard.as_nanos().saturating_add(age_ns))
            }
        }
    }

    /// Asks a quorum, and waits until the state here shows everything acknowledged before; shared with other reads.
    /// Where leases are trusted, a read that had to wait for the round of others goes by the lease that it has renewed.
    /// Returns whether another read had to be waited with.
    ///
    /// # Errors
    /// When nobody confirms in time.
    pub async fn confirm(&self, trusts_lease: bool, deadline: Deadline) -> Result<bool, ShardError> {
        self.rounds.confirm(&self.group, trusts_lease, deadline).await
    }

    /// How long tests hold each of these rounds up.
    pub fn read_round_delay(&self) -> &read_round::Delay {
        self.rounds.delay()
    }

    /// How often a quorum was asked on behalf of reads.
    pub fn read_rounds(&self) -> u64 {
        self.rounds.count()
    }
}
