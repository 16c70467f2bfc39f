//! Keys of shard-local replicated state: `local · shard id (4, big endian) · kind (1) · …`.
//!
//! These rows belong to the shard, not to a token: a split writes new ones for the child.

use shard_router::ShardId;

use super::Space;
use crate::ids::{OutboxPosition, StreamId, StreamShardId, TableId};

/// What a shard-local row holds; the byte is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Applied = 0x01,
    Clock = 0x02,
    Installed = 0x03,
    Stats = 0x04,
    TokenQueue = 0x05,
    Behaviour = 0x06,
    Range = 0x07,
    Membership = 0x08,
    Backfill = 0x09,
    TokenName = 0x0A,
    Skipped = 0x0B,
    TtlFill = 0x0C,
    TokenClock = 0x0D,
    Prepared = 0x20,
    Decision = 0x21,
    Deletions = 0x22,
    Outbox = 0x30,
    Channel = 0x31,
    ChannelSeen = 0x32,
    Era = 0x40,
    StreamShard = 0x50,
    StreamSequence = 0x51,
}

fn key(shard: ShardId, kind: Kind) -> Vec<u8> {
    let mut key = Vec::with_capacity(16);
    key.push(Space::Local as u8);
    key.extend_from_slice(&shard.0.to_be_bytes());
    key.push(kind as u8);
    key
}

fn key_with_id(shard: ShardId, kind: Kind, id: u64) -> Vec<u8> {
    let mut key = key(shard, kind);
    key.extend_from_slice(&id.to_be_bytes());
    key
}

fn key_with_shard(shard: ShardId, kind: Kind, other: ShardId) -> Vec<u8> {
    let mut key = key(shard, kind);
    key.extend_from_slice(&other.0.to_be_bytes());
    key
}

/// Prefix of everything local to the shard.
pub fn shard_prefix(shard: ShardId) -> Vec<u8> {
    let mut key = vec![Space::Local as u8];
    key.extend_from_slice(&shard.0.to_be_bytes());
    key
}

/// The applied log index, written by the log's driver into the same batch.
pub fn applied(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Applied)
}

/// The log entries that an operator had this shard skip; absent where there are none. Written by the log's driver.
pub fn skipped(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Skipped)
}

/// Ceiling, high-water timestamp and other scalars that every entry may change.
pub fn clock(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Clock)
}

/// The descriptor of one table as installed in the shard.
pub fn installed(shard: ShardId, table: u64) -> Vec<u8> {
    key_with_id(shard, Kind::Installed, table)
}

/// Prefix of all installed descriptors.
pub fn installed_prefix(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Installed)
}

/// Item count and bytes of a table or an index on the shard.
pub fn stats(shard: ShardId, id: u64) -> Vec<u8> {
    key_with_id(shard, Kind::Stats, id)
}

/// Prefix of all statistics rows.
pub fn stats_prefix(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Stats)
}

/// The queue of ClientRequestToken rows by expiry: `… · expiry in ms (8, big endian) · key of the token row`.
pub fn token_queue(shard: ShardId, expires_ms: u64, token_row: &[u8]) -> Vec<u8> {
    let mut key = key_with_id(shard, Kind::TokenQueue, expires_ms);
    key.extend_from_slice(token_row);
    key
}

/// Prefix of the token queue.
pub fn token_queue_prefix(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::TokenQueue)
}

/// Takes a token queue key apart: expiry in ms and the key of the token row. `None` where it is none.
pub fn parse_token_queue(shard: ShardId, queue_key: &[u8]) -> Option<(u64, &[u8])> {
    let rest = queue_key.strip_prefix(&token_queue_prefix(shard)[..])?;
    let (expires_ms, token_row) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*expires_ms), token_row))
}

/// What the clock shows by which ClientRequestToken rows expire.
pub fn token_clock(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::TokenClock)
}

/// Where the row of a ClientRequestToken stands that was last used on the shard; its value is that row's key.
pub fn token_name(shard: ShardId, client_token: &str) -> Vec<u8> {
    let mut key = key(shard, Kind::TokenName);
    key.extend_from_slice(client_token.as_bytes());
    key
}

