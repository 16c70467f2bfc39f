//! The stores of one node: one for the Raft logs of all its groups, one for their state.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ordered_kv::memory::MemoryState;
use ordered_kv::{StateStore, StoreError};
use raft_log::{Log, LogError, MemoryDisk};

use super::damage_notes::DamageNotes;
use super::directory::{Directory, DirectoryError, Identity, LOG_PART};
use super::faults;
use super::lease_record::LeaseRecord;
#[cfg(feature = "rocksdb")]
use super::legacy_log::LegacyError;

/// Segments of a log in memory: small, so that what is purged is given back soon.
const MEMORY_SEGMENT_BYTES: usize = 1 << 20;

/// Segments of a log on a small disk, and on any other: a log has two files at least, the one that is written and the next.
#[cfg(feature = "rocksdb")]
const SEGMENT_BYTES_MIN: u64 = 1 << 20;
#[cfg(feature = "rocksdb")]
const SEGMENT_BYTES_MAX: u64 = 8 << 20;

/// The part of the disk that a segment takes at most.
#[cfg(feature = "rocksdb")]
const SEGMENT_PART: u64 = 64;

/// Files that wait to become segments of the log, at most.
const LOG_SPARES_MAX: usize = 8;

/// Where a node keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In this directory: everything acknowledged survives.
    Directory(PathBuf),
    /// In memory, through the same path: everything is gone with the process.
    Memory,
}

/// What the two stores of a node may take of memory and descriptors. In memory nothing of it has a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Blocks of the state kept in memory, in bytes.
    pub state_cache_bytes: usize,
    /// One write buffer of the state, in bytes.
    pub state_buffer_bytes: usize,
    /// All write buffers of the state together, in bytes.
    pub state_buffers_bytes_max: usize,
    /// Open table files of the state.
    pub state_files: i32,
    /// The newest entries of all groups' logs that are applied, kept in memory, in bytes.
    pub log_tails_bytes: usize,
}

/// As much as is of use with plenty of memory; the reasons stand in `ordered_kv::rocks`, and a test compares.
impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            state_cache_bytes: 32 << 20,
            state_buffer_bytes: 12 << 20,
            state_buffers_bytes_max: 30 << 20,
            state_files: 512,
            log_tails_bytes: usize::MAX,
        }
    }
}

/// What the log takes of memory, in bytes, at the most: a batch that is being written, twelve bytes for each entry, and while
/// it is opened one segment.
pub const LOG_MEMORY_BYTES: usize = 24 << 20;

/// Bytes of memory that the newest entries of one group's log take at most, decoded and encoded; twice as many while they are
/// not applied. A follower further behind reads from the store.
pub const LOG_TAIL_BYTES_MAX: usize = 4 << 20;

#[cfg(feature = "rocksdb")]
impl StoreOptions {
    fn of_state(&self) -> ordered_kv::rocks::StateOptions {
        ordered_kv::rocks::StateOptions {
            block_cache_bytes: self.state_cache_bytes,
            write_buffer_bytes: self.state_buffer_bytes,
            write_buffers_bytes_max: self.state_buffers_bytes_max,
            open_files_max: self.state_files,
            ..Default::default()
        }
    }
}

/// Why the stores of a node cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory itself.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The program was built without the feature `rocksdb`.
    #[error(
        "this program was built without its feature `rocksdb` and cannot keep data in {0}: \
         start it with --in-memory, or build it with that feature"
    )]
    NoDisk(PathBuf),
    /// A store.
    #[error("{part} in the data directory cannot be opened: {source}")]
    Store {
        /// Which store.
        part: &'static str,
        /// What it said.
        source: StoreError,
    },
    /// The log.
    #[error("the log in the data directory cannot be opened: {0}")]
    Log(#[from] LogError),
    /// The log of an older build.
    #[cfg(feature = "rocksdb")]
    #[error(transparent)]
    Legacy(#[from] LegacyError),
    /// The directory has an identity, and no log.
    #[error(
        "the data directory belongs to node {0}, but its log is gone: whatever was acknowledged is missing. Restore the \
         folder `log`, or give the node a new data directory"
    )]
    LogGone(u64),
}

