//! The newest entries of a group's log, decoded, in memory.
//!
//! Applying and replicating read entries back through the log; nearly always these are the newest ones, so they are
//! kept as they came. Older ones are read from the store. An entry leaves the tail only after it is durable: until
//! then the store may not have it yet.
//!
//! Entries that are applied are kept for followers that are a little behind, as many as the group's part of the node's
//! memory allows ([`crate::memory`]): a node may have a thousand groups. Twice as much is kept until it is applied.

use std::collections::VecDeque;

use dynamo_engine::command::Stamped;
use openraft::EntryPayload;

use crate::env::LOG_TAIL_BYTES_MAX;
use crate::raft::types::LogEntry;

/// The newest entries, consecutive.
pub struct Tail {
    /// Each with the bytes of its stored form.
    entries: VecDeque<(LogEntry, usize)>,
    /// Bytes of memory of all of them.
    bytes: usize,
    /// Bytes of memory that entries may take which are applied.
    applied_bytes_max: usize,
}

impl Default for Tail {
    fn default() -> Tail {
        Tail { entries: VecDeque::new(), bytes: 0, applied_bytes_max: LOG_TAIL_BYTES_MAX }
    }
}

/// Bytes of memory of an entry whose stored form takes `bytes`: its commands hold what they hold once decoded and once encoded.
fn memory_bytes(entry: &LogEntry, bytes: usize) -> usize {
    let commands = match &entry.payload {
        EntryPayload::Normal(payload) => payload.entry().map_or(0, |entry| entry.commands.len()),
        EntryPayload::Blank | EntryPayload::Membership(_) => return bytes,
    };
    2 * bytes + commands * size_of::<Stamped>()
}

impl Tail {
    /// Lets applied entries take so many bytes of memory at most, and no more than [`LOG_TAIL_BYTES_MAX`].
    pub fn set_applied_bytes_max(&mut self, bytes_max: usize) {
        self.applied_bytes_max = bytes_max.min(LOG_TAIL_BYTES_MAX);
    }

    /// Bytes of memory that applied entries may take.
    pub fn applied_bytes_max(&self) -> usize {
        self.applied_bytes_max
    }

    /// The index of the oldest entry in memory.
    pub fn first_index(&self) -> Option<u64> {
        self.entries.front().map(|(entry, _)| entry.log_id.index())
    }

    /// The index of the newest entry in memory.
    pub fn last_index(&self) -> Option<u64> {
        self.entries.back().map(|(entry, _)| entry.log_id.index())
    }

    /// Adds the next entry, whose stored form takes `bytes`.
    pub fn push(&mut self, entry: LogEntry, bytes: usize) {
        debug_assert!(
            self.entries.back().is_none_or(|(last, _)| last.log_id.index() + 1 == entry.log_id.index()),
            "a log has no holes"
        );
        self.bytes += memory_bytes(&entry, bytes);
        self.entries.push_back((entry, bytes));
    }

    /// Drops the oldest entries while there is too much, of those that are not applied more than of others, but none at or
    /// behind `durable_next`.
    pub fn shrink(&mut self, durable_next: u64, applied_next: u64) {
        let leaves = |first, bytes, bytes_max| {
            first < durable_next && bytes > if first < applied_next { bytes_max } else { 2 * bytes_max }
        };
        while self.first_index().is_some_and(|first| leaves(first, self.bytes, self.applied_bytes_max)) {
            self.pop_front();
        }
    }

    /// Drops everything from `index` on.
    pub fn truncate(&mut self, index: u64) {
        while self.entries.back().is_some_and(|(last, _)| last.log_id.index() >= index) {
            let (last, bytes) = self.entries.pop_back().expect("it was just looked at");
            self.forget(&last, bytes);
        }
        debug_assert!(!self.entries.is_empty() || self.bytes == 0, "an empty tail has no bytes");
    }

    /// Drops everything up to `index`.
    pub fn purge(&mut self, index: u64) {
        while self.first_index().is_some_and(|first| first <= index) {
            self.pop_front();
        }
    }

    /// The entries from `start`, which must not be older than the tail, up to before `end`, until they take `bytes_max`
    /// (at least one, if there is any).
    pub fn read(&self, start: u64, end: u64, bytes_max: usize) -> Vec<LogEntry> {
        let Some(first) = self.first_index() else { return Vec::new() };
        debug_assert!(first <= start, "the tail does not reach back to {start}");
        let mut bytes = 0;
        let from = usize::try_from(start - first).unwrap_or(usize::MAX);
        self.entries
            .range(from.min(self.entries.len())..)
            .take_while(|(entry, size)| {
                let fits = bytes == 0 || bytes + size <= bytes_max;
                bytes += size;
                fits && entry.log_id.index() < end
            })
            .map(|(entry, _)| entry.clone())
            .collect()
    }

