//! Snapshots of a shard: a pin while nobody needs the rows.
//!
//! openraft wants a snapshot before it purges a log. Ours is the state store itself: taking one means to remember what
//! is applied (a *pin*, which costs nothing and holds nothing). Sending one to a peer opens a frozen view of the store,
//! with the applied index read from that very view; until nodes have peers, nobody asks for that.

use std::io;

use openraft::{RaftSnapshotBuilder, Snapshot};

use super::types::{CommittedLeaderId, Member, NodeId, SnapshotMeta, Types};
use crate::env::Env;

/// The content of a snapshot: the state of the node that took it, as it is when somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardSnapshot;

/// What was applied when the snapshot was taken.
#[derive(Clone)]
pub struct SnapshotPin {
    /// Last applied entry and membership.
    pub meta: SnapshotMeta,
}

impl SnapshotPin {
    /// The snapshot.
    pub fn snapshot(self) -> Snapshot<CommittedLeaderId, NodeId, Member, ShardSnapshot> {
        Snapshot { meta: self.meta, snapshot: ShardSnapshot }
    }
}

impl<E: Env> RaftSnapshotBuilder<Types<E>> for SnapshotPin {
    type SnapshotData = ShardSnapshot;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<CommittedLeaderId, NodeId, Member, ShardSnapshot>> {
        Ok(self.clone().snapshot())
    }
}