impl OpenError {
    /// Whether something that was stored is missing or has changed.
    pub fn is_damage(&self) -> bool {
        match self {
            OpenError::Store { source, .. } => matches!(source, StoreError::Corruption(_)),
            OpenError::Log(error) => matches!(error, LogError::Damaged(_) | LogError::Gone),
            _ => false,
        }
    }
}

/// The open stores of one node. Dropping the last handle of them gives the directory back.
#[derive(Clone)]
pub struct Stores {
    /// The Raft logs of all groups.
    pub log: Arc<Log>,
    /// The state of all groups.
    pub state: Arc<dyn StateStore>,
    /// The directory, locked; `None` in memory. Dropped after the stores in it, so that nobody else opens them while
    /// they are being closed.
    pub directory: Option<Arc<Directory>>,
    /// The identity that the data carries, `None` when it is new.
    pub identity: Option<Identity>,
    /// What this node may have promised before it started.
    pub lease: Arc<LeaseRecord>,
    /// What of the data could not be read, now or before it started.
    pub damage: Arc<DamageNotes>,
}

impl Stores {
    /// Opens files or fresh memory. `log_id` is any random number, for a log that is new.
    ///
    /// # Errors
    /// As [`Env::open`](super::Env::open).
    pub fn open(storage: &Storage, options: &StoreOptions, log_id: u64) -> Result<Stores, OpenError> {
        match storage {
            Storage::Directory(path) => open_directory(path, options, log_id, false),
            Storage::Memory => Ok(Stores {
                log: Arc::new(memory_log()?),
                state: Arc::new(MemoryState::new()),
                directory: None,
                identity: None,
                lease: Arc::new(LeaseRecord::in_memory()),
                damage: Arc::new(DamageNotes::in_memory()),
            }),
        }
    }

    /// Opens a directory also where its recovery was begun and not ended.
    ///
    /// # Errors
    /// As [`Env::open`](super::Env::open).
    pub fn open_to_recover(path: &Path) -> Result<Stores, OpenError> {
        open_directory(path, &StoreOptions::default(), 0, true)
    }

    /// Writes down whose data this is; durable on return where the stores are. The log is there before, so that from then on
    /// a directory without one is known to have lost it.
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

    /// Bytes that can still be taken of the disk; `None` where there is no disk or it does not say. What the state has in
    /// memory only is taken already, and the log's files are: they are allocated ahead.
    pub fn free_bytes(&self) -> Option<u64> {
        // What is left of the log's segment is for what must never be refused.
        if self.is_full() {
            return Some(0);
        }
        let log = self.directory.as_ref()?.part(LOG_PART);
        let free_bytes = ordered_kv::disk::free_bytes(&log).ok();
        faults::free_bytes(free_bytes.map(|free| free.saturating_sub(self.state.unwritten_bytes())))
    }

    /// Whether one of the stores found no room where it looked last.
    pub fn is_full(&self) -> bool {
        self.log.is_short_of_room() || self.state.is_full()
    }

    /// Lets the stores make do with little room, or not.
    pub fn be_frugal(&self, is_frugal: bool) {
        self.log.set_spares_max(if is_frugal { 1 } else { LOG_SPARES_MAX });
    }

    /// Says how much room there is, so that the state puts off what would need more.
    pub fn tell_free_bytes(&self, free_bytes: Option<u64>) {
        if let Some(free_bytes) = free_bytes {
            self.state.tell_free_bytes(free_bytes);
        }
    }
}

#[cfg(not(feature = "rocksdb"))]
fn open_directory(
    path: &Path,
    _options: &StoreOptions,
    _log_id: u64,
    _may_be_in_recovery: bool,
) -> Result<Stores, OpenError> {
    Err(OpenError::NoDisk(path.to_owned()))
}

