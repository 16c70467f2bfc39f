//! The in-memory twin of the state store.

use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

use super::cursor::MapCursor;
use super::history::History;
use super::map::{self, Map};
use crate::{Cursor, Direction, Ingest, KeyRange, Reader, StateStore, StoreError, Value, View, WriteBatch};

/// Applied state in memory.
///
/// Made with [`MemoryState::new`], everything counts as durable at once and nothing but the current state is kept;
/// made with [`MemoryState::with_crashes`], writes are volatile until a flush and [`MemoryState::crash`] takes some
/// of them away.
#[derive(Default)]
pub struct MemoryState {
    /// A reader-writer lock, since point reads of the newest state are the hot path and hold it for one lookup.
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    /// All rows; a view keeps the map that it saw.
    map: Map,
    /// Only where crashes are modelled.
    history: Option<History>,
    /// What every write and flush answers, until it is taken away again.
    failure: Option<StoreError>,
}

impl MemoryState {
    /// An empty store that keeps no history.
    pub fn new() -> MemoryState {
        MemoryState::default()
    }

    /// An empty store that models crashes.
    pub fn with_crashes() -> MemoryState {
        let inner = Inner { history: Some(History::default()), ..Inner::default() };
        MemoryState { inner: RwLock::new(inner) }
    }

    /// Goes back to what a crash would have left: the flushed state or any later one, chosen by `seed`. Views taken
    /// before stay as they are. Without a model of crashes nothing is lost.
    pub fn crash(&self, seed: u64) {
        let inner = &mut *self.inner.write();
        if let Some(history) = &mut inner.history {
            inner.map = history.crash(seed);
        }
    }

    /// Makes every write and flush fail with `failure` from now on, or work again with `None`.
    pub fn fail_writes(&self, failure: Option<StoreError>) {
        self.inner.write().failure = failure;
    }

    fn frozen(&self) -> MemoryView {
        MemoryView { map: self.inner.read().map.clone() }
    }

    fn change(&self, change: impl FnOnce(&mut Map)) -> Result<(), StoreError> {
        let inner = &mut *self.inner.write();
        check(&inner.failure)?;
        change(&mut inner.map);
        if let Some(history) = &mut inner.history {
            history.push(inner.map.clone());
        }
        Ok(())
    }
}

impl Reader for MemoryState {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        Ok(self.inner.read().map.get(key).cloned())
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        Ok(Box::new(MapCursor::new(self.inner.read().map.clone(), &range, direction)))
    }
}

impl StateStore for MemoryState {
    fn view(&self) -> View {
        Arc::new(self.frozen())
    }

    fn cached(&self) -> &dyn Reader {
        self
    }

    fn view_cached(&self) -> View {
        self.view()
    }

    fn write(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        self.change(|map| map::apply(map, batch))
    }

    fn get_persisted(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        let inner = self.inner.read();
        let map = inner.history.as_ref().map_or(&inner.map, History::durable);
        Ok(map.get(key).cloned())
    }

    fn flush(&self) -> Result<(), StoreError> {
        let inner = &mut *self.inner.write();
        check(&inner.failure)?;
        if let Some(history) = &mut inner.history {
            history.settle(inner.map.clone());
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        matches!(self.inner.read().failure, Some(StoreError::Full(_)))
    }

    fn checkpoint(&self, _dir: &Path) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("a checkpoint of a store in memory"))
    }

    fn ingest(&self) -> Result<Box<dyn Ingest + '_>, StoreError> {
        Ok(Box::new(MemoryIngest { state: self, batch: WriteBatch::new(), last: None, is_sealed: false }))
    }

    fn size_bytes(&self) -> u64 {
        let map = self.inner.read().map.clone();
        map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }
}

/// A frozen view of a [`MemoryState`].
#[derive(Clone)]
pub struct MemoryView {
    map: Map,
}

impl Reader for MemoryView {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        Ok(self.map.get(key).cloned())
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        Ok(Box::new(MapCursor::new(self.map.clone(), &range, direction)))
    }
}

/// A bulk load: one batch, written and flushed at the commit.
struct MemoryIngest<'a> {
    state: &'a MemoryState,
    batch: WriteBatch,
    /// The key of the last row.
    last: Option<Vec<u8>>,
    is_sealed: bool,
}

impl Ingest for MemoryIngest<'_> {
    fn replace(&mut self, start: &[u8], end: &[u8]) -> Result<(), StoreError> {
        if self.last.is_some() {
            return Err(StoreError::Misuse("an ingest names what it replaces before its rows".into()));
        }
        self.batch.delete_range(start, end);
        Ok(())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if self.is_sealed {
            return Err(StoreError::Misuse("a sealed ingest takes no rows".into()));
        }
        if self.last.as_deref().is_some_and(|last| last >= key) {
            return Err(StoreError::Misuse("the keys of an ingest rise".into()));
        }
        self.batch.put(key, value);
        self.last = Some(key.to_vec());
        Ok(())
    }

    fn seal(&mut self) -> Result<(), StoreError> {
        self.is_sealed = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if !self.is_sealed {
            return Err(StoreError::Misuse("an ingest is sealed before it is committed".into()));
        }
        self.state.write(&self.batch)?;
        self.state.flush()
    }
}

fn check(failure: &Option<StoreError>) -> Result<(), StoreError> {
    failure.clone().map_or(Ok(()), Err)
}
