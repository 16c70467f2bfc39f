//! Ordered key-value stores behind one small trait, with an in-memory twin and RocksDB behind them.
//!
//! # The idea
//!
//! A replicated database keeps its applied state in a [`StateStore`]: read by point reads, long scans and frozen [`View`]s,
//! written by one applier per shard with an atomic [`WriteBatch`], durable on [`StateStore::flush`]. It has no write-ahead
//! log of its own, since the replicated log is one.
//!
//! ```text
//!   WriteBatch ──write()──▶ StateStore ──view()──▶ View (frozen, 'static)
//!                               └────────────────▶ Reader: get, cursor
//! ```
//!
//! # Implementations
//!
//! - [`memory`]: a twin that lives in memory. It models what a crash may take away, so a simulation that runs on it meets the
//!   same lost ends as real hardware gives; without that model it serves as an in-memory server's store.
//! - `rocks` (feature `rocksdb`, on by default): RocksDB; and the log in RocksDB of older builds, to be taken over.
//! - [`conformance`]: the suite that every implementation passes, public so that another implementation can run it, too.
//!
//! # Guarantees
//!
//! - A batch is visible entirely or not at all, to readers and after a crash.
//! - A [`View`] never changes, whatever is written after it.
//! - What a crash leaves of a state is a prefix of its batches, at least up to the last flush.
//! - Keys are ordered as unsigned bytes.
//!
//! # Left out on purpose
//!
//! Versions, history and time-to-live belong to the layer above. There is no read-modify-write: one applier
//! decides, this crate stores. Transactions over several stores do not exist.

pub mod batch;
pub mod conformance;
pub mod disk;
pub mod error;
pub mod memory;
pub mod range;
#[cfg(feature = "rocksdb")]
pub mod rocks;
pub mod store;

pub use batch::{Operation, WriteBatch};
pub use error::StoreError;
pub use range::{Direction, KeyRange, prefix_end};
pub use store::{CachedGet, Cursor, Ingest, Reader, StateStore, Value, View};

/// The README's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
