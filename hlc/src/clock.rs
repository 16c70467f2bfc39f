//! The clock of one group: issues timestamps that rise strictly and stay below the group's ceiling.

use crate::ceiling;
use crate::ceiling::SKEW_BOUND_MS;
use crate::timestamp::Timestamp;

/// Why a clock issued no timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// The next timestamp would not be below the ceiling. Raise the ceiling (see [`Clock::next_ceiling`]) and retry.
    #[error("the next timestamp would reach the ceiling {ceiling}: raise it first")]
    CeilingReached {
        /// The ceiling that stands in the way.
        ceiling: Timestamp,
    },
    /// No larger timestamp exists, or wall time is beyond what 48 bits of milliseconds can say. Nothing helps but
    /// mending the clock of this machine.
    #[error("hybrid time is used up: the wall clock is beyond the year 10889")]
    Exhausted,
}

/// A remote timestamp that is further ahead of our wall time than any honest node can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "timestamp {remote} is more than {bound} ms ahead of the local wall time {wall_ms}: one of two clocks is wrong",
    bound = SKEW_BOUND_MS
)]
pub struct TooFarAhead {
    /// What was offered.
    pub remote: Timestamp,
    /// Our wall time when it was refused, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// A hybrid logical clock under a ceiling. Pure: wall time is an argument, nothing blocks.
///
/// One sequencer owns one clock; there is no inner locking. See the crate documentation for how the ceiling and
/// the log work together.
///
/// Invariant: every timestamp that [`tick`](Clock::tick) returned is at most [`last`](Clock::last) and below
/// [`ceiling`](Clock::ceiling); neither of the two ever falls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    /// The largest timestamp issued or taken over.
    last: Timestamp,
    /// Exclusive bound of what may be issued.
    ceiling: Timestamp,
}

impl Clock {
    /// The clock of a leader that has applied its inherited log and found `ceiling` there ([`Timestamp::ZERO`] in an
    /// empty group). It issues nothing below `ceiling`, and nothing at all before the ceiling was raised.
    pub fn resume(ceiling: Timestamp) -> Clock {
        Clock { last: ceiling.previous().unwrap_or(Timestamp::ZERO), ceiling }
    }

    /// Issues the next timestamp: the larger of one tick after the last one and wall time.
    ///
    /// When wall time stands still or goes back, the logical counter counts on and, when full, borrows from the
    /// physical part, up to the ceiling.
    ///
    /// # Errors
    ///
    /// [`ClockError::CeilingReached`] when the result would not be below the ceiling, [`ClockError::Exhausted`]
    /// when there is no larger timestamp. The clock is unchanged then.
    pub fn tick(&mut self, wall_ms: u64) -> Result<Timestamp, ClockError> {
        let wall = Timestamp::new(wall_ms, 0);
        let after_last = self.last.next().ok_or(ClockError::Exhausted)?;
        let next = after_last.max(wall);
        if wall == Timestamp::MAX || next == Timestamp::MAX {
            return Err(ClockError::Exhausted);
        }
        if next >= self.ceiling {
            return Err(ClockError::CeilingReached { ceiling: self.ceiling });
        }
        self.last = next;
        Ok(next)
    }

    /// Issues the next timestamp for a log entry, raising the ceiling where needed.
    ///
    /// The entry must carry [`ceiling`](Clock::ceiling) as it is after the call. Then the timestamp is visible to
    /// anyone only together with its ceiling, so raising before the entry is committed is safe: if the entry is
    /// lost, so is the timestamp.
    ///
    /// Timestamps promised *outside* the log (an answer to a fence, say) must use [`tick`](Clock::tick) under a
    /// ceiling that is already applied.
    ///
    /// # Errors
    ///
    /// [`ClockError::Exhausted`]; the clock is unchanged then.
    pub fn tick_or_raise(&mut self, wall_ms: u64) -> Result<Timestamp, ClockError> {
        match self.tick(wall_ms) {
            Err(ClockError::CeilingReached { .. }) => {
                let raised = self.next_ceiling(wall_ms)?;
                self.raise_ceiling(raised);
                self.tick(wall_ms)
            }
            other => other,
        }
    }

