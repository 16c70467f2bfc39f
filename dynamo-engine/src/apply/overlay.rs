//! The state as it will be: the store's rows under the changes of the entry that is being applied.
//!
//! Commands of one entry see each other's effects although nothing is written before the end. Changes are kept by key,
//! the last one wins, and go into the batch in key order: range deletes first, since a point change that came before a
//! range delete of its key is dropped with it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound;

use ordered_kv::{Direction, KeyRange, Reader, Value, WriteBatch};

use super::Fault;
use crate::keyspace::RowRange;

/// Changes over a reader.
pub struct Overlay<'a> {
    /// The rows before the entry.
    reader: &'a dyn Reader,
    /// What the entry has done to them.
    changes: Changes,
}

/// What an entry has changed so far.
#[derive(Default)]
pub(super) struct Changes {
    /// Changed keys; `None` is a delete.
    rows: BTreeMap<Vec<u8>, Option<Value>>,
    /// Ranges deleted; rows below them in the store are gone, rows in `rows` came later.
    dropped: Vec<RowRange>,
    /// Bytes read and written since they were last asked for.
    work: Cell<usize>,
    /// Bytes written in all.
    written: usize,
}

/// Rows that a scan found.
pub struct Scanned {
    /// Key and row, in key order.
    pub rows: Vec<(Vec<u8>, Value)>,
    /// No row is left behind the last one; `false` where a bound ended the scan, whether or not rows are left.
    pub exhausted: bool,
}

impl<'a> Overlay<'a> {
    /// No changes yet.
    pub fn new(reader: &'a dyn Reader) -> Overlay<'a> {
        Overlay::with_changes(reader, Changes::default())
    }

    /// These changes, over the same store's rows.
    pub(super) fn with_changes(reader: &'a dyn Reader, changes: Changes) -> Overlay<'a> {
        Overlay { reader, changes }
    }

    /// The changes without the store.
    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// The value under `key` as it will be.
    ///
    /// # Errors
    /// [`Fault::Store`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>, Fault> {
        let value = match self.changes.rows.get(key) {
            Some(change) => change.clone(),
            None if self.is_dropped(key) => None,
            None => self.reader.get(key)?,
        };
        self.count(key.len() + value.as_ref().map_or(0, |value| value.len()));
        Ok(value)
    }

    /// Bytes read and written since this was last called: keys and values, each time that they were.
    pub fn take_work(&self) -> usize {
        self.changes.work.take()
    }

    /// Bytes written since the entry was begun: keys and values, each time that they were.
    pub fn written(&self) -> usize {
        self.changes.written
    }

    fn count(&self, bytes: usize) {
        self.changes.work.set(self.changes.work.get() + bytes);
    }

    /// Stores `value` under `key`.
    pub fn put(&mut self, key: Vec<u8>, value: impl Into<Value>) {
        let value = value.into();
        self.count(key.len() + value.len());
        self.changes.written += key.len() + value.len();
        self.changes.rows.insert(key, Some(value));
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.count(key.len());
        self.changes.rows.insert(key, None);
    }

    /// Removes every key of `range`.
    pub fn delete_range(&mut self, range: RowRange) {
        self.changes.rows.retain(|key, _| !contains(&range, key));
        self.changes.dropped.push(range);
    }

    /// Rows of `range`, in key order, as they will be: up to `limit`, and no more once they hold `bytes_max` bytes.
    ///
    /// # Errors
    /// [`Fault::Store`].
    pub fn scan(&self, range: &RowRange, limit: usize, bytes_max: usize) -> Result<Scanned, Fault> {
        let mut cursor = self.reader.cursor(key_range(range), Direction::Forward)?;
        let end = if range.end.is_empty() { Bound::Unbounded } else { Bound::Excluded(&range.end[..]) };
        let mut changes = self.changes.rows.range::<[u8], _>((Bound::Included(&range.start[..]), end)).peekable();
        let (mut found, mut bytes) = (Vec::new(), 0);
        let mut stored = cursor.next()?.map(own);
        // What is read without being found (deleted in this entry) is little beside the rest.
        while found.len() < limit && bytes < bytes_max {
            let take_change = match (&stored, changes.peek()) {
                (None, None) => {
                    self.count(bytes);
                    return Ok(Scanned { rows: found, exhausted: true });
                }
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((key, _)), Some((changed, _))) => *changed <= key,
            };
            if take_change {
                let (key, value) = changes.next().expect("peeked");
                if stored.as_ref().is_some_and(|(stored_key, _)| stored_key == key) {
                    stored = cursor.next()?.map(own);
                }
                bytes += value.as_ref().map_or(0, |value| value.len());
                found.extend(value.clone().map(|value| (key.clone(), value)));
            } else {
                let (key, value) = stored.take().expect("the match above saw it");
                if !self.is_dropped(&key) {
                    bytes += value.len();
                    found.push((key, value));
                }
                stored = cursor.next()?.map(own);
            }
        }
        self.count(bytes);
        Ok(Scanned { rows: found, exhausted: false })
    }

