//! What came of a catalog command.

use std::sync::Arc;

use crate::catalog::TableDescriptor;

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
    /// The system group knows that all shards are through.
    Confirmed,
    /// Refused: there is a table of that name.
    TableExists {
        /// The name.
        name: String,
    },
    /// Refused: the table changed, or went, since the command was planned, or may have. Plan again.
    Stale,
}

impl DdlOutcome {
    /// Whether the shard's catalog is another one now.
    pub fn changes_catalog(&self) -> bool {
        !matches!(self, DdlOutcome::TableExists { .. } | DdlOutcome::Stale)
    }
}