#[cfg(feature = "rocksdb")]
fn open_directory(
    path: &Path,
    options: &StoreOptions,
    log_id: u64,
    may_be_in_recovery: bool,
) -> Result<Stores, OpenError> {
    use ordered_kv::rocks::open_state;

    use super::directory::STATE_PART;

    let directory = Directory::open(path)?;
    if !may_be_in_recovery && directory.recovery()?.is_some() {
        return Err(DirectoryError::InRecovery(path.to_owned()).into());
    }
    let identity = directory.identity()?;
    let lease = Arc::new(LeaseRecord::open(&directory)?);
    let damage = Arc::new(DamageNotes::open(&directory)?);
    let of_state = ordered_kv::rocks::StateOptions { compacts: !damage.name_a_table_file(), ..options.of_state() };
    // Opening is mostly waiting for syncs: the two wait at the same time.
    let (log, state) = std::thread::scope(|scope| {
        let log = scope.spawn(|| open_log(&directory, identity.as_ref(), log_id));
        let state = open_state(&directory.part(STATE_PART), &of_state);
        (log.join().expect("opening a store does not panic"), state)
    });
    let state = state.map_err(|source| OpenError::Store { part: "the state", source })?;
    let (log, state, directory) = (Arc::new(log?), Arc::new(state), Some(Arc::new(directory)));
    Ok(Stores { log, state, directory, identity, lease, damage })
}

#[cfg(feature = "rocksdb")]
fn open_log(directory: &Directory, identity: Option<&Identity>, log_id: u64) -> Result<Log, OpenError> {
    use raft_log::FileDisk;

    super::legacy_log::take_over(directory, identity, log_id)?;
    let disk = FileDisk::open(&directory.part(LOG_PART)).map_err(LogError::from)?;
    let disk_bytes = ordered_kv::disk::total_bytes(&directory.part(LOG_PART)).ok();
    let options = raft_log::Options {
        log_id,
        segment_bytes: segment_bytes(disk_bytes),
        spares_max: LOG_SPARES_MAX,
        must_exist: identity.is_some(),
        ..raft_log::Options::default()
    };
    match (Log::open(Arc::new(disk), &options), identity) {
        (Err(LogError::Gone), Some(identity)) => Err(OpenError::LogGone(identity.node_id)),
        (opened, _) => Ok(opened?),
    }
}

/// How long a segment of the log is on a disk of so many bytes.
#[cfg(feature = "rocksdb")]
fn segment_bytes(disk_bytes: Option<u64>) -> usize {
    let fits = disk_bytes.map_or(SEGMENT_BYTES_MAX, |bytes| bytes / SEGMENT_PART);
    fits.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX) as usize
}

/// A log in memory: nothing of it survives, and no block is written before it is needed.
fn memory_log() -> Result<Log, LogError> {
    let options = raft_log::Options {
        segment_bytes: MEMORY_SEGMENT_BYTES,
        spares_max: 1,
        zero_ahead_bytes: 0,
        ..raft_log::Options::default()
    };
    Log::open(Arc::new(MemoryDisk::new()), &options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "rocksdb")]
    #[test]
    fn log_folder_deleted_beside_an_identity_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::Directory(dir.path().to_owned());
        let identity = Identity { cluster_id: 1, node_id: 7, incarnation: 2, shards: 1 };
        let mut stores = Stores::open(&storage, &StoreOptions::default(), 1).unwrap();
        stores.adopt(identity).unwrap();
        drop(stores);
        drop(
            Stores::open(&storage, &StoreOptions::default(), 1)
                .expect("nothing was written yet, and nothing is missing"),
        );
        std::fs::remove_dir_all(dir.path().join("log")).unwrap();
        for _ in 0..2 {
            assert!(matches!(Stores::open(&storage, &StoreOptions::default(), 1), Err(OpenError::LogGone(7))));
        }
    }

    #[test]
    fn a_directory_is_used_or_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("data");
        let opened = Stores::open(&Storage::Directory(place.clone()), &StoreOptions::default(), 1);
        if cfg!(feature = "rocksdb") {
            assert!(opened.is_ok() && place.exists());
        } else {
            let refusal = opened.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refusal.contains("feature `rocksdb`") && refusal.contains("--in-memory"), "{refusal}");
            assert!(!place.exists());
        }
    }

    #[cfg(feature = "rocksdb")]
    #[test]
    fn plenty_is_what_the_state_takes_by_itself() {
        assert_eq!(StoreOptions::default().of_state(), ordered_kv::rocks::StateOptions::default());
    }
}
