//! The state instance.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{Cache, CompactOptions, DB, FlushOptions, Options, WriteBufferManager, WriteOptions, properties};

use super::fault::convert;
use super::files;
use super::ingest::{self, RocksIngest};
use super::options::{Prepared, StateOptions};
use super::view::{Newest, RocksView, Tier};
use crate::{Cursor, Direction, Ingest, KeyRange, Reader, StateStore, StoreError, Value, View, WriteBatch};

/// Opens the state in `dir`, creating it where there is none.
///
/// # Errors
///
/// [`StoreError::Closed`] if another process has it open, [`StoreError::Corruption`] if it does not check out,
/// [`StoreError::Io`] and [`StoreError::Full`] as the system says.
pub fn open_state(dir: &Path, options: &StateOptions) -> Result<RocksState, StoreError> {
    files::create_dir(dir)?;
    ingest::clear(dir)?;
    let stall_bytes = options.write_buffers_bytes_max / 4 * 3;
    let is_compaction_stopped = AtomicBool::new(!options.compacts);
    let Prepared { options, cache, write_buffers } = options.prepare();
    let db = Arc::new(DB::open(&options, dir).map_err(convert)?);
    let mut write_options = WriteOptions::default();
    write_options.disable_wal(true);
    Ok(RocksState {
        newest: Newest::new(&db, Tier::All),
        cached: Newest::new(&db, Tier::Memory),
        persisted: Newest::new(&db, Tier::Persisted),
        write_options,
        options,
        cache,
        write_buffers,
        stall_bytes,
        questions: AtomicU32::new(0),
        is_slowed: AtomicBool::new(false),
        is_full: AtomicBool::new(false),
        are_compactions_off: Mutex::new(is_compaction_stopped.load(Ordering::Relaxed)),
        is_compaction_stopped,
        damage: OnceLock::new(),
        dir: dir.to_owned(),
        db,
    })
}

/// Applied state in RocksDB. Dropped, it writes out what is in memory; killed, it goes back to a prefix.
pub struct RocksState {
    /// Reads of everything.
    newest: Newest,
    /// Reads of what is in memory.
    cached: Newest,
    /// Reads of what a crash would leave.
    persisted: Newest,
    /// Without RocksDB's own log.
    write_options: WriteOptions,
    /// For the table files of a bulk load, which must fit the instance.
    options: Options,
    /// Blocks of table files.
    cache: Cache,
    /// Bounds what is not flushed.
    write_buffers: WriteBufferManager,
    /// Bytes in write buffers from which on a write may have to wait.
    stall_bytes: usize,
    /// Counts the questions whether a write may wait, of which only some ask RocksDB.
    questions: AtomicU32,
    /// What it answered last.
    is_slowed: AtomicBool,
    /// Whether the last write or flush found no room.
    is_full: AtomicBool,
    /// Whether compactions are off, for want of room or for good.
    are_compactions_off: Mutex<bool>,
    /// Whether they are off for good, because of a damaged file.
    is_compaction_stopped: AtomicBool,
    /// What made the store refuse writes.
    damage: OnceLock<String>,
    /// Where the files are.
    dir: PathBuf,
    /// The store.
    db: Arc<DB>,
}

/// Of how many questions whether a write may wait one asks RocksDB for its own slowing down, which takes a lock there.
const STALL_QUESTIONS: u32 = 64;

/// What one compaction writes as a rule at the most: a file of 64 MiB with the ten that it overlaps in the next level. One that
/// is larger, and does not fit, is begun again later.
const COMPACTION_BYTES_MAX: u64 = 768 << 20;

/// Room that compactions leave: flushes go on while one is under way.
const COMPACTION_MARGIN_BYTES: u64 = 32 << 20;

/// Where the memory of a state instance goes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Blocks, indexes and filters.
    pub block_cache_bytes: u64,
    /// Write buffers, being filled or being written out.
    pub write_buffers_bytes: u64,
}

impl RocksState {
    /// The names of the table files that the state consists of.
    fn live_files(&self) -> Vec<String> {
        let files = self.db.live_files().unwrap_or_default();
        files.into_iter().map(|file| file.name.trim_start_matches('/').to_owned()).collect()
    }

    /// Where the memory goes at the moment.
    pub fn memory_use(&self) -> MemoryUse {
        MemoryUse {
            block_cache_bytes: self.cache.get_usage() as u64,
            write_buffers_bytes: self.write_buffers.get_usage() as u64,
        }
    }

    /// Compacts everything, so that only live data is left on disk. For tests and tools: it takes as long as reading
    /// and writing the whole state.
    pub fn compact(&self) {
        self.db.compact_range::<&[u8], &[u8]>(None, None);
    }

    fn property(&self, name: &rocksdb::properties::PropName) -> u64 {
        self.db.property_int_value(name).ok().flatten().unwrap_or(0)
    }

    /// Work of RocksDB's own that meets damage makes it refuse every write and flush from then on, with the reason.
    fn note(&self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        if let Err(StoreError::Corruption(what)) = &written {
            let _ = self.damage.set(what.clone());
        }
        written
    }

    fn switch_compactions(&self, are_off: &mut bool, put_off: bool) {
        if put_off != *are_off
            && let Ok(()) = self.db.set_options(&[("disable_auto_compactions", if put_off { "true" } else { "false" })])
        {
            *are_off = put_off;
        }
    }
}

impl Reader for RocksState {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.newest.get(key)
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        self.newest.cursor(range, direction)
    }
}

