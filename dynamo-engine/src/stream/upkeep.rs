//! What is due about the streams of a data shard: a pure function of their rows and of the time.
//!
//! | what | when | work in apply |
//! |---|---|---|
//! | roll over | an open shard that has records is old or large enough, and the stream has few shards | two rows |
//! | trim | records are older than the retention | one range delete, one row |
//! | drop | a sealed shard's last record can only be older than the retention | one range delete, one row |
//!
//! Where a trim ends is found by a search among the records ([`first_written_at`](super::first_written_at)), before anything
//! is proposed: apply is told the number, and does as little for a million records as for one.

use super::{SequenceNumber, StreamShard};
use crate::command::{STREAM_STEPS_MAX, StreamAction, StreamStep, TendStreams};

/// For how long an open stream shard takes records, where nothing else is said, in milliseconds: about as long as the
/// service's.
pub const ROLL_MS: u64 = 4 * 3_600_000;

/// For how long records are kept, where nothing else is said, in milliseconds.
pub const RETENTION_MS: u64 = 24 * 3_600_000;

/// Bytes of records after which a stream shard is rolled over whatever its age, so that one consumer has not all of a busy
/// table's day before it.
pub const ROLL_BYTES: u64 = 1 << 30;

/// Stream shards that a data shard keeps of one stream, beyond which none rolls over: what describing a stream takes is
/// bounded, whatever settings say.
pub const SHARDS_MAX: usize = 1_000;

/// How long stream shards are open, and how long records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPolicy {
    /// The age at which an open shard that has records is sealed, in milliseconds.
    pub roll_ms: u64,
    /// The bytes of records at which it is sealed.
    pub roll_bytes: u64,
    /// The age at which a record may go, in milliseconds.
    pub retention_ms: u64,
}

impl Default for StreamPolicy {
    fn default() -> Self {
        StreamPolicy { roll_ms: ROLL_MS, roll_bytes: ROLL_BYTES, retention_ms: RETENTION_MS }
    }
}

