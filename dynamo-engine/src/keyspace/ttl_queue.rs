//! Keys of the expiry queue of a table.
//!
//! ```text
//! ttl queue (1) · table (8) · place (8) · expiry in ms (8) · the item's token (8) · the item's key parts
//! ```
//!
//! Integers are big endian. The *place* is the first token of the part of the ring, owned by one shard, in which the item's
//! token lies: so a shard has the queue of each of its parts in order of expiry, and one scan finds what is due, while the
//! rows lie in the table's range of that part like all others, for snapshots, checksums and drops.
//!
//! A split moves the rows of neither side's items to where that side would look for them: whoever gets a part of another
//! first token drops what it finds there and fills its queue anew, by the same steps as when time to live is enabled.

use shard_router::Token;

use super::{KeyDecodeError, RowKey, RowRange, Space, id_prefix};

const HEAD_BYTES: usize = 1 + 8 + 8;

/// The key of the queue row of the item under `item_key`, in the queue at `place`.
pub fn ttl_queue_key(place: Token, expiry_ms: u64, item_key: &[u8]) -> Result<Vec<u8>, KeyDecodeError> {
    let item = RowKey::parse(item_key)?;
    let mut key = place_prefix(item.id(), place);
    key.extend_from_slice(&expiry_ms.to_be_bytes());
    key.extend_from_slice(&item.token().0.to_be_bytes());
    key.extend_from_slice(item.parts());
    Ok(key)
}

/// The rows of the queue of `table` at `place` whose expiry lies in `expiries`, in order of expiry.
pub fn ttl_queue_range(table: u64, place: Token, expiries: std::ops::Range<u64>) -> RowRange {
    let bound = |expiry_ms: u64| {
        let mut key = place_prefix(table, place);
        key.extend_from_slice(&expiry_ms.to_be_bytes());
        key
    };
    RowRange { start: bound(expiries.start), end: bound(expiries.end) }
}

/// Takes the key of a queue row apart: expiry in milliseconds since the epoch, and the item's key.
///
/// # Errors
/// [`KeyDecodeError`] where it is none.
pub fn parse_ttl_queue(queue_key: &[u8]) -> Result<(u64, Vec<u8>), KeyDecodeError> {
    let (head, rest) = queue_key.split_at_checked(HEAD_BYTES).ok_or(KeyDecodeError)?;
    let (expiry_ms, token_and_parts) = rest.split_first_chunk::<8>().ok_or(KeyDecodeError)?;
    if head[0] != Space::TtlQueue as u8 || token_and_parts.len() < 8 {
        return Err(KeyDecodeError);
    }
    let mut item_key = id_prefix(Space::Rows, RowKey::parse(queue_key)?.id());
    item_key.extend_from_slice(token_and_parts);
    Ok((u64::from_be_bytes(*expiry_ms), item_key))
}

fn place_prefix(table: u64, place: Token) -> Vec<u8> {
    let mut key = id_prefix(Space::TtlQueue, table);
    key.extend_from_slice(&place.0.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::super::{KeyPart, row_key};
    use super::*;

    #[test]
    fn golden_bytes() {
        let item = row_key(7, &[KeyPart::S("p")], &[]);
        let token = RowKey::parse(&item).unwrap().token();
        let key = ttl_queue_key(Token(258), 515, &item).unwrap();
        let table = [0, 0, 0, 0, 0, 0, 0, 7];
        let (place, expiry) = ([0, 0, 0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 0, 0, 2, 3]);
        let expected = [&[0x16][..], &table, &place, &expiry, &token.0.to_be_bytes(), b"\x01p\x00\x01"];
        assert_eq!(key, expected.concat());
        assert_eq!(parse_ttl_queue(&key), Ok((515, item.clone())));
        for end in 0..HEAD_BYTES + 16 {
            assert_eq!(parse_ttl_queue(&key[..end]), Err(KeyDecodeError));
        }
        assert_eq!(parse_ttl_queue(&item), Err(KeyDecodeError), "no queue row");
        let range = |expiries| ttl_queue_range(7, Token(258), expiries);
        let lies_in = |range: RowRange| range.start <= key && key < range.end;
        assert!(lies_in(range(515..516)) && !lies_in(range(0..515)) && !lies_in(range(516..u64::MAX)));
    }
}
