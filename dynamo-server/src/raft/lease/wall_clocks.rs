//! The members' wall clocks compared: they bound the wall time by which this node stamps, its *believed* time.
//!
//! One clock that is an hour ahead must not take the cluster there: hybrid time never goes back. So no node stamps
//! anything with a wall time that is more than [`AHEAD_MAX_MS`] ahead of most members' clocks. Nor may a leader's clock that is
//! behind date what is remembered for ten minutes so far back that the next leader finds it expired: a leader stamps nothing
//! that is more than [`BEHIND_MAX_MS`] behind what most voters' clocks have reached.
//!
//! ```text
//!   follower ── ack(its wall time) ──▶ leader: median of all that it has heard, and its own; what a majority has reached
//!   follower ◀── append(the median) ── leader        believed: min(own, median + bound), of a leader no less than
//!                                                    reached - bound
//! ```
//!
//! A minority of wrong clocks gets no further than to the bounds: what a majority *of all voters*, those included that were
//! not heard, has reached, at least one right clock has reached, too.
//!
//! A clock is remembered as its difference to this node's monotonic clock, which does not jump: so a wall clock that is set
//! is noticed at the next look, not at the next message. What a peer says is held against the moment at which it was asked,
//! hence never held to be later than it is; the time of the question and its answer is the error, to the side of
//! believing oneself.
//!
//! Of an even number the lower of the two in the middle counts: of two clocks that differ, the one ahead may be wrong for
//! ever and the one behind costs a while. A node that is alone, or has heard nobody, trusts its own clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use hlc::{CEILING_WINDOW_MS, SKEW_BOUND_MS};
use parking_lot::Mutex;

use crate::raft::rules::{self, Rule};
use crate::raft::types::NodeId;

/// How far ahead of most members a wall clock is believed, in milliseconds.
pub const AHEAD_MAX_MS: u64 = 1_000;

/// How far behind what most voters' clocks have reached a leader's clock is believed, in milliseconds.
pub const BEHIND_MAX_MS: u64 = 1_000;

/// What the measuring may err by, in milliseconds: a heartbeat and its answer.
const MEASURING_MS: u64 = 1_000;

const _: () = assert!(
    AHEAD_MAX_MS + MEASURING_MS + CEILING_WINDOW_MS <= SKEW_BOUND_MS,
    "what a node stamps would be refused by members with right clocks"
);

/// How old a clock's last word may be, beside the newest one, to be counted.
const HEARD_NS_MAX: u64 = 2_000_000_000;

/// How often one peer's word is taken.
const RESOLUTION_NS: u64 = 100_000_000;

/// Nothing is known of the others.
const UNKNOWN: i64 = i64::MAX;

/// It is not known what a majority has reached.
const NOT_REACHED: i64 = i64::MIN;

/// A clock's difference to this node's monotonic clock, in milliseconds, and when it was heard.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// What it shows, less what this node's monotonic clock does.
    offset_ms: i64,
    /// When it was asked, on that clock.
    at_ns: u64,
}

/// The members' wall clocks, as one node knows them.
#[derive(Debug)]
pub struct WallClocks {
    /// This node.
    me: NodeId,
    /// A lock for some comparisons, never over an await.
    known: Mutex<Known>,
    /// The median's difference to the monotonic clock, in milliseconds; [`UNKNOWN`] at first.
    median_ms: AtomicI64,
    /// What most voters' clocks have reached, as a difference to the monotonic clock, in milliseconds; [`NOT_REACHED`] where
    /// this node has not heard so many.
    reached_ms: AtomicI64,
    /// When the last of these was asked, on the monotonic clock in nanoseconds.
    reached_at_ns: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    /// What followers say of their clocks.
    clocks: BTreeMap<NodeId, Heard>,
    /// What leaders, this node included, say of the median.
    medians: BTreeMap<NodeId, Heard>,
}

fn offset_ms(wall_ms: u64, monotonic_ns: u64) -> i64 {
    let monotonic_ms = i64::try_from(monotonic_ns / 1_000_000).unwrap_or(i64::MAX);
    i64::try_from(wall_ms).unwrap_or(i64::MAX).saturating_sub(monotonic_ms)
}

fn wall_ms(offset_ms: i64, monotonic_ns: u64) -> u64 {
    let monotonic_ms = i64::try_from(monotonic_ns / 1_000_000).unwrap_or(i64::MAX);
    u64::try_from(offset_ms.saturating_add(monotonic_ms)).unwrap_or(0)
}

/// Those that were heard about as lately as the newest.
fn recent(heard: &BTreeMap<NodeId, Heard>) -> impl Iterator<Item = i64> {
    let newest = heard.values().map(|heard| heard.at_ns).max().unwrap_or(0);
    heard.values().filter(move |heard| heard.at_ns.saturating_add(HEARD_NS_MAX) >= newest).map(|heard| heard.offset_ms)
}

