//! The node's share of hybrid time: the largest timestamp that anything on this node has seen.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::{TooFarAhead, check_skew};
use crate::timestamp::Timestamp;

/// The hybrid clock that the groups of one node share, and whose reading every internal message carries.
///
/// It promises nothing (only a group's [`Clock`](crate::Clock), under that group's ceiling, issues timestamps): it
/// carries causality from one group to another. Before it stamps, a group's sequencer observes this reading; after
/// it stamped, it reports the result here.
///
/// One atomic maximum, no lock; any thread may call.
///
/// ```
/// use hlc::{NodeClock, Timestamp};
/// let node = NodeClock::new();
/// node.observe(Timestamp::new(1_005, 2), 1_000).unwrap();   // came with a message
/// assert_eq!(node.reading(1_000), Timestamp::new(1_005, 2)); // goes out with the next one
/// assert_eq!(node.reading(2_000), Timestamp::new(2_000, 0));
/// ```
#[derive(Debug, Default)]
pub struct NodeClock {
    /// Raw value of the largest timestamp seen. Relaxed order is enough: the number is all that is handed over.
    seen: AtomicU64,
}

impl NodeClock {
    /// A clock that has seen nothing.
    pub const fn new() -> NodeClock {
        NodeClock { seen: AtomicU64::new(0) }
    }

    /// The reading to put into a message: the larger of what was seen and wall time. Does not advance the clock.
    pub fn reading(&self, wall_ms: u64) -> Timestamp {
        Timestamp(self.seen.load(Ordering::Relaxed)).max(Timestamp::new(wall_ms, 0))
    }

    /// Merges the timestamp that a message of another node carried.
    ///
    /// # Errors
    ///
    /// [`TooFarAhead`] as in [`Clock::observe`](crate::Clock::observe); nothing is merged then.
    pub fn observe(&self, remote: Timestamp, wall_ms: u64) -> Result<(), TooFarAhead> {
        check_skew(remote, wall_ms)?;
        self.observe_local(remote);
        Ok(())
    }

    /// Merges a timestamp of one of this node's own groups, or one that is decided and cannot be refused.
    pub fn observe_local(&self, own: Timestamp) {
        self.seen.fetch_max(own.0, Ordering::Relaxed);
    }
}
