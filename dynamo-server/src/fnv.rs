//! FNV-1a with 128 bits: numbers that several nodes work out from the same text, without a word between them.

/// The hash of `text`.
pub fn hash_128(text: &str) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of the draft that describes FNV (draft-eastlake-fnv).
    #[test]
    fn known_hashes() {
        assert_eq!(hash_128(""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(hash_128("a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(hash_128("foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }
}
