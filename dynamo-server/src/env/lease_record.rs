//! The longest lease that this node may have promised, remembered over restarts.
//!
//! A voter that restarts has forgotten its promises and holds back for as long as the longest of them may still count. That
//! is the lease that it was told *before*, which need not be the one that it is told now. So the length is on the disk before
//! the first promise of it is made, in a file of its own beside the identity:
//!
//! ```text
//! dynamo-server lease
//! promise_us 2000000
//! crc32 ........
//! ```

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use parking_lot::Mutex;

use super::directory::{Directory, DirectoryError, LEASE_FILE, replace_file};

const TITLE: &str = "dynamo-server lease";

/// The record of one node.
#[derive(Debug)]
pub struct LeaseRecord {
    /// `None` for a node without a disk.
    file: Option<PathBuf>,
    /// As the file says it; `None` while nothing was promised.
    longest: Mutex<Option<Duration>>,
}

impl LeaseRecord {
    /// The record of a node without a disk: it lives as long as this value.
    pub fn in_memory() -> LeaseRecord {
        LeaseRecord { file: None, longest: Mutex::new(None) }
    }

    /// Reads the record of a directory; there is none in a new one.
    ///
    /// # Errors
    /// When it is there but damaged.
    pub fn open(directory: &Directory) -> Result<LeaseRecord, DirectoryError> {
        let path = directory.part(LEASE_FILE);
        let longest = match std::fs::read_to_string(&path) {
            Ok(text) => match decode(&text) {
                Some(longest) => Some(longest),
                None => return Err(DirectoryError::Damaged { path, reason: "it does not say what it should" }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(DirectoryError::Io { path, source }),
        };
        Ok(LeaseRecord { file: Some(path), longest: Mutex::new(longest) })
    }

    /// The longest lease that may have been promised; `None` where none ever was.
    pub fn longest(&self) -> Option<Duration> {
        *self.longest.lock()
    }

    /// From now on no longer lease than this is promised, and none promised before binds any more. Durable on return.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn record(&self, promise: Duration) -> Result<(), DirectoryError> {
        debug_assert!(!promise.is_zero(), "a promise lasts");
        let mut longest = self.longest.lock();
        if *longest == Some(promise) {
            return Ok(());
        }
        if let Some(path) = &self.file {
            replace_file(path, encode(promise).as_bytes())
                .map_err(|source| DirectoryError::Io { path: path.clone(), source })?;
        }
        *longest = Some(promise);
        Ok(())
    }
}

fn encode(promise: Duration) -> String {
    let text = format!("{TITLE}\npromise_us {}\n", promise.as_micros());
    let checksum = crc32fast::hash(text.as_bytes());
    format!("{text}crc32 {checksum:08x}\n")
}

fn decode(text: &str) -> Option<Duration> {
    let micros = text.lines().find_map(|line| line.strip_prefix("promise_us "))?.parse().ok()?;
    let promise = Duration::from_micros(micros);
    (encode(promise) == text).then_some(promise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_read_back_and_damage_is_detected() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let record = LeaseRecord::open(&directory).unwrap();
        assert_eq!(record.longest(), None);
        record.record(Duration::from_secs(5)).unwrap();
        assert_eq!(LeaseRecord::open(&directory).unwrap().longest(), Some(Duration::from_secs(5)));
        record.record(Duration::from_millis(1_600)).unwrap();
        assert_eq!(LeaseRecord::open(&directory).unwrap().longest(), Some(Duration::from_millis(1_600)));
        let path = dir.path().join(LEASE_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("dynamo-server lease\npromise_us 1600000\ncrc32 "), "{text}");
        std::fs::write(&path, text.replace("16", "15")).unwrap();
        assert!(matches!(LeaseRecord::open(&directory), Err(DirectoryError::Damaged { .. })));
    }
}
