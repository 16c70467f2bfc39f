//! The data directory of a node: who may open it, and whose it is.
//!
//! ```text
//! data-dir/
//!   lock     held with flock by the process that has the directory open
//!   node     the identity: text, one field a line, a checksum last
//!   lease    the longest lease that may have been promised (`lease_record`)
//!   damage   what of the data could not be read (`damage_notes`); absent as a rule
//!   log/     the Raft logs of all groups in segments (raft-log)
//!   state/   the state of all groups (ordered-kv, WAL off)
//!   recovery while its cluster is changed by hand: the number of the cluster that it is to belong to
//! ```
//!
//! A directory whose disk was replaced or wiped must come back as a new node, since a voter that forgot its vote can
//! elect two leaders; the incarnation, drawn when the directory is created, lets peers notice.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The layout of the directory and of what is in it. Raised by a change that older programs cannot read.
pub const DIRECTORY_FORMAT: u32 = 2;

/// The oldest layout that is taken over: its log lies in RocksDB (`legacy_log`).
const OLDEST_FORMAT: u32 = 1;

const IDENTITY_FILE: &str = "node";
const LOCK_FILE: &str = "lock";
const RECOVERY_FILE: &str = "recovery";
pub(super) const LEASE_FILE: &str = "lease";
pub(super) const DAMAGE_FILE: &str = "damage";
/// The folder of the Raft logs.
pub const LOG_PART: &str = "log";
/// The folder of the state.
pub const STATE_PART: &str = "state";
/// Rights of the folders: their owner's alone. Whoever can read the files has all tables.
const FOLDER_MODE: u32 = 0o700;
/// Rights of the files.
const FILE_MODE: u32 = 0o600;
/// Rights that others would have.
const OF_OTHERS: u32 = 0o077;
const IDENTITY_TITLE: &str = "dynamo-server node";

/// Whose data a directory holds. Fixed when the directory is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster that the data belongs to.
    pub cluster_id: u128,
    /// This node's number in the cluster, never reused.
    pub node_id: u64,
    /// Drawn at random when the directory was made: a wiped disk comes back with another one.
    pub incarnation: u64,
    /// How many shards the cluster was created with.
    pub shards: u32,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process has it open.
    #[error("the data directory {0} is in use by another process: stop that one, or name another --data-dir")]
    InUse(PathBuf),
    /// It was written by a program with another layout.
    #[error(
        "the data directory {path} has format {found} and this program reads formats {OLDEST_FORMAT} to {DIRECTORY_FORMAT}: \
         start the version that wrote it, or name another --data-dir"
    )]
    Format {
        /// The directory.
        path: PathBuf,
        /// The format that it states.
        found: u32,
    },
    /// The recovery of its cluster was begun and not ended.
    #[error("the data directory {0} is in the middle of `dynamo-server recover`: run that again, as it was run before")]
    InRecovery(PathBuf),
    /// Its identity file is damaged.
    #[error("the identity file {path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file system refused.
    #[error("the data directory cannot be used: {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A data directory that this process holds open.
#[derive(Debug)]
pub struct Directory {
    /// Where it is.
    path: PathBuf,
    /// Closing the file gives the lock back.
    _lock: File,
}

