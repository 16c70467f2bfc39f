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
//! What openraft calls a state machine is a shard of the database; what it calls application data is the engine's
//! entry. openraft's types end here: what other modules see are entries, outcomes, indexes and node numbers.

mod applied;
pub mod codec;
mod comparison;
mod connection;
mod durable;
mod freshness;
mod group;
pub mod incoming;
mod keys;
pub mod lease_feed;
mod log;
mod long_command;
mod machine;
mod membership;
pub mod message;
mod network;
mod overview;
mod patience;
mod payload;
mod published;
mod quarantine;
mod recovered;
pub mod remake;
mod reply;
pub mod rules;
mod runtime;
mod serve;
mod skip;
pub mod snapshot;
mod snapshot_message;
mod snapshot_patience;
mod snapshot_send;
mod snapshot_serve;
mod snapshot_stage;
mod tail;
#[cfg(test)]
mod tests;
pub mod types;
mod wal;
mod wall_clocks;

pub use applied::{StateError, persisted_applied};
pub use comparison::{Comparison, Digest, Mark, Progress, RangeDigest, RangeReader};
pub use group::{Deliver, Group, GroupContext, GroupError, Pace, ProposeError, ReadIndexError, RecoveredGroup};
pub use log::LogEndError;
pub use machine::{COMMANDS_PER_TURN_MAX, WORK_PER_TURN_MAX};
pub use membership::{MemberChange, Members, MembershipError, PROMOTION_LAG_MAX};
pub use overview::{Follower, GroupOverview};
pub use published::{OpenTransactions, Published};
pub use quarantine::Quarantine;
pub use serve::ServeError;
pub use skip::{SkipError, skip_entry};
pub use wal::Wal;
pub use wall_clocks::{AHEAD_MAX_MS, WallClocks};