    fn pop_front(&mut self) {
        if let Some((first, bytes)) = self.entries.pop_front() {
            self.forget(&first, bytes);
        }
        debug_assert!(!self.entries.is_empty() || self.bytes == 0, "an empty tail has no bytes");
    }

    fn forget(&mut self, entry: &LogEntry, bytes: usize) {
        let bytes = memory_bytes(entry, bytes);
        debug_assert!(bytes <= self.bytes, "the tail has the bytes of its entries");
        self.bytes -= bytes;
    }
}

/// How many bytes of log lie where, coarsely, so that the log's size is known after a purge without reading it.
#[derive(Debug, Default)]
pub struct LogSize {
    /// All bytes ever counted.
    total: u64,
    /// The bytes that were counted when the purge boundary was where it is.
    purged: u64,
    /// (index, bytes counted up to and with it), about every [`MARK_BYTES`].
    marks: VecDeque<(u64, u64)>,
}

/// Distance of two marks. The size is known to within one of them.
const MARK_BYTES: u64 = 256 << 10;

impl LogSize {
    /// Counts an entry at the end.
    pub fn add(&mut self, index: u64, bytes: usize) {
        debug_assert!(self.marks.back().is_none_or(|(marked, _)| *marked < index), "entries are counted in order");
        self.total += bytes as u64;
        let marked = self.marks.back().map_or(self.purged, |(_, counted)| *counted);
        if self.total - marked >= MARK_BYTES {
            self.marks.push_back((index, self.total));
        }
    }

    /// Everything up to `index` is gone.
    pub fn purge(&mut self, index: u64) {
        while let Some((marked, counted)) = self.marks.front().copied() {
            if marked > index {
                break;
            }
            debug_assert!(self.purged <= counted && counted <= self.total, "marks rise up to all that was counted");
            self.purged = counted;
            self.marks.pop_front();
        }
    }

    /// Everything from `index` on is gone.
    pub fn truncate(&mut self, index: u64) {
        while self.marks.back().is_some_and(|(marked, _)| *marked >= index) {
            self.marks.pop_back();
        }
        self.total = self.marks.back().map_or(self.purged, |(_, counted)| *counted);
        debug_assert!(self.purged <= self.total, "no more goes than was counted");
    }

    /// Bytes of live log, to within a mark.
    pub fn bytes(&self) -> u64 {
        self.total - self.purged
    }
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;

    use super::*;
    use crate::raft::types::{CommittedLeaderId, LogId};

    fn entry(index: u64) -> LogEntry {
        LogEntry { log_id: LogId::new(CommittedLeaderId::new(1), index), payload: EntryPayload::Blank }
    }

    fn indexes(entries: &[LogEntry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.log_id.index()).collect()
    }

    #[test]
    fn the_tail_reads_truncates_and_shrinks() {
        let mut tail = Tail::default();
        (5..10).for_each(|index| tail.push(entry(index), LOG_TAIL_BYTES_MAX / 2));
        assert_eq!(indexes(&tail.read(6, 9, usize::MAX)), [6, 7, 8]);
        assert_eq!(indexes(&tail.read(6, 9, 1)), [6], "at least one");
        assert_eq!(indexes(&tail.read(12, 20, 1)), [0; 0]);
        tail.shrink(5, 5);
        assert_eq!(tail.first_index(), Some(5), "nothing is durable yet");
        tail.shrink(10, 5);
        assert_eq!(tail.first_index(), Some(6));
        tail.truncate(9);
        assert_eq!(indexes(&tail.read(6, 20, usize::MAX)), [6, 7, 8]);
        tail.purge(7);
        assert_eq!(tail.first_index(), Some(8));
    }

    #[test]
    fn what_is_applied_goes_as_soon_as_there_is_no_room_for_it() {
        let mut tail = Tail::default();
        tail.set_applied_bytes_max(25);
        (5..10).for_each(|index| tail.push(entry(index), 10));
        tail.shrink(10, 5);
        assert_eq!(tail.first_index(), Some(5), "nothing is applied yet");
        tail.shrink(6, 10);
        assert_eq!(tail.first_index(), Some(6), "no more is durable yet");
        tail.shrink(10, 9);
        assert_eq!(tail.first_index(), Some(8), "two of them have room");
        tail.set_applied_bytes_max(0);
        tail.shrink(10, 10);
        assert_eq!((tail.first_index(), tail.bytes), (None, 0));
    }

    #[test]
    fn sizes_follow_purges_and_cuts() {
        let mut size = LogSize::default();
        (1..=100).for_each(|index| size.add(index, 100 << 10));
        assert_eq!(size.bytes(), 100 * (100 << 10));
        size.purge(50);
        assert!((50 * (100 << 10)..=50 * (100 << 10) + MARK_BYTES * 2).contains(&size.bytes()));
        size.truncate(61);
        assert!(size.bytes() <= 10 * (100 << 10) + MARK_BYTES * 2);
        size.purge(100);
        assert!(size.bytes() < MARK_BYTES * 2);
    }
}
