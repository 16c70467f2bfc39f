//! The files under the log: a directory in production, memory for a server without a disk and for simulations.

mod files;
mod memory;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub use self::files::FileDisk;
pub use self::memory::MemoryDisk;

/// A flat directory that belongs to the log.
///
/// Contract: names change atomically. A new file, a rename and a removal are durable after [`Disk::sync_names`], and if one
/// is, so are those that came before it.
pub trait Disk: Debug + Send + Sync + 'static {
    /// The names of all files, in order.
    ///
    /// # Errors
    /// What the system says, here as in all others.
    #[allow(clippy::missing_errors_doc)]
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file that is there.
    #[allow(clippy::missing_errors_doc)]
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file of `bytes` zeros, with room for them on the disk. Replaces one of that name.
    #[allow(clippy::missing_errors_doc)]
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, which no file has.
    #[allow(clippy::missing_errors_doc)]
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Who has it open can go on reading it.
    #[allow(clippy::missing_errors_doc)]
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes what was done to names durable.
    #[allow(clippy::missing_errors_doc)]
    fn sync_names(&self) -> io::Result<()>;
}

/// An open file. Writes never make it longer.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Its length.
    ///
    /// # Errors
    /// What the system says, here as in all others.
    #[allow(clippy::missing_errors_doc)]
    fn byte_len(&self) -> io::Result<u64>;

    /// Fills `buffer` with what stands at `offset`.
    #[allow(clippy::missing_errors_doc)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes `bytes` at `offset`.
    #[allow(clippy::missing_errors_doc)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Whether anybody can still find it: one that was removed while it was open takes writes and keeps nothing. `true` where nobody
    /// but the log removes files.
    #[allow(clippy::missing_errors_doc)]
    fn has_name(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Makes everything written before durable.
    #[allow(clippy::missing_errors_doc)]
    fn sync(&self) -> io::Result<()>;
}
