//! The upkeep of streams: what a data shard's leader proposes when it has looked at them.

use shard_router::ShardId;

use crate::catalog::TableId;
use crate::codec::{DecodeError, get_list, get_u8, get_u32, get_u64, put_list, put_u64};
use crate::ids::{SequenceNumber, StreamId, StreamShardId};

/// Several steps, each of which does little, however many records it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TendStreams {
    /// What to do, in order.
    pub steps: Vec<StreamStep>,
}

/// The most steps of one command.
pub const STREAM_STEPS_MAX: usize = 64;

/// One thing to do about a shard of a stream. It names the shard, so that one that came before it, or comes twice, does no
/// harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStep {
    /// The stream.
    pub stream: StreamId,
    /// Its shard.
    pub shard: StreamShardId,
    /// What to do with it.
    pub action: StreamAction,
}

/// What is done about a shard of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamAction {
    /// Seals it, if it is open, and opens its child.
    Roll,
    /// Removes all records up to this number.
    Trim {
        /// The last one to go.
        through: SequenceNumber,
    },
    /// Forgets it with all its records, if it is sealed.
    Drop,
}

impl TendStreams {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_list(out, &self.steps, |out, step| {
            put_u64(out, step.stream.table.0);
            put_u64(out, step.stream.since_ms);
            put_u64(out, step.shard.created_ms);
            put_u64(out, step.shard.data_shard.0.into());
            match step.action {
                StreamAction::Roll => out.push(1),
                StreamAction::Trim { through } => {
                    out.push(2);
                    put_u64(out, through.count());
                }
                StreamAction::Drop => out.push(3),
            }
        });
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<TendStreams, DecodeError> {
        let steps = get_list(input, |input| {
            Ok(StreamStep {
                stream: StreamId { table: TableId(get_u64(input)?), since_ms: get_u64(input)? },
                shard: StreamShardId { created_ms: get_u64(input)?, data_shard: ShardId(get_u32(input)?) },
                action: match get_u8(input)? {
                    1 => StreamAction::Roll,
                    2 => StreamAction::Trim { through: SequenceNumber::new(get_u64(input)?) },
                    3 => StreamAction::Drop,
                    tag => return Err(DecodeError::Tag { what: "a step of a stream", tag }),
                },
            })
        })?;
        Ok(TendStreams { steps })
    }
}
