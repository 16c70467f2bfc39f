//! The yardstick for durable writes: what this disk gives when writers share a sync, with nothing else done.
//!
//! Each writer hands in a record and waits until it is on disk. One of the waiting writers becomes the leader: it
//! writes all records handed in so far with one `write` and one `fdatasync`, wakes the others, and so on; the classic
//! group commit. The file is preallocated, written once before, and overwritten in a circle, as a log with recycled
//! files is, so that no sync pays for metadata.
//!
//! [`SharedLog`] is the same behind an event loop, for the bare HTTP server that syncs ([`crate::calibrator`]).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Context, Result};
use crate::machine::monotonic_ns;

/// Size of the file.
const FILE_BYTES: u64 = 64 << 20;

/// What the disk gave.
#[derive(Clone, Copy, Debug)]
pub struct DiskRate {
    /// Records made durable a second.
    pub writes_per_second: f64,
    /// Syncs a second.
    pub syncs_per_second: f64,
}

/// A preallocated file to write to; removed when dropped.
pub struct DiskFile {
    file: File,
    path: std::path::PathBuf,
}

struct Queue {
    handed_in: u64,
    durable: u64,
    leader: bool,
    syncs: u64,
    error: Option<std::io::Error>,
}

impl DiskFile {
    /// Creates and writes the file.
    pub fn create(folder: &Path) -> Result<DiskFile> {
        Self::create_as(folder, "disk-calibrator")
    }

    fn create_as(folder: &Path, name: &str) -> Result<DiskFile> {
        let path = folder.join(name);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        let file = file.context(|| format!("cannot create {}", path.display()))?;
        let zeros = vec![0; 1 << 20];
        for at in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(DiskFile { file, path })
    }

    /// Writes records of this size from so many threads for a while.
    pub fn rate(&self, writers: u64, record_bytes: usize, duration: Duration) -> Result<DiskRate> {
        let queue = Mutex::new(Queue { handed_in: 0, durable: 0, leader: false, syncs: 0, error: None });
        let done = Condvar::new();
        let start = monotonic_ns();
        let end = start + duration.as_nanos() as u64;
        thread::scope(|scope| {
            for _ in 0..writers {
                scope.spawn(|| while monotonic_ns() < end && self.write_one(&queue, &done, record_bytes) {});
            }
        });
        let seconds = (monotonic_ns() - start) as f64 / 1e9;
        let queue = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
        match queue.error {
            Some(error) => Err(error).context(|| format!("cannot sync {}", self.path.display())),
            None => Ok(DiskRate {
                writes_per_second: queue.durable as f64 / seconds,
                syncs_per_second: queue.syncs as f64 / seconds,
            }),
        }
    }

