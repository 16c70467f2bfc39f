//! The two commands of time to live: the next rows of a queue that is being filled, and deletions of what is due.

use crate::catalog::TableId;
use crate::codec::{
    DecodeError, get_bytes, get_list, get_str, get_u32, get_u64, put_bytes, put_list, put_str, put_u64,
};
use crate::keyspace::{RowKey, Space};

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

impl FillTtlQueue {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.table.0);
        put_str(out, &self.attribute);
        put_u64(out, u64::from(self.rows));
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<FillTtlQueue, DecodeError> {
        Ok(FillTtlQueue { table: TableId(get_u64(input)?), attribute: get_str(input)?, rows: get_u32(input)? })
    }
}

impl Expire {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.table.0);
        put_str(out, &self.attribute);
        put_list(out, &self.items, |out, item| {
            put_u64(out, item.expiry_ms);
            put_bytes(out, &item.key);
        });
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<Expire, DecodeError> {
        let table = TableId(get_u64(input)?);
        let attribute = get_str(input)?;
        let items =
            get_list(input, |input| Ok(Expiring { expiry_ms: get_u64(input)?, key: get_bytes(input)?.to_vec() }))?;
        let is_of_table = |item: &Expiring| {
            RowKey::parse(&item.key).is_ok_and(|key| key.space() == Space::Rows as u8 && key.id() == table.0)
        };
        match items.len() <= EXPIRE_ITEMS_MAX && items.iter().all(is_of_table) {
            true => Ok(Expire { table, attribute, items }),
            false => Err(DecodeError::Malformed("items that expire")),
        }
    }
}
