//! Row keys: order-preserving, type-tagged, and the one list of ranges that belong to a table.
//!
//! ```text
//! space (1) · table or index id (8, big endian) · token (8, big endian) · partition parts · sort parts [· base key parts]
//! ```
//!
//! A *part* is a type tag and an encoding that is self-delimiting and whose bytes order as DynamoDB orders the values,
//! so that parts can be concatenated: comparing two row keys of one id as bytes compares token, then partition key,
//! then sort key. No part is a prefix of another one, hence `successor(prefix)` bounds exactly the rows that begin
//! with these parts.
//!
//! - A base row ends after the sort parts.
//! - A local-index row stands under the *table's* token of its partition key (same shard as the item), has the index's
//!   sort parts and then the base sort parts.
//! - A global-index row stands under the token of (index id, index partition key) and ends with the whole base key.
//!
//! No shard id stands in row keys, so a split is metadata only. Shard-local state is `local · shard id · kind · …`
//! ([`local`]), catalog rows of the system group are `system · kind · …` ([`system`]).
//!
//! The layout is written down with its golden bytes in `docs/format.md`; the tests here pin it.

pub mod local;
mod owner;
mod part;
mod ranges;
mod row;
mod stream;
pub mod system;
mod ttl_queue;
mod walk;

pub use dynamo_protocol::stored::Scalar as KeyValue;
pub use owner::owner;
pub use part::{KeyDecodeError, KeyPart, TAG_B, TAG_N, TAG_S, push_parts};
pub use ranges::{RowRange, TableIds, id_range, table_ranges};
pub use row::{
    ItemKey, RowKey, global_index_key, id_prefix, intent_key, local_index_key, partition_prefix, push_part_prefix,
    row_key, successor, token_of, token_of_client_token, token_row_key,
};
pub use stream::{stream_range, stream_record_key, stream_record_sequence};
pub use ttl_queue::{parse_ttl_queue, ttl_queue_key, ttl_queue_range};
pub(crate) use walk::for_each_row;

/// The first byte of every key: which kind of row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Space {
    /// Shard-local replicated state; see [`local`].
    Local = 0x01,
    /// Catalog rows of the system group; see [`system`].
    System = 0x02,
    /// Items, newest version, under the plain key.
    Rows = 0x10,
    /// Local-index rows.
    LocalIndex = 0x11,
    /// Global-index rows.
    GlobalIndex = 0x12,
    /// Old images, kept while point-in-time recovery or a backup needs them.
    History = 0x13,
    /// Locks of prepared cross-shard transactions.
    Intents = 0x14,
    /// Expiry queue of items with a time to live, at the first token of the shard's part of the ring.
    TtlQueue = 0x16,
    /// Stream records; see `stream`.
    Stream = 0x17,
    /// ClientRequestToken rows, each at its token's own place on the ring, under the table of the first action.
    Tokens = 0x18,
}
