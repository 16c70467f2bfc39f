//! RocksDB's errors as ours.

use rocksdb::ErrorKind;

use crate::StoreError;

/// The kind that the caller can act on. RocksDB's C interface gives an error as text only, whose first words stand for
/// its code and which also names the system's error; so the text is read here, and nowhere else.
pub(super) fn convert(error: rocksdb::Error) -> StoreError {
    let kind = error.kind();
    let text = error.into_string();
    match kind {
        ErrorKind::Incomplete => StoreError::NotCached,
        ErrorKind::Corruption => StoreError::Corruption(text),
        ErrorKind::ShutdownInProgress => StoreError::Closed(text),
        ErrorKind::IOError if is_full(&text) => StoreError::Full(text),
        ErrorKind::IOError if is_locked(&text) => StoreError::Closed(text),
        ErrorKind::InvalidArgument | ErrorKind::NotSupported => StoreError::Misuse(text),
        _ => StoreError::Io(text),
    }
}

fn is_full(text: &str) -> bool {
    text.contains("No space left on device") || text.contains("Disk quota exceeded")
}

/// Another process, or another store of this one, has the directory open.
fn is_locked(text: &str) -> bool {
    text.starts_with("IO error: While lock file") || text.starts_with("IO error: lock ")
}
