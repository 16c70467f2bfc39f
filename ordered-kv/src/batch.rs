//! A batch of writes in one buffer.
//!
//! # Layout
//!
//! ```text
//! 8 bytes zero · count (4 bytes, little endian) · operation*
//! operation = 0x01 · key · value      put
//!           | 0x00 · key              delete
//!           | 0x0f · start · end      delete every key from start (included) to end (excluded)
//! key, value, start, end = length (varint, 7 bits a byte, low bits first) · bytes
//! ```
//!
//! This is, byte for byte, the format of RocksDB's write-ahead log records (`db/write_batch.cc`), so that a batch is
//! handed over with one copy instead of one foreign call per operation; a test in `rocks` compares the two. It is
//! nevertheless only a format in memory: nothing here is read back from disk by us.

use std::fmt;

const HEADER_BYTES: usize = 12;
const COUNT_AT: usize = 8;
const TAG_DELETE: u8 = 0x00;
const TAG_PUT: u8 = 0x01;
const TAG_DELETE_RANGE: u8 = 0x0f;

/// Puts, deletes and range deletes that take effect together, in the order in which they were added.
///
/// ```
/// use ordered_kv::{Operation, WriteBatch};
/// let mut batch = WriteBatch::new();
/// batch.put(b"key", b"value");
/// batch.delete(b"other");
/// assert_eq!(batch.len(), 2);
/// assert_eq!(batch.iter().next(), Some(Operation::Put { key: b"key", value: b"value" }));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct WriteBatch {
    /// Header and operations, as in the module comment.
    bytes: Vec<u8>,
}

/// One operation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Store `value` under `key`.
    Put {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// Remove `key`; no effect where it is absent.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// Remove every key in `start..end`.
    DeleteRange {
        /// The first key removed.
        start: &'a [u8],
        /// The first key above that stays.
        end: &'a [u8],
    },
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> WriteBatch {
        WriteBatch { bytes: vec![0; HEADER_BYTES] }
    }

    /// An empty batch with room for `bytes` of keys and values.
    pub fn with_capacity(bytes: usize) -> WriteBatch {
        let mut buffer = Vec::with_capacity(HEADER_BYTES + bytes);
        buffer.resize(HEADER_BYTES, 0);
        WriteBatch { bytes: buffer }
    }

    /// Makes room for `bytes` more of keys and values.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Adds a put.
    ///
    /// # Panics
    ///
    /// If the key or the value has 4 GiB or more, here as in the other two.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.push(TAG_PUT);
        self.push_slice(key);
        self.push_slice(value);
        self.count_one();
    }

    /// Adds a delete.
    pub fn delete(&mut self, key: &[u8]) {
        self.bytes.push(TAG_DELETE);
        self.push_slice(key);
        self.count_one();
    }

    /// Adds a delete of every key from `start` (included) up to `end` (excluded). An empty or inverted range adds
    /// nothing.
    ///
    /// Meant for thousands of keys at a time: each range delete slows the reads near it until compaction.
    pub fn delete_range(&mut self, start: &[u8], end: &[u8]) {
        if start >= end {
            return;
        }
        self.bytes.push(TAG_DELETE_RANGE);
        self.push_slice(start);
        self.push_slice(end);
        self.count_one();
    }

    /// Adds everything in `other`, after what is here.
    pub fn append(&mut self, other: &WriteBatch) {
        self.bytes.extend_from_slice(&other.bytes[HEADER_BYTES..]);
        self.set_count(self.count() + other.count());
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.count() as usize
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The size of the whole batch in bytes, with its header.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.truncate(HEADER_BYTES);
        self.set_count(0);
    }

    /// The operations, in order.
    pub fn iter(&self) -> Operations<'_> {
        Operations { rest: &self.bytes[HEADER_BYTES..] }
    }

    /// The whole buffer, in the layout of the module comment.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn push_slice(&mut self, slice: &[u8]) {
        let mut length = u32::try_from(slice.len()).expect("keys and values are far below 4 GiB by DynamoDB's limits");
        while length >= 0x80 {
            self.bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.bytes.push(length as u8);
        self.bytes.extend_from_slice(slice);
    }

    fn count_one(&mut self) {
        self.set_count(self.count() + 1);
    }

    fn count(&self) -> u32 {
        let bytes = self.bytes[COUNT_AT..HEADER_BYTES].try_into().expect("the header is always there");
        u32::from_le_bytes(bytes)
    }

    fn set_count(&mut self, count: u32) {
        self.bytes[COUNT_AT..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
    }
}

impl Default for WriteBatch {
    fn default() -> WriteBatch {
        WriteBatch::new()
    }
}

impl fmt::Debug for WriteBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a WriteBatch {
    type Item = Operation<'a>;
    type IntoIter = Operations<'a>;

    fn into_iter(self) -> Operations<'a> {
        self.iter()
    }
}

/// Walks through the operations of a batch.
#[derive(Clone, Debug)]
pub struct Operations<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Operations<'a> {
    type Item = Operation<'a>;

    fn next(&mut self) -> Option<Operation<'a>> {
        let (tag, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match *tag {
            TAG_PUT => Operation::Put { key: self.slice(), value: self.slice() },
            TAG_DELETE => Operation::Delete { key: self.slice() },
            TAG_DELETE_RANGE => Operation::DeleteRange { start: self.slice(), end: self.slice() },
            other => unreachable!("only this module writes the buffer, and never tag {other}"),
        })
    }
}

impl<'a> Operations<'a> {
    fn slice(&mut self) -> &'a [u8] {
        let mut length = 0usize;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.rest.split_first().expect("a length follows each tag");
            self.rest = rest;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (slice, rest) = self.rest.split_at(length);
        self.rest = rest;
        slice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let mut batch = WriteBatch::new();
        batch.put(b"k", b"vv");
        batch.delete(b"d");
        batch.delete_range(b"a", b"b");
        batch.delete_range(b"b", b"b");
        let expected = b"\0\0\0\0\0\0\0\0\x03\0\0\0\x01\x01k\x02vv\x00\x01d\x0f\x01a\x01b";
        assert_eq!(batch.as_bytes(), expected);
    }

    #[test]
    fn batches_decode_to_what_was_put() {
        let long = vec![7u8; 70_000];
        let mut batch = WriteBatch::with_capacity(16);
        batch.put(b"", b"");
        batch.put(&long[..300], &long);
        let mut tail = WriteBatch::new();
        tail.delete_range(b"", b"z");
        tail.delete(b"x");
        batch.append(&tail);
        let expected = [
            Operation::Put { key: b"", value: b"" },
            Operation::Put { key: &long[..300], value: &long },
            Operation::DeleteRange { start: b"", end: b"z" },
            Operation::Delete { key: b"x" },
        ];
        assert_eq!(batch.iter().collect::<Vec<_>>(), expected);
        assert_eq!(batch.len(), 4);
        batch.clear();
        assert!(batch.is_empty());
        assert_eq!(batch, WriteBatch::new());
    }
}