impl Directory {
    /// Creates the directory if it is absent and locks it.
    ///
    /// # Errors
    /// [`DirectoryError::InUse`] when another process holds it.
    pub fn open(path: &Path) -> Result<Directory, DirectoryError> {
        let io_error = |source| DirectoryError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(io_error)?;
        make_private(path);
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path.join(LOCK_FILE))
            .map_err(io_error)?;
        if !try_lock(&lock).map_err(io_error)? {
            return Err(DirectoryError::InUse(path.to_owned()));
        }
        Ok(Directory { path: path.to_owned(), _lock: lock })
    }

    /// Where a part of the node's data lives.
    pub fn part(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The identity, `None` in a directory that was just created.
    ///
    /// # Errors
    /// When the file is there but damaged.
    pub fn identity(&self) -> Result<Option<Identity>, DirectoryError> {
        Directory::identity_in(&self.path)
    }

    /// The identity in a directory that need not be open, nor exist.
    ///
    /// # Errors
    /// As [`Directory::identity`].
    pub fn identity_in(directory: &Path) -> Result<Option<Identity>, DirectoryError> {
        let path = directory.join(IDENTITY_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => decode_identity(directory, &path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DirectoryError::Io { path, source }),
        }
    }

    /// The number of the cluster that a recovery was begun for and not ended.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn recovery(&self) -> Result<Option<String>, DirectoryError> {
        let path = self.part(RECOVERY_FILE);
        match std::fs::read_to_string(&path) {
            Ok(cluster) => Ok(Some(cluster)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DirectoryError::Io { path, source }),
        }
    }

    /// The format that the identity states, `None` in a directory that was just created.
    ///
    /// # Errors
    /// As [`Directory::identity`].
    pub fn format(&self) -> Result<Option<u32>, DirectoryError> {
        let path = self.part(IDENTITY_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                decode_identity(&self.path, &path, &text)?;
                Ok(field(&text, "format").and_then(|value| value.parse().ok()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DirectoryError::Io { path, source }),
        }
    }

    /// Notes that the directory is being changed to belong to another cluster; nobody starts on it until
    /// [`Directory::end_recovery`]. Durable on return.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn begin_recovery(&self, cluster: &str) -> Result<(), DirectoryError> {
        let path = self.part(RECOVERY_FILE);
        replace_file(&path, cluster.as_bytes()).map_err(|source| DirectoryError::Io { path, source })
    }

    /// The directory is whole again, and has this identity.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn end_recovery(&self, identity: &Identity) -> Result<(), DirectoryError> {
        self.write_identity(identity)?;
        let path = self.part(RECOVERY_FILE);
        std::fs::remove_file(&path).map_err(|source| DirectoryError::Io { path, source })
    }

    /// Makes the names of the parts durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Writes the identity; durable on return.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_identity(&self, identity: &Identity) -> Result<(), DirectoryError> {
        debug_assert!(identity.shards > 0, "a node has a shard");
        let path = self.part(IDENTITY_FILE);
        replace_file(&path, encode_identity(identity).as_bytes()).map_err(|source| DirectoryError::Io { path, source })
    }
}

/// Keeps others out of a directory that was made with more rights: its parts, and all of it where it holds nothing else. A
/// place that belongs to others, too (`/tmp`), is theirs to look after. Where the owner is somebody else, as of a mounted
/// volume, it stays as it is.
fn make_private(path: &Path) {
    let parts = [LOG_PART, STATE_PART];
    let is_ours = |name: &str| {
        let stem = name.split('.').next().unwrap_or(name);
        parts.contains(&stem) || [IDENTITY_FILE, LOCK_FILE, RECOVERY_FILE, LEASE_FILE, DAMAGE_FILE].contains(&stem)
    };
    let mut names = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let whole = names.all(|name| name.to_str().is_some_and(is_ours)).then(|| path.to_owned());
    for folder in parts.map(|part| path.join(part)).into_iter().chain(whole) {
        let Ok(found) = std::fs::metadata(&folder) else { continue };
        if found.permissions().mode() & OF_OTHERS != 0
            && let Err(error) = std::fs::set_permissions(&folder, Permissions::from_mode(FOLDER_MODE))
        {
            tracing::warn!(%error, "others may look into {}", folder.display());
        }
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor belongs to `file`, which outlives the call.
    let status = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if status == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) }
}

/// Writes a small file so that after a crash either the old or the new content is there.
pub(super) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    debug_assert_ne!(path, draft, "a draft has a name of its own");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn encode_identity(identity: &Identity) -> String {
    let mut text = format!(
        "{IDENTITY_TITLE}\nformat {DIRECTORY_FORMAT}\ncluster {:032x}\nnode {}\nincarnation {:016x}\nshards {}\n",
        identity.cluster_id, identity.node_id, identity.incarnation, identity.shards
    );
    debug_assert!(!text.contains("crc32"), "the checksum is the last line, and of all others");
    let checksum = crc32fast::hash(text.as_bytes());
    text.push_str(&format!("crc32 {checksum:08x}\n"));
    text
}

