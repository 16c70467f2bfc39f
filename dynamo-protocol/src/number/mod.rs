//! DynamoDB's number: a decimal of up to 38 significant digits.
//!
//! A number is `± coefficient × 10^exponent` in one normal form: the coefficient has no trailing zero, zero is
//! `+0 × 10^0`. So equal numbers are equal field by field, however they were written, and the canonical text is a
//! function of the value: a plain decimal without exponent, without leading or trailing zeros.
//!
//! The magnitude (the power of ten of the leading digit) lies between −130 and 125.
//!
//! Source: AWS, *Developer guide: Naming rules and data types, Number*.

mod ordered;
mod parse;
mod text;
mod wide;

pub(crate) use ordered::push_ordered_text;
pub use ordered::{ORDERED_BYTES_MAX, write_ordered_text};
pub use parse::is_scaled_in_32_bits;
pub use text::TEXT_ROOM;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// Most significant digits a number may have.
pub const DIGITS_MAX: u32 = 38;
/// Power of ten of the leading digit of the largest numbers, `9.99…E+125`.
pub const MAGNITUDE_MAX: i32 = 125;
/// Power of ten of the leading digit of the smallest numbers, `1E-130`.
pub const MAGNITUDE_MIN: i32 = -130;

/// A decimal number in normal form; small and `Copy`.
///
/// Packed to 24 bytes, since it decides the size of every attribute value in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, packed(8))]
pub struct Number {
    /// Below 10^38, not a multiple of ten unless zero.
    coefficient: u128,
    /// Power of ten of the coefficient's last digit; 0 for zero.
    exponent: i16,
    /// Never set for zero.
    negative: bool,
}

/// Why a text or a result is not a number DynamoDB stores; `Display` is DynamoDB's own message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is not a number at all.
    #[error("The parameter cannot be converted to a numeric value{}{}", if .0.is_empty() { "" } else { ": " }, .0)]
    NotNumeric(String),
    /// More than 38 significant digits.
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooManyDigits,
    /// Larger than `9.99…E+125`, on either side of zero.
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    Overflow,
    /// Larger still: with 2^31 digits before the point, more than 32-bit arithmetic can count.
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    OverflowOf32Bits,
    /// Closer to zero than `1E-130`, and not zero.
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number { coefficient: 0, exponent: 0, negative: false };

    /// The number of a signed integer.
    pub fn from_i64(value: i64) -> Number {
        Number::from_parts(value < 0, u128::from(value.unsigned_abs()))
    }

    /// The number of an unsigned integer.
    pub fn from_u64(value: u64) -> Number {
        Number::from_parts(false, u128::from(value))
    }

    /// The integer this number is, if it is one and fits.
    pub fn to_u64(&self) -> Option<u64> {
        if self.negative || self.exponent < 0 || self.exponent > 19 {
            return None;
        }
        let scaled = self.coefficient.checked_mul(10u128.pow(self.exponent as u32))?;
        u64::try_from(scaled).ok()
    }

    /// The integer this number is, if it is one and fits.
    pub fn to_i64(&self) -> Option<i64> {
        if self.exponent < 0 || self.exponent > 18 {
            return None;
        }
        let scaled = i128::try_from(self.coefficient.checked_mul(10u128.pow(self.exponent as u32))?).ok()?;
        i64::try_from(if self.negative { -scaled } else { scaled }).ok()
    }

    /// The largest integer that is not above this number times `10^power`; `None` where the number is negative or the
    /// integer does not fit. No text and no wide arithmetic, whatever the exponent.
    pub fn scaled_floor(&self, power: u8) -> Option<u64> {
        let exponent = i32::from(self.exponent) + i32::from(power);
        let scale = |exponent: u32| 10u128.checked_pow(exponent);
        match exponent {
            _ if self.negative => None,
            0.. => u64::try_from(self.coefficient.checked_mul(scale(exponent.unsigned_abs())?)?).ok(),
            // What ten to this power does not fit in is larger than every coefficient.
            _ => scale(exponent.unsigned_abs()).map_or(Some(0), |scale| u64::try_from(self.coefficient / scale).ok()),
        }
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        self.coefficient == 0
    }

    /// Whether this is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The same number on the other side of zero.
    #[must_use]
    pub fn negate(&self) -> Number {
        Number { negative: !self.negative && self.coefficient != 0, ..*self }
    }

    /// Bytes of a number as billed: 1, plus one for each pair of significant digits before the point and after it (an
    /// odd one counts as a pair), plus 1 for a minus. Zero is one byte; 21 at most.
    ///
    /// Source: observed to the byte at the 400 KB limit (paritysuite, eu-west-2, 2026-08-18); the developer guide's "one
    /// byte for each two significant digits plus one" is an approximation.
    pub fn billed_bytes(&self) -> usize {
        if self.is_zero() {
            return 1;
        }
        billed_bytes(self.negative, digit_count(self.coefficient), i32::from(self.exponent))
    }

    /// Power of ten of the leading digit; 0 for zero.
    fn magnitude(&self) -> i32 {
        if self.is_zero() { 0 } else { i32::from(self.exponent) + digit_count(self.coefficient) as i32 - 1 }
    }

    /// A number from an integer coefficient of at most 38 digits.
    fn from_parts(negative: bool, mut coefficient: u128) -> Number {
        let mut exponent = 0;
        if coefficient == 0 {
            return Number::ZERO;
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        Number { coefficient, exponent, negative }
    }
}

