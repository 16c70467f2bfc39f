//! How old the state of a replica may be at the most, without comparing two nodes' clocks.
//!
//! With each acknowledgement a follower sends a *mark*: what its own clock shows. The leader sends the last mark that it
//! has received back with its next message, together with how far it has applied the log by then, and does so only while
//! its lease holds, so that nobody else can have acknowledged anything. A follower that has applied as much therefore
//! shows everything that was acknowledged before it made the mark:
//!
//! ```text
//!   follower   m ── ack(m) ──╮                              ╭──▶ applied ≥ n: as new as m
//!   leader                   ╰▶ has m, applied n, leads ── append(m, n)
//! ```
//!
//! However long a message was on its way, or either process stood still, the mark tells. A mark counts from a number drawn
//! at the start, so one from before a restart means nothing.

/// A mark for "none".
pub const NO_MARK: u64 = 0;

/// Marks that are nearer to each other than this are not told apart: a leader under load sends thousands of them.
const RESOLUTION_NS: u64 = 20_000_000;

/// What a leader says beside an append: the last mark that it has of this follower, and how far it has applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The follower's mark.
    pub mark: u64,
    /// The index behind the last entry that the leader had applied when it sent this.
    pub applied_next: u64,
}

/// What a replica knows of its own age.
#[derive(Debug)]
pub struct Freshness {
    /// Added to the clock to make a mark.
    base: u64,
    /// The state shows everything up to this moment.
    since_ns: Option<u64>,
    /// It will, up to the moment of each, once so much is applied: the older first.
    awaited: [Option<(u64, u64)>; 2],
}

impl Freshness {
    /// Of a replica that has heard nothing yet. `base` is drawn at random.
    pub fn new(base: u64) -> Freshness {
        Freshness { base, since_ns: None, awaited: [None, None] }
    }

    /// The mark of this moment.
    pub fn mark(&self, now_ns: u64) -> u64 {
        match self.base.wrapping_add(now_ns) {
            NO_MARK => NO_MARK + 1,
            mark => mark,
        }
    }

    /// The moment at which a mark of this start was made; `None` for any other number.
    pub fn moment_of(&self, mark: u64, now_ns: u64) -> Option<u64> {
        let at_ns = mark.wrapping_sub(self.base);
        (mark != NO_MARK && at_ns <= now_ns).then_some(at_ns)
    }

    /// A leader with a lease has sent this.
    pub fn heard(&mut self, said: Attestation, now_ns: u64, applied_next: u64) {
        let Some(at_ns) = self.moment_of(said.mark, now_ns) else { return };
        debug_assert!(at_ns <= now_ns, "a mark was made before it came back");
        self.settle(applied_next);
        let newest = self.awaited.iter().flatten().map(|(at_ns, _)| *at_ns).max().or(self.since_ns);
        if newest.is_some_and(|newest| at_ns < newest.saturating_add(RESOLUTION_NS)) {
            return;
        }
        // The older one stays until it is reached, else a state that is always a little behind would never be known.
        let place = if self.awaited[0].is_none() { 0 } else { 1 };
        self.awaited[place] = Some((at_ns, said.applied_next));
        self.settle(applied_next);
    }

    /// The latest moment of which everything acknowledged before it is known to be in the state; `None` where nothing is.
    pub fn since(&mut self, applied_next: u64) -> Option<u64> {
        self.settle(applied_next);
        self.since_ns
    }

    fn settle(&mut self, applied_next: u64) {
        while let [Some((at_ns, needed)), newer] = self.awaited
            && needed <= applied_next
        {
            debug_assert!(newer.is_none_or(|(newer_ns, _)| at_ns < newer_ns), "the older one is reached first");
            self.since_ns = self.since_ns.max(Some(at_ns));
            self.awaited = [newer, None];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn said(freshness: &Freshness, at_ms: u64, applied_next: u64) -> Attestation {
        Attestation { mark: freshness.mark(at_ms * MS), applied_next }
    }

    #[test]
    fn a_state_is_as_new_as_the_mark_once_it_is_applied() {
        let mut replica = Freshness::new(u64::MAX - 5);
        assert_eq!(replica.since(9), None);
        let heard = said(&replica, 100, 10);
        replica.heard(heard, 300 * MS, 9);
        assert_eq!(replica.since(9), None, "entry 9 is missing");
        assert_eq!(replica.since(10), Some(100 * MS));
        assert_eq!(replica.since(50), Some(100 * MS), "what is applied since was perhaps not all");
    }

    #[test]
    fn a_replica_that_is_always_behind_knows_its_age() {
        let mut replica = Freshness::new(7);
        for step in 1..=10u64 {
            let heard = said(&replica, step * 100, step * 10);
            replica.heard(heard, step * 100 * MS, (step * 10).saturating_sub(15));
        }
        assert_eq!(replica.since(85), Some(800 * MS));
        assert_eq!(replica.since(100), Some(1_000 * MS));
    }

    #[test]
    fn marks_of_another_start_or_of_nobody_say_nothing() {
        let (old, mut new) = (Freshness::new(1 << 60), Freshness::new(1 << 40));
        new.heard(said(&old, 100, 0), 200 * MS, 5);
        new.heard(Attestation { mark: NO_MARK, applied_next: 0 }, 200 * MS, 5);
        assert_eq!(new.since(5), None);
        assert_eq!(new.moment_of(new.mark(300), 200), None, "not even one from the future");
    }
}
