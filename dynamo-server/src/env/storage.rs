//! The stores of one node: one for the Raft logs of all its groups, one for their state.

use std::path::PathBuf;
use std::sync::Arc;

use ordered_kv::memory::{MemoryLog, MemoryState};
use ordered_kv::rocks::{LogOptions, StateOptions};
use ordered_kv::{LogStore, StateStore, StoreError};

use super::directory::{Directory, DirectoryError, Identity};
use super::faults;

/// Where a node keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In this directory: everything acknowledged survives.
    Directory(PathBuf),
    /// In memory, through the same path: everything is gone with the process.
    Memory,
}

/// Why the stores of a node cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory itself.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// One of the two stores.
    #[error("{part} in the data directory cannot be opened: {source}")]
    Store {
        /// Which store.
        part: &'static str,
        /// What it said.
        source: StoreError,
    },
}

/// The open stores of one node. Dropping the last handle of them gives the directory back.
#[derive(Clone)]
pub struct Stores {
    /// The Raft logs of all groups.
    pub log: Arc<dyn LogStore>,
    /// The state of all groups.
    pub state: Arc<dyn StateStore>,
    /// The directory, locked; `None` in memory. Dropped after the stores in it, so that nobody else opens them while
    /// they are being closed.
    pub directory: Option<Arc<Directory>>,
    /// The identity that the data carries, `None` when it is new.
    pub identity: Option<Identity>,
}

impl Stores {
    /// Opens files or fresh memory.
    ///
    /// # Errors
    /// As [`Env::open`](super::Env::open).
    pub fn open(storage: &Storage) -> Result<Stores, OpenError> {
        match storage {
            Storage::Directory(path) => open_directory(Directory::open(path)?),
            Storage::Memory => Ok(Stores {
                log: Arc::new(MemoryLog::new()),
                state: Arc::new(MemoryState::new()),
                directory: None,
                identity: None,
            }),
        }
    }

    /// Writes down whose data this is; durable on return where the stores are.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn adopt(&mut self, identity: Identity) -> Result<(), OpenError> {
        if let Some(directory) = &self.directory {
            directory.write_identity(&identity)?;
        }
        self.identity = Some(identity);
        Ok(())
    }

    /// The size of the disk in bytes; `None` where there is no disk or it does not say.
    pub fn disk_bytes(&self) -> Option<u64> {
        let log = self.directory.as_ref()?.part("log");
        ordered_kv::disk::total_bytes(&log).ok()
    }

    /// Bytes that can still be written to the disk; `None` where there is no disk or it does not say.
    pub fn free_bytes(&self) -> Option<u64> {
        let log = self.directory.as_ref()?.part("log");
        faults::free_bytes(ordered_kv::disk::free_bytes(&log).ok())
    }
}

fn open_directory(directory: Directory) -> Result<Stores, OpenError> {
    let identity = directory.identity()?;
    let (log_path, state_path) = (directory.part("log"), directory.part("state"));
    // Opening is mostly waiting for syncs: the two wait at the same time.
    let (log, state) = std::thread::scope(|scope| {
        let log = scope.spawn(|| ordered_kv::rocks::open_log(&log_path, &LogOptions::default()));
        let state = ordered_kv::rocks::open_state(&state_path, &StateOptions::default());
        (log.join().expect("opening a store does not panic"), state)
    });
    let log = log.map_err(|source| OpenError::Store { part: "the log", source })?;
    let state = state.map_err(|source| OpenError::Store { part: "the state", source })?;
    Ok(Stores { log: Arc::new(log), state: Arc::new(state), directory: Some(Arc::new(directory)), identity })
}
