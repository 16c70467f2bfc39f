//! Request ids: 52 characters of capitals and digits, as DynamoDB sends them in `x-amzn-RequestId`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Length of a request id.
pub const REQUEST_ID_LEN: usize = 52;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

/// Makes request ids. They are unlikely to repeat but not secret: a counter, stirred, from a seed drawn once.
#[derive(Debug)]
pub struct RequestIds {
    /// The generator's state, which every id moves on.
    state: AtomicU64,
}

impl RequestIds {
    /// Ids that follow from `seed`.
    pub fn new(seed: u64) -> RequestIds {
        RequestIds { state: AtomicU64::new(seed) }
    }

    /// The next id.
    pub fn next(&self) -> [u8; REQUEST_ID_LEN] {
        // SplitMix64 (Steele, Lea, Flood 2014): one addition reserves a span of the sequence, whose members are stirred
        // below; 52 characters of 5 bits take five words, 12 characters each.
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        const WORDS: u64 = 5;
        let mut state = self.state.fetch_add(GOLDEN.wrapping_mul(WORDS), Ordering::Relaxed);
        let mut id = [0u8; REQUEST_ID_LEN];
        for chunk in id.chunks_mut(12) {
            state = state.wrapping_add(GOLDEN);
            let mut word = stir(state);
            for character in chunk {
                *character = ALPHABET[(word & 31) as usize];
                word >>= 5;
            }
        }
        id
    }
}

fn stir(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_capitals_and_digits_and_do_not_repeat() {
        let ids = RequestIds::new(7);
        let many: BTreeSet<_> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(many.len(), 10_000);
        assert!(many.iter().flatten().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    }
}