    /// Returns when one record is on disk; false when the disk failed.
    fn write_one(&self, queue: &Mutex<Queue>, done: &Condvar, record_bytes: usize) -> bool {
        let mut state = queue.lock().unwrap_or_else(PoisonError::into_inner);
        state.handed_in += 1;
        let mine = state.handed_in;
        while state.durable < mine && state.error.is_none() {
            if state.leader {
                state = done.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.leader = true;
            let (first, last) = (state.durable, state.handed_in);
            drop(state);
            let result = self.write_and_sync(first, last, record_bytes);
            state = queue.lock().unwrap_or_else(PoisonError::into_inner);
            state.leader = false;
            match result {
                Ok(()) => (state.durable, state.syncs) = (last, state.syncs + 1),
                Err(error) => state.error = Some(error),
            }
            done.notify_all();
        }
        state.error.is_none()
    }

    fn write_and_sync(&self, first: u64, last: u64, record_bytes: usize) -> std::io::Result<()> {
        let bytes = vec![b'r'; (last - first) as usize * record_bytes];
        self.put(&bytes, first * record_bytes as u64)
    }

    /// Writes at this place of the endless log that goes round in the file.
    fn put(&self, bytes: &[u8], at: u64) -> std::io::Result<()> {
        let room = FILE_BYTES - bytes.len() as u64;
        self.file.write_all_at(bytes, at % room)?;
        self.file.sync_data()
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        // A file that cannot be removed lies in the run's own folder, which is removed with everything in it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A log that the tasks of one event loop share: what gathers while the disk is busy is written with the next sync.
///
/// A thread of its own writes and syncs, so that requests are read meanwhile. Whoever is alone syncs on the event loop:
/// nobody else waits for it, and no thread need be woken.
pub struct SharedLog {
    writer: Arc<Mutex<LogWriter>>,
    queue: mpsc::UnboundedSender<Record>,
    /// Records that are being written.
    under_way: AtomicUsize,
}

struct LogWriter {
    file: DiskFile,
    end: u64,
}

/// A record, and who waits for it.
type Record = (Bytes, oneshot::Sender<bool>);

impl SharedLog {
    /// Creates its file, written once before, and starts its thread.
    pub fn create(folder: &Path) -> Result<SharedLog> {
        let file = DiskFile::create_as(folder, "http-calibrator")?;
        let writer = Arc::new(Mutex::new(LogWriter { file, end: 0 }));
        let (queue, mut records) = mpsc::unbounded_channel::<Record>();
        let thread_writer = Arc::clone(&writer);
        thread::spawn(move || {
            while let Some((first, done)) = records.blocking_recv() {
                let (mut bytes, mut waiting) = (first.to_vec(), vec![done]);
                while let Ok((next, done)) = records.try_recv() {
                    bytes.extend_from_slice(&next);
                    waiting.push(done);
                }
                let written = lock(&thread_writer).append(&bytes);
                for done in waiting {
                    // A client that went away waits for nothing.
                    let _ = done.send(written);
                }
            }
        });
        Ok(SharedLog { writer, queue, under_way: AtomicUsize::new(0) })
    }

    /// Returns when the record is on disk; false when the disk failed.
    pub async fn write(&self, record: Bytes) -> bool {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        // Everything else that has arrived by now is counted before anybody decides that it is alone.
        tokio::task::yield_now().await;
        let written = if self.under_way.load(Ordering::Relaxed) == 1 {
            lock(&self.writer).append(&record)
        } else {
            let (done, written) = oneshot::channel();
            self.queue.send((record, done)).is_ok() && written.await.unwrap_or(false)
        };
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        written
    }
}

impl LogWriter {
    fn append(&mut self, bytes: &[u8]) -> bool {
        let at = self.end;
        self.end += bytes.len() as u64;
        self.file.put(bytes, at).is_ok()
    }
}

fn lock(writer: &Mutex<LogWriter>) -> std::sync::MutexGuard<'_, LogWriter> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_share_syncs() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = DiskFile::create(folder.path()).expect("created");
        let alone = file.rate(1, 1024, Duration::from_millis(50)).expect("measured");
        assert!((alone.writes_per_second - alone.syncs_per_second).abs() < 1e-6, "one writer shares with nobody");
        let shared = file.rate(8, 1024, Duration::from_millis(100)).expect("measured");
        assert!(shared.writes_per_second > shared.syncs_per_second, "{shared:?}");
    }

    #[tokio::test]
    async fn records_of_a_shared_log_are_in_its_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = SharedLog::create(folder.path()).expect("created");
        assert!(log.write(Bytes::from_static(b"alone")).await);
        let both = tokio::join!(log.write(Bytes::from_static(b"one")), log.write(Bytes::from_static(b"two")));
        assert_eq!(both, (true, true));
        let bytes = std::fs::read(folder.path().join("http-calibrator")).expect("readable");
        // Which of two at the same time comes first is nobody's business.
        assert!([b"aloneonetwo", b"alonetwoone"].iter().any(|log| bytes.starts_with(*log)));
    }
}
