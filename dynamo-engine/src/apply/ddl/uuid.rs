//! The `TableId` that clients see, without randomness.

use xxhash_rust::xxh3::Xxh3;

/// A UUID in the form of a random one (version 4), hashed from what no two tables share: the id, and with it the time
/// and the name, so that the tables of two databases do not look alike.
pub fn derive(id: u64, created_ms: u64, name: &str) -> String {
    let mut hash = Xxh3::new();
    hash.update(&id.to_be_bytes());
    hash.update(&created_ms.to_be_bytes());
    hash.update(name.as_bytes());
    let bits = hash.digest128();
    let version = bits & !(0xf << 76) | (0x4 << 76);
    let variant = version & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{variant:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_a_random_uuid() {
        let uuid = derive(1, 2, "t");
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]));
        assert_ne!(uuid, derive(2, 2, "t"));
        assert_eq!(uuid, derive(1, 2, "t"), "replayed, it is the same");
    }
}
