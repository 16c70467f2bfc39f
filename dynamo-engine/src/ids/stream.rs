//! The names of streams, stream shards and records, and their texts.

use std::fmt;
use std::str::FromStr;

use shard_router::ShardId;
use xxhash_rust::xxh3::xxh3_128;

use super::TableId;

/// One stream: of that table, since that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The table; an id is never used twice.
    pub table: TableId,
    /// When it was switched on, in milliseconds since the epoch: its label, as text. Rises strictly over the streams of all
    /// tables of one name.
    pub since_ms: u64,
}

/// One shard of a stream, written `shardId-00000001414576573621-00000003`: when it was opened (20 digits), and the data
/// shard whose changes it has (8 hexadecimal digits). Their order is that of their texts: a parent comes before its
/// children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamShardId {
    /// When it was opened, in milliseconds since the epoch; rises strictly along a chain of stream shards.
    pub created_ms: u64,
    /// The data shard.
    pub data_shard: ShardId,
}

/// The place of a record among all that its data shard has written into streams, written with 21 digits. Numbers rise
/// strictly inside a stream shard and from parent to child; there are gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(u64);

crate::record! { struct SequenceNumber(count); }

/// A text is not the name that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is no {0}")]
pub struct ParseStreamIdError(&'static str);

const SHARD_PREFIX: &str = "shardId-";
const CREATED_DIGITS: usize = 20;
const DATA_SHARD_DIGITS: usize = 8;

/// What is added to a number in its text: every one has 21 digits, the fewest that clients accept.
const TEXT_BASE: u128 = 100_000_000_000_000_000_000;
const TEXT_DIGITS: std::ops::RangeInclusive<usize> = 21..=40;

impl fmt::Display for StreamShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SHARD_PREFIX}{:020}-{:08x}", self.created_ms, self.data_shard.0)
    }
}

impl FromStr for StreamShardId {
    type Err = ParseStreamIdError;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, ParseStreamIdError> {
        let parse = || {
            let (created, shard) = text.strip_prefix(SHARD_PREFIX)?.split_once('-')?;
            let is_created = created.len() == CREATED_DIGITS && created.bytes().all(|byte| byte.is_ascii_digit());
            let is_shard =
                shard.len() == DATA_SHARD_DIGITS && shard.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            let created_ms = created.parse().ok().filter(|_| is_created)?;
            let data_shard = u32::from_str_radix(shard, 16).ok().filter(|_| is_shard)?;
            Some(StreamShardId { created_ms, data_shard: ShardId(data_shard) })
        };
        parse().ok_or(ParseStreamIdError("id of a stream shard"))
    }
}

impl SequenceNumber {
    /// Below every record's.
    pub const MIN: SequenceNumber = SequenceNumber(0);
    /// Above every record's.
    pub const MAX: SequenceNumber = SequenceNumber(u64::MAX);

    /// The `count`-th number of a data shard.
    pub const fn new(count: u64) -> SequenceNumber {
        SequenceNumber(count)
    }

    /// The number as it is counted.
    pub const fn count(self) -> u64 {
        self.0
    }

    /// The next one; the last one is its own.
    #[must_use]
    pub const fn next(self) -> SequenceNumber {
        SequenceNumber(self.0.saturating_add(1))
    }

    /// The one before; the first one is its own.
    #[must_use]
    pub const fn previous(self) -> SequenceNumber {
        SequenceNumber(self.0.saturating_sub(1))
    }

    /// `eventID` of the record with this number in that stream on that data shard, to be written with 32 hexadecimal
    /// digits: the same whenever it is asked for, and another one for every record.
    pub fn event_id(self, stream: StreamId, data_shard: ShardId) -> u128 {
        let mut name = [0; 28];
        name[..8].copy_from_slice(&stream.table.0.to_be_bytes());
        name[8..16].copy_from_slice(&stream.since_ms.to_be_bytes());
        name[16..20].copy_from_slice(&data_shard.0.to_be_bytes());
        name[20..].copy_from_slice(&self.0.to_be_bytes());
        xxh3_128(&name)
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", TEXT_BASE + u128::from(self.0))
    }
}

