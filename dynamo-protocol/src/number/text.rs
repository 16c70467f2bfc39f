//! Numbers written as text: DynamoDB's canonical form.

use std::fmt;

use super::{DIGITS_MAX, MAGNITUDE_MAX, MAGNITUDE_MIN, Number};
use crate::short::CHUNK;

/// Room for a number's text: its sign, a zero and a point, and all places.
pub const TEXT_ROOM: usize = 176;
const _: () = assert!(
    TEXT_ROOM >= 3 + (-MAGNITUDE_MIN) as usize + DIGITS_MAX as usize && TEXT_ROOM > MAGNITUDE_MAX as usize + 1,
    "the smallest and the largest number, with all digits, have room"
);

/// Room for the digits of a number: whole chunks.
pub(super) const DIGITS_ROOM: usize = 3 * CHUNK;
const _: () = assert!(DIGITS_ROOM >= DIGITS_MAX as usize);

impl Number {
    /// Appends the canonical text; what `Display` writes, without a formatter.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        let mut buffer = [0u8; DIGITS_MAX as usize];
        let written = write_digits(self.coefficient, &mut buffer);
        let (mut digits, count) = ([b'0'; DIGITS_ROOM], written.len());
        digits[..count].copy_from_slice(written);
        let mut text = [0; TEXT_ROOM];
        let length = write_decimal(self.negative, (&digits, count), i32::from(self.exponent) + count as i32, &mut text);
        out.extend_from_slice(&text[..length]);
    }
}

/// Writes a decimal of the first so many `digits`, at least one, of which `point` stand before its point; zeros follow them.
/// Gives the length of the text; what stands behind it is of no use.
pub(super) fn write_decimal(
    negative: bool,
    (digits, count): (&[u8; DIGITS_ROOM], usize),
    point: i32,
    out: &mut [u8; TEXT_ROOM],
) -> usize {
    let start = usize::from(negative);
    out[0] = b'-';
    let before = usize::try_from(point).unwrap_or(0);
    if before == 0 {
        let zeros = point.unsigned_abs() as usize;
        out[start..start + 2].copy_from_slice(b"0.");
        out[start + 2..start + 2 + zeros].fill(b'0');
        out[start + 2 + zeros..start + 2 + zeros + count].copy_from_slice(&digits[..count]);
        return start + 2 + zeros + count;
    }
    if before >= count {
        out[start..start + count].copy_from_slice(&digits[..count]);
        out[start + count..start + before].fill(b'0');
        return start + before;
    }
    out[start..start + before].copy_from_slice(&digits[..before]);
    out[start + before] = b'.';
    out[start + before + 1..start + count + 1].copy_from_slice(&digits[before..count]);
    start + count + 1
}

/// As [`write_decimal`], for a chunk of digits.
#[inline]
pub(super) fn write_short(
    negative: bool,
    (digits, count): ([u8; CHUNK], usize),
    point: i32,
    out: &mut [u8; TEXT_ROOM],
) -> usize {
    let Ok(before @ 1..CHUNK) = usize::try_from(point) else {
        let mut all = [b'0'; DIGITS_ROOM];
        all[..CHUNK].copy_from_slice(&digits);
        return write_decimal(negative, (&all, count), point, out);
    };
    let start = usize::from(negative);
    out[0] = b'-';
    out[start..start + CHUNK].copy_from_slice(&digits);
    if before >= count {
        return start + before;
    }
    let behind = u128::from_le_bytes(digits) >> (8 * before);
    out[start + before] = b'.';
    out[start + before + 1..start + before + 1 + CHUNK].copy_from_slice(&behind.to_le_bytes());
    start + count + 1
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(40);
        self.write_text(&mut text);
        f.write_str(std::str::from_utf8(&text).expect("digits, a point and a minus are ASCII"))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}

/// The digits of a coefficient as text.
fn write_digits(coefficient: u128, buffer: &mut [u8; DIGITS_MAX as usize]) -> &[u8] {
    const HALF: u128 = 10u128.pow(19);
    // In halves of 19 digits, which a machine word holds: dividing u128 is slow.
    let start = match u64::try_from(coefficient) {
        Ok(small) => write_word(small, buffer, DIGITS_MAX as usize, 1),
        Err(_) => {
            let middle = write_word((coefficient % HALF) as u64, buffer, DIGITS_MAX as usize, 19);
            write_word((coefficient / HALF) as u64, buffer, middle, 0)
        }
    };
    &buffer[start..]
}

/// Writes a word's digits so that they end at `end`, at least `least` of them; gives where they begin.
fn write_word(mut word: u64, buffer: &mut [u8], end: usize, least: usize) -> usize {
    let mut start = end;
    while word != 0 || end - start < least {
        start -= 1;
        buffer[start] = b'0' + (word % 10) as u8;
        word /= 10;
    }
    start
}
