//! How a read can fail once it was planned.

use dynamo_protocol::error::ApiError;
use ordered_kv::StoreError;

use crate::item::Corrupt;

/// Why executing a plan gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store could not be read. [`StoreError::NotCached`] means: try again where blocking is allowed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored row is damaged: a fault of this node.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The answer is an error that depends on the data read.
    #[error("{0}")]
    Client(ApiError),
}

impl ReadError {
    /// Whether the read only needs a reader that may touch the disk.
    pub fn is_not_cached(&self) -> bool {
        matches!(self, ReadError::Store(StoreError::NotCached))
    }
}
