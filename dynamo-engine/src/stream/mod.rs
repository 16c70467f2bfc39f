//! Streams: the changes of a table's items, in the order in which they were applied.
//!
//! A *stream* lives from the moment it was switched on until it was switched off or its table was deleted, and can be read
//! for some time after. On each data shard it is a chain of *stream shards*, one open at a time: each is sealed when it has
//! become old, when the stream ends, or (later) when the data shard does, and its children go on. Every record carries a
//! *sequence number*, which counts what the data shard has written into streams: it comes from apply, never from a clock.
//!
//! ```text
//! stream (table, since) ─┬─ data shard 0: shardId-…001-00000000 ─sealed─▶ shardId-…417-00000000 (open)
//!                        └─ data shard 1: shardId-…003-00000001 (open)
//! ```
//!
//! - [`StreamId`], [`StreamShardId`], [`SequenceNumber`]: names, and how they are written.
//! - [`ShardIterator`]: where a consumer reads on, as a token.
//! - [`StreamShard`]: the row that a data shard keeps of each stream shard.
//! - [`StreamRecord`]: one change, as stored.
//! - [`Streams`]: all that a data shard keeps of streams.
//! - [`StreamPolicy`]: when stream shards roll over, and when records go.
//! - [`StreamRequest`], [`StreamResponse`]: what is asked of the leader of a data shard, and its answer. A stream shard's id
//!   names its data shard, so nothing has to be looked up on the way.

mod iterator;
mod record;
mod request;
mod serve;
mod shard;
mod state;
mod upkeep;

pub use crate::ids::{ParseStreamIdError, SequenceNumber, StreamId, StreamShardId};
pub use iterator::{ParseIteratorError, ShardIterator};
pub use record::{EventName, StreamRecord};
pub use request::{StreamRequest, StreamResponse, StreamStart};
pub use serve::first_written_at;
pub use shard::StreamShard;
pub use state::{StreamTotals, Streams};
pub use upkeep::{RETENTION_MS, ROLL_BYTES, ROLL_MS, SHARDS_MAX, StreamPolicy};
