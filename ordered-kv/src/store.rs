//! Reading, and the store of applied state.

use std::path::Path;
use std::sync::Arc;

use crate::{Direction, KeyRange, StoreError, WriteBatch};

/// A stored value: owned, cheap to clone, `'static`. Large values of a disk store stay pinned in its block cache
/// instead of being copied.
pub type Value = bytes::Bytes;

/// A frozen view of a store, independent of everything written after it. Holding one keeps old data alive on disk
/// and the store open: a view lives as long as one request or one snapshot transfer, not longer.
pub type View = Arc<dyn Reader>;

/// Something that can be read: the newest state of a store, or a frozen [`View`] of it.
pub trait Reader: Send + Sync {
    /// The value under `key`, `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] and [`StoreError::Corruption`] (checksums are verified on every read that meets the disk);
    /// [`StoreError::NotCached`] from a reader of the cached tier only.
    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError>;

    /// The values under `keys`, in the same order, all from one moment on a frozen view.
    ///
    /// # Errors
    ///
    /// As [`Reader::get`]; the first error wins.
    fn get_many(&self, keys: &[&[u8]]) -> Result<Vec<Option<Value>>, StoreError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// A cursor over the keys in `range`, before its first step. It shows the state as it was when it was made, also
    /// on a reader of the newest state.
    ///
    /// # Errors
    ///
    /// As [`Reader::get`].
    fn cursor(&self, range: KeyRange<'_>, direction: Direction) -> Result<Box<dyn Cursor + '_>, StoreError>;
}

/// A walk through a range of keys, one direction, one pass.
///
/// ```
/// use ordered_kv::{Direction, KeyRange, Reader, StateStore, WriteBatch, memory::MemoryState};
/// let store = MemoryState::new();
/// let mut batch = WriteBatch::new();
/// batch.put(b"a", b"1");
/// batch.put(b"b", b"2");
/// store.write(&batch)?;
/// let mut cursor = store.cursor(KeyRange::all(), Direction::Backward)?;
/// assert_eq!(cursor.next()?, Some((b"b".as_slice(), b"2".as_slice())));
/// assert_eq!(cursor.next()?, Some((b"a".as_slice(), b"1".as_slice())));
/// assert_eq!(cursor.next()?, None);
/// # Ok::<(), ordered_kv::StoreError>(())
/// ```
pub trait Cursor: Send {
    /// Steps to the next pair of key and value, which stay valid until the next step; `None` at the end, and from
    /// then on.
    ///
    /// # Errors
    ///
    /// As [`Reader::get`]. After an error the cursor is spent.
    #[allow(clippy::type_complexity)]
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError>;
}

/// The answer of a read that may not touch the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedGet {
    /// Known from memory: the value, or that there is none.
    Hit(Option<Value>),
    /// Not to be told without the disk.
    Miss,
}

