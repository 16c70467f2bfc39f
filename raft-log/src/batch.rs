//! What is to be written together.

use crate::record::{self, Kind};

/// Operations on the logs of groups, in order, as they come to stand in the log.
///
/// What a crash leaves of a batch that was not synced is a prefix of its operations; each operation is atomic.
///
/// ```
/// use raft_log::Batch;
/// let mut batch = Batch::new();
/// batch.append(1, 5, 100, b"entry 100 of group 1, term 5", false);
/// batch.put(1, 0, b"a vote");
/// assert!(!batch.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Its records, one behind the other; their places and checksums are filled in when it is written.
    pub(crate) bytes: Vec<u8>,
    grows: bool,
}

impl Batch {
    /// Nothing to do.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Adds an entry. `index` follows the group's last entry, or is any in a group that has none. A *notable* entry is one
    /// that the owner wants to be told of when it opens the log ([`Log::notable`](crate::Log::notable)), as a change of
    /// membership.
    pub fn append(&mut self, group: u32, term: u64, index: u64, body: &[u8], is_notable: bool) {
        self.grows = true;
        // At once, with room for a value behind the entry, instead of by doubling.
        self.bytes.reserve(body.len() + 4 * record::RECORD_HEADER_BYTES);
        record::put(&mut self.bytes, Kind::Entry, is_notable, group, (term, index), &[body]);
    }

    /// Removes the group's entries from `index` on.
    pub fn truncate(&mut self, group: u32, index: u64) {
        record::put(&mut self.bytes, Kind::Truncate, false, group, (0, index), &[]);
    }

    /// Removes the group's entries up to and with `index`, which may lie behind the last one (a snapshot replaces the log);
    /// the next entry is then the one after `index`. In the same step the values of the kinds `values` are removed.
    pub fn purge(&mut self, group: u32, term: u64, index: u64, values: &[u8]) {
        record::put(&mut self.bytes, Kind::Purge, false, group, (term, index), &[values]);
    }

    /// Replaces the group's value of a kind: a vote, say.
    pub fn put(&mut self, group: u32, kind: u8, value: &[u8]) {
        self.grows = true;
        record::put(&mut self.bytes, Kind::Value, false, group, (0, u64::from(kind)), &[value]);
    }

    /// Adds what is to be done after it.
    pub fn extend(&mut self, other: &Batch) {
        self.bytes.extend_from_slice(&other.bytes);
        self.grows |= other.grows;
    }

    /// Whether nothing in it makes the log longer for good: it purges and cuts.
    pub(crate) fn only_shortens(&self) -> bool {
        !self.grows
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes in the log.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.grows = false;
    }
}
