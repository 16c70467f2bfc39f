//! Whole row keys and the prefixes that reads need.

use shard_router::Token;

use super::{KeyDecodeError, KeyPart, Space, push_parts};
use dynamo_protocol::value::AttributeValue;

const ID_AT: usize = 1;
const TOKEN_AT: usize = 9;
const PARTS_AT: usize = 17;

/// Ids of tables and indexes begin with 1.
const NO_TABLE: u64 = 0;

/// Where an item lives: its token on the ring and the key of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemKey {
    /// The token of its partition key.
    pub token: Token,
    /// The key of its row.
    pub row: Vec<u8>,
}

/// Where a partition of table or index `id` lives on the ring.
///
/// Base rows and local-index rows use the table's id and partition key, global-index rows the index's.
pub fn token_of(id: u64, partition: &[KeyPart<'_>]) -> Token {
    let mut number = Vec::new();
    match partition {
        [part] => Token::of(id, &[(part.tag(), token_bytes(part, &mut number))]),
        parts => {
            let owned: Vec<(u8, Vec<u8>)> =
                parts.iter().map(|part| (part.tag(), token_bytes(part, &mut Vec::new()).to_vec())).collect();
            let borrowed: Vec<(u8, &[u8])> = owned.iter().map(|(tag, bytes)| (*tag, &bytes[..])).collect();
            Token::of(id, &borrowed)
        }
    }
}

fn token_bytes<'a>(part: &KeyPart<'a>, number_bytes: &'a mut Vec<u8>) -> &'a [u8] {
    match part {
        KeyPart::S(text) => text.as_bytes(),
        KeyPart::B(bytes) => bytes,
        KeyPart::N(number) => {
            number.encode_ordered(number_bytes);
            number_bytes
        }
    }
}

/// `space · id`: the prefix of all rows of one table or index in one space.
pub fn id_prefix(space: Space, id: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(PARTS_AT);
    key.push(space as u8);
    key.extend_from_slice(&id.to_be_bytes());
    key
}

/// `space · id · token · partition parts`: the prefix of one item collection (or one partition of an index).
pub fn partition_prefix(space: Space, id: u64, token: Token, partition: &[KeyPart<'_>]) -> Vec<u8> {
    let mut key = Vec::with_capacity(PARTS_AT + 64);
    key.push(space as u8);
    key.extend_from_slice(&id.to_be_bytes());
    key.extend_from_slice(&token.0.to_be_bytes());
    push_parts(partition, &mut key);
    key
}

/// The key of a base row.
pub fn row_key(table: u64, partition: &[KeyPart<'_>], sort: &[KeyPart<'_>]) -> Vec<u8> {
    let mut key = partition_prefix(Space::Rows, table, token_of(table, partition), partition);
    push_parts(sort, &mut key);
    key
}

/// The key of a local-index row: under the table's token, ordered by the index's sort parts, then the base's.
pub fn local_index_key(
    index: u64,
    table_token: Token,
    partition: &[KeyPart<'_>],
    index_sort: &[KeyPart<'_>],
    base_sort: &[KeyPart<'_>],
) -> Vec<u8> {
    let mut key = partition_prefix(Space::LocalIndex, index, table_token, partition);
    push_parts(index_sort, &mut key);
    push_parts(base_sort, &mut key);
    key
}

/// The key of a global-index row: index key first, whole base key last (`base_parts` are a base row's
/// [`RowKey::parts`], already encoded).
pub fn global_index_key(
    index: u64,
    index_partition: &[KeyPart<'_>],
    index_sort: &[KeyPart<'_>],
    base_parts: &[u8],
) -> Vec<u8> {
    let token = token_of(index, index_partition);
    let mut key = partition_prefix(Space::GlobalIndex, index, token, index_partition);
    push_parts(index_sort, &mut key);
    key.extend_from_slice(base_parts);
    key
}

/// Where a ClientRequestToken lives on the ring, whatever items its transaction has: so every node sends all requests
/// under one token to the same shard. It is the partition key of a table that does not exist.
pub fn token_of_client_token(client_token: &str) -> Token {
    token_of(NO_TABLE, &[KeyPart::S(client_token)])
}

/// The key of a ClientRequestToken row: at the token's own place on the ring, in the space of `table`, with which it
/// goes.
pub fn token_row_key(table: u64, client_token: &str) -> Vec<u8> {
    let ring_token = token_of_client_token(client_token);
    partition_prefix(Space::Tokens, table, ring_token, &[KeyPart::S(client_token)])
}

/// The key of the lock on an item: the item's key in its own space.
pub fn intent_key(item_key: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(item_key.len());
    key.push(Space::Intents as u8);
    key.extend_from_slice(&item_key[ID_AT..]);
    key
}

/// Appends a sort part without its terminator, for `begins_with`.
pub fn push_part_prefix(part: &KeyPart<'_>, out: &mut Vec<u8>) {
    part.encode_open(out);
}

/// The smallest key above every key that begins with `prefix`; empty (= no bound) where there is none.
pub fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < 0xFF {
            *last += 1;
            return end;
        }
        end.pop();
    }
    end
}

/// A row key taken apart; see the module for the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowKey<'a> {
    /// With space, id and token at least.
    bytes: &'a [u8],
}

impl<'a> RowKey<'a> {
    /// Looks at `bytes` as a row key.
    ///
    /// # Errors
    /// [`KeyDecodeError`] where they are too short to hold space, id and token.
    pub fn parse(bytes: &'a [u8]) -> Result<RowKey<'a>, KeyDecodeError> {
        if bytes.len() < PARTS_AT { Err(KeyDecodeError) } else { Ok(RowKey { bytes }) }
    }

    /// The space byte.
    pub fn space(&self) -> u8 {
        self.bytes[0]
    }

    /// The table's or index's id.
    pub fn id(&self) -> u64 {
        u64::from_be_bytes(self.bytes[ID_AT..TOKEN_AT].try_into().expect("parse checked the length"))
    }

    /// The token.
    pub fn token(&self) -> Token {
        Token(u64::from_be_bytes(self.bytes[TOKEN_AT..PARTS_AT].try_into().expect("parse checked the length")))
    }

    /// Everything behind the token, still encoded.
    pub fn parts(&self) -> &'a [u8] {
        &self.bytes[PARTS_AT..]
    }

    /// All parts decoded, in order.
    ///
    /// # Errors
    /// [`KeyDecodeError`] where they are malformed.
    pub fn decode_parts(&self) -> Result<Vec<AttributeValue>, KeyDecodeError> {
        let mut rest = self.parts();
        let mut parts = Vec::with_capacity(2);
        while !rest.is_empty() {
            parts.push(KeyPart::decode(&mut rest)?);
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_row_key_in_bytes() {
        let key = row_key(7, &[KeyPart::S("user")], &[KeyPart::B(&[0, 9])]);
        let token = Token::of(7, &[(1, b"user")]).0.to_be_bytes();
        let mut expected = vec![0x10, 0, 0, 0, 0, 0, 0, 0, 7];
        expected.extend_from_slice(&token);
        expected.extend_from_slice(b"\x01user\x00\x01\x03\x00\xFF\x09\x00\x01");
        assert_eq!(key, expected);
        let parsed = RowKey::parse(&key).unwrap();
        assert_eq!((parsed.space(), parsed.id(), parsed.token().0.to_be_bytes()), (0x10, 7, token));
        assert_eq!(parsed.decode_parts().unwrap(), [AttributeValue::S("user".into()), AttributeValue::B(vec![0, 9])]);
    }

    #[test]
    fn index_row_keys_end_with_the_base_key() {
        let base = row_key(7, &[KeyPart::S("p")], &[KeyPart::S("s")]);
        let base = RowKey::parse(&base).unwrap();
        let local = local_index_key(9, base.token(), &[KeyPart::S("p")], &[KeyPart::S("i")], &[KeyPart::S("s")]);
        assert_eq!(&local[17..], b"\x01p\x00\x01\x01i\x00\x01\x01s\x00\x01");
        assert_eq!(RowKey::parse(&local).unwrap().token(), base.token());
        let global = global_index_key(9, &[KeyPart::S("i")], &[], base.parts());
        assert_eq!(&global[17..], b"\x01i\x00\x01\x01p\x00\x01\x01s\x00\x01");
        assert_eq!(RowKey::parse(&global).unwrap().token(), token_of(9, &[KeyPart::S("i")]));
    }

    #[test]
    fn a_lock_lies_beside_its_item_and_a_client_token_at_its_own_place() {
        let base = row_key(7, &[KeyPart::S("p")], &[]);
        assert_eq!(intent_key(&base), [&[0x14], &base[1..]].concat());
        let ring_token = Token::of(0, &[(1, b"abc")]);
        assert_eq!(token_of_client_token("abc"), ring_token);
        let id = [0, 0, 0, 0, 0, 0, 0, 7];
        let expected = [&[0x18][..], &id, &ring_token.0.to_be_bytes(), b"\x01abc\x00\x01"];
        assert_eq!(token_row_key(7, "abc"), expected.concat());
    }

    #[test]
    fn successors() {
        assert_eq!(successor(&[1, 2]), [1, 3]);
        assert_eq!(successor(&[1, 0xFF, 0xFF]), [2]);
        assert_eq!(successor(&[0xFF]), [0u8; 0]);
    }
}