/// A store of applied state. As a [`Reader`] it shows the newest state.
///
/// It has no write-ahead log: what is written becomes durable at some later moment, at the latest in
/// [`StateStore::flush`], always as a prefix of the batches. Whoever writes therefore keeps the index up to which it
/// has applied its own log **in the same batch** as the data, and reads it with [`StateStore::get_persisted`] to know
/// from where to replay and below which point the log can be purged.
///
/// Calls come from any thread. Writers of the same keys take turns among themselves (one applier per shard).
pub trait StateStore: Reader + 'static {
    /// A frozen view of the newest state. Everything whose write returned before is in it.
    fn view(&self) -> View;

    /// The newest state, as far as it is in memory: a read never blocks on the disk and fails with
    /// [`StoreError::NotCached`] instead; the caller repeats it elsewhere.
    fn cached(&self) -> &dyn Reader;

    /// A frozen view whose reads never block on the disk, as [`StateStore::cached`].
    fn view_cached(&self) -> View;

    /// Applies `batch` atomically; visible to every read that begins after the return. Not yet durable.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`], [`StoreError::Full`], [`StoreError::Corruption`]: nothing of the batch is visible.
    fn write(&self, batch: &WriteBatch) -> Result<(), StoreError>;

    /// Whether a write now may wait for the disk: so much is still to be written out that the store slows writers down.
    /// Cheap, and right as a rule; never in memory.
    fn may_stall(&self) -> bool {
        false
    }

    /// Bytes that are in memory only and are still to be written to the disk, roughly: room that is taken without showing
    /// as such. Cheap.
    fn unwritten_bytes(&self) -> u64 {
        0
    }

    /// Whether the last write or flush found no room ([`StoreError::Full`]). A flush that succeeds ends it. Cheap.
    fn is_full(&self) -> bool {
        false
    }

    /// Says how many bytes of the disk are free, so that work in the background is put off which would need more than
    /// that. To be called now and then; right as a rule is enough.
    fn tell_free_bytes(&self, _free_bytes: u64) {}

    /// Begins no more work in the background that rewrites what is stored, until it is opened again: something stored is
    /// damaged, and such work that meets it may end the store's taking writes ([`StateStore::damage`]).
    fn stop_compacting(&self) {}

    /// Why the store takes no writes any more: it has met damage in the background. Reads go on. Opened again it takes writes,
    /// until it meets the damage again. `None` as a rule. Cheap enough for a few times a second.
    fn damage(&self) -> Option<String> {
        None
    }

    /// The smallest and the largest key in the file of this name, as errors name files. `None` where there is none.
    fn file_keys(&self, _name: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        None
    }

    /// The newest value under `key` if memory can tell.
    ///
    /// # Errors
    ///
    /// As [`Reader::get`], without [`StoreError::NotCached`].
    fn get_cached(&self, key: &[u8]) -> Result<CachedGet, StoreError> {
        match self.cached().get(key) {
            Ok(value) => Ok(CachedGet::Hit(value)),
            Err(StoreError::NotCached) => Ok(CachedGet::Miss),
            Err(error) => Err(error),
        }
    }

    /// The value under `key` that a crash right now could not take away.
    ///
    /// # Errors
    ///
    /// As [`Reader::get`].
    fn get_persisted(&self, key: &[u8]) -> Result<Option<Value>, StoreError>;

    /// Makes everything written before durable. Blocks; reads and writes go on meanwhile.
    ///
    /// # Errors
    ///
    /// As [`StateStore::write`]; [`StoreError::Io`] where a file of the store was deleted while it was open. Without room
    /// ([`StoreError::Full`]) what was not written stays in memory, and the next
    /// flush tries again; after any other error it is open what is durable, so the node should stop.
    fn flush(&self) -> Result<(), StoreError>;

    /// Gives back the room of what was deleted between `start` and before `end` (empty: without end). Blocks, as long as it
    /// takes to rewrite what else lies in the files that overlap; nothing in memory.
    fn reclaim(&self, _start: &[u8], _end: &[u8]) {}

    /// Writes a copy of the flushed state to the new directory `dir`, by hard links where the file system can.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unsupported`] in memory; else as [`StateStore::flush`].
    fn checkpoint(&self, dir: &Path) -> Result<(), StoreError>;

    /// Starts a bulk load, whose effect appears at once at its commit and is then durable. Used to install a snapshot
    /// of a shard: first the ranges that it replaces, then its rows.
    ///
    /// # Errors
    ///
    /// As [`StateStore::write`].
    fn ingest(&self) -> Result<Box<dyn Ingest + '_>, StoreError>;

    /// The size of the state on disk, or in memory where there is none, in bytes; roughly.
    fn size_bytes(&self) -> u64;
}

/// A bulk load in progress. Dropped without a commit it leaves no trace.
pub trait Ingest: Send {
    /// Removes every key in `start..end` that the store holds at commit, before the rows of this load appear. All
    /// calls come before the first [`Ingest::put`]; empty ranges are ignored.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] after a put; else as [`StateStore::write`].
    fn replace(&mut self, start: &[u8], end: &[u8]) -> Result<(), StoreError>;

    /// Adds a row. Keys rise strictly.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] for a key out of order; else as [`StateStore::write`].
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Ends the rows: all of them are on the disk on return, as far as the load has files, and nothing of it is visible
    /// yet. Nothing may be added any more.
    ///
    /// # Errors
    ///
    /// As [`StateStore::write`]; the load is of no use then.
    fn seal(&mut self) -> Result<(), StoreError>;

    /// Makes a sealed load visible and durable, atomically.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] where it is not sealed; else as [`StateStore::write`]. Nothing has changed then, and after
    /// [`StoreError::Full`] it can be tried again.
    fn commit(&mut self) -> Result<(), StoreError>;
}
