//! The three lengths of a lease and why they are safe together.
//!
//! All are fractions of the *lease*, which is the (maximal) election timeout of the node that promises:
//!
//! ```text
//!   promise    1.0  x lease             what a grantor keeps to after accepting a message
//!   validity   0.8  x promise - 10 ms   what the holder counts on after sending the message so promised
//!   hold-off   1.11 x longest promise   what a restarted grantor waits before its first vote
//! ```
//!
//! **Drift.** A clock that runs at rate *r* measures a span *d* in *d / r* of true time. With every rate between
//! 1 − ε and 1 + ε, the validity lasts at most `0.8 lease / (1 − ε)` and the promise at least `lease / (1 + ε)` of true
//! time, so the validity ends first if `0.8 (1 + ε) ≤ 1 − ε`. That holds up to ε = 11.1 %; we state 11 %. Linux lets
//! whoever sets the clock slew it by up to ±10 % (`adjtimex` with ADJ_TICK) and 0.05 % more (ADJ_FREQUENCY), every clock
//! that counts suspend included; chrony slews by up to 8.3 % unless told otherwise (`maxslewrate`). What is left is for
//! the crystal and for virtual machines with a badly calibrated counter.
//!
//! **Agreement.** The lengths need not be equal on all nodes. A grantor says with each acknowledgement for how long it
//! promises, and the holder counts on 0.8 of *that*, at most of its own lease ([`Timing::validity_in`]). A grantor that
//! restarts with a shorter lease holds back for as long as the longest promise that it may have made
//! ([`Timing::hold_off_after`]).
//!
//! **Margin.** 10 ms off the validity for what is no rate: the rounding of the published word
//! ([`Word`](crate::Word), at most 1.05 ms, and to the safe side by itself), readings taken on different cores, and
//! a clock source switched by the kernel.
//!
//! **Hold-off.** A restarted grantor may have accepted a message just before it went down. The holder's validity, at
//! most `0.8 lease / (1 − ε)` long, must be over before the grantor's hold-off, at least `1.11 lease / (1 + ε)`.

use std::time::Duration;

/// By how much, in thousandths, the rate of a node's clock may differ from true time.
pub const RATE_ERROR_PERMILLE: u64 = 110;

/// The holder's validity in thousandths of the promise, before [`MARGIN`] is taken off.
pub const VALIDITY_PERMILLE: u64 = 800;

/// The hold-off of a restarted grantor in thousandths of the lease.
pub const HOLD_OFF_PERMILLE: u64 = 1_110;

/// What the holder gives away for errors that do not grow with the length of the lease.
pub const MARGIN: Duration = Duration::from_millis(10);

/// The shortest election timeout accepted: below it the margin eats up most of the lease.
pub const ELECTION_TIMEOUT_MIN: Duration = Duration::from_millis(50);

/// By how much, in thousandths, Linux lets a clock be slewed: 10 % by ticks, 0.05 % by frequency, rounded up.
pub const SLEW_MAX_PERMILLE: u64 = 101;

const FULL: u64 = 1_000;

const _: () = assert!(RATE_ERROR_PERMILLE > SLEW_MAX_PERMILLE, "a clock that is being set would be beyond the bound");

const _: () = assert!(
    VALIDITY_PERMILLE * (FULL + RATE_ERROR_PERMILLE) <= FULL * (FULL - RATE_ERROR_PERMILLE),
    "a slow holder would count on its lease for longer than a fast grantor promises"
);
const _: () = assert!(
    VALIDITY_PERMILLE * (FULL + RATE_ERROR_PERMILLE) <= HOLD_OFF_PERMILLE * (FULL - RATE_ERROR_PERMILLE),
    "a slow holder would count on its lease for longer than a fast restarted grantor holds back"
);
const _: () = assert!(
    HOLD_OFF_PERMILLE * FULL >= FULL * (FULL + RATE_ERROR_PERMILLE),
    "a fast restarted grantor would hold back for less than one true lease"
);
const _: () = assert!(
    ELECTION_TIMEOUT_MIN.as_nanos() as u64 / FULL * VALIDITY_PERMILLE > 2 * MARGIN.as_nanos() as u64,
    "at the shortest election timeout the margin must leave most of the validity"
);

/// The lengths that the holder and the grantor of one node use. Other nodes may use others: see the module comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timing {
    /// How long a grantor keeps its promise, on its own clock.
    promise: Duration,
    /// How long a holder counts on it, on its own: shorter, by the drift of clocks.
    validity: Duration,
    /// How long a grantor that restarts keeps what it may have promised.
    hold_off: Duration,
}

/// An election timeout from which no sensible lease follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// Shorter than [`ELECTION_TIMEOUT_MIN`].
    #[error("the election timeout {0:?} is too short for a lease: at least {ELECTION_TIMEOUT_MIN:?}")]
    TooShort(Duration),
    /// Longer than a day: surely a wrong unit.
    #[error("the election timeout {0:?} is too long for a lease: at most a day")]
    TooLong(Duration),
}

