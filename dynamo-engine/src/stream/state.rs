//! The streams of a data shard, in memory.

use std::collections::BTreeMap;

use ordered_kv::{Direction, KeyRange, Reader};
use shard_router::ShardId;

use super::{SequenceNumber, StreamId, StreamShard, StreamShardId};
use crate::catalog::TableId;
use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::fault::Fault;
use crate::keyspace::local;

const SEQUENCE_FORMAT: u8 = 1;

/// Every shard of a stream that a data shard keeps, and the number that its next record gets: a mirror of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// The number that the next record gets.
    next: SequenceNumber,
    /// The oldest first; none is empty. Only the last one may be open.
    shards: BTreeMap<StreamId, Vec<StreamShard>>,
    /// What all of `shards` comes to.
    totals: StreamTotals,
}

/// What the shards of all streams on a data shard come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTotals {
    /// Stream shards, open and sealed.
    pub shards: u64,
    /// Records in them, as far as is known without counting.
    pub records: u64,
    /// Bytes of these records' keys and values.
    pub bytes: u64,
}

impl Default for Streams {
    fn default() -> Self {
        Streams { next: SequenceNumber::MIN.next(), shards: BTreeMap::new(), totals: StreamTotals::default() }
    }
}

impl Streams {
    /// Reads the rows of a data shard.
    pub(crate) fn load(reader: &dyn Reader, shard: ShardId) -> Result<Streams, Fault> {
        let mut streams = Streams { next: next_number(reader, shard)?, ..Streams::default() };
        for_each_shard(reader, shard, &local::streams_prefix(shard), |found| streams.push(found))?;
        Ok(streams)
    }

    /// The shards of a stream, the oldest first.
    pub fn of(&self, stream: StreamId) -> &[StreamShard] {
        self.shards.get(&stream).map_or(&[], Vec::as_slice)
    }

    /// The shards of all streams, in the order of their rows.
    pub fn all(&self) -> impl Iterator<Item = &StreamShard> {
        self.shards.values().flatten()
    }

    /// The tables that have stream records, or may have, in order; some that are gone among them.
    pub fn tables(&self) -> Vec<TableId> {
        let mut tables: Vec<TableId> = self.shards.keys().map(|stream| stream.table).collect();
        tables.dedup();
        tables
    }

    /// What it all comes to.
    pub fn totals(&self) -> StreamTotals {
        self.totals
    }

    /// The number that the next record gets.
    pub fn next(&self) -> SequenceNumber {
        self.next
    }

    /// Takes the next number.
    pub(crate) fn take_number(&mut self) -> SequenceNumber {
        let number = self.next;
        self.next = number.next();
        number
    }

    /// The shard of a stream that takes records.
    pub(crate) fn open_shard(&self, stream: StreamId) -> Option<&StreamShard> {
        self.of(stream).last().filter(|shard| shard.is_open())
    }

    /// Adds a shard, the newest of its stream.
    pub(crate) fn push(&mut self, shard: StreamShard) {
        self.totals.shards += 1;
        self.totals.records += shard.records;
        self.totals.bytes += shard.bytes;
        self.shards.entry(shard.stream).or_default().push(shard);
    }

    /// Changes a shard; what that gives, where there is such a shard.
    pub(crate) fn change<T>(
        &mut self,
        stream: StreamId,
        id: StreamShardId,
        change: impl FnOnce(&mut StreamShard) -> T,
    ) -> Option<T> {
        // A shard that is changed is the newest one, as a rule.
        let shard = self.shards.get_mut(&stream)?.iter_mut().rev().find(|shard| shard.id == id)?;
        let (records, bytes) = (shard.records, shard.bytes);
        let changed = change(shard);
        self.totals.records = self.totals.records - records + shard.records;
        self.totals.bytes = self.totals.bytes - bytes + shard.bytes;
        Some(changed)
    }

    /// Forgets a shard.
    pub(crate) fn remove(&mut self, stream: StreamId, id: StreamShardId) -> Option<StreamShard> {
        let shards = self.shards.get_mut(&stream)?;
        let at = shards.iter().position(|shard| shard.id == id)?;
        let removed = shards.remove(at);
        if shards.is_empty() {
            self.shards.remove(&stream);
        }
        self.totals.shards -= 1;
        self.totals.records -= removed.records;
        self.totals.bytes -= removed.bytes;
        Some(removed)
    }

    /// The value of the row with the next number.
    pub(crate) fn encode_sequence(&self) -> Vec<u8> {
        to_row(SEQUENCE_FORMAT, |out| self.next.encode(out))
    }
}

/// The number that the next record of a data shard gets, as its row says.
pub(super) fn next_number(reader: &dyn Reader, shard: ShardId) -> Result<SequenceNumber, Fault> {
    match reader.get(&local::stream_sequence(shard))? {
        Some(row) => Ok(decode_sequence(&row)?),
        None => Ok(SequenceNumber::MIN.next()),
    }
}

fn decode_sequence(row: &[u8]) -> Result<SequenceNumber, DecodeError> {
    from_row(row, SEQUENCE_FORMAT, SequenceNumber::decode)
}

/// Calls `each` with every stream shard whose row's key begins with `prefix`, in the order of the keys.
pub(super) fn for_each_shard(
    reader: &dyn Reader,
    data_shard: ShardId,
    prefix: &[u8],
    mut each: impl FnMut(StreamShard),
) -> Result<(), Fault> {
    let mut cursor = reader.cursor(KeyRange::prefix(prefix), Direction::Forward)?;
    while let Some((key, row)) = cursor.next()? {
        let (stream, id) = local::parse_stream_shard(data_shard, key)
            .ok_or(Fault::Invariant("the key of a stream's shard names both"))?;
        each(StreamShard::from_bytes(stream, id, row)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use shard_router::Token;

    use super::*;

    #[test]
    fn totals_follow_and_the_number_has_these_bytes() {
        let mut streams = Streams::default();
        assert_eq!(streams.encode_sequence(), [1, 1]);
        assert_eq!(decode_sequence(&[1, 0xac, 2]), Ok(SequenceNumber::new(300)));
        assert!(decode_sequence(&[2, 1]).is_err() && decode_sequence(&[1, 1, 1]).is_err());
        let stream = StreamId { table: TableId(7), since_ms: 5 };
        let id = |created_ms| StreamShardId { created_ms, data_shard: ShardId(2) };
        let number = streams.take_number();
        streams.push(StreamShard::open(stream, id(1), None, number, Token(0)));
        let write = |shard: &mut StreamShard| {
            shard.records += 1;
            shard.bytes += 100;
        };
        assert_eq!(streams.change(stream, id(1), write), Some(()));
        assert_eq!(streams.change(stream, id(9), write), None);
        assert_eq!(streams.totals(), StreamTotals { shards: 1, records: 1, bytes: 100 });
        assert!(streams.open_shard(stream).is_some());
        streams.change(stream, id(1), |shard| shard.last = Some(number));
        assert!(streams.open_shard(stream).is_none());
        assert_eq!((streams.tables(), streams.all().count()), (vec![TableId(7)], 1));
        assert!(streams.remove(stream, id(9)).is_none() && streams.remove(stream, id(1)).is_some());
        assert_eq!(streams.totals(), StreamTotals::default());
        assert!(streams.tables().is_empty() && streams.of(stream).is_empty());
    }
}