/// How far the backfill of an index has come on the shard.
pub fn backfill(shard: ShardId, index: u64) -> Vec<u8> {
    key_with_id(shard, Kind::Backfill, index)
}

/// How far the filling of a table's expiry queue has come on the shard.
pub fn ttl_fill(shard: ShardId, table: u64) -> Vec<u8> {
    key_with_id(shard, Kind::TtlFill, table)
}

/// The catalog's era, as far as the shard has heard of it; see [`Rollout`](crate::catalog::Rollout).
pub fn era(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Era)
}

/// A transaction that is prepared on the shard.
pub fn prepared(shard: ShardId, transaction: u128) -> Vec<u8> {
    let mut key = key(shard, Kind::Prepared);
    key.extend_from_slice(&transaction.to_be_bytes());
    key
}

/// Prefix of all prepared transactions.
pub fn prepared_prefix(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Prepared)
}

/// The record of what was decided about a transaction whose first item lies on the shard.
pub fn decision(shard: ShardId, transaction: u128) -> Vec<u8> {
    let mut key = key(shard, Kind::Decision);
    key.extend_from_slice(&transaction.to_be_bytes());
    key
}

/// Prefix of all decisions.
pub fn decision_prefix(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Decision)
}

/// The highest commit timestamp of a deleted item on the shard.
pub fn deletions(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Deletions)
}

/// An index mutation on its way to another shard: `… · target (4, big endian) · sequence (8, big endian)`. Local to the
/// shard, and not to the item's token, because the channel that it stands in is.
pub fn outbox(shard: ShardId, position: OutboxPosition) -> Vec<u8> {
    let mut key = key_with_shard(shard, Kind::Outbox, position.target);
    key.extend_from_slice(&position.sequence.to_be_bytes());
    key
}

/// Takes an outbox key apart. `None` where it is none.
pub fn parse_outbox(shard: ShardId, outbox_key: &[u8]) -> Option<OutboxPosition> {
    let rest = outbox_key.strip_prefix(&key(shard, Kind::Outbox)[..])?;
    let (target, sequence) = rest.split_first_chunk::<4>()?;
    let sequence = sequence.try_into().ok()?;
    Some(OutboxPosition { target: ShardId(u32::from_be_bytes(*target)), sequence: u64::from_be_bytes(sequence) })
}

/// The state of the shard's own channel to `target`.
pub fn channel(shard: ShardId, target: ShardId) -> Vec<u8> {
    key_with_shard(shard, Kind::Channel, target)
}

/// Prefix of the states of all own channels; what follows is the target (4, big endian).
pub fn channel_prefix(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Channel)
}

/// The last number of the channel from `source` that was applied in the shard.
pub fn channel_seen(shard: ShardId, source: ShardId) -> Vec<u8> {
    key_with_shard(shard, Kind::ChannelSeen, source)
}

/// Prefix of what was seen of all channels; what follows is the source (4, big endian).
pub fn channel_seen_prefix(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::ChannelSeen)
}

/// A shard of a stream: `… · table id (8) · since ms (8) · opened ms (8) · data shard (4)`, all big endian.
pub fn stream_shard(shard: ShardId, stream: StreamId, id: StreamShardId) -> Vec<u8> {
    let mut key = stream_prefix(shard, stream);
    key.extend_from_slice(&id.created_ms.to_be_bytes());
    key.extend_from_slice(&id.data_shard.0.to_be_bytes());
    key
}

/// Prefix of the shards of one stream.
pub fn stream_prefix(shard: ShardId, stream: StreamId) -> Vec<u8> {
    let mut key = key_with_id(shard, Kind::StreamShard, stream.table.0);
    key.extend_from_slice(&stream.since_ms.to_be_bytes());
    key
}

/// Prefix of the shards of all streams.
pub fn streams_prefix(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::StreamShard)
}

