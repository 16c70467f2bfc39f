//! One point in hybrid time: milliseconds, then a counter within the millisecond.

use std::fmt;
use std::str::FromStr;

/// Bits of the counter within one millisecond.
pub const LOGICAL_BITS: u32 = 16;

/// The largest physical part: 2^48 − 1 ms after the Unix epoch, in the year 10889.
pub const PHYSICAL_MS_MAX: u64 = (1 << (u64::BITS - LOGICAL_BITS)) - 1;

/// A hybrid timestamp: 48 bits of milliseconds since the Unix epoch above 16 bits of logical counter.
///
/// The order of the numbers is the order of the timestamps, so the raw `u64` in big-endian bytes sorts right.
///
/// ```
/// use hlc::Timestamp;
/// let t = Timestamp::new(1_700_000_000_000, 7);
/// assert_eq!(t.physical_ms(), 1_700_000_000_000);
/// assert_eq!(t.logical(), 7);
/// assert_eq!(t.to_string(), "1700000000000.7");
/// assert!(t < t.next().unwrap());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The smallest timestamp; nothing is ever issued at it.
    pub const ZERO: Timestamp = Timestamp(0);
    /// The largest timestamp; nothing is ever issued at it either.
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// The timestamp with these parts.
    ///
    /// A physical part above [`PHYSICAL_MS_MAX`] gives [`Timestamp::MAX`], which no clock can issue: an absurd
    /// wall clock leads to an error at the clock and never to a wrapped, small timestamp.
    pub const fn new(physical_ms: u64, logical: u16) -> Timestamp {
        if physical_ms > PHYSICAL_MS_MAX {
            return Timestamp::MAX;
        }
        Timestamp(physical_ms << LOGICAL_BITS | logical as u64)
    }

    /// Milliseconds since the Unix epoch, 0 to [`PHYSICAL_MS_MAX`].
    pub const fn physical_ms(self) -> u64 {
        self.0 >> LOGICAL_BITS
    }

    /// The counter within the millisecond.
    pub const fn logical(self) -> u16 {
        self.0 as u16
    }

    /// The next larger timestamp, `None` after [`Timestamp::MAX`].
    ///
    /// A full counter borrows from the physical part: `5.65535` is followed by `6.0`.
    pub const fn next(self) -> Option<Timestamp> {
        match self.0.checked_add(1) {
            Some(raw) => Some(Timestamp(raw)),
            None => None,
        }
    }

    /// The next smaller timestamp, `None` before [`Timestamp::ZERO`].
    pub const fn previous(self) -> Option<Timestamp> {
        match self.0.checked_sub(1) {
            Some(raw) => Some(Timestamp(raw)),
            None => None,
        }
    }
}

/// Shows `milliseconds.counter`, both in decimal.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.physical_ms(), self.logical())
    }
}

/// A text that is not `milliseconds.counter` within range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a timestamp: expected milliseconds.counter")]
pub struct ParseTimestampError(String);

/// Reads what [`fmt::Display`] writes.
impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Timestamp, ParseTimestampError> {
        let refuse = || ParseTimestampError(text.to_owned());
        let (physical, logical) = text.split_once('.').ok_or_else(refuse)?;
        let physical_ms: u64 = physical.parse().map_err(|_| refuse())?;
        let logical: u16 = logical.parse().map_err(|_| refuse())?;
        if physical_ms > PHYSICAL_MS_MAX { Err(refuse()) } else { Ok(Timestamp::new(physical_ms, logical)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_counter_borrows_from_the_milliseconds() {
        assert_eq!(Timestamp::new(5, u16::MAX).next(), Some(Timestamp::new(6, 0)));
        assert_eq!(Timestamp::new(6, 0).previous(), Some(Timestamp::new(5, u16::MAX)));
        assert_eq!(Timestamp::MAX.next(), None);
        assert_eq!(Timestamp::ZERO.previous(), None);
    }

    #[test]
    fn an_absurd_physical_part_gives_the_timestamp_that_is_never_issued() {
        assert_eq!(Timestamp::new(PHYSICAL_MS_MAX, u16::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::new(PHYSICAL_MS_MAX + 1, 0), Timestamp::MAX);
        assert_eq!(Timestamp::new(u64::MAX, 3), Timestamp::MAX);
    }

    #[test]
    fn text_that_is_no_timestamp_is_refused() {
        for text in ["", "1", "1.", ".1", "1.65536", "281474976710656.0", "-1.0", "1.2.3", "a.b"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert_eq!("281474976710655.65535".parse(), Ok(Timestamp::MAX));
    }
}
