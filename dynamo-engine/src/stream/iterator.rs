//! Iterators: where a consumer reads on, as a token that the server keeps nothing about.
//!
//! ```text
//! ARN of the stream | 1 | base64( version · table (8) · since ms (8) · opened ms (8) · data shard (4) · view (1) ·
//!                                 number (8) · issued ms (8) · check (16) )
//! ```
//!
//! The check is over the ARN and everything before it: a token that was changed, cut, or put behind another ARN is none. It
//! is an XXH3-128, which guards against mistakes, not attackers: whoever has the token may read the stream.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dynamo_protocol::limits::SHARD_ITERATOR_AGE_MAX_MS;
use shard_router::ShardId;
use xxhash_rust::xxh3::xxh3_128;

use super::{SequenceNumber, StreamId, StreamShardId};
use crate::catalog::{StreamView, TableId};

/// The first byte of what is encoded.
const VERSION: u8 = 1;

/// What stands between the ARN and the rest; the service writes 1 or 2 there.
const SEPARATOR: &str = "|1|";

/// Bytes of the check.
const CHECK: usize = 16;

/// Where a consumer reads on in a shard of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardIterator {
    /// The stream's ARN, as the consumer wrote it.
    pub arn: String,
    /// The stream.
    pub stream: StreamId,
    /// The shard.
    pub shard: StreamShardId,
    /// What the stream's records carry.
    pub view: StreamView,
    /// No record below it is read.
    pub from: SequenceNumber,
    /// When the token was made, in milliseconds since the epoch, by the clock of the node that made it.
    pub issued_ms: u64,
}

/// A text is no iterator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is no iterator")]
pub struct ParseIteratorError;

impl ShardIterator {
    /// Whether it may not be used any more: 15 minutes after it was made. One that another node's clock has made later
    /// than now is new.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.issued_ms) > SHARD_ITERATOR_AGE_MAX_MS
    }

    fn content(&self) -> Vec<u8> {
        let mut content = vec![VERSION];
        content.extend_from_slice(&self.stream.table.0.to_be_bytes());
        content.extend_from_slice(&self.stream.since_ms.to_be_bytes());
        content.extend_from_slice(&self.shard.created_ms.to_be_bytes());
        content.extend_from_slice(&self.shard.data_shard.0.to_be_bytes());
        content.push(match self.view {
            StreamView::KeysOnly => 1,
            StreamView::NewImage => 2,
            StreamView::OldImage => 3,
            StreamView::NewAndOldImages => 4,
        });
        content.extend_from_slice(&self.from.count().to_be_bytes());
        content.extend_from_slice(&self.issued_ms.to_be_bytes());
        content
    }

    fn of_content(arn: &str, content: &[u8]) -> Option<ShardIterator> {
        let (version, rest) = content.split_first()?;
        let (table, rest) = number(rest)?;
        let (since_ms, rest) = number(rest)?;
        let (created_ms, rest) = number(rest)?;
        let (data_shard, rest) = rest.split_first_chunk()?;
        let (view, rest) = rest.split_first()?;
        let (from, rest) = number(rest)?;
        let (issued_ms, rest) = number(rest)?;
        let view = match view {
            1 => StreamView::KeysOnly,
            2 => StreamView::NewImage,
            3 => StreamView::OldImage,
            4 => StreamView::NewAndOldImages,
            _ => return None,
        };
        (*version == VERSION && rest.is_empty()).then(|| ShardIterator {
            arn: arn.to_owned(),
            stream: StreamId { table: TableId(table), since_ms },
            shard: StreamShardId { created_ms, data_shard: ShardId(u32::from_be_bytes(*data_shard)) },
            view,
            from: SequenceNumber::new(from),
            issued_ms,
        })
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

fn check(arn: &str, content: &[u8]) -> u128 {
    xxh3_128(&[arn.as_bytes(), content].concat())
}

impl fmt::Display for ShardIterator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut content = self.content();
        let check = check(&self.arn, &content);
        content.extend_from_slice(&check.to_be_bytes());
        write!(f, "{}{SEPARATOR}{}", self.arn, BASE64.encode(content))
    }
}

