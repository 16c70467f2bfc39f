//! RocksDB, and the one door to it: nothing outside of this folder names it.
//!
//! [`open_state`] opens the state: no write-ahead log, because the replicated log is its log; durable by flush, a prefix of the
//! batches, since everything lies in one column family; bloom filters over whole keys; LZ4, the last level Zstandard; block
//! cache and write buffers bounded by [`StateOptions`]. [`open_log`] opens the log that builds before format 2 of the data
//! directory kept in an instance of its own.
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
