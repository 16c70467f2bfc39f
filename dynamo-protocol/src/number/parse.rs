//! Numbers read from text.

use super::{DIGITS_MAX, MAGNITUDE_MAX, MAGNITUDE_MIN, Number, NumberError};

impl Number {
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
        if magnitude >= i64::from(i32::MAX) && last_place <= i64::from(i32::MAX) {
            return Err(NumberError::OverflowOf32Bits);
        }
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

/// Whether the text's exponent, and its power of ten, are counted in 32 bits: PartiQL takes nothing else for a number
/// (paritysuite/dynamodb-conformance, October 2026).
pub fn is_scaled_in_32_bits(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return true };
    let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i64);
    let in_32_bits = |number: i64| i32::try_from(number).is_ok();
    parse_exponent(exponent.as_bytes()).is_some_and(|exponent| in_32_bits(exponent) && in_32_bits(fraction - exponent))
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
    fn powers_of_ten_in_32_bits() {
        for text in ["", "x", "1", "1.5", "1e2147483647", "1.5e-2147483646", "1e+5"] {
            assert!(is_scaled_in_32_bits(text), "{text}");
        }
        for text in ["1e2147483648", "1e-2147483648", "1.5e-2147483647", "1e99999999999", "1e999999999999999999999"] {
            assert!(!is_scaled_in_32_bits(text), "{text}");
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
        for (input, wraps) in
            [("1e2147483646", false), ("10e2147483646", true), ("1e2147483647", true), ("1e2147483648", false)]
        {
            assert_eq!(text(input), overflow);
            assert_eq!(Number::parse(input) == Err(NumberError::OverflowOf32Bits), wraps, "{input}");
        }
        assert_eq!(text("0e126"), overflow);
        assert_eq!(text("0e-131"), underflow);
        assert_eq!(text("1e9223372036854775808"), wrong("1e9223372036854775808"));
        assert_eq!(text("1e-131"), underflow);
        assert_eq!(text("-1e-99999999999"), underflow);
    }
}
