//! What a shard knows of its channels: how far each of its own has come, and what it has seen of the others'.

use std::collections::BTreeMap;

use shard_router::ShardId;

use super::{OUTBOX_BACKFILL_BYTES_MAX, OUTBOX_BYTES_MAX, OutboxPosition};
use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::record;

const LANE_FORMAT: u8 = 1;

/// One of a shard's own channels.
///
/// Invariant: `trimmed <= last` and `trimmed_bytes <= bytes`; the outbox holds exactly the rows behind `trimmed` up to
/// and with `last`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxChannel {
    /// The number of the newest row.
    pub last: u64,
    /// The number of the last row that was delivered and removed.
    pub trimmed: u64,
    /// Bytes of all rows that the channel ever had.
    pub bytes: u64,
    /// Of those, the bytes of removed ones.
    pub trimmed_bytes: u64,
}

impl OutboxChannel {
    /// Whether every row was delivered and removed.
    pub fn is_empty(&self) -> bool {
        self.trimmed == self.last
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        self.validate();
        to_row(LANE_FORMAT, |out| self.encode(out))
    }

    pub(crate) fn from_bytes(row: &[u8]) -> Result<OutboxChannel, DecodeError> {
        from_row(row, LANE_FORMAT, OutboxChannel::decode)
    }

    /// Checks how the fields must relate; called in debug builds after every change.
    pub(crate) fn validate(&self) {
        debug_assert!(self.trimmed <= self.last, "only what was written is removed");
        debug_assert!(self.trimmed_bytes <= self.bytes, "no more bytes can go than there were");
        debug_assert_eq!(self.is_empty(), self.trimmed_bytes == self.bytes, "an outbox without rows has no bytes");
        debug_assert!(self.bytes >= self.last, "a row has bytes");
    }

    fn checked(self) -> Result<Self, DecodeError> {
        if self.trimmed > self.last || self.trimmed_bytes > self.bytes {
            return Err(DecodeError::Malformed("the state of a channel"));
        }
        Ok(self)
    }
}

record! { struct OutboxChannel { last, trimmed, bytes, trimmed_bytes } then checked }

/// All channels of one shard, out and in. Empty on a node with one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxChannels {
    /// Own channels, by where they lead.
    pub(crate) out: BTreeMap<ShardId, OutboxChannel>,
    /// The last number applied here, by where the channel comes from.
    pub(crate) seen: BTreeMap<ShardId, u64>,
}

impl OutboxChannels {
    /// The shard's own channels, by target.
    pub fn out(&self) -> &BTreeMap<ShardId, OutboxChannel> {
        &self.out
    }

    /// The newest row of each own channel that holds any: where everything ends that was emitted so far.
    pub fn ends(&self) -> Vec<OutboxPosition> {
        let holding = self.out.iter().filter(|(_, channel)| !channel.is_empty());
        holding.map(|(target, channel)| OutboxPosition { target: *target, sequence: channel.last }).collect()
    }

    /// The last number of `source`'s channel that was applied here; 0 before the first.
    pub fn seen(&self, source: ShardId) -> u64 {
        self.seen.get(&source).copied().unwrap_or(0)
    }

    /// Bytes in the outbox.
    pub fn outbox_bytes(&self) -> u64 {
        self.out.values().map(|channel| channel.bytes - channel.trimmed_bytes).sum()
    }

    /// Whether everything up to these places was delivered, as far as this shard's state says: a row that was
    /// delivered is known to be so once it is trimmed. A backfill is done on a shard when what it emitted was delivered.
    pub fn have_delivered(&self, positions: &[OutboxPosition]) -> bool {
        let trimmed = |target| self.out.get(&target).map_or(0, |channel| channel.trimmed);
        positions.iter().all(|position| trimmed(position.target) >= position.sequence)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.outbox_bytes() >= OUTBOX_BYTES_MAX
    }

    pub(crate) fn is_full_for_backfill(&self) -> bool {
        self.outbox_bytes() >= OUTBOX_BACKFILL_BYTES_MAX
    }
}

/// The value of the row that remembers what was seen of a channel.
pub(crate) fn seen_to_bytes(sequence: u64) -> Vec<u8> {
    to_row(LANE_FORMAT, |out| sequence.encode(out))
}

pub(crate) fn seen_from_bytes(row: &[u8]) -> Result<u64, DecodeError> {
    from_row(row, LANE_FORMAT, u64::decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let channel = OutboxChannel { last: 300, trimmed: 2, bytes: 4000, trimmed_bytes: 40 };
        assert_eq!(channel.to_bytes(), [1, 0xac, 2, 2, 0xa0, 0x1f, 40]);
        assert_eq!(OutboxChannel::from_bytes(&channel.to_bytes()), Ok(channel));
        assert_eq!(seen_to_bytes(300), [1, 0xac, 2]);
        assert_eq!(seen_from_bytes(&[1, 0xac, 2]), Ok(300));
        assert_eq!(seen_from_bytes(&[2, 0]), Err(DecodeError::Format(2)));
    }

    #[test]
    fn a_channel_that_lost_more_than_it_had_is_refused() {
        assert!(OutboxChannel::from_bytes(&[1, 1, 2, 5, 5]).is_err());
        assert!(OutboxChannel::from_bytes(&[1, 2, 1, 5, 6]).is_err());
    }
}
