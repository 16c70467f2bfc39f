//! A reading of a node's own steady clock.

use std::time::Duration;

/// Nanoseconds on a clock that never goes back, counts suspend, and starts at the machine's boot or later.
///
/// On Linux that is `CLOCK_BOOTTIME`. Readings of different nodes must never be compared with each other, and none
/// may be kept over a reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// Before every reading: as a deadline, "no lease".
    pub const NEVER: Moment = Moment(0);
    /// After every reading: as a deadline, "for as long as nothing revokes it".
    pub const FOREVER: Moment = Moment(u64::MAX);

    /// The reading of this many nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Moment {
        Moment(nanos)
    }

    /// The reading in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `span` later. [`Moment::FOREVER`] stays what it is, and no finite moment becomes it: a sum beyond
    /// the range ends one nanosecond short.
    pub const fn plus(self, span: Duration) -> Moment {
        if self.0 == u64::MAX {
            return self;
        }
        let nanos = span.as_nanos();
        let room = (u64::MAX - 1 - self.0) as u128;
        if nanos > room { Moment(u64::MAX - 1) } else { Moment(self.0 + nanos as u64) }
    }

    /// How long from `earlier` to here; zero when `earlier` is not earlier.
    pub const fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finite_moment_never_becomes_forever() {
        let late = Moment::from_nanos(u64::MAX - 5);
        assert_eq!(late.plus(Duration::from_nanos(4)), Moment::from_nanos(u64::MAX - 1));
        assert_eq!(late.plus(Duration::from_nanos(5)), Moment::from_nanos(u64::MAX - 1));
        assert_eq!(late.plus(Duration::MAX), Moment::from_nanos(u64::MAX - 1));
        assert_eq!(Moment::FOREVER.plus(Duration::from_secs(1)), Moment::FOREVER);
        assert_eq!(Moment::from_nanos(7).plus(Duration::from_nanos(3)), Moment::from_nanos(10));
    }
}
