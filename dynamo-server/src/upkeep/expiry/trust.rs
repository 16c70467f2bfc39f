//! Whether this node's time may be used to delete.
//!
//! A stamp that is too early harms nobody; a deletion that is too early loses data. A clock that is years ahead would let
//! everything expire at once. So a node deletes only while its time can be believed, and waits otherwise:
//!
//! - Where others vote with it, their clocks say whether it can. Stamps are bounded by most members' clocks already
//!   (`raft/lease/wall_clocks.rs`); here, in addition, nothing is deleted while this node's own clock is known to be far ahead, or
//!   while nobody else's is known.
//! - A jump ahead, of most clocks or of the only one, is not believed for an hour: long enough for whoever set the clock
//!   wrong, or for what sets it right after a start, to do so. A jump is what the time gained beside the clock that counts
//!   since boot; at a start, beside the last time that was stamped before. Back to where it was believed before is none.
//!
//! A clock that is behind deletes late, which harms nobody.

use crate::raft::rules::{self, Rule};

/// How far ahead of most members a clock may be, in milliseconds: stamps are bounded to a second of it.
const AHEAD_MAX_MS: i64 = 10_000;

/// How far time may jump ahead while the node runs: more than any time server steps a clock in operation.
const JUMP_MS_MAX: i64 = 600_000;

/// How far ahead of the last stamp a node may find itself when it starts: it may have been off for a night.
const AWAY_MS_MAX: i64 = 86_400_000;

/// How long a jump is not believed, in nanoseconds: an hour.
const HELD_FOR_NS: u64 = 3_600_000_000_000;

/// What a node knows about its time at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// What its wall clock shows, in milliseconds since the epoch.
    pub own_ms: u64,
    /// A clock of its own that only rises and counts suspension, in nanoseconds.
    pub boot_ns: u64,
    /// How far its clock is ahead of most members', in milliseconds; `None` where nobody was heard.
    pub ahead_ms: Option<i64>,
}

impl Reading {
    /// What most clocks show, in milliseconds since the epoch: its own is one of them, or all that it knows.
    fn most_ms(&self) -> i64 {
        signed(self.own_ms).saturating_sub(self.ahead_ms.unwrap_or(0))
    }

    /// That, less the clock since boot.
    fn offset_ms(&self) -> i64 {
        self.most_ms().saturating_sub(signed(self.boot_ns / 1_000_000))
    }
}

/// Why nothing is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Others vote here, and nobody's clock is known.
    Unheard,
    /// This clock is so many milliseconds ahead of most.
    Ahead(i64),
    /// Time has jumped ahead a short while ago.
    Jumped,
}

/// What was seen of the time so far.
#[derive(Debug)]
pub struct Trust {
    /// The most, in milliseconds, that what most clocks show was ever ahead of the clock since boot while it was believed.
    offset_ms: i64,
    /// Until when a jump is not believed, on the clock since boot.
    held_until_ns: u64,
    /// Whether a jump is not believed yet; `held_until_ns` has its end then.
    is_jumped: bool,
}

impl Trust {
    /// Of a node that starts, and that stamped `last_stamped_ms` last of all; 0 for one that never did.
    pub fn new(now: Reading, last_stamped_ms: u64) -> Trust {
        let away_ms = now.most_ms().saturating_sub(signed(last_stamped_ms));
        let stamped_ms = now.offset_ms().saturating_sub(away_ms);
        let is_jumped = last_stamped_ms > 0 && away_ms > AWAY_MS_MAX;
        let offset_ms = if is_jumped { stamped_ms } else { stamped_ms.max(now.offset_ms()) };
        let mut trust = Trust { offset_ms, held_until_ns: 0, is_jumped: false };
        if is_jumped {
            trust.hold(now);
        }
        trust
    }

    /// Takes note of the time. To be called again and again, so that a jump is seen.
    pub fn look(&mut self, now: Reading) {
        let gained_ms = now.offset_ms().saturating_sub(self.offset_ms);
        if gained_ms <= JUMP_MS_MAX || (self.is_jumped && now.boot_ns >= self.held_until_ns) {
            self.offset_ms = self.offset_ms.max(now.offset_ms());
            self.is_jumped = false;
        } else if !self.is_jumped {
            self.hold(now);
        }
    }

    /// Why nothing may be deleted on a shard, where others vote with this node or not; `None` where it may.
    pub fn doubt(&self, now: Reading, has_others: bool) -> Option<Doubt> {
        if !rules::is_kept(Rule::MostClocksAreRight) {
            return None;
        }
        match now.ahead_ms {
            _ if self.is_jumped => Some(Doubt::Jumped),
            None if has_others => Some(Doubt::Unheard),
            Some(ahead_ms) if has_others && ahead_ms > AHEAD_MAX_MS => Some(Doubt::Ahead(ahead_ms)),
            _ => None,
        }
    }

