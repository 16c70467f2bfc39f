//! What can go wrong in a store, sorted by what the caller can do next.

/// A fault of this node's storage; never part of an agreed answer.
///
/// Only [`StoreError::NotCached`] and [`StoreError::Full`] are met in healthy operation. Everything else means that
/// the node cannot trust its storage: after a failed write or sync it should stop rather than diverge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused a read, write or sync. A failed sync may have lost data that was written before
    /// it: stop the node.
    #[error("storage input/output failed: {0}")]
    Io(String),
    /// Stored bytes do not match their checksum or their format. Stop, restore from a replica or a backup.
    #[error("stored data is corrupt: {0}")]
    Corruption(String),
    /// The disk is full. Refuse writes until there is room; what is stored can still be read.
    #[error("storage is full: {0}")]
    Full(String),
    /// The store was closed, or is held by another process.
    #[error("the store is closed or in use: {0}")]
    Closed(String),
    /// A read of the cached tier met data that is not in memory. Repeat it where blocking is allowed.
    #[error("not in memory")]
    NotCached,
    /// This implementation has no such function.
    #[error("not supported by this store: {0}")]
    Unsupported(&'static str),
    /// The call broke the contract of the trait (keys out of order in an ingest, say).
    #[error("storage was used wrongly: {0}")]
    Misuse(String),
}

impl StoreError {
    /// Whether the caller may go on: repeat the read elsewhere, or free space and try again. `false` means that the
    /// node should stop using this store.
    ///
    /// [`StoreError::Corruption`] met by a *read* is of the part that was read: the rest may be used.
    pub fn is_recoverable(&self) -> bool {
        matches!(self, StoreError::NotCached | StoreError::Full(_) | StoreError::Unsupported(_))
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> StoreError {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full(error.to_string()),
            _ => StoreError::Io(error.to_string()),
        }
    }
}
