//! What readers see of a lease, packed into one 64-bit word so that it changes in one step.
//!
//! ```text
//!   63              40 39                                    0
//!  ┌──────────────────┬───────────────────────────────────────┐
//!  │ generation (24)  │ deadline (40), in units of 2^20 ns    │
//!  └──────────────────┴───────────────────────────────────────┘
//! ```
//!
//! One unit is 1.05 ms, so 40 bits last 36 years from the machine's boot. Deadlines are rounded down, readings too,
//! and a reading must be in an *earlier* unit than the deadline: what is lost, at most one unit, is lost on the safe
//! side.
//!
//! The generation makes revocation stick. A renewal names the generation that it saw before it began; a revocation
//! counts it up. Both are one compare-and-swap on the same word, so there is no moment between "is it still the same
//! generation" and "store the deadline" into which a revocation could fall.
//!
//! 24 bits wrap around. To be fooled, a renewal would have to sleep through an exact multiple of 16,777,216
//! revocations, each of which follows a vote made durable or a change of configuration: at 1,000 a second, one
//! renewal in flight for 4.6 hours that then wakes within the right millisecond.

use crate::moment::Moment;

/// Identifies the span between two revocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u32);

const DEADLINE_BITS: u32 = 40;
const GENERATION_BITS: u32 = u64::BITS - DEADLINE_BITS;
const UNIT_SHIFT: u32 = 20;
/// The deadline that stands for [`Moment::FOREVER`].
const FOREVER_UNITS: u64 = (1 << DEADLINE_BITS) - 1;

const _: () = assert!(
    (1u64 << UNIT_SHIFT) < crate::timing::MARGIN.as_nanos() as u64,
    "rounding must stay well below the margin, or short leases would vanish"
);

/// A lease as a value: generation and deadline. [`AtomicLease`](crate::AtomicLease) is a cell that holds one; use
/// this where state must be copied and compared, as in a model checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(u64);

impl Word {
    /// The first generation, without a deadline.
    pub const REVOKED: Word = Word(0);

    pub(crate) const fn from_bits(bits: u64) -> Word {
        Word(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Whether the lease holds at the moment that `now` gives. Strictly before the deadline; the clock is not read
    /// when the answer does not depend on it.
    #[inline]
    pub fn holds(self, now: impl FnOnce() -> Moment) -> bool {
        let deadline = self.deadline_units();
        deadline == FOREVER_UNITS || (deadline != 0 && now().as_nanos() >> UNIT_SHIFT < deadline)
    }

    /// The generation, to be captured before an operation that may end in a renewal.
    #[inline]
    pub fn generation(self) -> Generation {
        Generation((self.0 >> DEADLINE_BITS) as u32)
    }

    /// The deadline, rounded down to the unit.
    pub fn deadline(self) -> Moment {
        match self.deadline_units() {
            FOREVER_UNITS => Moment::FOREVER,
            units => Moment::from_nanos(units << UNIT_SHIFT),
        }
    }

    /// The word after a renewal up to `deadline`, `None` if the lease was revoked since `captured`. A renewal never
    /// shortens; an earlier deadline than the present one gives the same word.
    pub fn renewed(self, captured: Generation, deadline: Moment) -> Option<Word> {
        if self.generation() != captured {
            return None;
        }
        let units = if deadline == Moment::FOREVER {
            FOREVER_UNITS
        } else {
            (deadline.as_nanos() >> UNIT_SHIFT).min(FOREVER_UNITS - 1)
        };
        Some(Word((captured.0 as u64) << DEADLINE_BITS | units.max(self.deadline_units())))
    }

    /// The word after a revocation: the next generation, no deadline.
    pub fn revoked(self) -> Word {
        let next = (self.generation().0 + 1) & ((1 << GENERATION_BITS) - 1);
        Word((next as u64) << DEADLINE_BITS)
    }

    const fn deadline_units(self) -> u64 {
        self.0 & FOREVER_UNITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: u64 = 1 << UNIT_SHIFT;

    fn at(nanos: u64) -> Moment {
        Moment::from_nanos(nanos)
    }

    #[test]
    fn rounding_shortens_by_less_than_two_units_and_never_lengthens() {
        for deadline in [UNIT, 2 * UNIT - 1, 5 * UNIT + 1, 890_000_000] {
            let word = Word::REVOKED.renewed(Word::REVOKED.generation(), at(deadline)).unwrap();
            assert!(!word.holds(|| at(deadline)));
            assert!(!word.holds(|| at(deadline / UNIT * UNIT)));
            assert!(word.holds(|| at((deadline / UNIT - 1) * UNIT)));
        }
    }

    #[test]
    fn a_revoked_word_refuses_renewals_of_earlier_generations() {
        let start = Word::REVOKED;
        let captured = start.generation();
        let revoked = start.renewed(captured, at(9 * UNIT)).unwrap().revoked();
        assert!(!revoked.holds(|| at(0)));
        assert_eq!(revoked.renewed(captured, Moment::FOREVER), None);
        assert!(revoked.renewed(revoked.generation(), Moment::FOREVER).unwrap().holds(|| unreachable!()));
    }

    #[test]
    fn a_renewal_never_shortens() {
        let word = Word::REVOKED.renewed(Word::REVOKED.generation(), at(9 * UNIT)).unwrap();
        assert_eq!(word.renewed(word.generation(), at(5 * UNIT)), Some(word));
        assert_eq!(word.renewed(word.generation(), Moment::NEVER), Some(word));
    }

    #[test]
    fn a_far_deadline_is_not_forever_and_generations_wrap() {
        let word = Word::REVOKED.renewed(Word::REVOKED.generation(), at(u64::MAX - 1)).unwrap();
        assert_ne!(word.deadline(), Moment::FOREVER);
        let last = Word::from_bits(u64::MAX);
        assert_eq!(last.revoked(), Word::REVOKED);
    }
}
