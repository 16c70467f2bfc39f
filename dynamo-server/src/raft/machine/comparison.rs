//! Comparing replicas: digests of a shard's rows as they are at one agreed entry.
//!
//! Replicas that have applied the same entries hold the same bytes, unless a disk, a memory or this program is faulty, which
//! nothing else would notice. A replica that is *armed* looks out for the next entry with a no-op, which nobody else
//! proposes; it takes a frozen view of its store right after that entry, and the view is digested in the background, range by
//! range of the shard's content. The same entry comes at the same index on every replica, so equal replicas have equal
//! digests. One that is behind comes to it later, one that was not armed in time is left out.
//!
//! ```text
//!   idle ──arm──▶ armed ──no-op applied──▶ marked (view) ──task──▶ done (digest, or why not)
//!     ▲             │ nothing came in time
//!     ╰─────────────╯
//! ```
//!
//! Nothing is looked at but one flag while no comparison is under way.

use std::sync::atomic::{AtomicBool, Ordering};

use dynamo_engine::keyspace::RowRange;
use ordered_kv::{Direction, KeyRange, Reader, StoreError, View};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The digest of a shard's rows at an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The entry's index.
    pub index: u64,
    /// Of each range of the shard's content, in key order.
    pub ranges: Vec<RangeDigest>,
}

/// The digest of the rows in one range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeDigest {
    /// The first key that may be in it.
    pub start: Vec<u8>,
    /// Its rows.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// CRC-32 over the length and bytes of each key and value, in key order.
    pub crc: u32,
}

/// A shard as it was at the entry.
pub struct Mark {
    /// The entry's index.
    pub index: u64,
    /// The store right after it.
    pub view: View,
    /// The shard's content.
    pub ranges: Vec<RowRange>,
}

/// Where the comparison stands that this replica takes part in.
#[derive(Default)]
enum State {
    #[default]
    Idle,
    /// The next no-op is it.
    Armed,
    Marked(Mark),
    /// It is being digested.
    Taken,
    Done(Result<Digest, String>),
}

/// What is known of a replica's part in a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It takes no part.
    Absent,
    /// It is on its way.
    Pending,
    /// Its digest, or why there is none.
    Done(Result<Digest, String>),
}

/// A replica's part in the comparison of its shard. One at a time: a new one takes the place of the last.
#[derive(Default)]
pub struct Comparison {
    /// Whether the machine is to look for a no-op.
    is_armed: AtomicBool,
    /// The comparison's number, and where it stands. Held for a move of some words.
    state: Mutex<(u64, State)>,
    /// Told when the entry has come.
    is_marked: Notify,
}

impl Comparison {
    /// Looks out for the entry of comparison `id` from now on.
    pub fn arm(&self, id: u64) {
        *self.state.lock() = (id, State::Armed);
        self.is_armed.store(true, Ordering::Release);
    }

    /// Whether the machine is to look for a no-op. One atomic load.
    #[inline]
    pub(in crate::raft) fn is_armed(&self) -> bool {
        self.is_armed.load(Ordering::Acquire)
    }

    /// The entry has come.
    pub(in crate::raft) fn mark(&self, mark: Mark) {
        let mut state = self.state.lock();
        self.is_armed.store(false, Ordering::Release);
        if matches!(state.1, State::Armed) {
            state.1 = State::Marked(mark);
            self.is_marked.notify_waiters();
        }
    }

    /// Waits for the entry of comparison `id`, for whoever digests it; `None` when another one has begun.
    pub async fn wait_marked(&self, id: u64) -> Option<Mark> {
        loop {
            let marked = self.is_marked.notified();
            tokio::pin!(marked);
            // Registered before the look, so that a mark in between is not missed.
            marked.as_mut().enable();
            match self.take(id) {
                Take::Mark(mark) => return Some(mark),
                Take::NotYet => marked.await,
                Take::Never => return None,
            }
        }
    }

    fn take(&self, id: u64) -> Take {
        let mut state = self.state.lock();
        if state.0 != id {
            return Take::Never;
        }
        match std::mem::replace(&mut state.1, State::Taken) {
            State::Marked(mark) => Take::Mark(mark),
            State::Armed => {
                state.1 = State::Armed;
                Take::NotYet
            }
            other => {
                state.1 = other;
                Take::Never
            }
        }
    }

    /// The digest of comparison `id`, or why there is none.
    pub fn finish(&self, id: u64, result: Result<Digest, String>) {
        let mut state = self.state.lock();
        if state.0 == id {
            let is_ordered = |digest: &Digest| digest.ranges.windows(2).all(|pair| pair[0].start <= pair[1].start);
            debug_assert!(result.as_ref().is_ok_and(is_ordered) || result.is_err(), "ranges are in the order of keys");
            self.is_armed.store(false, Ordering::Release);
            state.1 = State::Done(result);
        }
    }

    /// Where comparison `id` stands here.
    pub fn progress(&self, id: u64) -> Progress {
        let state = self.state.lock();
        match &state.1 {
            _ if state.0 != id => Progress::Absent,
            State::Idle => Progress::Absent,
            State::Armed | State::Marked(_) | State::Taken => Progress::Pending,
            State::Done(result) => Progress::Done(result.clone()),
        }
    }
}

enum Take {
    Mark(Mark),
    NotYet,
    Never,
}

