//! Rebuilds the catalog in memory from the rows, at the start of a node.

use std::sync::Arc;

use ordered_kv::Reader;
use shard_router::ShardId;

use super::{LoadError, MemoryCatalog, TableDescriptor, TablePhase};
use crate::keyspace::{for_each_row, local};

/// The descriptors installed in `shard`, in the order of their ids.
///
/// # Errors
///
/// The store's, and rows that cannot be decoded: the node must not serve a shard of which it does not know the tables.
pub fn installed(reader: &dyn Reader, shard: ShardId) -> Result<Vec<Arc<TableDescriptor>>, LoadError> {
    let mut tables = Vec::new();
    for_each_row::<LoadError>(reader, &local::installed_prefix(shard), |_, row| {
        let table = TableDescriptor::from_bytes(row)?;
        if cfg!(debug_assertions) {
            table.validate();
        }
        tables.push(Arc::new(table));
        Ok(true)
    })?;
    Ok(tables)
}

/// The catalog of the tables installed in `shard`.
///
/// # Errors
///
/// As [`installed`].
pub fn load(reader: &dyn Reader, shard: ShardId) -> Result<MemoryCatalog, LoadError> {
    let mut catalog = MemoryCatalog::default();
    for table in installed(reader, shard)? {
        catalog.insert(table, TablePhase::Active);
    }
    Ok(catalog)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, TableId, fixture};
    use ordered_kv::memory::MemoryState;
    use ordered_kv::{StateStore, WriteBatch};

    #[test]
    fn a_loaded_catalog_has_what_was_installed() {
        let store = MemoryState::new();
        let mut batch = WriteBatch::new();
        let mut other = fixture::orders();
        other.id = TableId(300);
        other.name = "other".to_owned();
        for (shard, table) in [(0, &fixture::orders()), (0, &other), (1, &other)] {
            batch.put(&local::installed(ShardId(shard), table.id.0), &table.to_bytes());
        }
        store.write(&batch).unwrap();
        let catalog = load(&store, ShardId(0)).unwrap();
        assert_eq!(catalog.table_names(None, 10), ["orders", "other"]);
        assert_eq!(*catalog.table("orders").unwrap(), fixture::orders());
        assert_eq!(load(&store, ShardId(1)).unwrap().table_names(None, 10), ["other"]);
    }
}