impl Timing {
    /// The lengths for a group whose **maximal** election timeout is `election_timeout`: the span for which its
    /// voters refuse to elect another after hearing from a leader.
    ///
    /// # Errors
    ///
    /// [`TimingError`] outside of [`ELECTION_TIMEOUT_MIN`] to one day.
    pub fn for_election_timeout(election_timeout: Duration) -> Result<Timing, TimingError> {
        if election_timeout < ELECTION_TIMEOUT_MIN {
            return Err(TimingError::TooShort(election_timeout));
        }
        if election_timeout > Duration::from_secs(86_400) {
            return Err(TimingError::TooLong(election_timeout));
        }
        let timing = Timing {
            promise: election_timeout,
            validity: fraction(election_timeout, VALIDITY_PERMILLE) - MARGIN,
            hold_off: fraction(election_timeout, HOLD_OFF_PERMILLE),
        };
        assert!(timing.validity < timing.promise, "the validity must end before the promise");
        assert!(timing.promise < timing.hold_off, "a forgotten promise must end within the hold-off");
        Ok(timing)
    }

    /// For how long a grantor keeps to its leader after it accepted a message.
    pub fn promise(&self) -> Duration {
        self.promise
    }

    /// For how long a lease is valid after its holder sent a message that a quorum accepted.
    pub fn validity(&self) -> Duration {
        self.validity
    }

    /// For how long a restarted grantor refuses everyone that never promised for longer than [`promise`](Timing::promise).
    pub fn hold_off(&self) -> Duration {
        self.hold_off
    }

    /// For how long a lease is valid after its holder sent a message for which its peers promised so much: never longer than
    /// [`validity`](Timing::validity), and not at all where the margin eats it up.
    pub fn validity_in(&self, promised: Duration) -> Duration {
        fraction(promised.min(self.promise), VALIDITY_PERMILLE).saturating_sub(MARGIN)
    }

    /// For how long a restarted grantor refuses everyone whose longest promise before was this one.
    pub fn hold_off_after(&self, longest_promise: Duration) -> Duration {
        fraction(longest_promise.max(self.promise), HOLD_OFF_PERMILLE)
    }
}

fn fraction(span: Duration, permille: u64) -> Duration {
    let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos((nanos / FULL).saturating_mul(permille))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_gives_the_documented_lengths() {
        let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
        assert_eq!(timing.promise(), Duration::from_millis(1_000));
        assert_eq!(timing.validity(), Duration::from_millis(790));
        assert_eq!(timing.hold_off(), Duration::from_millis(1_110));
    }

    #[test]
    fn promises_bound_validity_and_hold_off() {
        let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
        assert_eq!(timing.validity_in(Duration::from_millis(500)), Duration::from_millis(390));
        assert_eq!(timing.validity_in(Duration::from_secs(5)), timing.validity(), "no lease is valid for longer");
        assert_eq!(timing.validity_in(Duration::from_millis(12)), Duration::ZERO);
        assert_eq!(timing.hold_off_after(Duration::from_millis(500)), timing.hold_off());
        assert_eq!(timing.hold_off_after(Duration::from_secs(5)), Duration::from_millis(5_550));
    }

    #[test]
    fn absurd_timeouts_are_refused() {
        assert!(matches!(Timing::for_election_timeout(Duration::ZERO), Err(TimingError::TooShort(_))));
        assert!(matches!(Timing::for_election_timeout(Duration::from_millis(49)), Err(TimingError::TooShort(_))));
        assert!(matches!(Timing::for_election_timeout(Duration::MAX), Err(TimingError::TooLong(_))));
    }

    /// Every whole-permille pair of rates within the bound, at every millisecond of election timeout up to 5 s.
    #[test]
    fn within_the_bound_no_validity_outlasts_a_promise_or_a_hold_off() {
        let slow = FULL - RATE_ERROR_PERMILLE;
        let fast = FULL + RATE_ERROR_PERMILLE;
        for ms in 50..=5_000 {
            let timing = Timing::for_election_timeout(Duration::from_millis(ms)).unwrap();
            let true_nanos = |span: Duration, rate: u64| span.as_nanos() * FULL as u128 / rate as u128;
            for rate in slow..=fast {
                assert!(true_nanos(timing.validity(), slow) < true_nanos(timing.promise(), rate), "{ms} ms, {rate}");
                assert!(true_nanos(timing.validity(), rate) < true_nanos(timing.hold_off(), fast), "{ms} ms, {rate}");
            }
        }
    }

    #[test]
    fn far_beyond_the_bound_the_validity_does_outlast_the_promise() {
        let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
        let (holder_rate, grantor_rate) = (700, 1_000);
        assert!(
            timing.validity().as_millis() * 1_000 / holder_rate > timing.promise().as_millis() * 1_000 / grantor_rate
        );
    }
}
