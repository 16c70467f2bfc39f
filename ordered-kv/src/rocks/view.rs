//! Frozen views.

use std::sync::Arc;

use rocksdb::{DB, ReadOptions, ReadTier, SnapshotWithThreadMode};

use super::cursor::RocksCursor;
use super::fault::convert;
use super::value;
use crate::{Cursor, Direction, KeyRange, Reader, StoreError, Value};

/// A frozen view of a state instance.
///
/// Fields are dropped in the order in which they stand here: the store outlives what points into it.
pub struct RocksView {
    /// For point reads; they differ from those of a cursor by having no bounds.
    options: ReadOptions,
    /// One moment of the store; ends before `db`.
    snapshot: SnapshotWithThreadMode<'static, DB>,
    /// What may be read.
    tier: Tier,
    /// Keeps the store open.
    db: Arc<DB>,
}

/// How far down a read may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// Everywhere.
    All,
    /// Memory only.
    Memory,
    /// What is on disk only: without the write buffers.
    Persisted,
}

impl Tier {
    pub(super) fn options(self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_read_tier(match self {
            Tier::All => ReadTier::All,
            Tier::Memory => ReadTier::BlockCache,
            Tier::Persisted => ReadTier::Persisted,
        });
        options
    }
}

impl RocksView {
    pub(super) fn new(db: &Arc<DB>, tier: Tier) -> RocksView {
        let snapshot = db.snapshot();
        // SAFETY: the lifetime only says that the snapshot must not outlive the store. The view owns a share of the
        // store, which stays where it is (behind an `Arc`), and drops the snapshot first.
        let snapshot = unsafe {
            std::mem::transmute::<SnapshotWithThreadMode<'_, DB>, SnapshotWithThreadMode<'static, DB>>(snapshot)
        };
        let mut options = tier.options();
        options.set_snapshot(&snapshot);
        RocksView { options, snapshot, tier, db: db.clone() }
    }
}

impl Reader for RocksView {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let slice = self.db.get_pinned_opt(key, &self.options).map_err(convert)?;
        Ok(slice.map(|slice| value::own(&self.db, slice)))
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        let mut options = self.tier.options();
        options.set_snapshot(&self.snapshot);
        Ok(Box::new(RocksCursor::new(&self.db, options, &range, direction)))
    }
}

/// The newest state, read at one tier.
pub(super) struct Newest {
    /// The store.
    pub(super) db: Arc<DB>,
    /// What may be read.
    pub(super) tier: Tier,
    /// For that tier.
    pub(super) options: ReadOptions,
}

impl Newest {
    pub(super) fn new(db: &Arc<DB>, tier: Tier) -> Newest {
        Newest { db: db.clone(), tier, options: tier.options() }
    }
}

impl Reader for Newest {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let slice = self.db.get_pinned_opt(key, &self.options).map_err(convert)?;
        Ok(slice.map(|slice| value::own(&self.db, slice)))
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        Ok(Box::new(RocksCursor::new(&self.db, self.tier.options(), &range, direction)))
    }
}
