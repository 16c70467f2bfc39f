//! How many items a table has and how large they are, counted rather than estimated.
//!
//! Every shard keeps a row of statistics for each table and index, changed by apply in the batch of the item itself, so
//! the counts are exact at every moment; the service's own are about six hours old. Sizes are those that are billed.

use std::collections::BTreeMap;

use ordered_kv::{Reader, StoreError};
use shard_router::ShardId;

use super::{IndexId, TableDescriptor};
use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::keyspace::local;
use crate::record;

const FORMAT: u8 = 1;

/// Counts of a table or an index, on one shard or summed over several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Items, or index entries.
    pub items: u64,
    /// Their billed size in bytes.
    pub bytes: u64,
}

impl Stats {
    /// Counts a change of `items` and `bytes`, which may be negative.
    pub fn change(&mut self, items: i64, bytes: i64) {
        debug_assert!(self.items.checked_add_signed(items).is_some(), "no more items can go than there are");
        debug_assert!(self.bytes.checked_add_signed(bytes).is_some(), "no more bytes can go than there are");
        self.items = self.items.saturating_add_signed(items);
        self.bytes = self.bytes.saturating_add_signed(bytes);
    }

    /// Adds another shard's counts.
    pub fn add(&mut self, other: Stats) {
        self.items += other.items;
        self.bytes += other.bytes;
    }

    /// The row's value.
    pub fn to_bytes(self) -> Vec<u8> {
        to_row(FORMAT, |out| self.encode(out))
    }

    /// Decodes a row's value.
    ///
    /// # Errors
    ///
    /// Bytes that [`Stats::to_bytes`] cannot have written.
    pub fn from_bytes(row: &[u8]) -> Result<Stats, DecodeError> {
        from_row(row, FORMAT, Stats::decode)
    }
}

record! { struct Stats { items, bytes } }

/// Counts of a table and of each of its indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    /// The table's.
    pub table: Stats,
    /// The indexes'; one that is missing has none.
    pub indexes: BTreeMap<IndexId, Stats>,
}

/// Why statistics or descriptors could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is not what this build writes.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl TableStats {
    /// The counts of `table` on one shard.
    ///
    /// # Errors
    ///
    /// The store's, and rows that cannot be decoded.
    pub fn read(reader: &dyn Reader, shard: ShardId, table: &TableDescriptor) -> Result<TableStats, LoadError> {
        let one = |id: u64| -> Result<Stats, LoadError> {
            let value = reader.get(&local::stats(shard, id))?;
            Ok(value.map(|bytes| Stats::from_bytes(&bytes)).transpose()?.unwrap_or_default())
        };
        let indexes = table.indexes.iter().map(|index| Ok((index.id, one(index.id.0)?)));
        Ok(TableStats { table: one(table.id.0)?, indexes: indexes.collect::<Result<_, LoadError>>()? })
    }

    /// Adds another shard's counts.
    pub fn add(&mut self, other: &TableStats) {
        self.table.add(other.table);
        for (id, stats) in &other.indexes {
            self.indexes.entry(*id).or_default().add(*stats);
        }
    }

    /// The counts of one index.
    pub fn index(&self, id: IndexId) -> Stats {
        self.indexes.get(&id).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fixture;
    use ordered_kv::memory::MemoryState;
    use ordered_kv::{StateStore, WriteBatch};

    #[test]
    fn counts_come_back_and_add_up() {
        let table = fixture::orders();
        let store = MemoryState::new();
        let mut stats = Stats::default();
        stats.change(3, 300);
        stats.change(-1, -100);
        let mut batch = WriteBatch::new();
        batch.put(&local::stats(ShardId(0), table.id.0), &stats.to_bytes());
        batch.put(&local::stats(ShardId(1), table.id.0), &stats.to_bytes());
        batch.put(&local::stats(ShardId(1), table.indexes[1].id.0), &stats.to_bytes());
        store.write(&batch).unwrap();
        let mut sum = TableStats::default();
        for shard in [ShardId(0), ShardId(1)] {
            sum.add(&TableStats::read(&store, shard, &table).unwrap());
        }
        assert_eq!(sum.table, Stats { items: 4, bytes: 400 });
        assert_eq!(sum.index(table.indexes[1].id), Stats { items: 2, bytes: 200 });
        assert_eq!(sum.index(table.indexes[0].id), Stats::default());
    }

    #[test]
    fn the_row_has_these_bytes() {
        let stats = Stats { items: 1, bytes: 300 };
        assert_eq!(stats.to_bytes(), [1, 1, 0xac, 2]);
        assert_eq!(Stats::from_bytes(&[1, 1, 0xac, 2]), Ok(stats));
        assert_eq!(Stats::from_bytes(&[2, 0, 0]), Err(DecodeError::Format(2)));
    }
}
