//! How often reads were let through, and what it cost: per shard and handler.

use std::sync::atomic::{AtomicU64, Ordering};

use shard_router::ShardId;

use super::Handler;
use crate::shard::ShardError;

/// Counts of a guard since the node started.
#[derive(Debug)]
pub struct GuardCounters {
    /// By shard and, inside, by handler.
    checks: Vec<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// See [`Checks`].
    hits: AtomicU64,
    /// See [`Checks`].
    misses: AtomicU64,
    /// See [`Checks`].
    coalesced: AtomicU64,
    /// See [`Checks`].
    failed: AtomicU64,
    /// See [`Checks`].
    wait_ns: AtomicU64,
}

/// The checks of one shard for one handler; or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Checks that the lease let through at once.
    pub hits: u64,
    /// Checks that had to ask a quorum.
    pub misses: u64,
    /// Of the misses, those that shared the round of another read.
    pub coalesced: u64,
    /// Of the misses, those that nobody confirmed in time.
    pub failed: u64,
    /// Nanoseconds that misses waited, together.
    pub wait_ns: u64,
}

impl GuardCounters {
    pub(super) fn new(shards: usize) -> Self {
        GuardCounters { checks: (0..shards * Handler::ALL.len()).map(|_| Counts::default()).collect() }
    }

    #[inline]
    pub(super) fn hit(&self, shard: ShardId, handler: Handler) {
        self.counts(shard, handler).hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn miss(&self, shard: ShardId, handler: Handler, confirmed: &Result<bool, ShardError>, wait_ns: u64) {
        let counts = self.counts(shard, handler);
        counts.misses.fetch_add(1, Ordering::Relaxed);
        counts.wait_ns.fetch_add(wait_ns, Ordering::Relaxed);
        match confirmed {
            Ok(true) => drop(counts.coalesced.fetch_add(1, Ordering::Relaxed)),
            Ok(false) => {}
            Err(_) => drop(counts.failed.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// The checks of a shard for a handler.
    pub fn of(&self, shard: ShardId, handler: Handler) -> Checks {
        self.counts(shard, handler).read()
    }

    /// All checks together.
    pub fn total(&self) -> Checks {
        self.checks.iter().map(Counts::read).fold(Checks::default(), Checks::plus)
    }

    /// What there is to show, in the order of shards and handlers: handlers that checked a shard at all.
    pub fn series(&self) -> impl Iterator<Item = (ShardId, Handler, Checks)> + '_ {
        let handlers = Handler::ALL.len();
        let all = self
            .checks
            .iter()
            .enumerate()
            .map(move |(at, counts)| (ShardId((at / handlers) as u32), Handler::ALL[at % handlers], counts.read()));
        all.filter(|(_, _, checks)| *checks != Checks::default())
    }

    #[inline]
    fn counts(&self, shard: ShardId, handler: Handler) -> &Counts {
        debug_assert!((handler as usize) < Handler::ALL.len(), "handlers are numbered without gaps");
        debug_assert!((shard.0 as usize) < self.checks.len() / Handler::ALL.len(), "shards are numbered without gaps");
        &self.checks[shard.0 as usize * Handler::ALL.len() + handler as usize]
    }
}

impl Counts {
    fn read(&self) -> Checks {
        Checks {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            coalesced: self.coalesced.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            wait_ns: self.wait_ns.load(Ordering::Relaxed),
        }
    }
}

impl Checks {
    /// Both together.
    pub fn plus(self, other: Checks) -> Checks {
        Checks {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            coalesced: self.coalesced + other.coalesced,
            failed: self.failed + other.failed,
            wait_ns: self.wait_ns + other.wait_ns,
        }
    }

    /// Each count with its name and what it counts, for the metrics page.
    pub fn named(&self) -> [(&'static str, &'static str, u64); 5] {
        [
            ("lease_hits_total", "Shard checks that a lease let through", self.hits),
            ("lease_misses_total", "Shard checks that asked a quorum", self.misses),
            ("lease_coalesced_total", "Shard checks that shared another read's round", self.coalesced),
            ("lease_failed_total", "Shard checks that no quorum confirmed", self.failed),
            ("lease_wait_nanoseconds_total", "Time that shard checks waited for a quorum", self.wait_ns),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_counted_where_they_were_made() {
        let counters = GuardCounters::new(3);
        counters.hit(ShardId(2), Handler::Scan);
        counters.miss(ShardId(2), Handler::Scan, &Ok(true), 5);
        counters.miss(ShardId(0), Handler::GetItem, &Err(ShardError::NotConfirmed), 7);
        counters.miss(ShardId(0), Handler::GetItem, &Ok(false), 1);
        let scans = Checks { hits: 1, misses: 1, coalesced: 1, failed: 0, wait_ns: 5 };
        let gets = Checks { hits: 0, misses: 2, coalesced: 0, failed: 1, wait_ns: 8 };
        assert_eq!(counters.of(ShardId(2), Handler::Scan), scans);
        assert_eq!(counters.of(ShardId(1), Handler::Scan), Checks::default());
        let series: Vec<_> = counters.series().collect();
        assert_eq!(series, [(ShardId(0), Handler::GetItem, gets), (ShardId(2), Handler::Scan, scans)]);
        assert_eq!(counters.total(), gets.plus(scans));
    }
}
