//! The log instance.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::{DB, WriteOptions};

use super::fault::convert;
use super::files;
use super::options::LogOptions;
use super::view::{Newest, Tier};
use crate::log::FLOOR_INTERVAL_BYTES;
use crate::{Cursor, Direction, KeyRange, LogStore, Reader, StoreError, Value, WriteBatch};

/// The file with the floor, beside RocksDB's own files, which it never touches.
const FLOOR_FILE: &str = "FLOOR";

/// Opens the log in `dir`, creating it where there is none. After a crash this replays the log files up to the first
/// record that does not check out: compare the result with [`LogStore::floor`] before trusting it.
///
/// # Errors
///
/// [`StoreError::Closed`] if another process has it open, [`StoreError::Corruption`] if it does not check out,
/// [`StoreError::Io`] and [`StoreError::Full`] as the system says.
pub fn open_log(dir: &Path, options: &LogOptions) -> Result<RocksLog, StoreError> {
    files::create_dir(dir)?;
    let prepared = options.prepare();
    let db = Arc::new(DB::open(&prepared.options, dir).map_err(convert)?);
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    Ok(RocksLog {
        newest: Newest::new(&db, Tier::All),
        synced,
        lazy: WriteOptions::default(),
        syncs: AtomicU64::new(0),
        bytes_since_floor: AtomicU64::new(0),
        dir: dir.to_owned(),
        db,
    })
}

/// A log in RocksDB.
pub struct RocksLog {
    newest: Newest,
    synced: WriteOptions,
    lazy: WriteOptions,
    /// Synced writes that have completed.
    syncs: AtomicU64,
    /// Bytes written since the last floor, or since the opening.
    bytes_since_floor: AtomicU64,
    dir: PathBuf,
    db: Arc<DB>,
}

impl RocksLog {
    fn write(&self, batch: &WriteBatch, options: &WriteOptions) -> Result<(), StoreError> {
        self.bytes_since_floor.fetch_add(batch.byte_len() as u64, Ordering::Relaxed);
        let batch = rocksdb::WriteBatch::from_data(batch.as_bytes());
        self.db.write_opt(batch, options).map_err(convert)
    }
}

impl Reader for RocksLog {
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        self.newest.get(key)
    }

    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError> {
        self.newest.cursor(range, direction)
    }
}

impl LogStore for RocksLog {
    fn write_synced(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        self.write(batch, &self.synced)?;
        self.syncs.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn write_lazy(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        self.write(batch, &self.lazy)
    }

    fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Acquire)
    }

    fn floor(&self) -> Result<Option<Value>, StoreError> {
        files::read_record(&self.dir, FLOOR_FILE)
    }

    fn floor_due(&self) -> bool {
        self.bytes_since_floor.load(Ordering::Relaxed) >= FLOOR_INTERVAL_BYTES
    }

    fn record_floor(&self, floor: &[u8]) -> Result<(), StoreError> {
        files::replace_record(&self.dir, FLOOR_FILE, floor)?;
        self.bytes_since_floor.store(0, Ordering::Relaxed);
        Ok(())
    }
}