impl FromStr for ShardIterator {
    type Err = ParseIteratorError;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, ParseIteratorError> {
        let parse = || {
            let (arn, encoded) = text.rsplit_once(SEPARATOR)?;
            let bytes = BASE64.decode(encoded).ok()?;
            let (content, theirs) = bytes.split_last_chunk::<CHECK>()?;
            let is_whole = u128::from_be_bytes(*theirs) == check(arn, content);
            ShardIterator::of_content(arn, content).filter(|_| is_whole)
        };
        parse().ok_or(ParseIteratorError)
    }
}

#[cfg(test)]
mod tests {
    use dynamo_protocol::limits::{NAME_LENGTH_MAX, SHARD_ITERATOR_LENGTH_MAX};

    use super::*;

    fn iterator() -> ShardIterator {
        ShardIterator {
            arn: "arn:aws:dynamodb:us-east-1:000000000000:table/abc/stream/2026-01-01T00:00:00.000".to_owned(),
            stream: StreamId { table: TableId(7), since_ms: 1_767_225_600_000 },
            shard: StreamShardId { created_ms: 1_767_225_600_000, data_shard: ShardId(3) },
            view: StreamView::NewAndOldImages,
            from: SequenceNumber::new(258),
            issued_ms: 1_767_225_700_000,
        }
    }

    #[test]
    fn golden_text() {
        let text = iterator().to_string();
        let encoded = text.strip_prefix(&format!("{}|1|", iterator().arn)).unwrap();
        let bytes = BASE64.decode(encoded).unwrap();
        let since = 1_767_225_600_000_u64.to_be_bytes();
        let content = [
            &[1, 0, 0, 0, 0, 0, 0, 0, 7][..],
            &since,
            &since,
            &[0, 0, 0, 3, 4],
            &[0, 0, 0, 0, 0, 0, 1, 2],
            &1_767_225_700_000_u64.to_be_bytes(),
        ]
        .concat();
        assert_eq!(bytes[..bytes.len() - CHECK], content);
        assert_eq!(text.parse(), Ok(iterator()));
    }

    #[test]
    fn iterators_are_bound_and_tamper_evident() {
        let text = iterator().to_string();
        for (at, _) in text.char_indices() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(changed.parse::<ShardIterator>(), Err(ParseIteratorError), "{changed}");
            assert_eq!(text[..at].parse::<ShardIterator>(), Err(ParseIteratorError));
        }
        for view in [StreamView::KeysOnly, StreamView::NewImage, StreamView::OldImage] {
            let other = ShardIterator { view, ..iterator() };
            assert_eq!(other.to_string().parse(), Ok(other));
        }
    }

    #[test]
    fn an_iterator_lasts_for_fifteen_minutes() {
        let iterator = iterator();
        let quarter = 15 * 60 * 1000;
        for (now_ms, is_expired) in [
            (0, false),
            (iterator.issued_ms, false),
            (iterator.issued_ms + quarter, false),
            (iterator.issued_ms + quarter + 1, true),
        ] {
            assert_eq!(iterator.is_expired(now_ms), is_expired, "{now_ms}");
        }
    }

    #[test]
    fn the_longest_one_is_short_enough() {
        let arn = format!(
            "arn:aws-us-gov:dynamodb:{}:000000000000:table/{}/stream/2026-01-01T00:00:00.000",
            "r".repeat(64),
            "t".repeat(NAME_LENGTH_MAX)
        );
        let text = ShardIterator { arn, ..iterator() }.to_string();
        assert!(text.len() <= SHARD_ITERATOR_LENGTH_MAX, "{}", text.len());
    }

    #[test]
    fn arbitrary_texts_never_panic() {
        bolero::check!().with_iterations(10_000).for_each(|input: &[u8]| {
            let _ = String::from_utf8_lossy(input).parse::<ShardIterator>();
            let _ = ShardIterator::of_content("arn", input);
        });
    }
}
