//! DynamoDB's number: a decimal of up to 38 significant digits.
//!
//! A number is `± coefficient × 10^exponent` in one normal form: the coefficient has no trailing zero, zero is
//! `+0 × 10^0`. So equal numbers are equal field by field, however they were written, and the canonical text is a
//! function of the value: a plain decimal without exponent, without leading or trailing zeros.
//!
//! The magnitude (the power of ten of the leading digit) lies between −130 and 125.
//!
//! Stored and compared as bytes, a number is `sign · magnitude · digits in base 100 · end`, each byte complemented
//! for negative numbers, so that the order of the bytes is the order of the numbers and the end of a number is seen
//! without a length:
//!
//! ```text
//! 0       02
//! 1       03 82 0b 00        digits "10", one byte 10 + 1
//! 12.5    03 83 0d 33 00     digits "12" "50"
//! -1      01 7d f4 ff
//! ```
//!
//! Source: AWS, *Developer guide: Naming rules and data types, Number*.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Most significant digits a number may have.
pub const DIGITS_MAX: u32 = 38;
/// Power of ten of the leading digit of the largest numbers, `9.99…E+125`.
pub const MAGNITUDE_MAX: i32 = 125;
/// Power of ten of the leading digit of the smallest numbers, `1E-130`.
pub const MAGNITUDE_MIN: i32 = -130;

