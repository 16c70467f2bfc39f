//! What can go wrong, sorted by what the caller can do next.

use std::io;

/// A fault of the log. After any error of a write, but not of [`Log::reserve`](crate::Log::reserve), the log takes no further one: what is on the disk is not known then,
/// and trying again proves nothing (the kernel may have dropped the pages). Stop the node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The operating system refused a read, write or sync.
    #[error("input/output of the log failed: {0}")]
    Io(String),
    /// There is no room for another segment. What was not acknowledged is not in the log. Whoever reserves its room first
    /// meets it before anything is written, and can wait.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Something that was durable is missing or was changed. The node must not start; restore it from its peers.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// There must be a log, and there is none.
    #[error("the log is gone: no segment was found")]
    Gone,
    /// It was written by a program with another format.
    #[error("the log has format {0}, this program reads format {format}", format = crate::FORMAT)]
    Format(u8),
    /// The caller broke the contract: a gap in a group's entries, say. Nothing was written.
    #[error("the log was used wrongly: {0}")]
    Misuse(String),
}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> LogError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LogError::Full(error.to_string()),
            _ => LogError::Io(error.to_string()),
        }
    }
}