    fn hold(&mut self, now: Reading) {
        self.is_jumped = true;
        self.held_until_ns = now.boot_ns.saturating_add(HELD_FOR_NS);
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;
    const YEAR_MS: u64 = 365 * 86_400_000;
    const HOUR_MS: u64 = 3_600_000;

    /// A node whose clock is right but for so much, so many milliseconds after its start.
    fn at(passed_ms: u64, wrong_ms: u64) -> Reading {
        let boot_ns = (5_000_000 + passed_ms) * 1_000_000;
        Reading { own_ms: NOW_MS + passed_ms + wrong_ms, boot_ns, ahead_ms: None }
    }

    #[test]
    fn others_must_have_been_heard_and_agree() {
        let trust = Trust::new(at(0, 0), NOW_MS - 5_000);
        let doubt = |ahead_ms, has_others| trust.doubt(Reading { ahead_ms, ..at(1, 0) }, has_others);
        assert_eq!(doubt(None, false), None);
        assert_eq!(doubt(None, true), Some(Doubt::Unheard));
        assert_eq!((doubt(Some(0), true), doubt(Some(-9_999_999), true)), (None, None), "behind harms nobody");
        assert_eq!((doubt(Some(10_000), true), doubt(Some(10_001), true)), (None, Some(Doubt::Ahead(10_001))));
    }

    #[test]
    fn a_jump_is_not_believed_for_an_hour() {
        let mut trust = Trust::new(at(0, 0), 0);
        let mut is_held = |now| {
            trust.look(now);
            trust.doubt(now, false).is_some()
        };
        assert!(!is_held(at(60_000, 0)) && !is_held(at(120_000, 500_000)), "a step is no jump");
        assert!(is_held(at(180_000, 3 * YEAR_MS)));
        assert!(is_held(at(180_000 + HOUR_MS - 1, 3 * YEAR_MS)));
        assert!(!is_held(at(200_000 + HOUR_MS, 0)), "it was set right");
        assert!(is_held(at(300_000 + HOUR_MS, 3 * YEAR_MS)), "and wrong again");
        assert!(!is_held(at(300_000 + 2 * HOUR_MS, 3 * YEAR_MS)), "or so it is");
        assert!(!is_held(at(400_000 + 2 * HOUR_MS, 0)) && !is_held(at(500_000 + 2 * HOUR_MS, 0)));
    }

    #[test]
    fn a_node_that_starts_years_later_waits_too() {
        let is_held = |last_ms, passed_ms, wrong_ms| {
            let mut trust = Trust::new(at(0, 0), last_ms);
            let now = at(passed_ms, wrong_ms);
            trust.look(now);
            trust.doubt(now, false).is_some()
        };
        assert!(!is_held(0, 1, 0) && !is_held(NOW_MS - HOUR_MS, 1, 0) && !is_held(NOW_MS + YEAR_MS, 1, 0));
        assert!(is_held(NOW_MS - YEAR_MS, 1, 0) && is_held(NOW_MS - YEAR_MS, HOUR_MS - 1, 0));
        assert!(!is_held(NOW_MS - YEAR_MS, HOUR_MS, 0));
    }

    #[test]
    fn a_node_whose_clock_is_set_right_goes_on() {
        let wrong = Reading { own_ms: NOW_MS + 3 * YEAR_MS, ..at(0, 0) };
        let mut trust = Trust::new(wrong, NOW_MS - 5_000);
        assert_eq!(trust.doubt(wrong, false), Some(Doubt::Jumped));
        trust.look(at(60_000, 0));
        assert_eq!(trust.doubt(at(60_000, 0), false), None);
    }

    /// An hour behind and back again is no jump to whoever has stamped before or hears others who knew better.
    #[test]
    fn trust_follows_the_majority_of_clocks() {
        let hour = i64::try_from(HOUR_MS).unwrap();
        for (last_ms, others, doubt) in
            [(0, false, Some(Doubt::Jumped)), (NOW_MS - 5_000, false, None), (0, true, None)]
        {
            let ahead = |ahead_ms| if others { Some(ahead_ms) } else { None };
            let behind = Reading { own_ms: NOW_MS - HOUR_MS, ahead_ms: ahead(-hour), ..at(0, 0) };
            let mut trust = Trust::new(behind, last_ms);
            let right = Reading { ahead_ms: ahead(0), ..at(60_000, 0) };
            trust.look(right);
            assert_eq!(trust.doubt(right, others), doubt);
            trust.look(behind);
            trust.look(right);
            assert_eq!(trust.doubt(right, others), doubt, "and again");
        }
        // Where all of them jump, it is one for all.
        let mut trust = Trust::new(Reading { ahead_ms: Some(0), ..at(0, 0) }, NOW_MS - 5_000);
        let jumped = Reading { ahead_ms: Some(0), ..at(60_000, YEAR_MS) };
        trust.look(jumped);
        assert_eq!(trust.doubt(jumped, true), Some(Doubt::Jumped));
    }
}
