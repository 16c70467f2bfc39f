//! The two commands of a channel: rows arriving at its target, delivered rows leaving its source.

use shard_router::ShardId;

use crate::codec::DecodeError;
use crate::outbox::OutboxMutation;
use crate::record;

/// The next rows of a channel, for its target. Sent again as often as need be: what the target has seen it skips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyOutbox {
    /// The shard that the channel comes from.
    pub source: ShardId,
    /// The number of the first mutation; the others follow without gaps.
    pub first: u64,
    /// What to do, in order.
    pub mutations: Vec<OutboxMutation>,
}

/// Rows of a channel that its target has, for its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimOutbox {
    /// Where the channel leads.
    pub target: ShardId,
    /// The last row that the target has.
    pub through: u64,
}

record! {
    struct ApplyOutbox { source, first, mutations } then checked
    struct TrimOutbox { target, through }
}

impl ApplyOutbox {
    fn checked(self) -> Result<Self, DecodeError> {
        // Numbers begin at 1, and the last one is one too.
        match self.first.checked_add(self.mutations.len() as u64) {
            Some(_) if self.first > 0 => Ok(self),
            _ => Err(DecodeError::Malformed("the numbers of a channel")),
        }
    }
}
