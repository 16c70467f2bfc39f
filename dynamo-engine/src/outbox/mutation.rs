//! One change of an index row on its way, as stored in the outbox and as sent.

use shard_router::Token;

use crate::catalog::{IndexId, TableDescriptor, TableId};
use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::item::ItemRef;
use crate::keyspace::{RowKey, Space};
use crate::record;

const OUTBOX_FORMAT: u8 = 1;

/// What an outbox row costs beside its value: its key, and the store's own bookkeeping. Counted into the bound so that
/// very small rows cannot pile up without end.
const ROW_OVERHEAD_BYTES: u64 = 32;

/// One change of one index row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexMutation {
    /// The index.
    pub index: IndexId,
    /// Where the row lives.
    pub token: Token,
    /// The row's key.
    pub key: Vec<u8>,
    /// The row; `None` removes it.
    pub row: Option<Vec<u8>>,
    /// Billed bytes of the row that was there, and of the row that will be.
    pub billed: (Option<usize>, Option<usize>),
}

impl IndexMutation {
    /// The old row is not in the index: its item was written before the index, and the backfill has not come to it.
    pub(crate) fn not_filled_yet(&mut self) {
        self.billed.0 = None;
    }
}

/// The change of one row of a global index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMutation {
    /// The item's table.
    pub table: TableId,
    /// The schema version that was installed at the source.
    pub schema_version: u32,
    /// The index row's key; the index's id stands in it.
    pub key: Vec<u8>,
    /// The stored row; `None` removes it.
    pub row: Option<Vec<u8>>,
}

/// A mutation as it lies in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Bytes of all rows that the channel ever had, this one included: what a trim frees is a subtraction.
    pub bytes_through: u64,
    /// What is to be sent.
    pub mutation: OutboxMutation,
}

impl OutboxMutation {
    /// What is to be sent for a mutation that a table's write gave.
    pub(crate) fn new(table: &TableDescriptor, mutation: IndexMutation) -> OutboxMutation {
        OutboxMutation { table: table.id, schema_version: table.schema_version, key: mutation.key, row: mutation.row }
    }

    /// The index that the row belongs to.
    pub fn index(&self) -> IndexId {
        IndexId(RowKey::parse(&self.key).expect("made or decoded with a whole key").id())
    }

    /// Roughly its bytes.
    pub fn weight(&self) -> usize {
        self.key.len() + self.row.as_ref().map_or(0, Vec::len)
    }

    /// Its key and its row are looked at when it is read, so that nothing malformed is ever proposed: apply would stop the
    /// shard on every node.
    fn checked(self) -> Result<Self, DecodeError> {
        if RowKey::parse(&self.key).map(|key| key.space()) != Ok(Space::GlobalIndex as u8) {
            return Err(DecodeError::Malformed("the key of an index row"));
        }
        match self.row.as_deref().map(ItemRef::parse) {
            Some(Err(_)) => Err(DecodeError::Malformed("an index row")),
            _ => Ok(self),
        }
    }
}

record! {
    struct OutboxMutation { table, schema_version, key, row } then checked
    struct OutboxRow { bytes_through, mutation }
}

impl OutboxRow {
    /// The row behind one that ended at `bytes_before`.
    pub(crate) fn after(bytes_before: u64, mutation: OutboxMutation) -> OutboxRow {
        OutboxRow { bytes_through: bytes_before + mutation.weight() as u64 + ROW_OVERHEAD_BYTES, mutation }
    }

    /// The row's value.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_row(OUTBOX_FORMAT, |out| self.encode(out))
    }

    /// Decodes a row's value.
    ///
    /// # Errors
    /// Bytes that [`OutboxRow::to_bytes`] cannot have written.
    pub fn from_bytes(row: &[u8]) -> Result<OutboxRow, DecodeError> {
        from_row(row, OUTBOX_FORMAT, OutboxRow::decode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{ItemBody, stored};
    use crate::keyspace::{KeyPart, global_index_key};
    use dynamo_protocol::value::{AttributeValue, Item};
    use hlc::Timestamp;

    fn row() -> OutboxRow {
        let item = Item::from([("p".to_owned(), AttributeValue::Null)]);
        let mutation = OutboxMutation {
            table: TableId(7),
            schema_version: 300,
            key: global_index_key(9, &[KeyPart::S("i")], &[], b"\x01p\x00\x01"),
            row: Some(stored(&ItemBody::encode(&item), Timestamp(1))),
        };
        OutboxRow { bytes_through: 128, mutation }
    }

    #[test]
    fn golden_bytes() {
        let row = row();
        let mut expected = vec![1, 0x80, 1, 7, 0xac, 2, 25];
        expected.extend_from_slice(&row.mutation.key);
        expected.extend_from_slice(&[1, 23]);
        expected.extend_from_slice(row.mutation.row.as_ref().unwrap());
        assert_eq!(row.to_bytes(), expected);
        assert_eq!(OutboxRow::from_bytes(&expected), Ok(row));
        let removal = OutboxRow { bytes_through: 0, mutation: OutboxMutation { row: None, ..self::row().mutation } };
        assert_eq!(OutboxRow::from_bytes(&removal.to_bytes()), Ok(removal));
    }

    #[test]
    fn the_decoder_refuses_mutations_that_apply_cannot_use() {
        let bytes = row().to_bytes();
        for length in 0..bytes.len() {
            assert!(OutboxRow::from_bytes(&bytes[..length]).is_err());
        }
        let mut base_row = row();
        base_row.mutation.key[0] = Space::Rows as u8;
        assert!(OutboxRow::from_bytes(&base_row.to_bytes()).is_err());
        let mut damaged = row();
        damaged.mutation.row.as_mut().unwrap()[0] = 9;
        assert!(OutboxRow::from_bytes(&damaged.to_bytes()).is_err());
    }
}
