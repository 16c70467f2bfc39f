//! How far the state of a shard goes, and why it cannot be read.

use dynamo_engine::apply::Fault;
use dynamo_engine::keyspace::local;
use ordered_kv::{Reader, StateStore, StoreError};
use shard_router::ShardId;

use crate::raft::codec::{CodecError, get_log_id};
use crate::raft::types::LogId;

/// The state of a shard cannot be read; the node must not start.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store.
    #[error("the state cannot be read: {0}")]
    Store(#[from] StoreError),
    /// A record that drives the log.
    #[error("a record of the state is damaged: {0}")]
    Record(#[from] CodecError),
    /// The engine's own records.
    #[error(transparent)]
    Engine(#[from] Fault),
}

impl StateError {
    /// Whether something that was stored has changed, rather than the disk not answering.
    pub fn is_damage(&self) -> bool {
        match self {
            StateError::Record(_) => true,
            StateError::Store(error) | StateError::Engine(Fault::Store(error)) => {
                matches!(error, StoreError::Corruption(_))
            }
            StateError::Engine(_) => true,
        }
    }
}

/// The last applied entry of `shard`.
///
/// # Errors
/// When the store cannot be read.
pub(in crate::raft) fn applied(store: &dyn Reader, shard: ShardId) -> Result<Option<LogId>, StateError> {
    store.get(&local::applied(shard))?.map(|row| decode(&row)).transpose()
}

/// The applied entry of `shard` that a crash right now could not take away.
///
/// # Errors
/// When the store cannot be read.
pub fn persisted_applied(store: &dyn StateStore, shard: ShardId) -> Result<Option<LogId>, StateError> {
    store.get_persisted(&local::applied(shard))?.map(|row| decode(&row)).transpose()
}

fn decode(mut row: &[u8]) -> Result<LogId, StateError> {
    Ok(get_log_id(&mut row).map_err(CodecError::from)?)
}
