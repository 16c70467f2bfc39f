//! The numbers that stand for tables, indexes, streams and places in channels, in keys and commands.

mod stream;

use shard_router::ShardId;

use crate::record;

pub use stream::{ParseStreamIdError, SequenceNumber, StreamId, StreamShardId};

record! {
    struct TableId(number);
    struct IndexId(number);
    struct StreamId { table, since_ms }
    struct StreamShardId { created_ms, data_shard }
    struct OutboxPosition { target, sequence }
}

/// A table. Allocated by apply from one replicated counter, never used twice: a table that is created again under its
/// old name has another id, so rows and commands of the old one can never be taken for the new one's. The default, 0, is
/// no table's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u64);

/// An index, from the same counter as [`TableId`]; no index has the number of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexId(pub u64);

/// A place in one of a shard's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxPosition {
    /// Where the channel leads.
    pub target: ShardId,
    /// The number in the channel; the first one is 1.
    pub sequence: u64,
}
