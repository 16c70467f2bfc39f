//! The upkeep of streams: what a data shard's leader proposes when it has looked at them.

use crate::ids::{SequenceNumber, StreamId, StreamShardId};
use crate::record;

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

record! {
    struct TendStreams { steps }
    struct StreamStep { stream, shard, action }
    enum StreamAction: "a step of a stream" { 1 = Roll, 2 = Trim { through }, 3 = Drop }
}
