//! The token of a partition: where on the ring of 2^64 positions it lives.

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// A position on the ring. Equal tokens always live on the same shard, so an item collection is never split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Stands after the id of a key that has not exactly one part. No type tag has this value.
const PARTS_MARK: u8 = 0xff;

/// Keys up to this size are hashed from the stack in one call, which is several times faster than the streaming
/// hash with its half-kilobyte state. Longer ones are rare (a partition key has at most 2,048 bytes) and streamed.
const SHORT_KEY_BYTES: usize = 240;

impl Token {
    /// The first position of the ring.
    pub const MIN: Token = Token(0);
    /// The last position of the ring.
    pub const MAX: Token = Token(u64::MAX);

    /// The token of a partition key.
    ///
    /// `id` is the table's id for base rows and their local-index rows, the index's id for global-index rows.
    /// `key_parts` are (type tag, bytes) pairs, one per attribute of the partition key. Tags are below 255.
    ///
    /// The token is XXH3-64 with seed 0 (<https://github.com/Cyan4973/xxHash>, `doc/xxhash_spec.md`) over
    ///
    /// - one part: id (8 bytes, big endian) · tag · bytes;
    /// - otherwise: id · 0xff · for each part tag · length (4 bytes, big endian) · bytes.
    ///
    /// The mark and the lengths make the hashed text tell the parts apart: `("ab", "c")` and `("a", "bc")` differ,
    /// and neither equals any key of one part. Both forms are pinned by test vectors from another implementation
    /// and never change.
    pub fn of(id: u64, key_parts: &[(u8, &[u8])]) -> Token {
        debug_assert!(key_parts.iter().all(|(tag, _)| *tag != PARTS_MARK), "tag 255 is the mark of several parts");
        match key_parts {
            [(tag, bytes)] if 9 + bytes.len() <= SHORT_KEY_BYTES => Token::of_short(id, *tag, bytes),
            _ => Token::streamed(id, key_parts),
        }
    }

    fn of_short(id: u64, tag: u8, bytes: &[u8]) -> Token {
        let mut text = [0; SHORT_KEY_BYTES];
        text[..8].copy_from_slice(&id.to_be_bytes());
        text[8] = tag;
        text[9..9 + bytes.len()].copy_from_slice(bytes);
        Token(xxh3_64(&text[..9 + bytes.len()]))
    }

    fn streamed(id: u64, key_parts: &[(u8, &[u8])]) -> Token {
        let mut hash = Xxh3::new();
        hash.update(&id.to_be_bytes());
        if let [(tag, bytes)] = key_parts {
            hash.update(&[*tag]);
            hash.update(bytes);
            return Token(hash.digest());
        }
        hash.update(&[PARTS_MARK]);
        for (tag, bytes) in key_parts {
            let length = u32::try_from(bytes.len()).expect("a key part is at most a few kilobytes");
            hash.update(&[*tag]);
            hash.update(&length.to_be_bytes());
            hash.update(bytes);
        }
        Token(hash.digest())
    }

    /// The position after this one, `None` at the end of the ring.
    pub fn next(self) -> Option<Token> {
        self.0.checked_add(1).map(Token)
    }

    /// The position before this one, `None` at the start of the ring.
    pub fn previous(self) -> Option<Token> {
        self.0.checked_sub(1).map(Token)
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computed with the Python package `xxhash` 3, which wraps the reference implementation in C.
    #[test]
    fn tokens_are_pinned() {
        let counting: Vec<u8> = (0..240).collect();
        type Parts<'a> = &'a [(u8, &'a [u8])];
        let cases: [(u64, Parts<'_>, u64); 11] = [
            (1, &[(1, b"")], 0x2667fc69e8c2a43b),
            (1, &[(1, b"a")], 0x056b1f635097c90f),
            (1, &[(3, b"a")], 0x9110f8ab65c346bf),
            (2, &[(1, b"a")], 0xfc3fc5f470df32df),
            (1, &[(1, b"user#42")], 0x627cb3297997b413),
            (u64::MAX, &[(2, &counting)], 0xb07d9055b3c4be02),
            (7, &[(3, &[0; 2048])], 0xf856bfa1bae87e2c),
            (5, &[(1, b"ab"), (1, b"c")], 0x7f8d1f69f9d5fc7a),
            (5, &[(1, b"a"), (1, b"bc")], 0x999959cc7f5f0d19),
            (5, &[(1, b""), (2, b""), (3, &[0xff; 300])], 0x4076b70ff34fb7d5),
            (9, &[], 0xf67b388b0e513cc9),
        ];
        for (id, parts, expected) in cases {
            assert_eq!(Token::of(id, parts), Token(expected), "id {id}, {} parts", parts.len());
        }
    }

    proptest! {
        #[test]
        fn short_and_streamed_keys_hash_alike(
            id in any::<u64>(), tag in 0u8..255, bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            prop_assert_eq!(Token::of(id, &[(tag, &bytes)]), Token::streamed(id, &[(tag, &bytes)]));
        }
    }

    #[test]
    fn similar_keys_spread_evenly() {
        let shards = 16;
        let mut counts = vec![0; shards];
        for customer in 0..16_000 {
            let token = Token::of(1, &[(1, format!("customer#{customer}").as_bytes())]);
            counts[((token.0 as u128 * shards as u128) >> 64) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