    /// Moves all changes into `batch`.
    pub fn finish(self, batch: &mut WriteBatch) {
        /// A tag and two lengths of a change, and some to spare.
        const OVERHEAD_BYTES: usize = 16;
        let bytes = |(key, value): (&Vec<u8>, &Option<Value>)| {
            key.len() + value.as_ref().map_or(0, |value| value.len()) + OVERHEAD_BYTES
        };
        batch.reserve(self.changes.rows.iter().map(bytes).sum());
        for range in &self.changes.dropped {
            batch.delete_range(&range.start, &range.end);
        }
        for (key, value) in &self.changes.rows {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
    }

    fn is_dropped(&self, key: &[u8]) -> bool {
        self.changes.dropped.iter().any(|range| contains(range, key))
    }
}

fn own((key, value): (&[u8], &[u8])) -> (Vec<u8>, Value) {
    (key.to_vec(), Value::copy_from_slice(value))
}

fn key_range(range: &RowRange) -> KeyRange<'_> {
    if range.end.is_empty() { KeyRange::from(&range.start) } else { KeyRange::between(&range.start, &range.end) }
}

fn contains(range: &RowRange, key: &[u8]) -> bool {
    key >= &range.start[..] && (range.end.is_empty() || key < &range.end[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordered_kv::StateStore;
    use ordered_kv::memory::MemoryState;

    fn range(start: &[u8], end: &[u8]) -> RowRange {
        RowRange { start: start.to_vec(), end: end.to_vec() }
    }

    fn keys(rows: Vec<(Vec<u8>, Value)>) -> String {
        let pairs: Vec<String> = rows
            .iter()
            .map(|(key, value)| format!("{}{}", String::from_utf8_lossy(key), String::from_utf8_lossy(value)))
            .collect();
        pairs.join(" ")
    }

    #[test]
    fn reads_see_the_changes_and_the_batch_has_the_same_effect() {
        let store = MemoryState::new();
        let mut before = WriteBatch::new();
        for key in [b"a", b"b", b"c", b"d", b"e"] {
            before.put(key, b"0");
        }
        store.write(&before).unwrap();
        let mut overlay = Overlay::new(&store);
        overlay.put(b"b".to_vec(), &b"1"[..]);
        overlay.put(b"bb".to_vec(), &b"1"[..]);
        overlay.delete(b"a".to_vec());
        overlay.put(b"d".to_vec(), &b"1"[..]);
        overlay.delete_range(range(b"c", b"e"));
        overlay.put(b"cc".to_vec(), &b"2"[..]);
        assert_eq!(keys(overlay.scan(&range(b"", b""), 9, 99).unwrap().rows), "b1 bb1 cc2 e0");
        assert_eq!(keys(overlay.scan(&range(b"b", b"e"), 9, 2).unwrap().rows), "b1 bb1");
        assert_eq!(keys(overlay.scan(&range(b"b", b"e"), 2, 99).unwrap().rows), "b1 bb1");
        assert_eq!((overlay.get(b"d").unwrap(), overlay.get(b"a").unwrap()), (None, None));
        assert_eq!(overlay.get(b"e").unwrap().as_deref(), Some(&b"0"[..]));
        let mut batch = WriteBatch::new();
        overlay.finish(&mut batch);
        store.write(&batch).unwrap();
        assert_eq!(keys(Overlay::new(&store).scan(&range(b"", b""), 9, 99).unwrap().rows), "b1 bb1 cc2 e0");
    }
}
