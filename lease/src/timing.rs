//! The three lengths of a lease and why they are safe together.
//!
//! All are fractions of the *lease*, which is the (maximal) election timeout of the group:
//!
//! ```text
//!   promise    1.0  x lease             what a grantor keeps to after accepting a message
//!   belief     0.9  x lease - 10 ms     what the holder counts on after sending it
//!   hold-down  1.1  x lease             what a restarted grantor waits before its first vote
//! ```
//!
//! **Drift.** A clock that runs at rate *r* measures a span *d* in *d / r* of true time. With every rate between
//! 1 − ε and 1 + ε, the belief lasts at most `0.9 lease / (1 − ε)` and the promise at least `lease / (1 + ε)` of true
//! time, so the belief ends first if `0.9 (1 + ε) ≤ 1 − ε`. That holds up to ε = 5.26 %; we state 5 %. The kernel
//! slews a clock by at most 0.05 % (NTP's 500 ppm) and crystals are off by less than 0.01 %, so the allowance is a
//! hundred times what honest hardware needs: it is there for virtual machines with a badly calibrated counter.
//!
//! **Margin.** 10 ms off the belief for what is no rate: the rounding of the published word
//! ([`Word`](crate::Word), at most 1.05 ms, and to the safe side by itself), readings taken on different cores, and
//! a clock source switched by the kernel.
//!
//! **Hold-down.** A restarted grantor may have accepted a message just before it went down. The holder's belief, at
//! most `0.9 lease / (1 − ε)` long, must be over before the grantor's hold-down, at least `1.1 lease / (1 + ε)`.

use std::time::Duration;

/// By how much, in thousandths, the rate of a node's clock may differ from true time.
pub const RATE_ERROR_PERMILLE: u64 = 50;

/// The holder's belief in thousandths of the lease, before [`MARGIN`] is taken off.
pub const BELIEF_PERMILLE: u64 = 900;

/// The hold-down of a restarted grantor in thousandths of the lease.
pub const HOLD_DOWN_PERMILLE: u64 = 1_100;

/// What the holder gives away for errors that do not grow with the length of the lease.
pub const MARGIN: Duration = Duration::from_millis(10);

/// The shortest election timeout accepted: below it the margin eats up most of the lease.
pub const ELECTION_TIMEOUT_MIN: Duration = Duration::from_millis(50);

const FULL: u64 = 1_000;

const _: () = assert!(
    BELIEF_PERMILLE * (FULL + RATE_ERROR_PERMILLE) <= FULL * (FULL - RATE_ERROR_PERMILLE),
    "a slow holder would believe longer than a fast grantor promises"
);
const _: () = assert!(
    BELIEF_PERMILLE * (FULL + RATE_ERROR_PERMILLE) <= HOLD_DOWN_PERMILLE * (FULL - RATE_ERROR_PERMILLE),
    "a slow holder would believe longer than a fast restarted grantor holds back"
);
const _: () = assert!(
    HOLD_DOWN_PERMILLE * FULL >= FULL * (FULL + RATE_ERROR_PERMILLE),
    "a fast restarted grantor would hold back for less than one true lease"
);
const _: () = assert!(
    ELECTION_TIMEOUT_MIN.as_nanos() as u64 / FULL * BELIEF_PERMILLE > 2 * MARGIN.as_nanos() as u64,
    "at the shortest election timeout the margin must leave most of the belief"
);

/// The lengths that a group's holder and grantors use. All nodes of a group must use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timing {
    promise: Duration,
    belief: Duration,
    hold_down: Duration,
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
            belief: fraction(election_timeout, BELIEF_PERMILLE) - MARGIN,
            hold_down: fraction(election_timeout, HOLD_DOWN_PERMILLE),
        };
        assert!(timing.belief < timing.promise, "the belief must end before the promise");
        assert!(timing.promise < timing.hold_down, "a forgotten promise must end within the hold-down");
        Ok(timing)
    }

    /// For how long a grantor keeps to its leader after it accepted a message.
    pub fn promise(&self) -> Duration {
        self.promise
    }

    /// For how long a holder believes after it sent a message that a quorum accepted.
    pub fn belief(&self) -> Duration {
        self.belief
    }

    /// For how long a restarted grantor refuses everyone.
    pub fn hold_down(&self) -> Duration {
        self.hold_down
    }
}

fn fraction(span: Duration, permille: u64) -> Duration {
    let nanos = u64::try_from(span.as_nanos()).expect("a day of nanoseconds fits 64 bits");
    Duration::from_nanos(nanos / FULL * permille)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_gives_the_documented_lengths() {
        let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
        assert_eq!(timing.promise(), Duration::from_millis(1_000));
        assert_eq!(timing.belief(), Duration::from_millis(890));
        assert_eq!(timing.hold_down(), Duration::from_millis(1_100));
    }

    #[test]
    fn absurd_timeouts_are_refused() {
        assert!(matches!(Timing::for_election_timeout(Duration::ZERO), Err(TimingError::TooShort(_))));
        assert!(matches!(Timing::for_election_timeout(Duration::from_millis(49)), Err(TimingError::TooShort(_))));
        assert!(matches!(Timing::for_election_timeout(Duration::MAX), Err(TimingError::TooLong(_))));
    }

    /// Every whole-permille pair of rates within the bound, at every millisecond of election timeout up to 5 s.
    #[test]
    fn within_the_bound_no_belief_outlasts_a_promise_or_a_hold_down() {
        let slow = FULL - RATE_ERROR_PERMILLE;
        let fast = FULL + RATE_ERROR_PERMILLE;
        for ms in 50..=5_000 {
            let timing = Timing::for_election_timeout(Duration::from_millis(ms)).unwrap();
            let true_nanos = |span: Duration, rate: u64| span.as_nanos() * FULL as u128 / rate as u128;
            for rate in slow..=fast {
                assert!(true_nanos(timing.belief(), slow) < true_nanos(timing.promise(), rate), "{ms} ms, {rate}");
                assert!(true_nanos(timing.belief(), rate) < true_nanos(timing.hold_down(), fast), "{ms} ms, {rate}");
            }
        }
    }

    #[test]
    fn far_beyond_the_bound_the_belief_does_outlast_the_promise() {
        let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
        let (holder_rate, grantor_rate) = (800, 1_000);
        assert!(
            timing.belief().as_millis() * 1_000 / holder_rate > timing.promise().as_millis() * 1_000 / grantor_rate
        );
    }
}