/// A range that is being digested, some bytes at a time.
pub struct RangeReader {
    /// Of what was read.
    digest: RangeDigest,
    /// Its checksum so far.
    hasher: crc32fast::Hasher,
    /// The key behind the range; empty where there is none.
    end: Vec<u8>,
    /// The last key that was read.
    last: Option<Vec<u8>>,
}

impl RangeReader {
    /// Before the first row.
    pub fn new(range: RowRange) -> RangeReader {
        let digest = RangeDigest { start: range.start, ..RangeDigest::default() };
        RangeReader { digest, hasher: crc32fast::Hasher::new(), end: range.end, last: None }
    }

    /// Reads on, about so many bytes; how many it were, and whether the range is at its end.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(&mut self, view: &dyn Reader, bytes_max: usize) -> Result<(usize, bool), StoreError> {
        let from = match &self.last {
            None => self.digest.start.clone(),
            // The least key behind it.
            Some(last) => [last, &[0][..]].concat(),
        };
        let range = if self.end.is_empty() { KeyRange::from(&from) } else { KeyRange::between(&from, &self.end) };
        let mut cursor = view.cursor(range, Direction::Forward)?;
        let mut bytes = 0;
        while let Some((key, value)) = cursor.next()? {
            debug_assert!(*key >= *from, "a key is digested once");
            debug_assert!(self.end.is_empty() || *key < *self.end, "only keys of the range are digested");
            for part in [key, value] {
                self.hasher.update(&(part.len() as u64).to_le_bytes());
                self.hasher.update(part);
                bytes += part.len();
            }
            self.digest.rows += 1;
            if bytes >= bytes_max {
                self.last = Some(key.to_vec());
                self.digest.bytes += bytes as u64;
                return Ok((bytes, false));
            }
        }
        self.digest.bytes += bytes as u64;
        Ok((bytes, true))
    }

    /// The digest of what was read.
    pub fn finish(self) -> RangeDigest {
        RangeDigest { crc: self.hasher.finalize(), ..self.digest }
    }
}

#[cfg(test)]
mod tests {
    use ordered_kv::memory::MemoryState;
    use ordered_kv::{StateStore, WriteBatch};

    use super::*;

    fn store(rows: &[(&[u8], &[u8])]) -> MemoryState {
        let (store, mut batch) = (MemoryState::new(), WriteBatch::new());
        rows.iter().for_each(|(key, value)| batch.put(key, value));
        store.write(&batch).unwrap();
        store
    }

    fn digest(store: &MemoryState, bytes_max: usize) -> RangeDigest {
        let mut reader = RangeReader::new(RowRange { start: b"b".to_vec(), end: b"d".to_vec() });
        while !reader.read(store, bytes_max).unwrap().1 {}
        reader.finish()
    }

    #[test]
    fn a_digest_is_of_each_row_in_the_range_in_any_pieces() {
        let rows: [(&[u8], &[u8]); 5] = [(b"a", b"0"), (b"b", b"1"), (b"ba", b""), (b"c", b"22"), (b"d", b"3")];
        let whole = digest(&store(&rows), usize::MAX);
        assert_eq!((whole.rows, whole.bytes), (3, 7));
        for pieces in 1..5 {
            assert_eq!(digest(&store(&rows), pieces), whole);
        }
        let mut others = rows;
        others[0].1 = b"other";
        assert_eq!(digest(&store(&others), 9), whole, "outside");
        others[3].1 = b"23";
        assert_ne!(digest(&store(&others), 9), whole);
        // The same bytes, divided otherwise.
        let moved: [(&[u8], &[u8]); 3] = [(b"b", b"1"), (b"ba", b"c"), (b"c", b"22")];
        let other: [(&[u8], &[u8]); 3] = [(b"b", b"1"), (b"bac", b""), (b"c", b"22")];
        assert_ne!(digest(&store(&moved), 9).crc, digest(&store(&other), 9).crc);
    }

    #[tokio::test]
    async fn a_comparison_goes_its_way_and_a_new_one_takes_its_place() {
        let comparison = Comparison::default();
        let mark = |index| Mark { index, view: MemoryState::new().view(), ranges: Vec::new() };
        assert!(!comparison.is_armed());
        comparison.mark(mark(1));
        assert_eq!(comparison.progress(7), Progress::Absent, "nobody asked");
        comparison.arm(7);
        assert!(comparison.is_armed());
        assert_eq!((comparison.progress(7), comparison.progress(6)), (Progress::Pending, Progress::Absent));
        comparison.mark(mark(2));
        comparison.mark(mark(3));
        assert!(!comparison.is_armed());
        assert_eq!(comparison.wait_marked(7).await.map(|mark| mark.index), Some(2), "the first is it");
        comparison.finish(7, Ok(Digest::default()));
        assert_eq!(comparison.progress(7), Progress::Done(Ok(Digest::default())));
        comparison.arm(8);
        comparison.finish(7, Err("late".to_owned()));
        assert_eq!(comparison.progress(8), Progress::Pending);
        assert!(comparison.wait_marked(7).await.is_none());
        let marks = async { comparison.mark(mark(9)) };
        let (found, ()) = futures::join!(comparison.wait_marked(8), marks);
        assert_eq!(found.map(|mark| mark.index), Some(9));
    }
}
