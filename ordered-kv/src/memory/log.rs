//! The in-memory twin of the log store.

use parking_lot::RwLock;

use super::cursor::MapCursor;
use super::history::History;
use super::map::{self, Map};
use crate::log::FLOOR_INTERVAL_BYTES;
use crate::{Cursor, Direction, KeyRange, LogStore, Reader, StoreError, Value, WriteBatch};

/// A log in memory.
///
/// [`MemoryLog::new`] keeps only the current state. [`MemoryLog::with_crashes`] also keeps the unsynced tail, of which
/// [`MemoryLog::crash`] takes some away.
pub struct MemoryLog {
    inner: RwLock<Inner>,
}

struct Inner {
    map: Map,
    /// Only where crashes are modelled.
    history: Option<History>,
    /// The floor, durable as soon as it is recorded.
    floor: Option<Value>,
    bytes_since_floor: u64,
    syncs: u64,
    /// Whether a synced write syncs. Off, it lies, and a crash shows it.
    sync: bool,
    /// What every write answers, until it is taken away again.
    failure: Option<StoreError>,
}

impl MemoryLog {
    /// An empty log that keeps no history.
    pub fn new() -> MemoryLog {
        MemoryLog::make(None)
    }

    /// An empty log that models crashes.
    pub fn with_crashes() -> MemoryLog {
        MemoryLog::make(Some(History::default()))
    }

    /// Loses some of the unsynced tail, chosen by `seed`: none, all, or anything between, at the border of a batch.
    /// The count of syncs starts again, as when a store is opened.
    pub fn crash(&self, seed: u64) {
        let inner = &mut *self.inner.write();
        if let Some(history) = &mut inner.history {
            inner.map = history.crash(seed);
        }
        inner.syncs = 0;
        inner.bytes_since_floor = 0;
    }

    /// Switches syncing off: a synced write then returns as if it had synced and counts no sync, and its data is as
    /// volatile as any. Shows that a test of durability would go red.
    pub fn set_sync(&self, sync: bool) {
        self.inner.write().sync = sync;
    }

    /// Makes every write fail with `failure` from now on, or work again with `None`.
    pub fn fail_writes(&self, failure: Option<StoreError>) {
        self.inner.write().failure = failure;
    }

    fn make(history: Option<History>) -> MemoryLog {
        let inner =
            Inner { map: Map::new(), history, floor: None, bytes_since_floor: 0, syncs: 0, sync: true, failure: None };
        MemoryLog { inner: RwLock::new(inner) }
    }
}

impl Default for MemoryLog {
    fn default() -> MemoryLog {
        MemoryLog::new()
    }
}

impl Inner {
    fn write(&mut self, batch: &WriteBatch, sync: bool) -> Result<(), StoreError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        map::apply(&mut self.map, batch);
        self.bytes_since_floor += batch.byte_len() as u64;
        self.syncs += u64::from(sync);
        if let Some(history) = &mut self.history {
            match sync {
                true => history.settle(self.map.clone()),
                false => history.push(self.map.clone()),
            }
        }
        Ok(())
    }
}

impl Reader for MemoryLog {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        Ok(self.inner.read().map.get(key).cloned())
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        Ok(Box::new(MapCursor::new(self.inner.read().map.clone(), &range, direction)))
    }
}

impl LogStore for MemoryLog {
    fn write_synced(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        let mut inner = self.inner.write();
        let sync = inner.sync;
        inner.write(batch, sync)
    }

    fn write_lazy(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        self.inner.write().write(batch, false)
    }

    fn syncs(&self) -> u64 {
        self.inner.read().syncs
    }

    fn floor(&self) -> Result<Option<Value>, StoreError> {
        Ok(self.inner.read().floor.clone())
    }

    fn floor_due(&self) -> bool {
        self.inner.read().bytes_since_floor >= FLOOR_INTERVAL_BYTES
    }

    fn record_floor(&self, floor: &[u8]) -> Result<(), StoreError> {
        let mut inner = self.inner.write();
        if let Some(failure) = &inner.failure {
            return Err(failure.clone());
        }
        inner.floor = Some(Value::copy_from_slice(floor));
        inner.bytes_since_floor = 0;
        Ok(())
    }
}
