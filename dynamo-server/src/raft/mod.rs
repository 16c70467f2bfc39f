//! Replication: the one door to openraft.
//!
//! A node holds few groups (one per shard). Each has a log, a state machine and a lease; all share one write-ahead
//! log, one state store and one way to the peers.
//!
//! ```text
//!            Group (the handle) ── propose, read_index, purge
//!              │
//!          openraft core ── GroupLog ──▶ Wal ──▶ log store          durable before acknowledged
//!              │  │            │ votes, memberships
//!              │  │            ▼
//!              │  │         LeaseFeed ◀── Connections (send times) ◀── peers
//!              │  ▼            ▲ own-term gate
//!              └─ Machine ─────┴──▶ state store, Published          visible before answered
//! ```
//!
//! | folder | what |
//! |---|---|
//! | `log` | the log of a group, and the one writer of all logs |
//! | `machine` | entries applied, and what others see of that |
//! | `lease` | what the lease is told, and how new the state is |
//! | `snapshot` | a shard's rows on their way to another node |
//! | `transport` | messages between the groups of different nodes |
//!
//! What openraft calls a state machine is a shard of the database; what it calls application data is the engine's
//! entry. openraft's types end here: what other modules see are entries, outcomes, indexes and node numbers.

pub mod codec;
mod group;
pub mod lease;
mod log;
mod machine;
mod membership;
mod overview;
mod payload;
pub mod remake;
mod reply;
pub mod rules;
mod runtime;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod transport;
pub mod types;
mod watch;

pub use group::{Deliver, Group, GroupContext, GroupError, Pace, ProposeError, ReadIndexError, RecoveredGroup};
pub use lease::wall_clocks::{AHEAD_MAX_MS, WallClocks};
pub use log::LogEndError;
pub use log::wal::Wal;
pub use machine::applied::{StateError, persisted_applied};
pub use machine::comparison::{Comparison, Digest, Mark, Progress, RangeDigest, RangeReader};
pub use machine::published::{OpenTransactions, Published};
pub use machine::quarantine::Quarantine;
pub use machine::skip::{SkipError, check_skip, skip_entry};
pub use machine::{COMMANDS_PER_TURN_MAX, LARGE_ENTRIES_MAX, WORK_PER_TURN_MAX};
pub use membership::{MemberChange, Members, MembershipError, PROMOTION_LAG_MAX};
pub use overview::{Follower, GroupOverview};
pub use payload::Payload;
pub use transport::serve::ServeError;
