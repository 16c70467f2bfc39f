//! What a shard knows of its channels: how far each of its own has come, and what it has seen of the others'.

use std::collections::BTreeMap;

use shard_router::ShardId;

use super::{OUTBOX_BACKFILL_BYTES_MAX, OUTBOX_BYTES_MAX, OutboxPosition};
use crate::codec::{DecodeError, finish, get_u8, get_u64, put_u64};

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
        debug_assert!(self.trimmed <= self.last, "only what was written is removed");
        debug_assert!(self.trimmed_bytes <= self.bytes, "no more bytes can go than there were");
        let mut out = vec![LANE_FORMAT];
        for number in [self.last, self.trimmed, self.bytes, self.trimmed_bytes] {
            put_u64(&mut out, number);
        }
        out
    }

    pub(crate) fn from_bytes(mut input: &[u8]) -> Result<OutboxChannel, DecodeError> {
        let input = &mut input;
        check_format(input)?;
        let channel = OutboxChannel {
            last: get_u64(input)?,
            trimmed: get_u64(input)?,
            bytes: get_u64(input)?,
            trimmed_bytes: get_u64(input)?,
        };
        finish(input)?;
        if channel.trimmed > channel.last || channel.trimmed_bytes > channel.bytes {
            return Err(DecodeError::Malformed("the state of a channel"));
        }
        Ok(channel)
    }
}

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
    let mut out = vec![LANE_FORMAT];
    put_u64(&mut out, sequence);
    out
}

pub(crate) fn seen_from_bytes(mut input: &[u8]) -> Result<u64, DecodeError> {
    let input = &mut input;
    check_format(input)?;
    let sequence = get_u64(input)?;
    finish(input)?;
    Ok(sequence)
}

fn check_format(input: &mut &[u8]) -> Result<(), DecodeError> {
    match get_u8(input)? {
        LANE_FORMAT => Ok(()),
        format => Err(DecodeError::Format(format)),
    }
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
