//! The catalog as plans see it: names to descriptors, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{TableDescriptor, TableId};

/// The descriptors installed in the shards of this node, at one moment.
///
/// A plan asks by name and keeps the `Arc`; the version in it travels in the command, so a change between plan and
/// apply is noticed there. "Not in this catalog" is not yet "does not exist": the server confirms with the system
/// group before a client hears it.
pub trait Catalog {
    /// The table named `name`.
    fn table(&self, name: &str) -> Option<Arc<TableDescriptor>>;

    /// Up to `limit` names after `after`, in the order of their bytes.
    fn table_names(&self, after: Option<&str>, limit: usize) -> Vec<String>;

    /// The table with the number `id`; a walk where an implementation has nothing better.
    fn table_by_id(&self, id: TableId) -> Option<Arc<TableDescriptor>> {
        let names = self.table_names(None, usize::MAX);
        names.iter().filter_map(|name| self.table(name)).find(|table| table.id == id)
    }
}

/// A catalog in memory: what a shard's state holds, and what tests plan against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryCatalog {
    /// By name; each table's name is its key.
    tables: BTreeMap<String, Arc<TableDescriptor>>,
}

/// What a command did to the catalog; the server applies it to its own map, in apply order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogChange {
    /// The table is there, new or changed, and this is its description.
    Installed(Arc<TableDescriptor>),
    /// The table is gone.
    Removed {
        /// Its number.
        id: TableId,
        /// Its name.
        name: String,
    },
}

impl MemoryCatalog {
    /// A catalog of these tables.
    pub fn new(tables: impl IntoIterator<Item = TableDescriptor>) -> Self {
        let mut catalog = MemoryCatalog::default();
        for table in tables {
            catalog.apply(&CatalogChange::Installed(Arc::new(table)));
        }
        catalog
    }

    /// Makes a change.
    pub fn apply(&mut self, change: &CatalogChange) {
        match change {
            CatalogChange::Installed(table) => {
                self.tables.insert(table.name.clone(), Arc::clone(table));
            }
            CatalogChange::Removed { id, name } => {
                if self.tables.get(name).is_some_and(|table| table.id == *id) {
                    self.tables.remove(name);
                }
            }
        }
    }

    /// All tables, by name.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableDescriptor>> {
        self.tables.values()
    }
}

impl Catalog for MemoryCatalog {
    fn table(&self, name: &str) -> Option<Arc<TableDescriptor>> {
        self.tables.get(name).cloned()
    }

    fn table_names(&self, after: Option<&str>, limit: usize) -> Vec<String> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, Excluded);
        self.tables.range::<str, _>((start, Unbounded)).take(limit).map(|(name, _)| name.clone()).collect()
    }

    fn table_by_id(&self, id: TableId) -> Option<Arc<TableDescriptor>> {
        self.tables.values().find(|table| table.id == id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fixture;

    #[test]
    fn changes_and_names() {
        let mut catalog = MemoryCatalog::new([fixture::orders()]);
        let mut other = fixture::orders();
        other.name = "zebras".to_owned();
        other.id = TableId(70);
        catalog.apply(&CatalogChange::Installed(Arc::new(other)));
        assert_eq!(catalog.table_names(None, 10), ["orders", "zebras"]);
        assert_eq!(catalog.table_names(Some("orders"), 10), ["zebras"]);
        assert_eq!(catalog.table_names(None, 1), ["orders"]);
        assert_eq!(catalog.table_by_id(TableId(70)).unwrap().name, "zebras");
        catalog.apply(&CatalogChange::Removed { id: TableId(1), name: "orders".to_owned() });
        assert!(catalog.table("orders").is_some(), "an older table of that name was meant");
        catalog.apply(&CatalogChange::Removed { id: TableId(7), name: "orders".to_owned() });
        assert!(catalog.table("orders").is_none());
    }
}
