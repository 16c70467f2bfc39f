//! How often reads were let through, and what it cost.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::shard::ShardError;

/// Counts of a guard since the node started.
#[derive(Debug, Default)]
pub struct GuardCounters {
    hits: AtomicU64,
    misses: AtomicU64,
    coalesced: AtomicU64,
    failed: AtomicU64,
    wait_ns: AtomicU64,
}

impl GuardCounters {
    pub(super) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn miss(&self, confirmed: &Result<bool, ShardError>, wait_ns: u64) {
        self.misses.fetch_add(1, Ordering::Relaxed);
        self.wait_ns.fetch_add(wait_ns, Ordering::Relaxed);
        match confirmed {
            Ok(true) => drop(self.coalesced.fetch_add(1, Ordering::Relaxed)),
            Ok(false) => {}
            Err(_) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Checks that the lease let through at once.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Checks that had to ask a quorum.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Of the misses, those that shared the round of another read.
    pub fn coalesced(&self) -> u64 {
        self.coalesced.load(Ordering::Relaxed)
    }

    /// Of the misses, those that nobody confirmed in time.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Nanoseconds that misses waited, together.
    pub fn wait_ns(&self) -> u64 {
        self.wait_ns.load(Ordering::Relaxed)
    }
}
