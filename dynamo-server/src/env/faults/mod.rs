//! Faults that a test injects into a running server: the seams of the environment where they take effect.
//!
//! Each seam is one function, called at one place: a message leaves or arrives, a clock is read, the disk is synced, the
//! free space is asked for. In the programs that people run nothing can be injected: the functions hand through what
//! they are given and vanish when compiled. Under the feature `fault-injection` they look at what was injected, which is one
//! set for the process: clocks have no receiver, and a process is one node there.
//!
//! | seam | called by | what may be injected |
//! |---|---|---|
//! | [`arrives`], [`leaves`] | the TCP transport, both of its ends | cuts, one way or both; delays |
//! | [`boot_ns`] | the clock of leases | another rate, jumps forward |
//! | [`wall_ms`] | the clock that stamps commands | jumps |
//! | [`before_sync`] | the thread of the write-ahead log | a slow disk, one that hangs |
//! | [`before_blocking`] | the pool of reads that wait for the disk | a disk on which reads hang |
//! | [`free_bytes`] | the watch over the disk's free space | a full disk |
//! | [`before_apply`] | the state machine | an entry that panics |
//! | [`log_bytes_max`] | the upkeep of the log | a short log, so that who was away needs a snapshot |
//!
//! Which rules of lease safety are broken is kept with the rules (`raft/rules.rs`). What injects them is `crate::faults`.

#[cfg(not(any(test, feature = "fault-injection")))]
mod absent;
#[cfg(any(test, feature = "fault-injection"))]
mod injected;

#[cfg(not(any(test, feature = "fault-injection")))]
pub use self::absent::{
    arrives, before_apply, before_blocking, before_sync, boot_ns, free_bytes, leaves, log_bytes_max, wall_ms,
};
#[cfg(any(test, feature = "fault-injection"))]
pub use self::injected::{
    Fault, arrives, before_apply, before_blocking, before_sync, boot_ns, free_bytes, inject, leaves, log_bytes_max,
    wall_ms,
};
