//! The two commands of time to live: the next rows of a queue that is being filled, and deletions of what is due.

use crate::catalog::TableId;
use crate::codec::DecodeError;
use crate::keyspace::{RowKey, Space};
use crate::record;

/// Items of one command at most, so that applying it takes a few milliseconds.
pub const EXPIRE_ITEMS_MAX: usize = 256;

/// Visit the next base rows of a table, from the cursor that the shard keeps, and put those that expire into its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillTtlQueue {
    /// The table.
    pub table: TableId,
    /// The attribute of expiry as planned.
    pub attribute: String,
    /// How many base rows to visit.
    pub rows: u32,
}

/// Delete these items as far as they are due: what is meant here is compared with what is there when it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expire {
    /// The table.
    pub table: TableId,
    /// The attribute of expiry as planned.
    pub attribute: String,
    /// At most [`EXPIRE_ITEMS_MAX`].
    pub items: Vec<Expiring>,
}

/// One item as its queue row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// When it expires, in milliseconds since the epoch.
    pub expiry_ms: u64,
    /// The item's key.
    pub key: Vec<u8>,
}

record! {
    struct FillTtlQueue { table, attribute, rows }
    struct Expire { table, attribute, items } then checked
    struct Expiring { expiry_ms, key }
}

impl Expire {
    fn checked(self) -> Result<Self, DecodeError> {
        let is_of_table = |item: &Expiring| {
            RowKey::parse(&item.key).is_ok_and(|key| key.space() == Space::Rows as u8 && key.id() == self.table.0)
        };
        match self.items.len() <= EXPIRE_ITEMS_MAX && self.items.iter().all(is_of_table) {
            true => Ok(self),
            false => Err(DecodeError::Malformed("items that expire")),
        }
    }
}
