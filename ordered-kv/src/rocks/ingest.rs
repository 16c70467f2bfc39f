//! Bulk loads: table files written beside the store and linked into it in one step.
//!
//! A load that replaces `[a, z)` and has rows up to and beyond a file's size becomes files that do not overlap, each
//! with the part of the range delete that lies over it:
//!
//! ```text
//! file 1   delete [a, m)   rows a … l
//! file 2   delete [m, z)   rows m … y
//! ```
//!
//! A range delete does not hide the rows of its own file, and hides everything older in the store. All files appear
//! with one record in the manifest, so a crash shows all of them or none.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::{DB, IngestExternalFileOptions, Options, SstFileWriter};

use super::fault::convert;
use super::files;
use crate::{Ingest, StateStore, StoreError};

/// A file is closed beyond this size. As large as the store's own.
const FILE_BYTES: u64 = 64 << 20;
/// The folder inside the store's directory where files wait.
const FOLDER: &str = "incoming";

/// Distinguishes the files of concurrent loads.
static NEXT_LOAD: AtomicU64 = AtomicU64::new(0);

/// Removes what an interrupted load left.
pub(super) fn clear(dir: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(dir.join(FOLDER)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

pub(super) struct RocksIngest<'a> {
    /// Flushed before the files appear.
    state: &'a dyn StateStore,
    /// The store.
    db: &'a DB,
    /// As the store's own.
    options: &'a Options,
    /// Where files wait, with the number of this load.
    folder: PathBuf,
    /// The number of this load.
    load: u64,
    /// What is replaced: start, end.
    replaced: Vec<(Vec<u8>, Vec<u8>)>,
    /// The file being written.
    writer: Option<SstFileWriter<'a>>,
    /// Its first key: everything replaced below it is in earlier files. Empty for the first file.
    from: Vec<u8>,
    /// The key of the last row.
    last: Option<Vec<u8>>,
    /// Every file of this load, the unfinished one included.
    paths: Vec<PathBuf>,
    /// Whether all rows are there, with their room on the disk.
    is_sealed: bool,
}

impl<'a> RocksIngest<'a> {
    pub(super) fn new(
        state: &'a dyn StateStore,
        db: &'a DB,
        options: &'a Options,
        dir: &Path,
    ) -> Result<RocksIngest<'a>, StoreError> {
        let folder = dir.join(FOLDER);
        files::create_dir(&folder)?;
        Ok(RocksIngest {
            state,
            db,
            options,
            folder,
            load: NEXT_LOAD.fetch_add(1, Ordering::Relaxed),
            replaced: Vec::new(),
            writer: None,
            from: Vec::new(),
            last: None,
            paths: Vec::new(),
            is_sealed: false,
        })
    }

    fn begin_file(&mut self) -> Result<&mut SstFileWriter<'a>, StoreError> {
        let path = self.folder.join(format!("{}-{}.sst", self.load, self.paths.len()));
        let writer = SstFileWriter::create(self.options);
        writer.open(&path).map_err(convert)?;
        self.paths.push(path);
        Ok(self.writer.insert(writer))
    }

    /// Closes the file being written, with what is replaced from its first key up to `to`, or to the end.
    fn end_file(&mut self, to: Option<&[u8]>) -> Result<(), StoreError> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        for (start, end) in &self.replaced {
            let start = start.as_slice().max(&self.from);
            let end = to.map_or(end.as_slice(), |to| to.min(end));
            if start < end {
                writer.delete_range(start, end).map_err(convert)?;
            }
        }
        writer.finish().map_err(convert)
    }

    fn link(&mut self) -> Result<(), StoreError> {
        // What is in memory becomes durable first, so that the disk still holds a prefix of all that was written.
        self.state.flush()?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        let paths = std::mem::take(&mut self.paths);
        let linked = self.db.ingest_external_file_opts(&options, paths.clone()).map_err(convert);
        self.paths = paths;
        linked
    }
}

impl Ingest for RocksIngest<'_> {
    fn replace(&mut self, start: &[u8], end: &[u8]) -> Result<(), StoreError> {
        if self.last.is_some() {
            return Err(StoreError::Misuse("an ingest names what it replaces before its rows".into()));
        }
        if start < end {
            self.replaced.push((start.to_vec(), end.to_vec()));
        }
        Ok(())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if self.is_sealed {
            return Err(StoreError::Misuse("a sealed ingest takes no rows".into()));
        }
        if self.last.as_deref().is_some_and(|last| last >= key) {
            return Err(StoreError::Misuse("the keys of an ingest rise".into()));
        }
        if self.writer.as_ref().is_some_and(|writer| writer.file_size() >= FILE_BYTES) {
            self.end_file(Some(key))?;
            self.from = key.to_vec();
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.begin_file()?,
        };
        writer.put(key, value).map_err(convert)?;
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(key);
        Ok(())
    }

    fn seal(&mut self) -> Result<(), StoreError> {
        if self.is_sealed {
            return Ok(());
        }
        if self.writer.is_none() && !self.replaced.is_empty() {
            self.begin_file()?;
        }
        self.end_file(None)?;
        self.is_sealed = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        match (self.is_sealed, self.paths.is_empty()) {
            (false, _) => Err(StoreError::Misuse("an ingest is sealed before it is committed".into())),
            (true, true) => Ok(()),
            (true, false) => self.link(),
        }
    }
}

impl Drop for RocksIngest<'_> {
    /// Linked files are gone from the folder already; others have no use any more. What cannot be removed now is
    /// removed when the store is opened.
    fn drop(&mut self) {
        self.writer = None;
        for path in &self.paths {
            let _ = fs::remove_file(path);
        }
    }
}
