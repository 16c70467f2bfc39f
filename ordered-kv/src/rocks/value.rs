//! Values that stay in RocksDB's memory.

use std::sync::Arc;

use rocksdb::{DB, DBPinnableSlice};

use crate::Value;

/// From this size on a value is pinned instead of copied. Below it one copy costs less than the bookkeeping.
const PIN_BYTES: usize = 8 << 10;

/// The value as an owned one: copied if small, else pinned together with its store.
pub(super) fn own(db: &Arc<DB>, slice: DBPinnableSlice<'_>) -> Value {
    if slice.len() < PIN_BYTES {
        return Value::copy_from_slice(&slice);
    }
    // SAFETY: the lifetime only says that the slice must not outlive the store. `Pinned` owns a share of the store
    // and drops the slice first.
    let slice = unsafe { std::mem::transmute::<DBPinnableSlice<'_>, DBPinnableSlice<'static>>(slice) };
    Value::from_owner(Pinned { slice, _db: db.clone() })
}

/// Fields are dropped in the order in which they stand here.
struct Pinned {
    /// Into a block of the store; ends before `_db`.
    slice: DBPinnableSlice<'static>,
    /// Keeps the store open.
    _db: Arc<DB>,
}

impl AsRef<[u8]> for Pinned {
    fn as_ref(&self) -> &[u8] {
        &self.slice
    }
}