impl StreamPolicy {
    /// Before this moment nothing has to be kept.
    pub fn kept_since(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.retention_ms)
    }

    /// The next steps about `shards`, in the order of their rows, at the moment `now_ms`, as many as one command takes; `None`
    /// where nothing is due.
    /// `first_kept` answers from which number on the records of a shard were written at that moment or later.
    ///
    /// # Errors
    /// Those of `first_kept`.
    pub fn due<'a, E>(
        &self,
        shards: impl IntoIterator<Item = &'a StreamShard>,
        now_ms: u64,
        mut first_kept: impl FnMut(&StreamShard, u64) -> Result<SequenceNumber, E>,
    ) -> Result<Option<TendStreams>, E> {
        let (mut steps, kept_since) = (Vec::new(), self.kept_since(now_ms));
        // Shards of the stream at hand: one stream comes after the other, the open shard last.
        let mut of_stream = (None, 0);
        for shard in shards {
            of_stream = if of_stream.0 == Some(shard.stream) {
                (of_stream.0, of_stream.1 + 1)
            } else {
                (Some(shard.stream), 1)
            };
            // Two for one shard at most.
            if steps.len() + 2 > STREAM_STEPS_MAX {
                break;
            }
            let mut step = |action| steps.push(StreamStep { stream: shard.stream, shard: shard.id, action });
            if shard.sealed_ms.is_some_and(|sealed_ms| sealed_ms < kept_since) {
                step(StreamAction::Drop);
                continue;
            }
            if shard.id.created_ms < kept_since && shard.records > 0 {
                let first = first_kept(shard, kept_since)?;
                if first > shard.horizon {
                    step(StreamAction::Trim { through: first.previous() });
                }
            }
            if shard.is_open() && of_stream.1 < SHARDS_MAX && self.is_full(shard, now_ms) {
                step(StreamAction::Roll);
            }
        }
        Ok((!steps.is_empty()).then_some(TendStreams { steps }))
    }

    fn is_full(&self, shard: &StreamShard, now_ms: u64) -> bool {
        let is_old = now_ms.saturating_sub(shard.id.created_ms) >= self.roll_ms;
        shard.records > 0 && (is_old || shard.bytes >= self.roll_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use shard_router::{ShardId, Token};

    use super::*;
    use crate::catalog::TableId;
    use crate::stream::{StreamId, StreamShardId};

    const POLICY: StreamPolicy = StreamPolicy { roll_ms: 100, roll_bytes: 1_000, retention_ms: 1_000 };

    fn shard(created_ms: u64, records: u64) -> StreamShard {
        let stream = StreamId { table: TableId(7), since_ms: 5 };
        let id = StreamShardId { created_ms, data_shard: ShardId(2) };
        let open = StreamShard::open(stream, id, None, SequenceNumber::new(10), Token(0));
        StreamShard { records, bytes: records * 10, ..open }
    }

    fn sealed(created_ms: u64, sealed_ms: u64) -> StreamShard {
        let last = Some(SequenceNumber::new(20));
        StreamShard { last, sealed_ms: Some(sealed_ms), ..shard(created_ms, 5) }
    }

    /// The records of every shard from 15 on are to be kept.
    fn due(shards: &[StreamShard], now_ms: u64) -> Vec<StreamAction> {
        let first_kept = |_: &StreamShard, since_ms| {
            assert_eq!(since_ms, now_ms - 1_000);
            Ok::<_, Infallible>(SequenceNumber::new(15))
        };
        let due = POLICY.due(shards, now_ms, first_kept).unwrap();
        due.map_or(Vec::new(), |tend| tend.steps.iter().map(|step| step.action).collect())
    }

    #[test]
    fn an_open_shard_rolls_over_when_it_is_old_or_large_and_never_empty() {
        assert_eq!(due(&[shard(5_000, 1)], 5_099), []);
        assert_eq!(due(&[shard(5_000, 1)], 5_100), [StreamAction::Roll]);
        assert_eq!(due(&[shard(5_000, 0)], 9_999), []);
        assert_eq!(due(&[shard(5_000, 99)], 5_001), []);
        assert_eq!(due(&[shard(5_000, 100)], 5_001), [StreamAction::Roll]);
        assert_eq!(due(&[sealed(5_000, 5_050)], 5_500), []);
    }

    #[test]
    fn records_are_trimmed_and_a_sealed_shard_goes_when_all_are_old() {
        let trim = StreamAction::Trim { through: SequenceNumber::new(14) };
        assert_eq!(due(&[sealed(5_000, 5_500)], 6_000), []);
        assert_eq!(due(&[sealed(5_000, 5_500)], 6_001), [trim]);
        assert_eq!(due(&[sealed(5_000, 5_500)], 6_501), [StreamAction::Drop]);
        assert_eq!(due(&[shard(5_000, 5)], 6_001), [trim, StreamAction::Roll]);
        let trimmed = StreamShard { horizon: SequenceNumber::new(15), ..sealed(5_000, 5_500) };
        assert_eq!(due(&[trimmed], 6_001), []);
    }

    #[test]
    fn no_shard_rolls_over_when_there_are_very_many() {
        let with_open = |count: u64| -> Vec<StreamShard> {
            (1..count).map(|at| sealed(4_900 + at / 10, 5_000)).chain([shard(5_000, 1)]).collect()
        };
        assert_eq!(due(&with_open(SHARDS_MAX as u64 - 1), 5_200), [StreamAction::Roll]);
        assert_eq!(due(&with_open(SHARDS_MAX as u64), 5_200), []);
    }

    #[test]
    fn one_command_takes_so_much_and_the_rest_is_due_after_it() {
        let many: Vec<StreamShard> = (0..200).map(|at| sealed(at, at)).collect();
        assert_eq!(due(&many, 9_999).len(), STREAM_STEPS_MAX - 1);
    }
}
