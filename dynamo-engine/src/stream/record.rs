//! One change of an item, as the stream keeps it.
//!
//! ```text
//! record  format (1) = 01 · flags (1) · stamped ms · length · keys · [length · new] · [length · old]
//! flags   event in the low two bits: 01 insert | 02 modify | 03 remove; 04 new image, 08 old image, 10 by time to live
//! ```
//!
//! Keys and images are item bodies ([`ItemBody`](crate::item::ItemBody)), integers varints. The record's sequence number
//! stands in its key alone.

use crate::codec::{DecodeError, finish, get_bytes, get_u8, get_u64, put_bytes, put_u64};
use crate::item::{Corrupt, ItemRef};

use super::SequenceNumber;

const FORMAT: u8 = 1;

const EVENT: u8 = 0x03;
const HAS_NEW: u8 = 0x04;
const HAS_OLD: u8 = 0x08;
const BY_TTL: u8 = 0x10;

/// What became of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventName {
    /// There was none.
    Insert,
    /// It is another one now.
    Modify,
    /// There is none any more.
    Remove,
}

impl EventName {
    /// As it is called on the wire.
    pub fn name(self) -> &'static str {
        match self {
            EventName::Insert => "INSERT",
            EventName::Modify => "MODIFY",
            EventName::Remove => "REMOVE",
        }
    }
}

/// One change. Its images are those that the stream's view type carries.
#[derive(Clone, Copy, Debug)]
pub struct StreamRecord<'a> {
    /// Its place.
    pub sequence: SequenceNumber,
    /// When it was written, in milliseconds since the epoch, as stamped into the log. Never falls inside a stream shard.
    pub created_ms: u64,
    /// What became of the item.
    pub event: EventName,
    /// Whether the item was removed because its time to live was over.
    pub by_ttl: bool,
    /// The item's key attributes.
    pub keys: ItemRef<'a>,
    /// The item after the change.
    pub new: Option<ItemRef<'a>>,
    /// The item before the change.
    pub old: Option<ItemRef<'a>>,
}