impl FromStr for SequenceNumber {
    type Err = ParseStreamIdError;

    /// Reads 21 to 40 digits. A number that no record can have becomes the first or the last one.
    fn from_str(text: &str) -> Result<Self, ParseStreamIdError> {
        if !TEXT_DIGITS.contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseStreamIdError("sequence number"));
        }
        // Only a number beyond 128 bits does not parse.
        let count = text.parse().unwrap_or(u128::MAX).saturating_sub(TEXT_BASE);
        Ok(SequenceNumber(u64::try_from(count).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_ids_have_these_texts_and_their_order() {
        let id = |created_ms, shard| StreamShardId { created_ms, data_shard: ShardId(shard) };
        assert_eq!(id(1_414_576_573_621, 0x2a).to_string(), "shardId-00000001414576573621-0000002a");
        let ids = [id(0, 0), id(9, 1), id(10, 0), id(10, u32::MAX), id(u64::MAX, 3)];
        let texts = ids.map(|id| id.to_string());
        assert!(texts.is_sorted() && ids.is_sorted());
        assert_eq!(texts.each_ref().map(|text| text.parse()), ids.map(Ok));
        assert!(texts.iter().all(|text| (28..=65).contains(&text.len())));
        for text in [
            "",
            "shardId-",
            "shardId-00000001414576573621",
            "shardId-00000001414576573621-0000002A",
            "shardId-+0000001414576573621-0000002a",
            "shardId-00000001414576573621-+000002a",
            "shardId-1414576573621-0000002a",
            "shardId-99999999999999999999-0000002a",
            "shardId-00000001414576573621-0000002a ",
        ] {
            assert!(text.parse::<StreamShardId>().is_err(), "{text}");
        }
    }

    #[test]
    fn sequence_numbers_have_these_texts_and_their_order() {
        let numbers = [0, 1, 9, 10, 258, u64::MAX].map(SequenceNumber::new);
        let texts = numbers.map(|number| number.to_string());
        assert_eq!(texts[4], "100000000000000000258");
        assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == 21));
        assert_eq!(texts.each_ref().map(|text| text.parse()), numbers.map(Ok));
        let saturating = [
            ("000000000000000000007", SequenceNumber::MIN),
            ("300000000000000499659", SequenceNumber::MAX),
            ("0000000100000000000000000258", SequenceNumber::new(258)),
            ("9999999999999999999999999999999999999999", SequenceNumber::MAX),
        ];
        for (text, number) in saturating {
            assert_eq!(text.parse(), Ok(number), "{text}");
        }
        let too_long = "1".repeat(41);
        for text in ["", "5", "10000000000000000000", "-00000000000000000258", "1e0000000000000000258", &too_long] {
            assert!(text.parse::<SequenceNumber>().is_err(), "{text}");
        }
        assert_eq!((SequenceNumber::MAX.next(), SequenceNumber::MIN.previous()), (numbers[5], numbers[0]));
    }

    #[test]
    fn event_ids_are_pinned_and_differ() {
        let stream = StreamId { table: TableId(7), since_ms: 5 };
        let id = SequenceNumber::new(1).event_id(stream, ShardId(2));
        let others = [
            SequenceNumber::new(2).event_id(stream, ShardId(2)),
            SequenceNumber::new(1).event_id(stream, ShardId(1)),
            SequenceNumber::new(1).event_id(StreamId { since_ms: 6, ..stream }, ShardId(2)),
            SequenceNumber::new(1).event_id(StreamId { table: TableId(8), ..stream }, ShardId(2)),
        ];
        assert!(others.iter().all(|other| *other != id));
        assert_eq!(format!("{id:032x}").len(), 32);
    }
}
