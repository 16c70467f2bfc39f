//! The two commands of a channel: rows arriving at its target, delivered rows leaving its source.

use shard_router::ShardId;

use crate::codec::{DecodeError, get_list, get_u32, get_u64, put_list, put_u64};
use crate::outbox::OutboxMutation;

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

impl ApplyOutbox {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, u64::from(self.source.0));
        put_u64(out, self.first);
        put_list(out, &self.mutations, |out, mutation| mutation.encode(out));
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<ApplyOutbox, DecodeError> {
        let channel = ApplyOutbox {
            source: ShardId(get_u32(input)?),
            first: get_u64(input)?,
            mutations: get_list(input, OutboxMutation::decode)?,
        };
        // Numbers begin at 1, and the last one is one too.
        match channel.first.checked_add(channel.mutations.len() as u64) {
            Some(_) if channel.first > 0 => Ok(channel),
            _ => Err(DecodeError::Malformed("the numbers of a channel")),
        }
    }
}

impl TrimOutbox {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        put_u64(out, u64::from(self.target.0));
        put_u64(out, self.through);
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<TrimOutbox, DecodeError> {
        Ok(TrimOutbox { target: ShardId(get_u32(input)?), through: get_u64(input)? })
    }
}
