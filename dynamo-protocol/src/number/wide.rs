//! Exact sums: two numbers aligned at their last digits, in up to 76 digits.

use super::{DIGITS_MAX, MAGNITUDE_MAX, MAGNITUDE_MIN, Number, NumberError, digit_count};

const TEN_POW_38: u128 = 10u128.pow(DIGITS_MAX);

impl Number {
    /// The exact sum.
    ///
    /// # Errors
    /// When the sum has more than 38 significant digits, or lies outside the range; it is never rounded.
    pub fn checked_add(&self, other: &Number) -> Result<Number, NumberError> {
        if self.is_zero() {
            return Ok(*other);
        }
        if other.is_zero() {
            return Ok(*self);
        }
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let shift = (i32::from(high.exponent) - i32::from(low.exponent)) as u32;
        let high_digits = digit_count(high.coefficient);
        // With 40 digits or more before the sum, its first digit stays above the 38th place counted from the last
        // digit of `low`, which is not zero: the exact sum cannot be held.
        if high_digits + shift > DIGITS_MAX + 1 {
            return Err(NumberError::TooManyDigits);
        }
        let high_wide = Wide::scaled(high.coefficient, shift);
        let low_wide = Wide { upper: 0, lower: low.coefficient };
        let (negative, sum) = if high.negative == low.negative {
            (high.negative, high_wide.add(low_wide))
        } else if high_wide >= low_wide {
            (high.negative, high_wide.subtract(low_wide))
        } else {
            (low.negative, low_wide.subtract(high_wide))
        };
        sum.into_number(negative, i32::from(low.exponent))
    }

    /// The exact difference.
    ///
    /// # Errors
    /// As [`Number::checked_add`].
    pub fn checked_sub(&self, other: &Number) -> Result<Number, NumberError> {
        self.checked_add(&other.negate())
    }
}

/// A sum on its way: `upper × 10^38 + lower`, with `lower` below 10^38.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wide {
    upper: u128,
    lower: u128,
}

impl Wide {
    /// `coefficient × 10^shift`, for shifts up to 38.
    fn scaled(coefficient: u128, shift: u32) -> Wide {
        debug_assert!(shift <= DIGITS_MAX);
        let split = 10u128.pow(DIGITS_MAX - shift);
        Wide { upper: coefficient / split, lower: coefficient % split * 10u128.pow(shift) }
    }

    fn add(self, other: Wide) -> Wide {
        let lower = self.lower + other.lower;
        Wide { upper: self.upper + other.upper + lower / TEN_POW_38, lower: lower % TEN_POW_38 }
    }

    /// `self - other`; `self` must not be the smaller one.
    fn subtract(self, other: Wide) -> Wide {
        debug_assert!(self >= other);
        if self.lower >= other.lower {
            Wide { upper: self.upper - other.upper, lower: self.lower - other.lower }
        } else {
            Wide { upper: self.upper - other.upper - 1, lower: self.lower + TEN_POW_38 - other.lower }
        }
    }

    fn pop_digit(&mut self) -> u8 {
        let digit = (self.lower % 10) as u8;
        self.lower = self.lower / 10 + self.upper % 10 * (TEN_POW_38 / 10);
        self.upper /= 10;
        digit
    }

    fn into_number(mut self, negative: bool, mut exponent: i32) -> Result<Number, NumberError> {
        if self.upper == 0 && self.lower == 0 {
            return Ok(Number::ZERO);
        }
        while self.lower.is_multiple_of(10) {
            self.pop_digit();
            exponent += 1;
        }
        if self.upper != 0 {
            return Err(NumberError::TooManyDigits);
        }
        let magnitude = exponent + digit_count(self.lower) as i32 - 1;
        if magnitude > MAGNITUDE_MAX {
            return Err(NumberError::Overflow);
        }
        if magnitude < MAGNITUDE_MIN {
            return Err(NumberError::Underflow);
        }
        Ok(Number { coefficient: self.lower, exponent: exponent as i16, negative })
    }
}
