//! RocksDB, and the one door to it: nothing outside of this folder names it.
//!
//! Two openings, two instances. The log wants a write-ahead log whose files are reused (overwriting written blocks
//! syncs five times as fast as growing a file); the state wants none at all, because the replicated log is its log;
//! and RocksDB refuses the two in one instance. A write stall of the state cannot hold up the log either.
//!
//! | | [`open_state`] | [`open_log`] |
//! |---|---|---|
//! | write-ahead log | off | on, synced, files reused |
//! | durable | by flush, a prefix of the batches | when a synced write returns |
//! | keys | one column family with everything in it, so that a flush is a prefix | the same |
//! | filters | bloom over whole keys | none: the log is read in order |
//! | compression | LZ4, the last level Zstandard | LZ4 |
//! | memory | block cache + write buffers, both bounded by [`StateOptions`] | [`LogOptions`], small |
//!
//! # What is memory bound by
//!
//! Index and filter blocks live in the block cache, so they are part of its bound. The write buffer manager flushes
//! when the buffers reach their bound and stalls writers if flushing cannot keep up. What is left is a few hundred
//! bytes per open file, whose number is bounded too.
//!
//! # Left out on purpose
//!
//! Merge operators, user timestamps (range deletes are missing from their C interface), transactions (one applier
//! decides), column families (flushes would no longer be a prefix), compaction filters.

mod cursor;
mod fault;
mod files;
mod ingest;
mod log;
mod options;
mod state;
mod value;
mod view;

pub use log::{RocksLog, open_log};
pub use options::{LogOptions, StateOptions};
pub use state::{MemoryUse, RocksState, open_state};
pub use view::RocksView;
