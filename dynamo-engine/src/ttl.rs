//! Which items expire, and when: pure rules over a stored item.
//!
//! The attribute of expiry is a top-level Number of seconds since the epoch; fractions count, to the millisecond. An item
//! is due when that moment has passed, but not when it has passed by more than five years: then the value was hardly meant
//! as a time, or is one that nobody expects to matter any more. Values of other types never expire, nor does what is not
//! above zero or lies beyond the year 9999 (mostly milliseconds, taken for seconds).
//!
//! What stands in a table's queue depends on its items alone and on no clock: an item has a row there exactly when it has
//! an expiry, be it tomorrow or ten years past. Whether it is *due* is asked under the time that an entry is stamped with.
//!
//! Source: AWS, *Developer guide: Using time to live (TTL)*; its examples for the types and the five years.

use crate::item::{Corrupt, ItemRef};
use crate::keyspace::KeyValue;

/// What is past by more than this does not expire: five years of 365 days, in milliseconds.
pub const TOO_OLD_MS: u64 = 5 * 365 * 86_400_000;

/// The last moment at which anything expires: the end of the year 9999, in milliseconds since the epoch.
pub const EXPIRY_MS_MAX: u64 = 253_402_300_799_999;

/// Seconds to milliseconds, as a power of ten.
const MILLI: u8 = 3;

/// When `item` expires by its attribute `attribute`, in milliseconds since the epoch, rounded down; `None` where it never
/// does.
///
/// # Errors
/// [`Corrupt`] where the item is damaged.
pub fn expiry_ms(item: &ItemRef<'_>, attribute: &str) -> Result<Option<u64>, Corrupt> {
    let Some(value) = item.get(attribute)? else { return Ok(None) };
    let Some(KeyValue::N(seconds)) = value.as_scalar()? else { return Ok(None) };
    Ok(seconds.scaled_floor(MILLI).filter(|expiry| (1..=EXPIRY_MS_MAX).contains(expiry)))
}

/// The expiries that are due at `now_ms`: from the first of the range to below its end.
pub fn due(now_ms: u64) -> std::ops::Range<u64> {
    now_ms.saturating_sub(TOO_OLD_MS)..now_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ItemBody;
    use dynamo_protocol::number::Number;
    use dynamo_protocol::value::{AttributeValue, Item};

    const NOW_MS: u64 = 1_700_000_000_000;

    fn n(text: &str) -> AttributeValue {
        AttributeValue::N(Number::parse(text).unwrap())
    }

    fn expiry(value: AttributeValue) -> Option<u64> {
        let body = ItemBody::encode(&Item::from([("ttl".to_owned(), value)]));
        expiry_ms(&body.view(), "ttl").unwrap()
    }

    #[test]
    fn numbers_are_seconds() {
        assert_eq!(expiry(n("1700000000")), Some(NOW_MS));
        assert_eq!(expiry(n("1.7E9")), Some(NOW_MS));
        assert_eq!(expiry(n("1699999939.5")), Some(NOW_MS - 60_500));
        assert_eq!(expiry(n("0.0019")), Some(1));
        assert_eq!(expiry(n("253402300799.999")), Some(EXPIRY_MS_MAX));
        for never in ["0", "-1", "0.0009", "1E-130", "253402300800", "1700000000000", "1E125", "-9.9E125"] {
            assert_eq!(expiry(n(never)), None, "{never}");
        }
    }

    #[test]
    fn other_types_never_expire() {
        let map = Item::from([("ttl".to_owned(), n("1700000000"))]);
        for value in [
            AttributeValue::S("1700000000".to_owned()),
            AttributeValue::B(b"1700000000".to_vec()),
            AttributeValue::Bool(true),
            AttributeValue::Null,
            AttributeValue::L(vec![n("1700000000")]),
            AttributeValue::M(map.clone()),
            AttributeValue::Ns([Number::from_i64(1_700_000_000)].into_iter().collect()),
        ] {
            assert_eq!(expiry(value.clone()), None, "{value:?}");
        }
        let nested = ItemBody::encode(&Item::from([("m".to_owned(), AttributeValue::M(map))]));
        assert_eq!(expiry_ms(&nested.view(), "m.ttl").unwrap(), None);
        assert_eq!(expiry_ms(&nested.view(), "ttl").unwrap(), None);
    }

    #[test]
    fn items_are_due_within_five_years() {
        let due = due(NOW_MS);
        assert!(due.contains(&(NOW_MS - 1)) && !due.contains(&NOW_MS));
        let year_ms = 365 * 86_400_000;
        assert!(due.contains(&(NOW_MS - 4 * year_ms)) && !due.contains(&(NOW_MS - 6 * year_ms)));
        assert!(due.contains(&(NOW_MS - TOO_OLD_MS)) && !due.contains(&(NOW_MS - TOO_OLD_MS - 1)));
        assert!(!due.contains(&162_777_600_000));
        assert_eq!(super::due(5), 0..5);
    }
}
