//! The persistent map behind the memory stores, and how a batch changes it.

use bytes::Bytes;

use crate::{KeyRange, Operation, Value, WriteBatch};

/// Keys to values; cloning it is one reference count.
pub(super) type Map = imbl::OrdMap<Bytes, Value>;

/// Applies every operation of `batch`, in order. Keys and values are copied once, into one allocation each, so that
/// a small value does not keep a whole batch alive.
pub(super) fn apply(map: &mut Map, batch: &WriteBatch) {
    for operation in batch {
        match operation {
            Operation::Put { key, value } => {
                map.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            }
            Operation::Delete { key } => {
                map.remove(key);
            }
            Operation::DeleteRange { start, end } => delete_range(map, start, end),
        }
    }
}

/// Removes every key in `start..end`.
pub(super) fn delete_range(map: &mut Map, start: &[u8], end: &[u8]) {
    let range = KeyRange::between(start, end);
    if range.is_empty() {
        return;
    }
    let doomed: Vec<Bytes> = map.range::<_, [u8]>(range.as_bounds()).map(|(key, _)| key.clone()).collect();
    for key in doomed {
        map.remove(&key);
    }
}
