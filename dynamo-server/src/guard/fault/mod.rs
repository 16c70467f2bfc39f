//! Faults that tests inject into the guard, shard by shard.
//!
//! In the programs that people run nothing can be injected: the functions vanish when compiled. In tests, and under the
//! feature `fault-injection`, they look at what was injected.

#[cfg(not(any(test, feature = "fault-injection")))]
mod absent;
#[cfg(any(test, feature = "fault-injection"))]
mod injected;

#[cfg(not(any(test, feature = "fault-injection")))]
pub use self::absent::Faults;
#[cfg(any(test, feature = "fault-injection"))]
pub use self::injected::{Fault, Faults};

/// A place where a read can be held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Between the lease and the lock table.
    BehindLease,
    /// Between the lock table and the view.
    BehindLocks,
}
