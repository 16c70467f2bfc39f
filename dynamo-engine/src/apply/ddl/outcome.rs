//! What came of a catalog command.

use std::sync::Arc;

use crate::catalog::{CatalogChange, TableDescriptor};

/// The outcome of a catalog command, equal on every replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DdlOutcome {
    /// The table was created, and this is it.
    Created(Arc<TableDescriptor>),
    /// The table was changed.
    Changed {
        /// As it was.
        before: Arc<TableDescriptor>,
        /// As it is.
        after: Arc<TableDescriptor>,
    },
    /// The table was deleted; this is how it was last.
    Deleted(Arc<TableDescriptor>),
    /// The shard has this descriptor, or a later one.
    Installed(Arc<TableDescriptor>),
    /// The shard has the table no more; its last descriptor, if it had one.
    Uninstalled(Option<Arc<TableDescriptor>>),
    /// Refused: there is a table of that name.
    TableExists {
        /// The name.
        name: String,
    },
    /// Refused: the table changed, or went, since the command was planned. Plan again.
    Stale,
}

impl DdlOutcome {
    /// What the node's map of installed descriptors must do, in apply order.
    pub fn catalog_change(&self) -> Option<CatalogChange> {
        match self {
            DdlOutcome::Created(table) | DdlOutcome::Installed(table) => {
                Some(CatalogChange::Installed(Arc::clone(table)))
            }
            DdlOutcome::Changed { after, .. } => Some(CatalogChange::Installed(Arc::clone(after))),
            DdlOutcome::Deleted(table) | DdlOutcome::Uninstalled(Some(table)) => {
                Some(CatalogChange::Removed { id: table.id, name: table.name.clone() })
            }
            DdlOutcome::Uninstalled(None) | DdlOutcome::TableExists { .. } | DdlOutcome::Stale => None,
        }
    }
}
