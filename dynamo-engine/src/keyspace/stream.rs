//! Keys of stream records.
//!
//! ```text
//! space (1) = 17 · table id (8) · key token (8) · since ms (8) · opened ms (8) · data shard (4) · sequence number (8)
//! ```
//!
//! All integers are big endian, so the records of a stream shard lie side by side, in the order of their numbers. The
//! *key token* is the first one of the data shard that wrote them: where that one is split, its old records go whole to
//! one of the parts. Records outlive their table: its own ranges ([`table_ranges`](super::table_ranges)) do not hold
//! them.

use shard_router::Token;

use super::{RowRange, Space, id_prefix, id_range};
use crate::ids::{SequenceNumber, StreamId, StreamShardId};

/// Bytes before the sequence number.
const PREFIX_BYTES: usize = 37;
const KEY_BYTES: usize = PREFIX_BYTES + 8;

/// The key of the record with that number in a stream shard.
pub fn stream_record_key(
    stream: StreamId,
    shard: StreamShardId,
    key_token: Token,
    sequence: SequenceNumber,
) -> Vec<u8> {
    let mut key = Vec::with_capacity(KEY_BYTES);
    key.extend_from_slice(&id_prefix(Space::Stream, stream.table.0));
    key.extend_from_slice(&key_token.0.to_be_bytes());
    key.extend_from_slice(&stream.since_ms.to_be_bytes());
    key.extend_from_slice(&shard.created_ms.to_be_bytes());
    key.extend_from_slice(&shard.data_shard.0.to_be_bytes());
    key.extend_from_slice(&sequence.count().to_be_bytes());
    key
}

/// The number in the key of a stream record; `None` where it is none.
pub fn stream_record_sequence(key: &[u8]) -> Option<SequenceNumber> {
    let (_, sequence) = key.split_at_checked(PREFIX_BYTES)?;
    Some(SequenceNumber::new(u64::from_be_bytes(sequence.try_into().ok()?)))
}

/// All records of streams of one table on a shard owning the tokens `first..=last`.
pub fn stream_range(table: u64, first: Token, last: Token) -> RowRange {
    id_range(Space::Stream, table, first, last)
}

#[cfg(test)]
mod tests {
    use shard_router::ShardId;

    use super::*;
    use crate::ids::TableId;

    #[test]
    fn golden_bytes() {
        let stream = StreamId { table: TableId(258), since_ms: 3 };
        let id = StreamShardId { created_ms: 4, data_shard: ShardId(5) };
        let key = stream_record_key(stream, id, Token(9), SequenceNumber::new(0x0102));
        let zeros = [0; 7];
        let expected =
            [&[0x17][..], &[0; 6], &[1, 2], &zeros, &[9], &zeros, &[3], &zeros, &[4, 0, 0, 0, 5], &[0; 6], &[1, 2]];
        assert_eq!(key, expected.concat());
        assert_eq!(stream_record_sequence(&key), Some(SequenceNumber::new(0x0102)));
        assert_eq!(stream_record_sequence(&key[..40]), None);
        let all = stream_range(258, Token(0), Token(9));
        assert!(all.start < key && key < all.end);
    }
}