impl WallClocks {
    /// Of node `me`, which has heard nobody yet.
    pub fn new(me: NodeId) -> WallClocks {
        WallClocks {
            me,
            known: Mutex::default(),
            median_ms: AtomicI64::new(UNKNOWN),
            reached_ms: AtomicI64::new(NOT_REACHED),
            reached_at_ns: AtomicU64::new(0),
        }
    }

    /// A follower has said what its wall clock shows, in answer to what was sent at `asked_ns`; this node's shows
    /// `own_wall_ms`. All of one node's monotonic clock. `voters` tells how many vote.
    pub fn follower_said(
        &self,
        (peer, peer_wall_ms, asked_ns): (NodeId, u64, u64),
        (own_wall_ms, now_ns): (u64, u64),
        voters: impl FnOnce() -> usize,
    ) {
        let mut known = self.known.lock();
        if known.clocks.get(&peer).is_some_and(|heard| asked_ns < heard.at_ns.saturating_add(RESOLUTION_NS)) {
            return;
        }
        let heard = Heard { offset_ms: offset_ms(peer_wall_ms, asked_ns), at_ns: asked_ns };
        let before = known.clocks.insert(peer, heard);
        debug_assert!(before.is_none_or(|before| before.at_ns < asked_ns), "the latest word counts");
        let mut offsets: Vec<i64> = recent(&known.clocks).chain([offset_ms(own_wall_ms, now_ns)]).collect();
        offsets.sort_unstable();
        debug_assert!(!offsets.is_empty(), "this node's own clock is one of them");
        let median = offsets[(offsets.len() - 1) / 2];
        self.median_is(&mut known, self.me, Heard { offset_ms: median, at_ns: asked_ns });
        // Who was not heard counts as far behind.
        let majority = voters().max(offsets.len()) / 2 + 1;
        let reached = offsets.len().checked_sub(majority).map_or(NOT_REACHED, |at| offsets[at]);
        debug_assert!(reached <= median, "more than half have reached no more than the middle has");
        self.reached_ms.store(reached, Ordering::Relaxed);
        self.reached_at_ns.store(asked_ns, Ordering::Relaxed);
    }

    /// A leader has said what most clocks show, in a message that it sent after `asked_ns`.
    pub fn leader_said(&self, leader: NodeId, median_wall_ms: u64, asked_ns: u64) {
        let mut known = self.known.lock();
        if known.medians.get(&leader).is_some_and(|heard| asked_ns < heard.at_ns.saturating_add(RESOLUTION_NS)) {
            return;
        }
        let median = Heard { offset_ms: offset_ms(median_wall_ms, asked_ns), at_ns: asked_ns };
        self.median_is(&mut known, leader, median);
    }

    /// Of several medians the latest counts: each is one of the clocks of a majority, or behind it.
    fn median_is(&self, known: &mut Known, said_by: NodeId, median: Heard) {
        known.medians.insert(said_by, median);
        let latest = recent(&known.medians).max().unwrap_or(UNKNOWN);
        self.median_ms.store(latest, Ordering::Relaxed);
    }

    /// What most clocks show, as far as this node has found out by itself; for its followers.
    pub fn median(&self, now_ns: u64) -> Option<u64> {
        let known = self.known.lock();
        known.medians.get(&self.me).map(|median| wall_ms(median.offset_ms, now_ns))
    }

    /// The wall time that this node believes where its clock shows `own_wall_ms`. Some comparisons.
    pub fn believed(&self, own_wall_ms: u64, now_ns: u64) -> u64 {
        let median = self.median_ms.load(Ordering::Relaxed);
        if median == UNKNOWN || !rules::is_kept(Rule::MostClocksAreRight) {
            return own_wall_ms;
        }
        let believed = own_wall_ms.min(wall_ms(median, now_ns).saturating_add(AHEAD_MAX_MS));
        let reached = self.reached_ms.load(Ordering::Relaxed);
        let is_recent = now_ns <= self.reached_at_ns.load(Ordering::Relaxed).saturating_add(HEARD_NS_MAX);
        if reached == NOT_REACHED || !is_recent || !rules::is_kept(Rule::SlowLeadersCatchUp) {
            return believed;
        }
        believed.max(wall_ms(reached, now_ns).saturating_sub(BEHIND_MAX_MS))
    }

