//! The store of a replicated log, and how a cut-off end of it is noticed.
//!
//! # The floor
//!
//! A log whose files are reused must end, on recovery, at the first record that does not check out: it cannot tell a
//! record torn by a crash from one that rotted on the disk. The first is harmless (nobody was told of it), the second
//! loses acknowledged entries in silence. So the writer keeps a *floor* beside the log: its own encoding of how far
//! each group's log and vote had come, recorded durably and outside of the log's own files.
//!
//! ```text
//! write_synced … write_synced ─▶ floor_due()? ─▶ record_floor(where every group stands, all of it synced)
//! open ─▶ floor() ─▶ a group that ends below it, has a gap, or an older vote: do not start
//! ```
//!
//! [`LogStore::floor_due`] turns true after [`FLOOR_INTERVAL_BYTES`] of synced writes, at least once per log file, so
//! the undetectable loss is bounded: less than that many bytes at the very end, and of those also everything above
//! the applied index that the state store has persisted is caught by the caller's second comparison.

use crate::{Reader, StoreError, Value, WriteBatch};

/// After how many bytes of log a new floor is due. As long as a log file of the disk store: a floor costs
/// two small syncs, so this is noise, and it keeps the unguarded end small.
pub const FLOOR_INTERVAL_BYTES: u64 = 8 << 20;

/// A store of log entries and votes. As a [`Reader`] it shows everything written, synced or not.
///
/// One thread writes (it groups the commits of all shards into one batch); any thread reads.
pub trait LogStore: Reader + 'static {
    /// Writes `batch` and everything before it through to the disk: durable on return, also against power loss.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`], [`StoreError::Full`], [`StoreError::Corruption`]. It is then unknown what is durable, and
    /// trying again proves nothing (the kernel may have dropped the pages): stop the node.
    fn write_synced(&self, batch: &WriteBatch) -> Result<(), StoreError>;

    /// Writes `batch` without waiting for the disk: visible on return, durable with the next synced write. For what
    /// may be lost without harm, such as a purge or the committed index.
    ///
    /// # Errors
    ///
    /// As [`LogStore::write_synced`].
    fn write_lazy(&self, batch: &WriteBatch) -> Result<(), StoreError>;

    /// How many synced writes have completed since the store was opened. Tests hold acknowledgements against it.
    fn syncs(&self) -> u64;

    /// The floor that was recorded last, `None` in a new log.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corruption`] if the record does not check out.
    fn floor(&self) -> Result<Option<Value>, StoreError>;

    /// Whether enough was written since the last floor for a new one.
    fn floor_due(&self) -> bool;

    /// Replaces the floor, durably and atomically. Everything it speaks of must have been synced before. It never
    /// contradicts the log later: after cutting entries off the end of a log that a floor mentions (a leader change),
    /// record a new floor before the cut becomes durable, or encode what was cut.
    ///
    /// # Errors
    ///
    /// As [`LogStore::write_synced`].
    fn record_floor(&self, floor: &[u8]) -> Result<(), StoreError>;
}
