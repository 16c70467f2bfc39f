//! The row that a data shard keeps of a stream shard.
//!
//! ```text
//! row  format (1) = 01 · key token (8, BE) · parent (option: opened ms · data shard) · first · last (option: number · sealed ms) · horizon ·
//!      time of the newest record · records · bytes
//! ```
//!
//! Integers are varints where no width is given. The stream and the shard's own id stand in the key.

use shard_router::Token;

use super::{SequenceNumber, StreamId, StreamShardId};
use crate::codec::{DecodeError, Record, from_row, to_row};
use crate::keyspace::{RowRange, stream_record_key};

const FORMAT: u8 = 1;

/// One shard of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamShard {
    /// The stream.
    pub stream: StreamId,
    /// Its name in the stream.
    pub id: StreamShardId,
    /// Where on the ring its records lie: the first token of its data shard.
    pub key_token: Token,
    /// The shard that it goes on from; may have been trimmed since.
    pub parent: Option<StreamShardId>,
    /// `StartingSequenceNumber`: no record has a lower one.
    pub first: SequenceNumber,
    /// `EndingSequenceNumber`, at least `first`: no record has a higher one, or ever will. `None` while it is open.
    pub last: Option<SequenceNumber>,
    /// When it was sealed, in milliseconds since the epoch.
    pub sealed_ms: Option<u64>,
    /// The trim horizon: every record below it is gone. At least `first`.
    pub horizon: SequenceNumber,
    /// When its newest record was written, in milliseconds since the epoch; before the first one, when it was opened.
    pub newest_ms: u64,
    /// How many records it has; an estimate once some were trimmed.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl StreamShard {
    /// A shard that begins at `first`.
    pub fn open(
        stream: StreamId,
        id: StreamShardId,
        parent: Option<StreamShardId>,
        first: SequenceNumber,
        key_token: Token,
    ) -> Self {
        StreamShard {
            stream,
            id,
            key_token,
            parent,
            first,
            last: None,
            sealed_ms: None,
            horizon: first,
            newest_ms: id.created_ms,
            records: 0,
            bytes: 0,
        }
    }

    /// Every record below `horizon` is gone, of those whose numbers are below `end`. What is left is taken to be as dense as
    /// what went: to count it would be to read it.
    ///
    /// # Panics
    /// Where the horizon does not rise, or is beyond the end.
    pub fn trim(&mut self, horizon: SequenceNumber, end: SequenceNumber) {
        assert!(self.horizon < horizon && horizon <= end, "{} to {horizon} of {end}", self.horizon);
        let (all, left) = (end.count() - self.horizon.count(), end.count() - horizon.count());
        let part = |number: u64| (u128::from(number) * u128::from(left) / u128::from(all)) as u64;
        (self.records, self.bytes) = (part(self.records), part(self.bytes));
        self.horizon = horizon;
    }

    /// Whether records may still come.
    pub fn is_open(&self) -> bool {
        self.last.is_none()
    }

    /// The key of its record with that number.
    pub fn record_key(&self, sequence: SequenceNumber) -> Vec<u8> {
        stream_record_key(self.stream, self.id, self.key_token, sequence)
    }

    /// The keys of its records with numbers from `from` on and below `to`.
    pub fn records_in(&self, from: SequenceNumber, to: SequenceNumber) -> RowRange {
        RowRange { start: self.record_key(from), end: self.record_key(to) }
    }

    /// The row's value.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_row(FORMAT, |out| {
            self.key_token.encode(out);
            self.parent.encode(out);
            self.first.encode(out);
            self.last.zip(self.sealed_ms).encode(out);
            self.horizon.encode(out);
            self.newest_ms.encode(out);
            self.records.encode(out);
            self.bytes.encode(out);
        })
    }

    /// Decodes the value of the row of that shard.
    ///
    /// # Errors
    /// Bytes that [`StreamShard::to_bytes`] cannot have written.
    pub fn from_bytes(stream: StreamId, id: StreamShardId, row: &[u8]) -> Result<StreamShard, DecodeError> {
        from_row(row, FORMAT, |input| {
            let (key_token, parent, first) = (Record::decode(input)?, Record::decode(input)?, Record::decode(input)?);
            let (last, sealed_ms) = Option::<(SequenceNumber, u64)>::decode(input)?.unzip();
            let (horizon, newest_ms) = (Record::decode(input)?, Record::decode(input)?);
            let (records, bytes) = (Record::decode(input)?, Record::decode(input)?);
            Ok(StreamShard {
                stream,
                id,
                key_token,
                parent,
                first,
                last,
                sealed_ms,
                horizon,
                newest_ms,
                records,
                bytes,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use shard_router::ShardId;

    use super::*;
    use crate::catalog::TableId;

    #[test]
    fn trimmed_records_are_not_counted() {
        let stream = StreamId { table: TableId(7), since_ms: 5 };
        let id = StreamShardId { created_ms: 300, data_shard: ShardId(2) };
        let open = StreamShard::open(stream, id, None, SequenceNumber::new(11), Token(6));
        let mut shard = StreamShard { records: 10, bytes: 5_000, ..open };
        let (number, end) = (SequenceNumber::new, SequenceNumber::new(21));
        for (horizon, left) in [(15, (6, 3_000)), (18, (3, 1_500)), (21, (0, 0))] {
            shard.trim(number(horizon), end);
            assert_eq!((shard.records, shard.bytes, shard.horizon), (left.0, left.1, number(horizon)));
        }
    }

    #[test]
    fn golden_bytes() {
        let stream = StreamId { table: TableId(7), since_ms: 5 };
        let id = |created_ms| StreamShardId { created_ms, data_shard: ShardId(2) };
        let open = StreamShard::open(stream, id(300), None, SequenceNumber::new(4), Token(6));
        assert_eq!(open.to_bytes(), [1, 0, 0, 0, 0, 0, 0, 0, 6, 0, 4, 0, 4, 0xac, 2, 0, 0]);
        let sealed = StreamShard {
            parent: Some(id(5)),
            last: Some(SequenceNumber::new(9)),
            sealed_ms: Some(301),
            horizon: SequenceNumber::new(6),
            newest_ms: 300,
            records: 3,
            bytes: 258,
            ..open.clone()
        };
        let bytes = [1, 0, 0, 0, 0, 0, 0, 0, 6, 1, 5, 2, 4, 1, 9, 0xad, 2, 6, 0xac, 2, 3, 0x82, 2];
        assert_eq!(sealed.to_bytes(), bytes);
        for shard in [open, sealed] {
            assert_eq!(StreamShard::from_bytes(stream, shard.id, &shard.to_bytes()), Ok(shard));
        }
        for end in 0..bytes.len() {
            assert!(StreamShard::from_bytes(stream, id(300), &bytes[..end]).is_err());
        }
    }
}
