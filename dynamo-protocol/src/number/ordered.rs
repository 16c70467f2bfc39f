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

use std::num::NonZeroUsize;

use super::text::{DIGITS_ROOM, TEXT_ROOM, write_decimal, write_short};
use super::{DIGITS_MAX, MAGNITUDE_MIN, Number, billed_bytes, digit_count};
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

/// Appends the ordered bytes of the decimal that the first `length` of `bytes` are, without a [`Number`] between; its size as
/// billed. Takes what most numbers are: up to sixteen digits and a point, perhaps a minus before them, no exponent. `None`
/// means only that the text is not of this kind; nothing is appended then.
///
/// All digits lie in one word, the first one lowest:
///
/// ```text
/// 0012.50    00 00 01 02 . 05 00     the point goes, what stands behind it moves up
///            00 00 01 02 05 00       zeros at either end are no bytes of it
///            01 02 05                two in each sixteen bits are a pair, 12 and 50
/// ```
#[inline]
pub(crate) fn push_ordered_text(bytes: &[u8], length: usize, out: &mut Vec<u8>) -> Option<usize> {
    let negative = bytes[..length].first() == Some(&b'-');
    let (text, length) = (&bytes[usize::from(negative)..], length - usize::from(negative));
    if length == 0 || length > CHUNK {
        return None;
    }
    let mut chunk = [0; CHUNK];
    match text.first_chunk() {
        Some(first) => chunk = *first,
        None => chunk[..length].copy_from_slice(&text[..length]),
    }
    let zeros = u128::from_le_bytes([b'0'; CHUNK]);
    // Digits are bytes below ten now, and so is what follows the text.
    let mut digits = (u128::from_le_bytes(chunk) ^ zeros) & u128::MAX >> (u128::BITS - 8 * length as u32);
    let mut before_point = length as u32;
    let others = no_digits(digits);
    if others != 0 {
        before_point = others.trailing_zeros() / 8;
        let before = (1 << (8 * before_point)) - 1;
        digits = (digits & before) | (digits >> 8 & !before);
        if chunk[before_point as usize] != b'.' || length == 1 || no_digits(digits) != 0 {
            return None;
        }
    }
    if digits == 0 {
        out.push(0x02);
        return Some(1);
    }
    let leading = digits.trailing_zeros() / 8;
    digits >>= 8 * leading;
    let count = CHUNK as u32 - digits.leading_zeros() / 8;
    let point = before_point as i32 - leading as i32;
    let pairs = count.div_ceil(2);
    let of_digits = u64::from(four_pairs(digits as u64)) | u64::from(four_pairs((digits >> 64) as u64)) << 32;
    // No pair is a zero byte: that is the end.
    let pair_bytes = of_digits + ((u64::MAX / 0xff) >> (u64::BITS - 8 * pairs));
    let flip = if negative { u128::MAX << 8 } else { 0 };
    let magnitude = (point - 1 - MAGNITUDE_MIN) as u8;
    let sign = if negative { 0x01 } else { 0x03 };
    let word = (sign | u128::from(magnitude) << 8 | u128::from(pair_bytes) << 16) ^ flip;
    push_first(&word.to_le_bytes(), 2 + pairs as usize + 1, out);
    Some(billed_bytes(negative, count, point - count as i32))
}

/// The highest bit of each byte that is not below ten.
#[inline]
fn no_digits(word: u128) -> u128 {
    const LOW: u128 = u128::MAX / 0xff;
    const HIGH: u128 = LOW << 7;
    (word | ((word & !HIGH) + LOW * (0x80 - 10))) & HIGH
}

/// The pairs of these eight digits, the first one lowest.
#[inline]
fn four_pairs(digits: u64) -> u32 {
    let lanes = (digits & 0x00ff_00ff_00ff_00ff) * 10 + (digits >> 8 & 0x00ff_00ff_00ff_00ff);
    let halves = (lanes | lanes >> 8) & 0x0000_ffff_0000_ffff;
    (halves | halves >> 16) as u32
}

/// Writes the canonical text of the number that `bytes` begin with; gives its length, and that of the number in `bytes`:
/// two words, which a call gives back in registers. `None` where [`Number::decode_ordered`] gives none.
#[inline]
pub fn write_ordered_text(bytes: &[u8], out: &mut [u8; TEXT_ROOM]) -> Option<(NonZeroUsize, usize)> {
    // Most have no more than eight pairs of digits, and something behind them.
    if let [sign @ (1 | 3), magnitude, rest @ ..] = bytes
        && let Some(eight) = rest.first_chunk()
    {
        let flip = if *sign == 1 { 0xff } else { 0 };
        let (texts, pairs, ends) = eight_pairs(eight, flip)?;
        if pairs > 0 && (ends || rest.get(pairs) == Some(&flip)) {
            let count = normal_length(&texts, pairs)?;
            let point = i32::from(magnitude ^ flip) + MAGNITUDE_MIN + 1;
            return Some((NonZeroUsize::new(write_short(flip != 0, (texts, count), point, out))?, pairs + 3));
        }
    }
    write_any(bytes, out)
}

