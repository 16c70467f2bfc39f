//! Numbers as bytes whose order is the numbers' order.
//!
//! A number is `sign · magnitude · digits in base 100 · end`, each byte behind the sign complemented for negative
//! numbers; the end of a number is seen without a length:
//!
//! ```text
//! 0       02
//! 1       03 82 0b 00        digits "10", one byte 10 + 1
//! 12.5    03 83 0d 33 00     digits "12" "50"
//! -1      01 7d f4 ff
//! ```
//!
//! This is part of the on-disk format: keys and stored values are made of it.

use super::text::push_decimal;
use super::{DIGITS_MAX, MAGNITUDE_MIN, Number, digit_count};
use crate::short::{CHUNK, push_first};

/// Longest ordered encoding: sign, magnitude, 19 pairs of digits, end.
pub const ORDERED_BYTES_MAX: usize = 2 + 19 + 1;

/// Pairs of digits in a machine word, and one more than the largest number of so many.
const PAIRS_IN_WORD: usize = 9;
const WORD: u128 = 10u128.pow(2 * PAIRS_IN_WORD as u32);

impl Number {
    /// Appends the bytes whose order is the order of numbers; self-delimiting.
    pub fn encode_ordered(&self, out: &mut Vec<u8>) {
        if self.is_zero() {
            out.push(0x02);
            return;
        }
        let digits = digit_count(self.coefficient);
        // An odd number of digits is at most 37, so there is room for one more.
        let mut rest = if digits % 2 == 1 { self.coefficient * 10 } else { self.coefficient };
        let pairs = digits.div_ceil(2) as usize;
        let magnitude = i32::from(self.exponent) + digits as i32 - 1;
        // The bytes behind the end are for copying by chunks.
        let mut buffer = [0u8; ORDERED_BYTES_MAX + CHUNK];
        buffer[0] = 0x03;
        buffer[1] = (magnitude - MAGNITUDE_MIN) as u8;
        for slots in buffer[2..2 + pairs].rchunks_mut(PAIRS_IN_WORD) {
            // What a machine word holds at a time: dividing u128 is slow.
            let mut word = match u64::try_from(rest) {
                Ok(word) if word < WORD as u64 => word,
                _ => (rest % WORD) as u64,
            };
            rest = if rest < WORD { 0 } else { rest / WORD };
            for slot in slots.iter_mut().rev() {
                *slot = (word % 100) as u8 + 1;
                word /= 100;
            }
        }
        let bytes = 2 + pairs + 1;
        if self.negative {
            buffer[..bytes].iter_mut().for_each(|byte| *byte ^= 0xff);
            buffer[0] = 0x01;
        }
        push_first(&buffer, bytes, out);
    }

    /// Reads back what [`Number::encode_ordered`] wrote, and what follows it. `None` if the bytes are not such a
    /// number in normal form.
    pub fn decode_ordered(bytes: &[u8]) -> Option<(Number, &[u8])> {
        let (&sign, rest) = bytes.split_first()?;
        let negative = match sign {
            0x02 => return Some((Number::ZERO, rest)),
            0x01 => true,
            0x03 => false,
            _ => return None,
        };
        let flip = if negative { 0xff } else { 0 };
        let (&magnitude_byte, mut rest) = rest.split_first()?;
        let magnitude = i32::from(magnitude_byte ^ flip) + MAGNITUDE_MIN;
        let mut coefficient: u128 = 0;
        let mut digits: u32 = 0;
        let (mut first, mut last) = (None, 0);
        loop {
            let (&byte, tail) = rest.split_first()?;
            rest = tail;
            match byte ^ flip {
                0 => break,
                pair @ 1..=100 if digits < DIGITS_MAX => {
                    last = pair - 1;
                    first.get_or_insert(last);
                    coefficient = coefficient * 100 + u128::from(last);
                    digits += 2;
                }
                _ => return None,
            }
        }
        // Normal form: the first pair holds the leading digit, the last pair is not "00".
        if first.is_none_or(|first| first < 10) || last == 0 {
            return None;
        }
        let mut exponent = magnitude + 1 - digits as i32;
        if last % 10 == 0 {
            coefficient /= 10;
            exponent += 1;
        }
        Some((Number { coefficient, exponent: exponent as i16, negative }, rest))
    }
}

/// The two digits of each number below a hundred.
const PAIR_TEXTS: [[u8; 2]; 100] = {
    let mut texts = [[0; 2]; 100];
    let mut pair = 0;
    while pair < texts.len() {
        texts[pair] = [b'0' + (pair / 10) as u8, b'0' + (pair % 10) as u8];
        pair += 1;
    }
    texts
};

/// Appends the canonical text of the number that `bytes` begin with, and gives what follows it. `None` where
/// [`Number::decode_ordered`] gives none.
pub fn write_ordered_text<'b>(bytes: &'b [u8], out: &mut Vec<u8>) -> Option<&'b [u8]> {
    const PAIRS_MAX: usize = DIGITS_MAX as usize / 2;
    let (&sign, rest) = bytes.split_first()?;
    let flip = match sign {
        0x02 => {
            out.push(b'0');
            return Some(rest);
        }
        0x01 => 0xff,
        0x03 => 0,
        _ => return None,
    };
    let (&magnitude_byte, rest) = rest.split_first()?;
    // With bytes behind the digits, so that these are copied by chunks.
    let mut digits = [0u8; 2 * PAIRS_MAX + CHUNK];
    let mut pairs = 0;
    let mut last = [0; 2];
    for &byte in rest.iter().take(PAIRS_MAX) {
        let Some(pair) = PAIR_TEXTS.get(usize::from((byte ^ flip).wrapping_sub(1))) else { break };
        last = *pair;
        digits[2 * pairs..2 * pairs + 2].copy_from_slice(pair);
        pairs += 1;
    }
    if pairs == 0 || rest.get(pairs) != Some(&flip) || digits[0] == b'0' || last == *b"00" {
        return None;
    }
    let count = 2 * pairs - usize::from(last[1] == b'0');
    let magnitude = i32::from(magnitude_byte ^ flip) + MAGNITUDE_MIN;
    push_decimal(flip != 0, (&digits, count), magnitude + 1, out);
    Some(&rest[pairs + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_golden_bytes() {
        let hex = |input: &str| {
            let mut out = Vec::new();
            Number::parse(input).unwrap().encode_ordered(&mut out);
            out.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(hex("0"), "02");
        assert_eq!(hex("1"), "03 82 0b 00");
        assert_eq!(hex("12.5"), "03 83 0d 33 00");
        assert_eq!(hex("-1"), "01 7d f4 ff");
        assert_eq!(hex("100"), "03 84 0b 00");
    }
}
