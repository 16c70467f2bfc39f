//! Keys of the log store, which all groups of a node share.
//!
//! ```text
//! 0x01 · group (4, big endian) · kind (1)            one value per group and kind: vote, committed, purged, incoming
//! 0x02 · group (4, big endian) · index (8, big endian)  an entry
//! ```

/// A group's small values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scalar {
    /// The vote.
    Vote = 0x01,
    /// The last index known to be committed, a hint for the next start.
    Committed = 0x02,
    /// The last entry that was purged.
    Purged = 0x03,
    /// A snapshot that was about to be installed; gone with the next purge.
    Incoming = 0x04,
}

const SPACE_SCALARS: u8 = 0x01;
const SPACE_ENTRIES: u8 = 0x02;

/// The key of a group's small value.
pub fn scalar(group: u32, kind: Scalar) -> [u8; 6] {
    let mut key = [SPACE_SCALARS, 0, 0, 0, 0, kind as u8];
    key[1..5].copy_from_slice(&group.to_be_bytes());
    key
}

/// The key of an entry.
pub fn entry(group: u32, index: u64) -> [u8; 13] {
    let mut key = [SPACE_ENTRIES; 13];
    key[1..5].copy_from_slice(&group.to_be_bytes());
    key[5..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The index in an entry's key, `None` for another kind of key.
pub fn entry_index(key: &[u8]) -> Option<u64> {
    match key.split_first()? {
        (&SPACE_ENTRIES, rest) => Some(u64::from_be_bytes(rest.get(4..12)?.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        assert_eq!(scalar(258, Scalar::Vote), [1, 0, 0, 1, 2, 1]);
        assert_eq!(entry(3, 515), [2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 2, 3]);
        assert_eq!(entry_index(&entry(3, 515)), Some(515));
        assert_eq!(entry_index(&scalar(3, Scalar::Purged)), None);
    }
}
