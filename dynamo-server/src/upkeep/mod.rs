//! Background upkeep of a node: its disk, damaged data, the rows of streams, items and ClientRequestTokens that have expired.
//!
//! Each is one task ([`PeriodicTask`](crate::env::PeriodicTask), but for the disk, which also ends the groups of a node that
//! was dropped), and what it changes goes through the log of a shard led here.

mod damage;
mod disk;
mod expiry;
mod streams;
mod tokens;

pub(crate) use self::damage::DamageWatch;
pub(crate) use self::disk::DiskUpkeep;
pub use self::expiry::INTERVAL as TTL_INTERVAL;
pub(crate) use self::expiry::{Expiry, ExpiryCounters};
pub(crate) use self::streams::{StreamUpkeep, totals as stream_totals};
pub(crate) use self::tokens::TokenUpkeep;
