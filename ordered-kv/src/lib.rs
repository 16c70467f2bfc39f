//! Ordered key-value stores behind two small traits, with an in-memory twin and RocksDB behind them.
//!
//! # The idea
//!
//! A replicated database needs two kinds of local storage, and they want opposite things:
//!
//! | | [`StateStore`] | [`LogStore`] |
//! |---|---|---|
//! | holds | the applied state | the replicated log, votes |
//! | durable | on [`StateStore::flush`]; the log is its log | when [`LogStore::write_synced`] returns |
//! | reads | point reads, long scans, frozen [`View`]s | replay at start, laggards |
//! | written by | one applier per shard | one thread that groups commits |
//!
//! Both are read through [`Reader`] and written with a [`WriteBatch`], which is atomic.
//!
//! ```text
//!   WriteBatch ──write()────────▶ StateStore ──view()──▶ View (frozen, 'static)
//!       └──────write_synced()──▶ LogStore        └─────▶ Reader: get, cursor
//! ```
//!
//! # Implementations
//!
//! - [`memory`]: twins that live in memory. They model what a crash may take away, so a simulation that runs on them
//!   meets the same lost tails as real hardware gives; without that model they serve as an in-memory server's store.
//! - `rocks` (feature `rocksdb`, on by default): RocksDB, one instance per kind since the log's recycled files and
//!   the state's switched-off write-ahead log exclude each other in one instance.
//! - [`exam`]: the tests that every implementation sits, public so that another implementation can sit them too.
//!
//! # Guarantees
//!
//! - A batch is visible entirely or not at all, to readers and after a crash.
//! - A [`View`] never changes, whatever is written after it.
//! - What a crash leaves of a state is a prefix of its batches, at least up to the last flush; of a log, at least
//!   everything up to the last synced write.
//! - Keys are ordered as unsigned bytes.
//!
//! # Left out on purpose
//!
//! Versions, history and time-to-live belong to the layer above. There is no read-modify-write: one applier
//! decides, this crate stores. Transactions over several stores do not exist.

pub mod batch;
pub mod disk;
pub mod error;
pub mod exam;
pub mod log;
pub mod memory;
pub mod range;
#[cfg(feature = "rocksdb")]
pub mod rocks;
pub mod store;

pub use batch::{Operation, WriteBatch};
pub use error::StoreError;
pub use log::LogStore;
pub use range::{Direction, KeyRange, prefix_end};
pub use store::{CachedGet, Cursor, Ingest, Reader, StateStore, Value, View};

/// The README's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
