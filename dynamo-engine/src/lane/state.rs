//! What a shard knows of its lanes: how far each of its own has come, and what it has seen of the others'.

use std::collections::BTreeMap;

use shard_router::ShardId;

use super::{LanePosition, OUTBOX_BACKFILL_BYTES_MAX, OUTBOX_BYTES_MAX};
use crate::codec::{DecodeError, finish, get_u8, get_u64, put_u64};

const LANE_FORMAT: u8 = 1;

/// One of a shard's own lanes.
///
/// Invariant: `trimmed <= last` and `trimmed_bytes <= bytes`; the outbox holds exactly the rows behind `trimmed` up to
/// and with `last`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutLane {
    /// The number of the newest row.
    pub last: u64,
    /// The number of the last row that was delivered and removed.
    pub trimmed: u64,
    /// Bytes of all rows that the lane ever had.
    pub bytes: u64,
    /// Of those, the bytes of removed ones.
    pub trimmed_bytes: u64,
}

impl OutLane {
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

    pub(crate) fn from_bytes(mut input: &[u8]) -> Result<OutLane, DecodeError> {
        let input = &mut input;
        check_format(input)?;
        let lane = OutLane {
            last: get_u64(input)?,
            trimmed: get_u64(input)?,
            bytes: get_u64(input)?,
            trimmed_bytes: get_u64(input)?,
        };
        finish(input)?;
        if lane.trimmed > lane.last || lane.trimmed_bytes > lane.bytes {
            return Err(DecodeError::Malformed("the state of a lane"));
        }
        Ok(lane)
    }
}

/// All lanes of one shard, out and in. Empty on a node with one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Own lanes, by where they lead.
    pub(crate) out: BTreeMap<ShardId, OutLane>,
    /// The last number applied here, by where the lane comes from.
    pub(crate) seen: BTreeMap<ShardId, u64>,
}

impl Lanes {
    /// The shard's own lanes, by target.
    pub fn out(&self) -> &BTreeMap<ShardId, OutLane> {
        &self.out
    }

    /// The newest row of each own lane that holds any: where everything ends that was emitted so far.
    pub fn ends(&self) -> Vec<LanePosition> {
        let holding = self.out.iter().filter(|(_, lane)| !lane.is_empty());
        holding.map(|(target, lane)| LanePosition { target: *target, sequence: lane.last }).collect()
    }

    /// The last number of `source`'s lane that was applied here; 0 before the first.
    pub fn seen(&self, source: ShardId) -> u64 {
        self.seen.get(&source).copied().unwrap_or(0)
    }

    /// Bytes in the outbox.
    pub fn outbox_bytes(&self) -> u64 {
        self.out.values().map(|lane| lane.bytes - lane.trimmed_bytes).sum()
    }

    /// Whether everything up to these places was delivered, as far as this shard's state says: a row that was
    /// delivered is known to be so once it is trimmed. A backfill is done on a shard when what it emitted was delivered.
    pub fn have_delivered(&self, positions: &[LanePosition]) -> bool {
        let trimmed = |target| self.out.get(&target).map_or(0, |lane| lane.trimmed);
        positions.iter().all(|position| trimmed(position.target) >= position.sequence)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.outbox_bytes() >= OUTBOX_BYTES_MAX
    }

    pub(crate) fn is_full_for_backfill(&self) -> bool {
        self.outbox_bytes() >= OUTBOX_BACKFILL_BYTES_MAX
    }
}

/// The value of the row that remembers what was seen of a lane.
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
        let lane = OutLane { last: 300, trimmed: 2, bytes: 4000, trimmed_bytes: 40 };
        assert_eq!(lane.to_bytes(), [1, 0xac, 2, 2, 0xa0, 0x1f, 40]);
        assert_eq!(OutLane::from_bytes(&lane.to_bytes()), Ok(lane));
        assert_eq!(seen_to_bytes(300), [1, 0xac, 2]);
        assert_eq!(seen_from_bytes(&[1, 0xac, 2]), Ok(300));
        assert_eq!(seen_from_bytes(&[2, 0]), Err(DecodeError::Format(2)));
    }

    #[test]
    fn a_lane_that_lost_more_than_it_had_is_refused() {
        assert!(OutLane::from_bytes(&[1, 1, 2, 5, 5]).is_err());
        assert!(OutLane::from_bytes(&[1, 2, 1, 5, 6]).is_err());
    }
}