    /// How far ahead of most clocks this node's is, in milliseconds, negative where it is behind; `None` where nobody was
    /// heard.
    pub fn ahead_ms(&self, own_wall_ms: u64, now_ns: u64) -> Option<i64> {
        let median = self.median_ms.load(Ordering::Relaxed);
        (median != UNKNOWN).then(|| offset_ms(own_wall_ms, now_ns).saturating_sub(median))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const NOW_MS: u64 = 1_700_000_000_000;

    /// Monotonic nanoseconds, from 500 s on.
    fn at(ms: u64) -> u64 {
        (500_000 + ms) * 1_000_000
    }

    #[test]
    fn a_node_alone_or_among_equals_trusts_its_clock() {
        let clocks = WallClocks::new(1);
        assert_eq!(clocks.believed(NOW_MS + HOUR_MS, at(0)), NOW_MS + HOUR_MS);
        clocks.follower_said((2, NOW_MS - 400, at(0)), (NOW_MS, at(1)), || 3);
        clocks.follower_said((3, NOW_MS + 300, at(0)), (NOW_MS, at(1)), || 3);
        assert_eq!(clocks.believed(NOW_MS, at(0)), NOW_MS);
        assert_eq!(clocks.ahead_ms(NOW_MS, at(1)), Some(0));
    }

    #[test]
    fn a_leader_far_ahead_of_most_stamps_little_more_than_they_would() {
        let clocks = WallClocks::new(1);
        let own = NOW_MS + HOUR_MS;
        clocks.follower_said((2, NOW_MS, at(0)), (own, at(1)), || 3);
        assert_eq!(clocks.believed(own, at(0)), NOW_MS + AHEAD_MAX_MS, "one other is enough to see it");
        clocks.follower_said((3, NOW_MS + 10, at(0)), (own, at(1)), || 3);
        assert_eq!(clocks.believed(own + 5_000, at(5_000)), NOW_MS + 10 + 5_000 + AHEAD_MAX_MS);
        assert_eq!(clocks.ahead_ms(own, at(0)), Some(HOUR_MS as i64 - 10));
    }

    #[test]
    fn a_jump_is_noticed_without_another_message() {
        let clocks = WallClocks::new(1);
        clocks.follower_said((2, NOW_MS, at(0)), (NOW_MS, at(1)), || 3);
        clocks.follower_said((3, NOW_MS, at(0)), (NOW_MS, at(1)), || 3);
        assert_eq!(clocks.believed(NOW_MS + 100, at(100)), NOW_MS + 100);
        assert_eq!(clocks.believed(NOW_MS + HOUR_MS, at(101)), NOW_MS + 101 + AHEAD_MAX_MS);
    }

    #[test]
    fn one_wrong_clock_among_three_moves_nobody_else() {
        for wrong in [NOW_MS + HOUR_MS, NOW_MS - HOUR_MS] {
            let leader = WallClocks::new(1);
            leader.follower_said((2, wrong, at(0)), (NOW_MS, at(1)), || 3);
            leader.follower_said((3, NOW_MS, at(0)), (NOW_MS, at(1)), || 3);
            assert_eq!(leader.believed(NOW_MS, at(1)), NOW_MS);
            let follower = WallClocks::new(3);
            follower.leader_said(1, leader.median(at(0)).unwrap(), at(0));
            assert_eq!(follower.believed(NOW_MS, at(0)), NOW_MS);
            let astray = WallClocks::new(2);
            astray.leader_said(1, leader.median(at(0)).unwrap(), at(0));
            assert_eq!(astray.believed(wrong, at(0)), wrong.min(NOW_MS + AHEAD_MAX_MS));
        }
    }

    #[test]
    fn a_leader_far_behind_stamps_what_a_majority_of_all_voters_has_reached() {
        let clocks = WallClocks::new(1);
        let own = NOW_MS - HOUR_MS;
        clocks.follower_said((2, NOW_MS, at(0)), (own, at(1)), || 3);
        assert_eq!(clocks.believed(own, at(1)), own, "one of three may be ahead");
        clocks.follower_said((3, NOW_MS + 10, at(0)), (own, at(1)), || 3);
        assert_eq!(clocks.believed(own, at(1)), NOW_MS + 1 - BEHIND_MAX_MS);
        assert_eq!(clocks.believed(own, at(2_001)), own, "what was heard long ago counts no more");
        clocks.follower_said((2, NOW_MS, at(3_000)), (own, at(3_000)), || 3);
        assert_eq!(clocks.believed(own, at(3_000)), own, "the third is not heard any more");
    }

    #[test]
    fn two_wrong_clocks_of_five_take_nobody_ahead() {
        let clocks = WallClocks::new(1);
        clocks.follower_said((2, NOW_MS + HOUR_MS, at(0)), (NOW_MS, at(0)), || 5);
        clocks.follower_said((3, NOW_MS + HOUR_MS, at(0)), (NOW_MS, at(0)), || 5);
        assert_eq!(clocks.believed(NOW_MS, at(0)), NOW_MS, "though they are most of those that were heard");
        for right in [4, 5] {
            clocks.follower_said((right, NOW_MS, at(0)), (NOW_MS, at(0)), || 5);
        }
        assert_eq!(clocks.believed(NOW_MS - HOUR_MS, at(0)), NOW_MS - BEHIND_MAX_MS);
    }

    #[test]
    fn members_that_left_are_forgotten() {
        let clocks = WallClocks::new(1);
        clocks.follower_said((2, NOW_MS - HOUR_MS, at(0)), (NOW_MS, at(0)), || 3);
        assert!(clocks.believed(NOW_MS, at(0)) < NOW_MS);
        clocks.follower_said((3, NOW_MS + 20_000, at(20_000)), (NOW_MS + 20_000, at(20_000)), || 3);
        assert_eq!(clocks.believed(NOW_MS + 20_000, at(20_000)), NOW_MS + 20_000);
    }
}
