//! Everything that is not deterministic comes through one door.
//!
//! The server needs time, tasks, chance, disks and peers. It takes all of them from one [`Env`]: in production
//! [`TokioEnv`] (the real clock, tokio's tasks, files, a thread for the write-ahead log), in a simulation `SimEnv`
//! (tokio's paused clock, a seeded generator, a disk that forgets what was not synced). The Raft type configuration
//! is generic over it, so a whole cluster runs unchanged on virtual time.
//!
//! What has no state of its own (clock, tasks, chance) is an associated function, because openraft calls its runtime
//! without a receiver. What differs from node to node in one process (the disk, the network) is a method.
//!
//! Clippy refuses direct use of clocks, `tokio::spawn` and randomness anywhere else (`dynamo-server/clippy.toml`).

#![allow(clippy::disallowed_methods)]

mod boot_clock;
mod damage_notes;
mod deadline;
mod directory;
mod fault_signal;
pub mod faults;
mod lease_record;
#[cfg(feature = "rocksdb")]
mod legacy_log;
pub mod settings;
#[cfg(test)]
pub mod sim;
mod storage;
mod tasks;
mod tcp;
mod thread_waits;
mod tokio_env;
mod transport;

use std::future::Future;
use std::time::Duration;

pub use self::damage_notes::{DamageNote, DamageNotes};
pub use self::deadline::Deadline;
pub use self::directory::{Directory, DirectoryError, Identity};
pub use self::fault_signal::FaultSignal;
pub use self::lease_record::LeaseRecord;
#[cfg(feature = "rocksdb")]
pub use self::legacy_log::LegacyError;
pub use self::settings::AgreedSettings;
pub use self::storage::{LOG_MEMORY_BYTES, LOG_TAIL_BYTES_MAX, OpenError, Storage, StoreOptions, Stores};
pub(crate) use self::tasks::{PeriodicTask, Tasks};
pub use self::tcp::{Secret, TcpTransport, Terms};
pub use self::thread_waits::ThreadWaits;
pub use self::tokio_env::TokioEnv;
pub use self::transport::{
    ANY_INCARNATION, Caller, Introduction, Lane, PeerAnswer, PeerHost, PeerRequest, Standing, Transport, TransportError,
};

/// A running task; awaiting it gives its result.
pub type Task<T> = tokio::task::JoinHandle<T>;

/// The world around one node.
///
/// Contract: [`monotonic_ns`](Env::monotonic_ns) never goes back; [`boot_ns`](Env::boot_ns) counts suspended time
/// too and is the only clock a lease may be measured with; [`wall_ms`](Env::wall_ms) may jump and is used for stamping
/// commands only. A future given to [`spawn`](Env::spawn) runs to its end unless the runtime stops.
pub trait Env: Clone + Send + Sync + Sized + 'static {
    /// How this node reaches its peers.
    type Transport: Transport;

    /// Nanoseconds of a clock that only rises; its zero means nothing.
    fn monotonic_ns() -> u64;

    /// Nanoseconds of the boot-time clock, which also counts suspension; `None` where it is missing or fails, and
    /// then no lease is ever valid.
    fn boot_ns() -> Option<u64>;

    /// Milliseconds since 1970, by the clock of the operating system.
    fn wall_ms() -> u64;

    /// 64 random bits.
    fn random() -> u64;

    /// Starts a task.
    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Starts a worker that spends its life waiting for a disk: a thread of its own in production.
    fn spawn_dedicated<F>(name: &str, future: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// Waits.
    fn sleep(duration: Duration) -> tokio::time::Sleep;

    /// Waits for `future` at most `duration`; `None` when the time is over first.
    fn timeout<F>(duration: Duration, future: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future + Send,
        F::Output: Send;

    /// Runs work that may wait for a disk, away from the threads that serve requests. Callers bound how many run.
    fn blocking<R, W>(work: W) -> impl Future<Output = R> + Send
    where
        R: Send + 'static,
        W: FnOnce() -> R + Send + 'static;

    /// Runs long work that requests of others must not wait for: away from the threads that serve requests, and behind them
    /// where processors are short. Callers bound how many run.
    fn background<R, W>(work: W) -> impl Future<Output = R> + Send
    where
        R: Send + 'static,
        W: FnOnce() -> R + Send + 'static,
    {
        Self::blocking(work)
    }

    /// Runs work that takes long for a task, in place: the runtime may move its other tasks elsewhere meanwhile.
    fn in_place<R>(work: impl FnOnce() -> R) -> R;

    /// For how long the calling task may hold up its thread, at the most: nothing where other tasks would be left waiting
    /// on a thread that the program around this node has lent.
    fn may_block_here() -> Duration;

    /// The time a disk takes for a synchronous write. Nothing in production, where the write itself takes it.
    fn disk_pause() -> impl Future<Output = ()> + Send;

    /// An entry with these bytes is about to be applied.
    fn before_apply(entry: &[u8]) {
        faults::before_apply(entry);
    }

    /// What the calling thread has waited for so far. `None` where that is not known, and then no read that may need a
    /// disk is made on a thread that serves requests.
    fn thread_waits() -> Option<ThreadWaits>;

    /// Opens (creating if absent) the stores of the node that lives in `storage`.
    ///
    /// # Errors
    /// When another process holds them, when they belong to another format version, when they cannot be read.
    fn open(&self, storage: &Storage, options: &StoreOptions) -> Result<Stores, OpenError>;

    /// The way to the peers.
    fn transport(&self) -> &Self::Transport;
}