/// What stands behind the name of a field.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

fn decode_identity(directory: &Path, path: &Path, text: &str) -> Result<Identity, DirectoryError> {
    let damaged = |reason| DirectoryError::Damaged { path: path.to_owned(), reason };
    let field = |name: &str| field(text, name);
    if text.lines().next() != Some(IDENTITY_TITLE) {
        return Err(damaged("not an identity file"));
    }
    let format = field("format").and_then(|value| value.parse().ok()).ok_or_else(|| damaged("no format"))?;
    if !(OLDEST_FORMAT..=DIRECTORY_FORMAT).contains(&format) {
        return Err(DirectoryError::Format { path: directory.to_owned(), found: format });
    }
    let checked = text.find("crc32 ").map(|end| &text[..end]).ok_or_else(|| damaged("no checksum"))?;
    let checksum = field("crc32").and_then(|value| u32::from_str_radix(value, 16).ok());
    if checksum != Some(crc32fast::hash(checked.as_bytes())) {
        return Err(damaged("the checksum does not fit"));
    }
    let identity = || {
        Some(Identity {
            cluster_id: u128::from_str_radix(field("cluster")?, 16).ok()?,
            node_id: field("node")?.parse().ok()?,
            incarnation: u64::from_str_radix(field("incarnation")?, 16).ok()?,
            shards: field("shards")?.parse().ok()?,
        })
    };
    identity().ok_or_else(|| damaged("a field is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { cluster_id: 0xfeed, node_id: 3, incarnation: 0xbeef, shards: 16 }
    }

    #[test]
    fn a_second_opening_is_refused_and_the_lock_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let first = Directory::open(dir.path()).unwrap();
        assert!(matches!(Directory::open(dir.path()), Err(DirectoryError::InUse(_))));
        drop(first);
        Directory::open(dir.path()).unwrap();
    }

    #[test]
    fn a_directory_is_for_its_owner_and_a_shared_place_stays_shared() {
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let open_to_all = |path: &Path| std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("new");
        drop(Directory::open(&new).unwrap());
        assert_eq!((mode(&new), mode(&new.join(LOCK_FILE)) & OF_OTHERS), (FOLDER_MODE, 0));

        std::fs::create_dir(new.join(STATE_PART)).unwrap();
        for path in [new.clone(), new.join(STATE_PART)] {
            open_to_all(&path);
        }
        drop(Directory::open(&new).unwrap());
        assert_eq!([mode(&new), mode(&new.join(STATE_PART))], [FOLDER_MODE; 2], "what an older build has made");

        std::fs::write(new.join("of somebody else"), "").unwrap();
        open_to_all(&new);
        open_to_all(&new.join(STATE_PART));
        drop(Directory::open(&new).unwrap());
        assert_eq!([mode(&new), mode(&new.join(STATE_PART))], [0o755, FOLDER_MODE]);
    }

    #[test]
    fn an_identity_is_read_back_and_damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        assert_eq!(directory.identity().unwrap(), None);
        directory.write_identity(&identity()).unwrap();
        assert_eq!(directory.identity().unwrap(), Some(identity()));

        let path = dir.path().join(IDENTITY_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("node 3", "node 4")).unwrap();
        assert!(matches!(directory.identity(), Err(DirectoryError::Damaged { .. })));
        std::fs::write(&path, text.replace("format 2", "format 3")).unwrap();
        assert!(matches!(directory.identity(), Err(DirectoryError::Format { found: 3, .. })));
    }

    #[test]
    fn the_identity_file_is_pinned() {
        let text = "dynamo-server node\nformat 2\ncluster 0000000000000000000000000000feed\nnode 3\n\
                    incarnation 000000000000beef\nshards 16\n";
        let checksum = crc32fast::hash(text.as_bytes());
        assert_eq!(encode_identity(&identity()), format!("{text}crc32 {checksum:08x}\n"));
    }
}