impl Default for Number {
    fn default() -> Self {
        Number::ZERO
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Number| match (number.is_zero(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let by_size = self.magnitude().cmp(&other.magnitude()).then_with(|| {
                // Equal magnitude: align the last digits; the difference of exponents is below 38.
                let (left, right) = (self.coefficient, other.coefficient);
                let shift = i32::from(self.exponent) - i32::from(other.exponent);
                if shift >= 0 {
                    (left * 10u128.pow(shift as u32)).cmp(&right)
                } else {
                    left.cmp(&(right * 10u128.pow(shift.unsigned_abs())))
                }
            });
            if self.negative { by_size.reverse() } else { by_size }
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Number { coefficient, exponent, negative } = *self;
        (coefficient, exponent, negative).hash(state);
    }
}

impl std::str::FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Number::parse(text)
    }
}

/// As [`Number::billed_bytes`], of a number other than zero with so many digits, the last of which has this power of ten.
#[inline]
fn billed_bytes(negative: bool, digits: u32, exponent: i32) -> usize {
    let behind_point = if exponent < 0 { digits.min(exponent.unsigned_abs()) } else { 0 };
    let pairs = (digits - behind_point).div_ceil(2) + behind_point.div_ceil(2);
    (pairs as usize + 1 + usize::from(negative)).min(21)
}

/// Decimal digits of a number; 1 for zero.
fn digit_count(coefficient: u128) -> u32 {
    match u64::try_from(coefficient) {
        Ok(small) => small.checked_ilog10().unwrap_or(0) + 1,
        Err(_) => coefficient.ilog10() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A word for the digits' exponent and sign, two for the digits: attribute values stay at 32 bytes.
    const _: () = assert!(size_of::<Number>() == 24);
    const _: () = assert!(size_of::<crate::value::AttributeValue>() == 32);

    #[test]
    fn scaled_floors() {
        for (input, power, floor) in [
            ("0", 3, Some(0)),
            ("1700000000.5", 3, Some(1_700_000_000_500)),
            ("1.7e9", 3, Some(1_700_000_000_000)),
            ("1.0009", 3, Some(1_000)),
            ("0.9999", 0, Some(0)),
            ("18446744073709551615", 0, Some(u64::MAX)),
            ("18446744073709551615.9", 0, Some(u64::MAX)),
            ("18446744073709551616", 0, None),
            ("99999999999999999999999999999999999999", 3, None),
            ("9.9E125", 3, None),
            ("1E-130", 3, Some(0)),
            ("-1", 3, None),
            ("-1E-130", 3, None),
        ] {
            assert_eq!(Number::parse(input).unwrap().scaled_floor(power), floor, "{input}");
        }
    }

    #[test]
    fn billed_sizes() {
        for (input, bytes) in [
            ("0", 1),
            ("1", 2),
            ("12", 2),
            ("123", 3),
            ("1234", 3),
            ("12345678901234567890123456789012345678", 20),
            ("0042", 2),
            ("100", 2),
            ("1010", 3),
            ("0.0000001", 2),
            ("1E125", 2),
            ("1E-100", 2),
            ("1.5", 3),
            ("15", 2),
            ("1.200", 3),
            ("1.234", 4),
            ("3.14159", 5),
            ("123456", 4),
            ("-1", 3),
            ("-1.5", 4),
            ("100.5", 4),
            ("110", 2),
        ] {
            assert_eq!(Number::parse(input).unwrap().billed_bytes(), bytes, "{input}");
        }
    }
}
