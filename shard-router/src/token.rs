//! The token of a partition: where on the ring of 2^64 positions it lives.

use xxhash_rust::xxh3::Xxh3;

/// A position on the ring. Equal tokens always live on the same shard, so an item collection is never split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

impl Token {
    /// The token of a partition key: XXH3-64 with seed 0 over id (8 bytes, big endian), type tag, key bytes.
    ///
    /// `id` is the table's id for base rows and their local-index rows, the index's id for global-index rows.
    /// `key_parts` are (type tag, bytes) pairs, one per attribute of the partition key.
    pub fn of(id: u64, key_parts: &[(u8, &[u8])]) -> Token {
        let mut hash = Xxh3::new();
        hash.update(&id.to_be_bytes());
        for (tag, bytes) in key_parts {
            hash.update(&[*tag]);
            hash.update(bytes);
        }
        Token(hash.digest())
    }
}
