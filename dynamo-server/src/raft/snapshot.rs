//! Snapshots of a shard: a pin while nobody needs the rows, a walk over a frozen view when somebody does.
//!
//! openraft wants a snapshot before it purges a log. Ours is the state store itself: taking one means to remember what
//! is applied (a *pin*, which costs nothing and holds nothing up). Only reading its rows opens a view of the store, and
//! what is applied is then read from that very view, since the state has moved on meanwhile.
//!
//! The rows of a shard are a list of ranges ([`content`]), which the sender reads from its view and the receiver
//! replaces, all at once; neither ever holds them in memory.

use std::io;
use std::sync::Arc;

use dynamo_engine::apply::ddl::table_ids;
use dynamo_engine::apply::{Fault, ShardState};
use dynamo_engine::keyspace::{RowRange, Space, local, successor, table_ranges};
use openraft::{RaftSnapshotBuilder, Snapshot};
use ordered_kv::{Direction, Ingest, KeyRange, Reader, StateStore, StoreError};
use shard_router::{ShardId, ShardMap};

use super::types::{CommittedLeaderId, Member, NodeId, SnapshotMeta, Types};
use crate::env::Env;

/// The system group also owns the catalog.
const SYSTEM_SHARD: ShardId = ShardId(0);

/// The content of a snapshot, or the way to it.
pub enum ShardSnapshot {
    /// The state of the node that took it, as it is when somebody asks.
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
    /// Who owns which part of the ring.
    pub map: Arc<ShardMap>,
}

/// A snapshot cannot be installed; the shard must stop.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// One of the two stores failed.
    #[error("installing a snapshot failed: {0}")]
    Store(#[from] StoreError),
    /// What was sent is no shard.
    #[error("a snapshot cannot be read: {0}")]
    Content(#[from] Fault),
}

impl SnapshotPin {
    /// The snapshot.
    pub fn snapshot(self) -> Snapshot<CommittedLeaderId, NodeId, Member, ShardSnapshot> {
        Snapshot { meta: self.meta.clone(), snapshot: ShardSnapshot::Pinned(self) }
    }
}

impl ShardSnapshot {
    /// Replaces the rows of `current` in `store` by this snapshot's; durable on return, and all or nothing.
    ///
    /// # Errors
    /// When that cannot be done; nothing has changed then.
    pub fn install(
        self,
        _meta: &SnapshotMeta,
        store: &dyn StateStore,
        current: &ShardState,
    ) -> Result<(), InstallError> {
        let ShardSnapshot::Pinned(pin) = self;
        let view = pin.store.view();
        let sent = content(&ShardState::load(&*view, pin.shard, Arc::clone(&pin.map))?);
        let mut load = store.ingest()?;
        for range in content(current).iter().chain(&sent) {
            load.replace(&range.start, &range.end)?;
        }
        for range in &sent {
            copy(&*view, range, &mut *load)?;
        }
        load.commit()?;
        Ok(())
    }
}

fn copy(view: &dyn Reader, range: &RowRange, load: &mut dyn Ingest) -> Result<(), StoreError> {
    let mut cursor = view.cursor(KeyRange::between(&range.start, &range.end), Direction::Forward)?;
    while let Some((key, value)) = cursor.next()? {
        load.put(key, value)?;
    }
    Ok(())
}

/// Every range of rows that the shard has, in key order: its own records, the catalog where it is the system group's,
/// and those of each installed table.
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
    }
    ranges.sort_by(|one, other| one.start.cmp(&other.start));
    ranges
}

impl<E: Env> RaftSnapshotBuilder<Types<E>> for SnapshotPin {
    type SnapshotData = ShardSnapshot;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<CommittedLeaderId, NodeId, Member, ShardSnapshot>> {
        Ok(self.clone().snapshot())
    }
}
