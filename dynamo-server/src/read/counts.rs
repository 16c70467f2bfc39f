//! Counting what requests read of the store, and noting what they could not.

use std::sync::atomic::{AtomicU64, Ordering};

use ordered_kv::{Cursor, Direction, KeyRange, Reader, StoreError, Value};
use parking_lot::Mutex;

/// Reads of the state store by requests.
#[derive(Debug, Default)]
pub(crate) struct StoreReads {
    /// Single rows that were asked for.
    gets: AtomicU64,
    /// Ranges that were begun.
    cursors: AtomicU64,
    /// Reads that went to the pool.
    blocking: AtomicU64,
    /// The keys, first and last, of the read that was last found to be of damaged data.
    damaged: Mutex<Option<(Vec<u8>, Vec<u8>)>>,
    /// PartiQL statements that were carried out as scans.
    statement_scans: AtomicU64,
}

impl StoreReads {
    /// The same reader, counted.
    pub(super) fn count<'a>(&'a self, reader: &'a dyn Reader) -> Counted<'a> {
        Counted { reader, reads: self }
    }

    /// The first and last key of the read that was last found to be of damaged data, once.
    pub(super) fn take_damaged(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.damaged.lock().take()
    }

    fn look_at<R>(&self, read: Result<R, StoreError>, first: &[u8], last: &[u8]) -> Result<R, StoreError> {
        if let Err(StoreError::Corruption(_)) = &read {
            *self.damaged.lock() = Some((first.to_vec(), last.to_vec()));
        }
        read
    }

    /// A read went to the pool.
    pub(super) fn note_blocking(&self) {
        self.blocking.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads that went to the pool.
    pub(crate) fn blocking(&self) -> u64 {
        self.blocking.load(Ordering::Relaxed)
    }

    /// A PartiQL statement was carried out as a scan.
    pub(super) fn note_statement_scan(&self) {
        self.statement_scans.fetch_add(1, Ordering::Relaxed);
    }

    /// PartiQL statements that were carried out as scans.
    pub(crate) fn statement_scans(&self) -> u64 {
        self.statement_scans.load(Ordering::Relaxed)
    }

    /// Point reads.
    pub(crate) fn gets(&self) -> u64 {
        self.gets.load(Ordering::Relaxed)
    }

    /// Cursors opened.
    pub(crate) fn cursors(&self) -> u64 {
        self.cursors.load(Ordering::Relaxed)
    }
}

/// A reader that counts, and notes where the store is damaged.
pub(super) struct Counted<'a> {
    /// What is read.
    reader: &'a dyn Reader,
    /// Where it counts.
    reads: &'a StoreReads,
}

impl Reader for Counted<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.reads.gets.fetch_add(1, Ordering::Relaxed);
        self.reads.look_at(self.reader.get(key), key, key)
    }

    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>, StoreError> {
        self.reads.gets.fetch_add(keys.len() as u64, Ordering::Relaxed);
        let (first, last) = (keys.iter().min().copied(), keys.iter().max().copied());
        self.reads.look_at(self.reader.get_many(keys), first.unwrap_or_default(), last.unwrap_or_default())
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        self.reads.cursors.fetch_add(1, Ordering::Relaxed);
        let start = range.lower().unwrap_or_default().into_owned();
        let cursor = self.reads.look_at(self.reader.cursor(range, direction), &start, &start)?;
        Ok(Box::new(CountedCursor { cursor, reads: self.reads, start }))
    }
}

struct CountedCursor<'a> {
    /// What is read.
    cursor: Box<dyn Cursor + 'a>,
    /// Where damage is noted.
    reads: &'a StoreReads,
    /// Where it began. A range is of one shard, as a rule.
    start: Vec<u8>,
}

impl Cursor for CountedCursor<'_> {
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError> {
        self.reads.look_at(self.cursor.next(), &self.start, &self.start)
    }
}
