//! Snapshots of a shard: a pin while nobody needs the rows, a walk over a frozen view when somebody does.
//!
//! openraft wants a snapshot before it purges a log. Ours is the state store itself: taking one means to remember what
//! is applied (a *pin*, which costs nothing and holds nothing up). Only sending its rows opens a view of the store, and
//! what is applied is then read from that very view, since the state has moved on meanwhile.
//!
//! The rows of a shard are a list of ranges ([`content`]), which the sender reads from its view (`send`) and the
//! receiver stages (`stage`) and then replaces, all at once; neither ever holds them in memory. All shards of a
//! node share one store: a snapshot touches nothing but the ranges of its own shard.

pub mod incoming;
pub(super) mod message;
pub(super) mod patience;
pub(super) mod send;
pub(super) mod serve;
pub(super) mod stage;

use std::io;
use std::sync::Arc;

use dynamo_engine::apply::ShardState;
use dynamo_engine::apply::ddl::table_ids;
use dynamo_engine::keyspace::{RowRange, Space, local, stream_range, successor, table_ranges};
use openraft::{RaftSnapshotBuilder, Snapshot};
use ordered_kv::StateStore;
use shard_router::{ShardId, ShardMap, Token};

pub use self::stage::StagedSnapshot;
use super::types::{CommittedLeaderId, Member, NodeId, SnapshotMeta, Types};
use crate::env::Env;

/// The system group also owns the catalog.
const SYSTEM_SHARD: ShardId = ShardId(0);

/// Bytes of rows after which a chunk of a snapshot is sent. Few enough for the lane and the memory of both nodes, enough
/// to make the round trip small beside them. One row more may make it a little longer.
pub const SNAPSHOT_CHUNK_BYTES: usize = 1 << 20;

/// The content of a snapshot, or the way to it.
pub enum ShardSnapshot {
    /// The state of this node, as it is when somebody asks.
    Pinned(SnapshotPin),
    /// What a leader has sent, ready to be installed.
    Staged(StagedSnapshot),
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
    /// Who owns which part of the ring.
    pub map: Arc<ShardMap>,
}

impl SnapshotPin {
    /// The snapshot.
    pub fn snapshot(self) -> Snapshot<CommittedLeaderId, NodeId, Member, ShardSnapshot> {
        Snapshot { meta: self.meta.clone(), snapshot: ShardSnapshot::Pinned(self) }
    }
}

/// Every range of rows that the shard has, in key order: its own records, the catalog where it is the system group's,
/// those of each installed table, as far as the shard owns their tokens, and the records of each stream that is kept, whether
/// or not its table is still there.
pub fn content(shard: &ShardState) -> Vec<RowRange> {
    let local = local::shard_prefix(shard.id);
    let mut ranges = vec![RowRange { end: successor(&local), start: local }];
    if shard.id == SYSTEM_SHARD {
        let system = vec![Space::System as u8];
        ranges.push(RowRange { end: successor(&system), start: system });
    }
    for tokens in shard.ranges() {
        for table in shard.tables.values() {
            ranges.extend(table_ranges(&table_ids(table), tokens.first(), tokens.last()));
        }
        for table in shard.streams.tables() {
            ranges.push(stream_range(table.0, tokens.first(), tokens.last()));
        }
    }
    ranges.sort_by(|one, other| one.start.cmp(&other.start));
    debug_assert!(ranges.iter().all(|range| is_own(range, shard)), "a shard has nothing that is another's");
    debug_assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "no row is in two ranges of a shard");
    ranges
}

/// Whether everything in `range` may be a row of the shard: no leader may say that a neighbour's rows are to be replaced.
pub(super) fn is_own(range: &RowRange, shard: &ShardState) -> bool {
    let lies_in = |start: Vec<u8>, end: Vec<u8>| start <= range.start && !range.end.is_empty() && range.end <= end;
    let local = local::shard_prefix(shard.id);
    let system = vec![Space::System as u8];
    if lies_in(local.clone(), successor(&local)) {
        return true;
    }
    if shard.id == SYSTEM_SHARD && lies_in(system.clone(), successor(&system)) {
        return true;
    }
    // Everything else stands under a space, an id and a token.
    let Some((prefix, _)) = range.start.split_first_chunk::<ID_PREFIX>() else { return false };
    let is_shared = ![Space::Local as u8, Space::System as u8].contains(&prefix[0]);
    let bound = |token: Token| [&prefix[..], &token.0.to_be_bytes()].concat();
    let tokens = shard.ranges();
    is_shared && tokens.iter().any(|tokens| lies_in(bound(tokens.first()), successor(&bound(tokens.last()))))
}

/// Bytes of a key before its token: space and id.
const ID_PREFIX: usize = 9;

/// The ranges of either list, in order, each once.
pub(super) fn union(one: Vec<RowRange>, other: &[RowRange]) -> Vec<RowRange> {
    let mut ranges = one;
    ranges.extend_from_slice(other);
    ranges.sort_by(|one, other| (&one.start, &one.end).cmp(&(&other.start, &other.end)));
    ranges.dedup();
    ranges
}

impl<E: Env> RaftSnapshotBuilder<Types<E>> for SnapshotPin {
    type SnapshotData = ShardSnapshot;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<CommittedLeaderId, NodeId, Member, ShardSnapshot>> {
        Ok(self.clone().snapshot())
    }
}
