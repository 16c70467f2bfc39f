//! The log in RocksDB of older builds, to be taken over from.
//!
//! Its files are recycled, so recovery ends in silence at the first record that does not check out; the *floor*, a record
//! beside it, says how far it had certainly come.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocksdb::{DB, WriteOptions};

use super::fault::convert;
use super::files;
use super::options::LogOptions;
use super::view::{Newest, Tier};
use crate::{Cursor, Direction, KeyRange, Reader, StoreError, Value, WriteBatch};

/// The file with the floor, beside RocksDB's own files, which it never touches.
const FLOOR_FILE: &str = "FLOOR";

/// Opens the log in `dir`, creating it where there is none. After a crash this replays the log files up to the first
/// record that does not check out: compare the result with [`RocksLog::floor`] before trusting it.
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
    Ok(RocksLog { newest: Newest::new(&db, Tier::All), synced, dir: dir.to_owned(), db })
}

/// A log in RocksDB.
pub struct RocksLog {
    /// Reads of everything.
    newest: Newest,
    /// For writes that are durable on return.
    synced: WriteOptions,
    /// Where the files are.
    dir: PathBuf,
    /// The store.
    db: Arc<DB>,
}

impl RocksLog {
    /// Writes `batch` through to the disk, as older builds did.
    ///
    /// # Errors
    ///
    /// As [`crate::StateStore::write`].
    pub fn write_synced(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        self.db.write_opt(rocksdb::WriteBatch::from_data(batch.as_bytes()), &self.synced).map_err(convert)
    }

    /// The floor that was recorded last, `None` where none was.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corruption`] if the record does not check out.
    pub fn floor(&self) -> Result<Option<Value>, StoreError> {
        files::read_record(&self.dir, FLOOR_FILE)
    }

    /// Replaces the floor, durably and atomically.
    ///
    /// # Errors
    ///
    /// As [`crate::StateStore::write`].
    pub fn record_floor(&self, floor: &[u8]) -> Result<(), StoreError> {
        files::replace_record(&self.dir, FLOOR_FILE, floor)
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
