//! What a read must know of transactions that are under way: whether an item is held, and how new an absence is.
//!
//! Both come from any [`Reader`], so that they can be taken from the very view that the items come from.

use hlc::Timestamp;
use ordered_kv::{Reader, StoreError};
use shard_router::ShardId;

use crate::apply::{Fault, read_deletions};
use crate::item::Corrupt;
use crate::keyspace::intent_key;

use super::ReadError;

/// Whether a prepared transaction holds the item with this row key.
///
/// # Errors
/// The store's.
pub fn intent_at(reader: &dyn Reader, row_key: &[u8]) -> Result<bool, StoreError> {
    Ok(reader.get(&intent_key(row_key))?.is_some())
}

/// The version of every item that is not there: the highest commit timestamp of an item deleted from the shard.
///
/// An item that is absent and unlocked, and absent again later under the same number, was not there in between: a
/// deletion since would have been prepared above everything that the shard had applied, so above this number.
///
/// # Errors
/// The store's, or a damaged row.
pub fn deletions_high(reader: &dyn Reader, shard: ShardId) -> Result<Timestamp, ReadError> {
    read_deletions(reader, shard).map_err(|fault| match fault {
        Fault::Store(error) => ReadError::Store(error),
        _ => ReadError::Corrupt(Corrupt("the row of deletions")),
    })
}
