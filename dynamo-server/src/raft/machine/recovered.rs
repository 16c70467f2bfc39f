//! What the state store holds of a shard when the node starts.

use std::sync::Arc;

use dynamo_engine::apply::ShardState;
use dynamo_engine::keyspace::local;
use ordered_kv::Reader;
use shard_router::{Epoch, ShardId, ShardMap};

use super::applied::{StateError, applied};
use super::published::Published;
use super::skip::{self, Skips};
use crate::raft::codec::get_stored_membership;
use crate::raft::types::{LogId, StoredMembership};

/// The state of a shard, as it was read.
pub struct RecoveredState {
    /// The shard's replicated scalars.
    pub shard: ShardState,
    /// The last applied entry.
    pub applied: Option<LogId>,
    /// The last applied membership.
    pub membership: StoredMembership,
    /// Entries that are to be skipped.
    pub(in crate::raft) skips: Skips,
}

impl RecoveredState {
    /// Of a shard of which nothing is known.
    pub(in crate::raft) fn empty(shard: ShardId, map: Arc<ShardMap>) -> RecoveredState {
        RecoveredState {
            shard: ShardState::new(shard, map),
            applied: None,
            membership: StoredMembership::default(),
            skips: Skips::new(),
        }
    }

    /// Reads what the store holds of `shard`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(store: &dyn Reader, shard: ShardId, map: Arc<ShardMap>) -> Result<RecoveredState, StateError> {
        let applied = applied(store, shard)?;
        let membership = match store.get(&local::membership(shard))? {
            Some(bytes) => get_stored_membership(&mut &bytes[..])?,
            None => StoredMembership::default(),
        };
        let skips = skip::read(store, shard)?;
        Ok(RecoveredState { shard: ShardState::load(store, shard, map)?, applied, membership, skips })
    }

    /// What the shard publishes to begin with.
    pub fn publish(&self) -> Published {
        let applied_next = self.applied.map_or(0, |applied| applied.index() + 1);
        let published = Published::new(applied_next, self.shard.catalog(), self.shard.ceiling, &self.shard.channels);
        published.set_transactions(&self.shard.locks);
        published.show_streams(self.shard.streams.totals());
        published.show_client_tokens(self.shard.has_client_tokens());
        published.with_epoch(self.shard.map.epoch(self.shard.id).unwrap_or(Epoch::FIRST))
    }
}