const TEN_POW_38: u128 = 10u128.pow(DIGITS_MAX);
/// Longest ordered encoding: sign, magnitude, 19 pairs of digits, end.
pub const ORDERED_BYTES_MAX: usize = 2 + 19 + 1;

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
    /// Closer to zero than `1E-130`, and not zero.
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number { coefficient: 0, exponent: 0, negative: false };

    /// Reads a decimal: optional sign, digits with an optional point, optional exponent; nothing else, no spaces.
    ///
    /// # Errors
    /// [`NumberError`], in DynamoDB's order: not a number, overflow, underflow, too many digits.
    pub fn parse(text: &str) -> Result<Number, NumberError> {
        let bytes = text.as_bytes();
        if let Some(number) = parse_short(bytes) {
            return Ok(number);
        }
        let not_numeric = || NumberError::NotNumeric(text.to_owned());
        let (negative, mut rest) = match bytes.first() {
            Some(b'-') => (true, &bytes[1..]),
            Some(b'+') => (false, &bytes[1..]),
            _ => (false, bytes),
        };
        let mut digits = DigitReader::default();
        let mut any_digit = false;
        let mut point_seen = false;
        while let Some((&byte, tail)) = rest.split_first() {
            match byte {
                b'0'..=b'9' => {
                    any_digit = true;
                    digits.push(byte - b'0', point_seen);
                }
                b'.' if !point_seen => point_seen = true,
                b'e' | b'E' => break,
                _ => return Err(not_numeric()),
            }
            rest = tail;
        }
        if !any_digit {
            return Err(not_numeric());
        }
        let exponent_written = match rest.split_first() {
            None => 0,
            Some((_, tail)) => parse_exponent(tail).ok_or_else(not_numeric)?,
        };
        digits.finish(negative, exponent_written)
    }

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

    /// Bytes of a number as billed: 1, plus one for each pair of significant digits before the point and after it (an
    /// odd one counts as a pair), plus 1 for a minus. Zero is one byte; 21 at most.
    ///
    /// Source: observed to the byte at the 400 KB limit (paritysuite, eu-west-2, 2026-08-18); the developer guide's "one
    /// byte for each two significant digits plus one" is an approximation.
    pub fn billed_bytes(&self) -> usize {
        if self.is_zero() {
            return 1;
        }
        let digits = digit_count(self.coefficient);
        let behind_point = if self.exponent < 0 { digits.min(u32::from(self.exponent.unsigned_abs())) } else { 0 };
        let pairs = (digits - behind_point).div_ceil(2) + behind_point.div_ceil(2);
        (pairs as usize + 1 + usize::from(self.negative)).min(21)
    }

    /// Appends the bytes whose order is the order of numbers; self-delimiting.
    pub fn encode_ordered(&self, out: &mut Vec<u8>) {
        if self.is_zero() {
            out.push(0x02);
            return;
        }
        let mut buffer = [0u8; 20];
        let digits = digit_count(self.coefficient);
        let mut rest = if digits % 2 == 1 { self.coefficient_times_ten() } else { Wide::from(self.coefficient) };
        let pairs = digits.div_ceil(2) as usize;
        for slot in buffer[..pairs].iter_mut().rev() {
            *slot = rest.pop_pair() + 1;
        }
        let flip = if self.negative { 0xff } else { 0 };
        let magnitude_byte = (self.magnitude() - MAGNITUDE_MIN) as u8;
        out.push(if self.negative { 0x01 } else { 0x03 });
        out.push(magnitude_byte ^ flip);
        out.extend(buffer[..=pairs].iter().map(|byte| byte ^ flip));
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
        loop {
            let (&byte, tail) = rest.split_first()?;
            rest = tail;
            match byte ^ flip {
                0 => break,
                pair @ 1..=100 if digits < DIGITS_MAX => {
                    coefficient = coefficient * 100 + u128::from(pair - 1);
                    digits += 2;
                }
                _ => return None,
            }
        }
        // Normal form: the first pair holds the leading digit, the last pair is not "00".
        if digits == 0 || digit_count(coefficient) != digits || coefficient.is_multiple_of(100) {
            return None;
        }
        let mut exponent = magnitude + 1 - digits as i32;
        if coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        Some((Number { coefficient, exponent: exponent as i16, negative }, rest))
    }

    /// Appends the canonical text; what `Display` writes, without a formatter.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let mut buffer = [0u8; DIGITS_MAX as usize];
        let digits = write_digits(self.coefficient, &mut buffer);
        let point = i32::from(self.exponent) + digits.len() as i32;
        if point <= 0 {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + point.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits);
        } else if (point as usize) >= digits.len() {
            out.extend_from_slice(digits);
            out.resize(out.len() + point as usize - digits.len(), b'0');
        } else {
            let (whole, fraction) = digits.split_at(point as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
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

    fn coefficient_times_ten(&self) -> Wide {
        Wide::scaled(self.coefficient, 1)
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

impl std::str::FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Number::parse(text)
    }
}

/// The usual case in a few steps: up to 18 digits, at most one point, no exponent, no plus. `None` means only that the
/// text is not of this kind.
fn parse_short(bytes: &[u8]) -> Option<Number> {
    const DIGITS_IN_WORD: usize = 18;
    let negative = bytes.first() == Some(&b'-');
    let rest = &bytes[usize::from(negative)..];
    if rest.len() > DIGITS_IN_WORD {
        return None;
    }
    let mut value = 0u64;
    let mut point = None;
    for (position, &byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(position),
            _ => return None,
        }
    }
    let digits = rest.len() - usize::from(point.is_some());
    if digits == 0 {
        return None;
    }
    if value == 0 {
        return Some(Number::ZERO);
    }
    let mut exponent = point.map_or(0, |point| point as i16 + 1 - rest.len() as i16);
    while value.is_multiple_of(10) {
        value /= 10;
        exponent += 1;
    }
    Some(Number { coefficient: u128::from(value), exponent, negative })
}

/// Collects digits from left to right without ever holding more than 38 significant ones.
#[derive(Default)]
struct DigitReader {
    coefficient: u128,
    /// Significant digits in `coefficient`.
    taken: u32,
    /// Zeros seen after the last digit taken: significant only if another digit follows.
    zeros: u32,
    /// Digits seen after the point, zeros included.
    fraction: i64,
    /// A non-zero digit came after the 38th place.
    too_many: bool,
    /// Power of ten of the leading digit counted from the first digit taken: digits taken or passed since.
    length: i64,
}

impl DigitReader {
    fn push(&mut self, digit: u8, after_point: bool) {
        self.fraction += i64::from(after_point);
        if self.taken == 0 && digit == 0 {
            return;
        }
        self.length += 1;
        if digit == 0 {
            self.zeros += 1;
            return;
        }
        if self.taken + self.zeros + 1 > DIGITS_MAX {
            self.too_many = true;
            return;
        }
        self.coefficient = self.coefficient * 10u128.pow(self.zeros + 1) + u128::from(digit);
        self.taken += self.zeros + 1;
        self.zeros = 0;
    }