    /// Takes over a timestamp of another node, so that everything issued later is above it.
    ///
    /// To be called where a foreign timestamp is *taken* (a fence, a prepare). A commit that others have already
    /// decided goes through [`observe_decided`](Clock::observe_decided).
    ///
    /// # Errors
    ///
    /// [`TooFarAhead`] when `remote` is more than [`SKEW_BOUND_MS`] ahead of `wall_ms`; the clock is unchanged then.
    pub fn observe(&mut self, remote: Timestamp, wall_ms: u64) -> Result<(), TooFarAhead> {
        check_skew(remote, wall_ms)?;
        self.last = self.last.max(remote);
        Ok(())
    }

    /// Takes over the timestamp of a decision that stands and cannot be refused any more, and lifts the ceiling
    /// above it, so that a successor starts above it too.
    ///
    /// Called for the commit of a transaction across groups, both by the leader's clock and, on the replicated
    /// ceiling, by every replica's apply.
    pub fn observe_decided(&mut self, decided: Timestamp) {
        self.last = self.last.max(decided);
        self.raise_ceiling(decided.next().unwrap_or(Timestamp::MAX));
    }

    /// The ceiling to write into the log next: `max(old ceiling + one tick, wall + 3 s)`.
    ///
    /// # Errors
    ///
    /// [`ClockError::Exhausted`] when there is none.
    pub fn next_ceiling(&self, wall_ms: u64) -> Result<Timestamp, ClockError> {
        ceiling::next(self.ceiling, self.last, wall_ms).ok_or(ClockError::Exhausted)
    }

    /// Accepts a ceiling that the log holds or that the next entry will carry. A lower one than the present changes
    /// nothing: ceilings never fall.
    pub fn raise_ceiling(&mut self, ceiling: Timestamp) {
        self.ceiling = self.ceiling.max(ceiling);
    }

    /// The largest timestamp issued or taken over so far.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// The exclusive bound of what may be issued.
    pub fn ceiling(&self) -> Timestamp {
        self.ceiling
    }

    /// Whether wall time has come so near to the ceiling that renewing it with the next entry is worth while: less
    /// than half of the window is left.
    pub fn ceiling_is_near(&self, wall_ms: u64) -> bool {
        let soon = Timestamp::new(wall_ms.saturating_add(ceiling::CEILING_WINDOW_MS / 2), 0);
        self.ceiling <= soon.max(self.last)
    }
}

