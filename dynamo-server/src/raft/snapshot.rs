//! Snapshots of a shard: a pin while nobody needs the rows, a stream of chunks when somebody does.
//!
//! openraft wants a snapshot before it purges a log. Ours is the state store itself: taking one means to remember what
//! is applied (a *pin*, which costs nothing and holds nothing), and only sending one to a peer opens a frozen view of
//! the store, with the applied index read from that very view.

use std::io;
use std::sync::Arc;

use openraft::{RaftSnapshotBuilder, Snapshot};
use ordered_kv::StateStore;
use shard_router::ShardId;

use super::types::{CommittedLeaderId, Member, NodeId, SnapshotMeta, Types};
use crate::env::Env;

/// The content of a snapshot, or the way to it.
pub enum ShardSnapshot {
    /// This node's own state: opened when it is sent.
    Pinned(SnapshotPin),
}

/// What was applied when the snapshot was taken, and where the rows are.
#[derive(Clone)]
pub struct SnapshotPin {
    /// Last applied entry and membership.
    pub meta: SnapshotMeta,
    /// The store of the rows.
    pub store: Arc<dyn StateStore>,
    /// Whose rows.
    pub shard: ShardId,
}

/// A snapshot that this node cannot install.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// It is the state of a store in this process, with an applied entry that this store has not.
    #[error("a snapshot that was not received from a peer is newer than the state")]
    Pinned,
}

impl ShardSnapshot {
    /// Replaces the rows of `shard` by this snapshot's.
    ///
    /// # Errors
    /// When that cannot be done; the shard must stop then.
    pub fn install(self, _meta: &SnapshotMeta, _store: &dyn StateStore, _shard: ShardId) -> Result<(), InstallError> {
        match self {
            // A pin is the state as it is: whoever asks to install one has lost track.
            ShardSnapshot::Pinned(_) => Err(InstallError::Pinned),
        }
    }
}

impl<E: Env> RaftSnapshotBuilder<Types<E>> for SnapshotPin {
    type SnapshotData = ShardSnapshot;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<CommittedLeaderId, NodeId, Member, ShardSnapshot>> {
        Ok(Snapshot { meta: self.meta.clone(), snapshot: ShardSnapshot::Pinned(self.clone()) })
    }
}