fn write_any(bytes: &[u8], out: &mut [u8; TEXT_ROOM]) -> Option<(NonZeroUsize, usize)> {
    const PAIRS_MAX: usize = DIGITS_MAX as usize / 2;
    let (&sign, rest) = bytes.split_first()?;
    let flip = match sign {
        0x02 => {
            out[0] = b'0';
            return Some((NonZeroUsize::MIN, 1));
        }
        0x01 => 0xff,
        0x03 => 0,
        _ => return None,
    };
    let (&magnitude, rest) = rest.split_first()?;
    let mut digits = [b'0'; DIGITS_ROOM];
    let mut pairs = 0;
    for texts in digits.as_chunks_mut().0.iter_mut().take(PAIRS_MAX.div_ceil(8)) {
        // Where fewer bytes are left, ends are put behind them.
        let mut eight = [flip; 8];
        let bytes = rest[pairs..].iter().take(8);
        bytes.zip(&mut eight).for_each(|(byte, of_eight)| *of_eight = *byte);
        let (of_eight, count, ends) = eight_pairs(&eight, flip)?;
        *texts = of_eight;
        pairs += count;
        if ends {
            break;
        }
    }
    if pairs > PAIRS_MAX || rest.get(pairs) != Some(&flip) {
        return None;
    }
    let count = normal_length(&digits, pairs)?;
    let point = i32::from(magnitude ^ flip) + MAGNITUDE_MIN + 1;
    Some((NonZeroUsize::new(write_decimal(flip != 0, (&digits, count), point, out))?, pairs + 3))
}

/// The digits of at most eight pairs, how many they are, and whether the number ends behind them; zeros follow. `None` for
/// bytes that are no pairs.
#[inline]
fn eight_pairs(bytes: &[u8; 8], flip: u8) -> Option<([u8; CHUNK], usize, bool)> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = LOW << 7;
    let word = u64::from_le_bytes(*bytes) ^ (LOW * u64::from(flip));
    // The lowest byte of those that are marked is zero, the number's end.
    let ends = word.wrapping_sub(LOW) & !word & HIGH;
    let count = ends.trailing_zeros() / 8;
    let behind = u64::MAX.checked_shl(8 * count).unwrap_or(0);
    let pairs = ((word & !behind) | (LOW & behind)) - LOW;
    if (pairs | pairs.wrapping_add(LOW * 28)) & HIGH != 0 {
        // A pair of a hundred and more.
        return None;
    }
    let texts = u128::from(four_texts(pairs as u32)) | u128::from(four_texts((pairs >> 32) as u32)) << 64;
    Some((texts.to_le_bytes(), count as usize, ends != 0))
}

/// The digits of four pairs, all at once: one in each sixteen bits.
#[inline]
fn four_texts(pairs: u32) -> u64 {
    const LANES: u64 = 0x0001_0001_0001_0001;
    let halves = (u64::from(pairs) | u64::from(pairs) << 16) & 0x0000_ffff_0000_ffff;
    let lanes = (halves | halves << 8) & (LANES * 0xff);
    // A tenth, for numbers so small; nothing gets into another lane.
    let tens = ((lanes * 103) >> 10) & (LANES * 0xf);
    let ones = lanes - tens * 10;
    (tens | ones << 8) + u64::from_le_bytes(*b"00000000")
}

/// How many of these digits count, where they are in normal form: the first is none of zero, and neither is the last pair.
#[inline]
fn normal_length(digits: &[u8], pairs: usize) -> Option<usize> {
    let [.., tens, ones] = digits.get(..2 * pairs)? else { return None };
    if digits[0] == b'0' || (*tens == b'0' && *ones == b'0') {
        return None;
    }
    Some(2 * pairs - usize::from(*ones == b'0'))
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

    /// A text goes straight to the bytes and the size that its number has, or is left alone.
    #[test]
    fn texts_to_bytes_as_by_way_of_a_number() {
        let straight = |text: &str, behind: &str| {
            let mut out = vec![7];
            let billed = push_ordered_text(format!("{text}{behind}").as_bytes(), text.len(), &mut out);
            if billed.is_none() {
                assert_eq!(out, [7], "{text}");
            }
            billed.map(|billed| (billed, out))
        };
        let by_number = |text: &str| {
            let number = Number::parse(text).ok()?;
            let mut out = vec![7];
            number.encode_ordered(&mut out);
            Some((number.billed_bytes(), out))
        };
        let mut taken = 0;
        // Every text of up to five of these, and longer ones around them.
        let letters = ["", "0", "1", "9", "50", ".", "-", "e", "\u{1f}"];
        for at in 0..letters.len().pow(5) {
            let parts: Vec<&str> = (0..5).map(|part| letters[at / letters.len().pow(part) % letters.len()]).collect();
            let text = parts.concat();
            for text in [text.clone(), format!("000{text}"), format!("1{text}00"), format!("12345678{text}9")] {
                for behind in ["", "\"}}", "99999999999999999999"] {
                    if let Some(straight) = straight(&text, behind) {
                        assert_eq!(Some(straight), by_number(&text), "{text}");
                        taken += 1;
                    } else if let Some(number) = by_number(&text) {
                        let is_long = text.trim_start_matches('-').len() > CHUNK;
                        assert!(is_long || text.contains('e') || text.contains('+'), "{text} {number:?}");
                    }
                }
            }
        }
        assert!(taken > 10_000, "{taken}");
    }
}