/// Takes the key of a stream's shard apart. `None` where it is none.
pub fn parse_stream_shard(shard: ShardId, stream_key: &[u8]) -> Option<(StreamId, StreamShardId)> {
    let rest = stream_key.strip_prefix(&streams_prefix(shard)[..])?;
    let (table, rest) = rest.split_first_chunk::<8>()?;
    let (since, rest) = rest.split_first_chunk::<8>()?;
    let (created, data_shard) = rest.split_first_chunk::<8>()?;
    let stream = StreamId { table: TableId(u64::from_be_bytes(*table)), since_ms: u64::from_be_bytes(*since) };
    let data_shard = ShardId(u32::from_be_bytes(data_shard.try_into().ok()?));
    Some((stream, StreamShardId { created_ms: u64::from_be_bytes(*created), data_shard }))
}

/// The number that the next stream record gets; absent while there was none.
pub fn stream_sequence(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::StreamSequence)
}

/// The shard's behaviour version.
pub fn behaviour(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Behaviour)
}

/// The shard's token range and epoch.
pub fn range(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Range)
}

/// The group's membership, written by the log's driver.
pub fn membership(shard: ShardId) -> Vec<u8> {
    key(shard, Kind::Membership)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        assert_eq!(applied(ShardId(3)), [0x01, 0, 0, 0, 3, 0x01]);
        assert_eq!(clock(ShardId(3)), [0x01, 0, 0, 0, 3, 0x02]);
        assert_eq!(installed(ShardId(0), 258), [0x01, 0, 0, 0, 0, 0x03, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(stats(ShardId(0), 1), [0x01, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 1]);
        let queued = token_queue(ShardId(1), 5, b"row");
        assert_eq!(queued, b"\x01\0\0\0\x01\x05\0\0\0\0\0\0\0\x05row");
        assert_eq!(parse_token_queue(ShardId(1), &queued), Some((5, &b"row"[..])));
        assert_eq!(parse_token_queue(ShardId(2), &queued), None);
        assert_eq!(era(ShardId(3)), [0x01, 0, 0, 0, 3, 0x40]);
        assert_eq!(token_name(ShardId(1), "abc"), b"\x01\0\0\0\x01\x0Aabc");
        assert_eq!(ttl_fill(ShardId(0), 258), [0x01, 0, 0, 0, 0, 0x0C, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(skipped(ShardId(1)), [0x01, 0, 0, 0, 1, 0x0B]);
        assert_eq!(prepared(ShardId(1), 2), [&[1, 0, 0, 0, 1, 0x20][..], &[0; 15], &[2]].concat());
        assert_eq!(decision(ShardId(1), 2), [&[1, 0, 0, 0, 1, 0x21][..], &[0; 15], &[2]].concat());
        assert_eq!(deletions(ShardId(1)), [1, 0, 0, 0, 1, 0x22]);
        let position = OutboxPosition { target: ShardId(2), sequence: 258 };
        let queued = outbox(ShardId(1), position);
        assert_eq!(queued, [0x01, 0, 0, 0, 1, 0x30, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(parse_outbox(ShardId(1), &queued), Some(position));
        assert_eq!(parse_outbox(ShardId(2), &queued), None);
        assert_eq!(channel(ShardId(1), ShardId(2)), [0x01, 0, 0, 0, 1, 0x31, 0, 0, 0, 2]);
        assert_eq!(channel_seen(ShardId(1), ShardId(2)), [0x01, 0, 0, 0, 1, 0x32, 0, 0, 0, 2]);
        let stream = StreamId { table: TableId(2), since_ms: 3 };
        let id = StreamShardId { created_ms: 4, data_shard: ShardId(5) };
        let row = stream_shard(ShardId(1), stream, id);
        let zeros = [0; 7];
        let expected = [&[1, 0, 0, 0, 1, 0x50][..], &zeros, &[2], &zeros, &[3], &zeros, &[4, 0, 0, 0, 5]];
        assert_eq!(row, expected.concat());
        assert_eq!(parse_stream_shard(ShardId(1), &row), Some((stream, id)));
        assert_eq!(parse_stream_shard(ShardId(2), &row), None);
        assert!(row.starts_with(&stream_prefix(ShardId(1), stream)));
        assert_eq!(stream_sequence(ShardId(1)), [1, 0, 0, 0, 1, 0x51]);
    }
}