impl StateStore for RocksState {
    fn view(&self) -> View {
        Arc::new(RocksView::new(&self.db, Tier::All))
    }

    fn cached(&self) -> &dyn Reader {
        &self.cached
    }

    fn view_cached(&self) -> View {
        Arc::new(RocksView::new(&self.db, Tier::Memory))
    }

    fn write(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let batch = rocksdb::WriteBatch::from_data(batch.as_bytes());
        let written = self.note(self.db.write_opt(batch, &self.write_options).map_err(convert));
        if matches!(written, Err(StoreError::Full(_))) {
            self.is_full.store(true, Ordering::Relaxed);
        }
        written
    }

    fn unwritten_bytes(&self) -> u64 {
        self.write_buffers.get_usage() as u64
    }

    fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// A compaction writes its result before it gives back what it was made from, and one that fills the disk fails the
    /// flushes that come meanwhile. So none is begun where it might not fit; the files that are not merged meanwhile slow
    /// reads down and nothing else, since the bounds on their number do not hold without compactions.
    fn tell_free_bytes(&self, free_bytes: u64) {
        let mut are_off = self.are_compactions_off.lock();
        let largest = self.property(properties::TOTAL_SST_FILES_SIZE).min(COMPACTION_BYTES_MAX);
        // What is given back by switching them off is not enough to switch them on again.
        let needed = largest + COMPACTION_MARGIN_BYTES * if *are_off { 2 } else { 1 };
        let put_off = free_bytes < needed || self.is_compaction_stopped.load(Ordering::Relaxed);
        self.switch_compactions(&mut are_off, put_off);
    }

    fn stop_compacting(&self) {
        let mut are_off = self.are_compactions_off.lock();
        self.is_compaction_stopped.store(true, Ordering::Relaxed);
        self.switch_compactions(&mut are_off, true);
    }

    fn damage(&self) -> Option<String> {
        if self.damage.get().is_none() && self.property(properties::BACKGROUND_ERRORS) > 0 {
            // A write of nothing says whether others would be refused, and why; it does not wait.
            let mut options = WriteOptions::default();
            options.disable_wal(true);
            options.set_no_slowdown(true);
            let _ = self.note(self.db.write_opt(rocksdb::WriteBatch::default(), &options).map_err(convert));
        }
        self.damage.get().cloned()
    }

    fn file_keys(&self, name: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        let files = self.db.live_files().ok()?;
        let file = files.into_iter().find(|file| file.name.trim_start_matches('/') == name)?;
        Some((file.start_key?, file.end_key?))
    }

    fn may_stall(&self) -> bool {
        if self.questions.fetch_add(1, Ordering::Relaxed).is_multiple_of(STALL_QUESTIONS) {
            let stopped = self.property(properties::IS_WRITE_STOPPED);
            let is_slowed = stopped + self.property(properties::ACTUAL_DELAYED_WRITE_RATE) > 0;
            self.is_slowed.store(is_slowed, Ordering::Relaxed);
        }
        self.write_buffers.get_usage() >= self.stall_bytes || self.is_slowed.load(Ordering::Relaxed)
    }

    fn get_persisted(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.persisted.get(key)
    }

    fn flush(&self) -> Result<(), StoreError> {
        let mut options = FlushOptions::new();
        options.set_wait(true);
        let flushed = self.note(self.db.flush_opt(&options).map_err(convert));
        self.is_full.store(matches!(flushed, Err(StoreError::Full(_))), Ordering::Relaxed);
        flushed?;
        // Written to files that have no name any more is written, and gone with the process.
        match files::deleted_file(&self.dir, || self.live_files())? {
            None => Ok(()),
            Some(name) => Err(StoreError::Io(format!("a file of the state was deleted while it was open: {name}"))),
        }
    }

    fn reclaim(&self, start: &[u8], end: &[u8]) {
        if self.is_compaction_stopped.load(Ordering::Relaxed) {
            return;
        }
        let mut options = CompactOptions::default();
        // The store's own compactions, which writers may wait for, go on meanwhile.
        options.set_exclusive_manual_compaction(false);
        let end = (!end.is_empty()).then_some(end);
        self.db.compact_range_opt(Some(start), end, &options);
    }

    fn checkpoint(&self, dir: &Path) -> Result<(), StoreError> {
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            files::create_dir(parent)?;
        }
        let checkpoint = Checkpoint::new(&self.db).map_err(convert)?;
        checkpoint.create_checkpoint(dir).map_err(convert)
    }

    fn ingest(&self) -> Result<Box<dyn Ingest + '_>, StoreError> {
        Ok(Box::new(RocksIngest::new(self, &self.db, &self.options, &self.dir)?))
    }

    fn size_bytes(&self) -> u64 {
        self.property(properties::TOTAL_SST_FILES_SIZE) + self.property(properties::SIZE_ALL_MEM_TABLES)
    }
}

#[cfg(test)]
mod tests {
    use crate::WriteBatch;

    /// Our batch is RocksDB's, byte for byte: it is handed over as it is.
    #[test]
    fn the_batch_has_the_layout_of_rocksdb() {
        let long = vec![3; 300];
        let mut ours = WriteBatch::new();
        let mut theirs = rocksdb::WriteBatch::default();
        for key in [b"".as_slice(), b"key", &long] {
            ours.put(key, &long);
            theirs.put(key, &long);
            ours.delete(key);
            theirs.delete(key);
        }
        ours.delete_range(b"a", b"b");
        theirs.delete_range(b"a", b"b");
        assert_eq!(ours.as_bytes(), theirs.data());
    }
}
