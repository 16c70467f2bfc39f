//! Page-cache estimator: whether the kernel has in memory what the store's own cache lacks.
//!
//! A read that misses the store's cache may wait for a disk, and a wait on an event loop holds up every connection of that
//! loop; so it goes to the blocking pool. But the cache is small on purpose, and behind it the kernel keeps the files
//! in whatever memory is free. A copy from there takes a few microseconds, less than the way to the pool and back.
//!
//! Nothing says beforehand where a block is; afterwards the kernel tells each thread what it has waited for
//! ([`Env::thread_waits`]). So the past decides: the time that reads waited for a disk, on average over the last few
//! hundred. While it is below what the way to the pool costs, reads are made in place.
//!
//! | reads that need the disk | the disk takes | on average | reads are made |
//! |---|---|---|---|
//! | none | | 0 | in place |
//! | one in a hundred, files still coming into memory | 0.2 ms | 2 µs | in place |
//! | one in a hundred | 10 ms | 100 µs | in the pool, but for one wait in many thousands |
//! | most | 0.1 ms | 100 µs | in the pool |

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::env::{Env, ThreadWaits};

/// What a read's way to the pool and back costs: two threads woken, and a second look at what the cache has.
const POOL_NS: u64 = 5_000;

/// One read counts for this fraction of the average: 2 to the power of minus 8.
const WEIGHT: u32 = 8;

/// Reads without a wait after which the average has halved: ln 2 · 2⁸.
const HALVED_AFTER: u32 = 177;

/// A read in place that took no longer did not wait: a disk does not answer so fast.
const UNSUSPICIOUS_NS: u64 = 30_000;

/// A read in place that took so long is held to have waited, even if the kernel counted nothing (as on some network
/// file systems).
const SLOW_NS: u64 = 5_000_000;

thread_local! {
    /// Reads in place of this thread since it last told the average.
    static QUICK: Cell<u32> = const { Cell::new(0) };
    /// What this thread had fetched when it last looked.
    static FETCHED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// What reads have shown so far. An update lost in a race is one sample of hundreds.
#[derive(Debug)]
pub(super) struct PageCacheEstimator {
    /// The average wait of a read, in nanoseconds.
    wait_ns: AtomicU64,
}

impl Default for PageCacheEstimator {
    /// A few hundred reads go to the pool before one is made in place.
    fn default() -> PageCacheEstimator {
        PageCacheEstimator { wait_ns: AtomicU64::new(4 * POOL_NS) }
    }
}

/// A read in the pool that is being watched.
pub(super) struct Watched {
    /// When it began, on the monotonic clock.
    began_ns: u64,
    /// What its thread had waited for by then; `None` where the system does not say.
    before: Option<ThreadWaits>,
}

impl PageCacheEstimator {
    /// Whether a read should be made in place, at the risk that it waits for a disk.
    pub(super) fn is_likely(&self) -> bool {
        self.wait_ns.load(Ordering::Relaxed) < POOL_NS
    }

    /// A read in place has ended that began at `began_ns`. The kernel is asked only after one that took suspiciously
    /// long.
    pub(super) fn ended_in_place<E: Env>(&self, began_ns: u64) {
        let took_ns = E::monotonic_ns().saturating_sub(began_ns);
        if took_ns <= UNSUSPICIOUS_NS {
            QUICK.set(QUICK.get().saturating_add(1));
            return;
        }
        let fetched = E::thread_waits().map(|waits| waits.blocks_fetched);
        // A thread's first look has nothing to compare with.
        let has_fetched = FETCHED.replace(fetched).is_some_and(|before| fetched != Some(before));
        if has_fetched || took_ns > SLOW_NS {
            self.note(QUICK.take(), took_ns);
        }
    }

    /// Begins to watch a read in the pool, on its thread.
    pub(super) fn watch_pooled<E: Env>() -> Watched {
        Watched { began_ns: E::monotonic_ns(), before: E::thread_waits() }
    }

    /// A read in the pool has ended, on the same thread. Whether it slept is known exactly; that it was preempted does
    /// not count.
    pub(super) fn ended_pooled<E: Env>(&self, watched: Watched) {
        match (watched.before, E::thread_waits()) {
            (Some(before), Some(after)) if before == after => self.note(1, 0),
            (Some(_), Some(_)) => self.note(0, E::monotonic_ns().saturating_sub(watched.began_ns)),
            _ => self.wait_ns.store(u64::MAX, Ordering::Relaxed),
        }
    }

    /// After `quick` reads that waited for nothing comes one that waited `wait_ns`.
    fn note(&self, quick: u32, wait_ns: u64) {
        let average = self.wait_ns.load(Ordering::Relaxed);
        self.wait_ns.store(averaged(average, quick, wait_ns), Ordering::Relaxed);
    }
}

fn averaged(average: u64, quick: u32, wait_ns: u64) -> u64 {
    // Where one reads at a time the fraction would be rounded away; in larger numbers halving is exact enough.
    let decayed = match quick {
        1 => average - average.div_ceil(1 << WEIGHT),
        _ => average.checked_shr(quick / HALVED_AFTER).unwrap_or(0),
    };
    decayed.saturating_add(wait_ns >> WEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quick reads in the pool until one is made in place.
    fn quick_reads(page_cache: &PageCacheEstimator) -> u32 {
        let mut reads = 0;
        while !page_cache.is_likely() {
            page_cache.note(1, 0);
            reads += 1;
        }
        reads
    }

    fn at_rest() -> PageCacheEstimator {
        PageCacheEstimator { wait_ns: AtomicU64::new(0) }
    }

    #[test]
    fn reads_begin_in_the_pool_and_are_made_in_place_when_a_few_hundred_waited_for_nothing() {
        assert!((300..400).contains(&quick_reads(&PageCacheEstimator::default())));
    }

    #[test]
    fn a_slow_disk_sends_reads_to_the_pool_at_its_first_wait() {
        let page_cache = at_rest();
        page_cache.note(1_000_000, 10_000_000);
        assert!(!page_cache.is_likely());
        assert!((450..650).contains(&quick_reads(&page_cache)));
    }

    #[test]
    fn rare_waits_for_a_quick_disk_are_made_in_place_and_frequent_ones_are_not() {
        let page_cache = at_rest();
        for _ in 0..10_000 {
            page_cache.note(99, 200_000);
            page_cache.note(101, 200_000);
            (0..100).for_each(|_| page_cache.note(1, 0));
        }
        assert!(page_cache.is_likely());
        (0..100).for_each(|_| page_cache.note(0, 100_000));
        assert!(!page_cache.is_likely());
    }

    #[test]
    fn the_average_halves_alike_by_ones_and_by_hundreds() {
        let by_ones = (0..HALVED_AFTER * 3).fold(1_000_000, |average, _| averaged(average, 1, 0));
        let at_once = averaged(1_000_000, HALVED_AFTER * 3, 0);
        assert!(by_ones.abs_diff(at_once) < 5_000, "{by_ones} and {at_once}");
        assert_eq!(averaged(u64::MAX, u32::MAX, 0), 0);
        assert_eq!((0..10_000).fold(1_000_000, |average, _| averaged(average, 1, 0)), 0);
    }
}
