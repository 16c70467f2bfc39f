//! Numbers written as text: DynamoDB's canonical form.

use std::fmt;

use super::{DIGITS_MAX, Number};
use crate::short::push_first;

impl Number {
    /// Appends the canonical text; what `Display` writes, without a formatter.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        let mut buffer = [0u8; DIGITS_MAX as usize];
        let digits = write_digits(self.coefficient, &mut buffer);
        let point = i32::from(self.exponent) + digits.len() as i32;
        push_decimal(self.negative, (digits, digits.len()), point, out);
    }
}

/// Appends a decimal of the first so many `digits`, of which `point` stand before its point.
pub(super) fn push_decimal(negative: bool, (digits, count): (&[u8], usize), point: i32, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let before = usize::try_from(point).unwrap_or(0);
    if before == 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + point.unsigned_abs() as usize, b'0');
        push_first(digits, count, out);
    } else if before >= count {
        push_first(digits, count, out);
        if before > count {
            out.resize(out.len() + before - count, b'0');
        }
    } else {
        push_first(digits, before, out);
        out.push(b'.');
        push_first(&digits[before..], count - before, out);
    }
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