impl<'a> StreamRecord<'a> {
    /// The record's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bodies = [Some(self.keys), self.new, self.old];
        let length = bodies.iter().flatten().map(|item| item.body().len() + 4).sum::<usize>();
        let mut out = Vec::with_capacity(12 + length);
        out.push(FORMAT);
        let event = match self.event {
            EventName::Insert => 1,
            EventName::Modify => 2,
            EventName::Remove => 3,
        };
        let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
        out.push(
            event | flag(self.new.is_some(), HAS_NEW) | flag(self.old.is_some(), HAS_OLD) | flag(self.by_ttl, BY_TTL),
        );
        put_u64(&mut out, self.created_ms);
        bodies.iter().flatten().for_each(|item| put_bytes(&mut out, item.body()));
        out
    }

    /// Looks at the bytes of the record with that number.
    ///
    /// # Errors
    /// [`Corrupt`] where they are no record.
    pub fn parse(sequence: SequenceNumber, bytes: &'a [u8]) -> Result<StreamRecord<'a>, Corrupt> {
        Self::decode(sequence, bytes)?.ok_or(Corrupt("a stream record holds no items"))
    }

    /// When the record with these bytes was written, without looking at the rest.
    ///
    /// # Errors
    /// [`Corrupt`] where they are no record.
    pub fn created_ms(mut bytes: &[u8]) -> Result<u64, Corrupt> {
        let head = get_head(&mut bytes);
        Ok(head.map_err(|_| Corrupt("malformed stream record"))?.1)
    }

    fn decode(sequence: SequenceNumber, mut bytes: &'a [u8]) -> Result<Option<StreamRecord<'a>>, Corrupt> {
        let mut parts = || {
            let input = &mut bytes;
            let (flags, created_ms) = get_head(input)?;
            let keys = get_bytes(input)?;
            let new = if flags & HAS_NEW != 0 { Some(get_bytes(input)?) } else { None };
            let old = if flags & HAS_OLD != 0 { Some(get_bytes(input)?) } else { None };
            finish(input)?;
            Ok::<_, DecodeError>((flags, created_ms, keys, new, old))
        };
        let (flags, created_ms, keys, new, old) = parts().map_err(|_| Corrupt("malformed stream record"))?;
        let event = match flags & EVENT {
            1 => EventName::Insert,
            2 => EventName::Modify,
            3 => EventName::Remove,
            _ => return Ok(None),
        };
        Ok(Some(StreamRecord {
            sequence,
            created_ms,
            event,
            by_ttl: flags & BY_TTL != 0,
            keys: ItemRef::of_body(keys)?,
            new: new.map(ItemRef::of_body).transpose()?,
            old: old.map(ItemRef::of_body).transpose()?,
        }))
    }

    /// `ApproximateCreationDateTime`: whole seconds since the epoch.
    pub fn created_s(&self) -> u64 {
        self.created_ms / 1000
    }

    /// `SizeBytes`: the keys and the images that are carried, as DynamoDB bills items.
    pub fn size_bytes(&self) -> usize {
        let items = [Some(self.keys), self.new, self.old];
        items.iter().flatten().map(ItemRef::billed_bytes).sum()
    }
}

/// Flags and stamped time.
fn get_head(input: &mut &[u8]) -> Result<(u8, u64), DecodeError> {
    match get_u8(input)? {
        FORMAT => {}
        format => return Err(DecodeError::Format(format)),
    }
    let flags = get_u8(input)?;
    if flags & !(EVENT | HAS_NEW | HAS_OLD | BY_TTL) != 0 {
        return Err(DecodeError::Tag { what: "flags of a stream record", tag: flags });
    }
    Ok((flags, get_u64(input)?))
}

#[cfg(test)]
mod tests {
    use dynamo_protocol::value::{AttributeValue, Item};

    use super::*;
    use crate::item::ItemBody;

    fn body(attributes: &[(&str, &str)]) -> ItemBody {
        let item: Item = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), AttributeValue::S((*value).to_owned())))
            .collect();
        ItemBody::encode(&item)
    }

    #[test]
    fn golden_bytes() {
        let (keys, new) = (body(&[("k", "x")]), body(&[("a", ""), ("k", "x")]));
        let record = StreamRecord {
            sequence: SequenceNumber::new(9),
            created_ms: 300,
            event: EventName::Insert,
            by_ttl: false,
            keys: keys.view(),
            new: Some(new.view()),
            old: None,
        };
        let head = [&[1, 0x05, 0xac, 2, 15][..], keys.as_bytes(), &[20]].concat();
        assert_eq!(record.to_bytes(), [&head, new.as_bytes()].concat());
        let ttl = StreamRecord { event: EventName::Remove, by_ttl: true, new: None, old: Some(new.view()), ..record };
        assert_eq!(ttl.to_bytes()[..2], [1, 0x1b]);
    }

    #[test]
    fn records_come_back() {
        let (keys, new, old) = (body(&[("k", "x")]), body(&[("k", "x"), ("n", "1")]), body(&[("k", "x"), ("n", "2")]));
        for event in [EventName::Insert, EventName::Modify, EventName::Remove] {
            for images in 0..4 {
                let record = StreamRecord {
                    sequence: SequenceNumber::new(3),
                    created_ms: 1_999,
                    event,
                    by_ttl: images == 3,
                    keys: keys.view(),
                    new: (images & 1 != 0).then(|| new.view()),
                    old: (images & 2 != 0).then(|| old.view()),
                };
                let bytes = record.to_bytes();
                let back = StreamRecord::parse(record.sequence, &bytes).unwrap();
                assert_eq!((back.event, back.by_ttl, back.created_s()), (event, images == 3, 1));
                assert_eq!(back.keys.body(), keys.as_bytes());
                assert_eq!(back.new.map(|item| item.body()), (images & 1 != 0).then(|| new.as_bytes()));
                assert_eq!(back.old.map(|item| item.body()), (images & 2 != 0).then(|| old.as_bytes()));
                assert_eq!(back.size_bytes(), 2 + 4 * (images & 1) + 4 * (images >> 1));
                assert_eq!(StreamRecord::created_ms(&bytes), Ok(1_999));
                for end in 0..bytes.len() {
                    assert!(StreamRecord::parse(record.sequence, &bytes[..end]).is_err());
                }
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        bolero::check!().with_iterations(10_000).for_each(|input: &[u8]| {
            for bytes in [input, &[&[1, 0x0d][..], input].concat()] {
                if let Ok(record) = StreamRecord::parse(SequenceNumber::MIN, bytes) {
                    let _ = (record.size_bytes(), record.keys.to_item());
                }
            }
        });
    }
}