    fn finish(self, negative: bool, exponent_written: i64) -> Result<Number, NumberError> {
        // Zero is held to the range by the exponent it is written with (observed October 2026).
        let last_place = exponent_written.saturating_sub(self.fraction);
        let magnitude = last_place.saturating_add(self.length.max(1) - 1);
        if magnitude > i64::from(MAGNITUDE_MAX) {
            return Err(NumberError::Overflow);
        }
        if magnitude < i64::from(MAGNITUDE_MIN) {
            return Err(NumberError::Underflow);
        }
        if self.too_many {
            return Err(NumberError::TooManyDigits);
        }
        if self.coefficient == 0 {
            return Ok(Number::ZERO);
        }
        let exponent = (last_place + i64::from(self.zeros)) as i16;
        Ok(Number { coefficient: self.coefficient, exponent, negative })
    }
}

/// A sum on its way: `upper × 10^38 + lower`, with `lower` below 10^38.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wide {
    upper: u128,
    lower: u128,
}

impl From<u128> for Wide {
    fn from(lower: u128) -> Self {
        Wide { upper: 0, lower }
    }
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

    fn pop_pair(&mut self) -> u8 {
        if self.upper == 0 {
            let pair = (self.lower % 100) as u8;
            self.lower /= 100;
            return pair;
        }
        let ones = self.pop_digit();
        self.pop_digit() * 10 + ones
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

/// Decimal digits of a number; 1 for zero.
fn digit_count(coefficient: u128) -> u32 {
    match u64::try_from(coefficient) {
        Ok(small) => small.checked_ilog10().unwrap_or(0) + 1,
        Err(_) => coefficient.ilog10() + 1,
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

/// The digits after `e`. An exponent past 64 bits makes the text no number at all (observed October 2026).
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &str) -> String {
        match Number::parse(input) {
            Ok(number) => number.to_string(),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn canonical_texts() {
        let nines = "9".repeat(38);
        for (input, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("0e125", "0"),
            ("0.000", "0"),
            ("00042", "42"),
            ("+1.50", "1.5"),
            ("1.5E2", "150"),
            ("100", "100"),
            ("1e2", "100"),
            ("-.00001", "-0.00001"),
            ("5.", "5"),
            ("123.456e-5", "0.00123456"),
            (nines.as_str(), nines.as_str()),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
            ("10000000000000000000", "10000000000000000000"),
            ("1.0000000000000000000000000000000000000000000", "1"),
            ("100000000000000000000000000000", "100000000000000000000000000000"),
            ("123456789012345678901", "123456789012345678901"),
            ("-12.50", "-12.5"),
            ("-0.0", "0"),
        ] {
            assert_eq!(text(input), expected, "{input}");
        }
        assert_eq!(text("9.9999999999999999999999999999999999999E+125").len(), 126);
        assert_eq!(text("1E-130").len(), 132);
    }

    #[test]
    fn refusals() {
        let wrong = |text: &str| format!("! The parameter cannot be converted to a numeric value: {text}");
        assert_eq!(text(""), "! The parameter cannot be converted to a numeric value");
        for input in ["abc", " 1", "1 ", "1e", "e5", ".", "-", "--1", "1.2.3", "0x10", "1e+", "NaN", "Infinity", "1_0"]
        {
            assert_eq!(text(input), wrong(input));
        }
        assert_eq!(text(&"1".repeat(39)), "! Attempting to store more than 38 significant digits in a Number");
        let overflow = "! Number overflow. Attempting to store a number with magnitude larger than supported range";
        let underflow = "! Number underflow. Attempting to store a number with magnitude smaller than supported range";
        assert_eq!(text("1e126"), overflow);
        assert_eq!(text("-1e126"), overflow);
        assert_eq!(text("1e99999999999"), overflow);
        assert_eq!(text("0e126"), overflow);
        assert_eq!(text("0e-131"), underflow);
        assert_eq!(text("1e9223372036854775808"), wrong("1e9223372036854775808"));
        assert_eq!(text("1e-131"), underflow);
        assert_eq!(text("-1e-99999999999"), underflow);
    }

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