/// The rule of [`Clock::observe`], shared with the node's clock.
pub(crate) fn check_skew(remote: Timestamp, wall_ms: u64) -> Result<(), TooFarAhead> {
    let bound = Timestamp::new(wall_ms.saturating_add(SKEW_BOUND_MS), u16::MAX);
    if remote > bound || remote == Timestamp::MAX { Err(TooFarAhead { remote, wall_ms }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CEILING_WINDOW_MS;

    fn at(ms: u64, logical: u16) -> Timestamp {
        Timestamp::new(ms, logical)
    }

    fn clock_with_room(wall_ms: u64) -> Clock {
        let mut clock = Clock::resume(Timestamp::ZERO);
        clock.raise_ceiling(clock.next_ceiling(wall_ms).unwrap());
        clock
    }

    #[test]
    fn a_resumed_clock_issues_nothing_before_its_ceiling_is_raised() {
        let mut clock = Clock::resume(at(1_000, 0));
        assert_eq!(clock.tick(5), Err(ClockError::CeilingReached { ceiling: at(1_000, 0) }));
        assert_eq!(clock.tick(5_000), Err(ClockError::CeilingReached { ceiling: at(1_000, 0) }));
        assert_eq!(clock, Clock::resume(at(1_000, 0)), "a refused tick changes nothing");
    }

    #[test]
    fn wall_time_that_moves_sets_the_physical_part() {
        let mut clock = clock_with_room(100);
        assert_eq!(clock.tick(100), Ok(at(100, 0)));
        assert_eq!(clock.tick(100), Ok(at(100, 1)));
        assert_eq!(clock.tick(107), Ok(at(107, 0)));
        assert_eq!(clock.tick(90), Ok(at(107, 1)), "wall time going back does not turn the clock back");
    }

    #[test]
    fn a_full_counter_borrows_up_to_the_ceiling_and_no_further() {
        let mut clock = clock_with_room(100);
        clock.observe(at(100 + CEILING_WINDOW_MS - 1, u16::MAX - 1), 100).unwrap();
        assert_eq!(clock.tick(100), Ok(at(100 + CEILING_WINDOW_MS - 1, u16::MAX)));
        let ceiling = at(100 + CEILING_WINDOW_MS, 0);
        assert_eq!(clock.tick(100), Err(ClockError::CeilingReached { ceiling }));
    }

    #[test]
    fn with_the_wall_clock_set_back_the_ceiling_moves_one_tick_at_a_time() {
        let mut clock = Clock::resume(at(1_000_000, 0));
        for expected in 0..3 {
            assert_eq!(clock.tick_or_raise(7), Ok(at(1_000_000, expected)));
            assert_eq!(clock.ceiling(), at(1_000_000, expected + 1));
        }
    }

    #[test]
    fn a_remote_timestamp_is_taken_up_to_the_bound_and_refused_beyond() {
        let mut clock = clock_with_room(100);
        assert_eq!(clock.observe(at(100 + SKEW_BOUND_MS, u16::MAX), 100), Ok(()));
        let before = clock.clone();
        let remote = at(101 + SKEW_BOUND_MS, 0);
        assert_eq!(clock.observe(remote, 100), Err(TooFarAhead { remote, wall_ms: 100 }));
        assert_eq!(clock, before);
    }

    #[test]
    fn after_an_observation_above_the_ceiling_one_raise_makes_room() {
        let mut clock = clock_with_room(100);
        clock.observe(at(100 + SKEW_BOUND_MS, 9), 100).unwrap();
        assert_eq!(clock.tick_or_raise(100), Ok(at(100 + SKEW_BOUND_MS, 10)));
    }

    #[test]
    fn a_decided_commit_is_never_refused_and_a_successor_starts_above_it() {
        let mut clock = clock_with_room(100);
        let decided = at(9_999_999, 3);
        clock.observe_decided(decided);
        assert!(clock.tick_or_raise(100).unwrap() > decided);
        let mut successor = Clock::resume(clock.ceiling());
        assert!(successor.tick_or_raise(100).unwrap() > clock.last());
    }

    #[test]
    fn at_the_end_of_time_the_clock_fails_closed() {
        let mut clock = Clock::resume(Timestamp::MAX);
        assert_eq!(clock.tick(1), Err(ClockError::Exhausted));
        assert_eq!(clock.tick_or_raise(1), Err(ClockError::Exhausted));
        let mut clock = clock_with_room(100);
        assert_eq!(clock.tick_or_raise(u64::MAX), Err(ClockError::Exhausted));
        assert_eq!(clock.tick_or_raise(100), Ok(at(100, 0)), "one absurd reading does no lasting harm");
        assert!(clock.observe(Timestamp::MAX, u64::MAX).is_err());
    }

    #[test]
    fn the_ceiling_is_renewed_in_good_time() {
        let clock = clock_with_room(100);
        assert!(!clock.ceiling_is_near(100));
        assert!(!clock.ceiling_is_near(100 + CEILING_WINDOW_MS / 2 - 1));
        assert!(clock.ceiling_is_near(100 + CEILING_WINDOW_MS / 2));
    }
}
