//! The load of a shard: what lies in front of its log, and how much may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dynamo_engine::apply::Outcome;

use super::admission::{LIMIT_NONE, share};
use super::limits::{ENTRY_COMMANDS_MAX, ENTRY_EFFECT_BYTES_MAX, QUEUE_BYTES_MAX};

/// Bytes of commands beyond [`QUEUE_BYTES_MAX`] that end what was begun.
const RESERVE_BYTES: usize = 16 << 20;

/// What lies in front of the log, and how much may.
pub(super) struct Load {
    /// Bytes that wait or are under way.
    bytes: AtomicUsize,
    /// Shares ([`share`]) that wait.
    waiting: AtomicUsize,
    /// Shares that may wait; see [`admission`](super::admission).
    limit: AtomicUsize,
    /// Bytes of rows that a command touches, going by the last entries: their average, of which the largest fades.
    effect: AtomicUsize,
}

impl Load {
    /// Nothing yet, and no bound on what waits.
    pub fn new() -> Load {
        Load {
            bytes: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            limit: AtomicUsize::new(LIMIT_NONE),
            effect: AtomicUsize::new(0),
        }
    }

    /// Bytes of commands that wait or are under way.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Sets how many shares may wait, and returns how many might before.
    pub fn set_limit(&self, limit: usize) -> usize {
        self.limit.swap(limit, Ordering::Relaxed)
    }

    /// Whether there is room for a command of so many bytes. Looked at without a lock: requests that look at the same
    /// time may go beyond a bound by what they bring, which is as little as they are.
    pub fn has_room(&self, bytes: usize, is_new: bool) -> bool {
        let under_way = self.bytes.load(Ordering::Relaxed) + bytes;
        if !is_new {
            return under_way <= QUEUE_BYTES_MAX + RESERVE_BYTES;
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        let fits = waiting == 0 || waiting + share(bytes) <= self.limit.load(Ordering::Relaxed);
        under_way <= QUEUE_BYTES_MAX && fits
    }

    /// A command of so many bytes has come, and waits.
    pub fn enter(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.waiting.fetch_add(share(bytes), Ordering::Relaxed);
    }

    /// A command has left the queue, and is under way from now on.
    pub fn leave_queue(&self, bytes: usize) {
        let before = self.waiting.fetch_sub(share(bytes), Ordering::Relaxed);
        debug_assert!(share(bytes) <= before, "no more leaves the queue than waits in it");
    }

    /// Commands that one entry may have, by what those before have touched.
    pub fn commands_max(&self) -> usize {
        let by_effect = ENTRY_EFFECT_BYTES_MAX / self.effect.load(Ordering::Relaxed).max(1);
        by_effect.clamp(1, ENTRY_COMMANDS_MAX)
    }

    /// Takes note of what the commands of an entry have touched.
    pub fn learn(&self, outcomes: &[Outcome]) {
        let touched: usize = outcomes.iter().map(Outcome::row_bytes).sum();
        let faded = self.effect.load(Ordering::Relaxed) / 4 * 3;
        self.effect.store(faded.max(touched / outcomes.len().max(1)), Ordering::Relaxed);
    }

    /// Bytes are no longer under way.
    pub fn leave(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(bytes <= before, "no more bytes leave than came");
    }
}

/// Bytes that are under way until this is dropped.
pub(super) struct Weight {
    /// Where they are counted.
    load: Arc<Load>,
    /// How many.
    bytes: usize,
}

impl Weight {
    /// Of so many bytes that `load` counts already.
    pub fn of(load: &Arc<Load>, bytes: usize) -> Weight {
        Weight { load: Arc::clone(load), bytes }
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.load.leave(self.bytes);
    }
}
