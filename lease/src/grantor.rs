//! The follower's side: whom it may vote for, and when.
//!
//! The rules, each with its reason:
//!
//! - Whoever **accepts** a message of a leader promises, from that moment, for [`Timing::promise`], to vote for nobody
//!   else and not to stand itself.
//! - Whoever **restarts** has forgotten its promises and therefore refuses everyone for [`Timing::hold_off_after`] the
//!   longest of them, unless none can be outstanding ([`Outstanding`]).
//! - A **newer** promise stands: a message of an older term, which came late, neither replaces nor prolongs it.
//! - A leader that **transfers** its leadership gives up its lease for the whole term before it tells anyone. So the
//!   message that tells it lifts the promise made to that term, and later messages of that term bind nobody.
//!
//! Votes and pre-votes obey the same rules.

use std::time::Duration;

use crate::moment::Moment;
use crate::quorum::Voters;
use crate::timing::Timing;

/// Whether a node that starts may have made promises before that it has forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outstanding {
    /// There may be one: hold back.
    Possible,
    /// There is none: this node alone votes, and the last one it followed was itself or nobody.
    Impossible,
}

impl Outstanding {
    /// Judges by what the node finds on its disk.
    ///
    /// `configs` are all possibly active configurations (as for [`Holder::new`](crate::Holder::new));
    /// `last_vote_for` is the node of the last durable vote, `None` if there never was one.
    ///
    /// A promise is outstanding at most towards another node. That the configuration names this node alone is not
    /// enough to rule it out: a leader that has just removed everyone else *and itself* from the group still counts
    /// on this node's acknowledgement, while this node, restarted, would elect itself at once. But whoever
    /// accepted a message has made the sender's committed vote durable first; so if the last vote is our own, every
    /// promise was already over, or lifted, when we stood.
    pub fn judge<'a, N: Ord + Clone + 'a>(
        me: &N,
        configs: impl IntoIterator<Item = &'a Voters<N>>,
        last_vote_for: Option<&N>,
    ) -> Outstanding {
        let mut configs = configs.into_iter().peekable();
        let knows_voters = configs.peek().is_some();
        let is_alone = knows_voters && configs.all(|voters| voters.is_only(me));
        let follows_nobody = last_vote_for.is_none_or(|node| node == me);
        if is_alone && follows_nobody { Outstanding::Impossible } else { Outstanding::Possible }
    }
}

/// Why a vote is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal<N> {
    /// This node restarted a moment ago and does not remember whom it promised what.
    #[error("no vote so soon after a restart")]
    HoldOff {
        /// From when on votes are possible, on this node's clock.
        until: Moment,
    },
    /// This node heard from a leader a moment ago.
    #[error("no vote so soon after a message of the leader")]
    Promised {
        /// The leader.
        to: N,
        /// From when on votes for others are possible, on this node's clock.
        until: Moment,
    },
}

/// The grantor's state machine of one group on one node.
///
/// The vote and pre-vote handlers ask [`may_grant`](Grantor::may_grant) before they hand a request to the consensus
/// protocol and again before a granting answer leaves: a message of a leader may have been accepted in between, and
/// an answer withheld is an answer lost on the way, which every protocol must bear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grantor<N> {
    /// The group's lengths.
    timing: Timing,
    /// Everyone is refused until here; [`Moment::NEVER`] without a hold-off.
    hold_off_until: Moment,
    /// The promise that stands or stood last.
    promise: Option<Promise<N>>,
    /// The newest term whose leader has given its lease away.
    released_term: Option<u64>,
}

/// One promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Promise<N> {
    /// The leader.
    to: N,
    /// Its term.
    term: u64,
    /// On the grantor's clock.
    until: Moment,
}

impl<N: Ord + Clone> Grantor<N> {
    /// The grantor of a node that starts at `now` and has never promised for longer than `longest_promise` before, nor
    /// than it does from now on.
    pub fn start(timing: Timing, now: Moment, outstanding: Outstanding, longest_promise: Duration) -> Grantor<N> {
        let hold_off_until = match outstanding {
            Outstanding::Possible => now.plus(timing.hold_off_after(longest_promise)),
            Outstanding::Impossible => Moment::NEVER,
        };
        Grantor { timing, hold_off_until, promise: None, released_term: None }
    }

    /// This node accepted, at `now`, a message of `leader` of `term` (append, heartbeat, part of a snapshot). Call
    /// **before** the acknowledgement leaves.
    ///
    /// Accepted means: its term was not older than our durable vote. To promise more than was accepted is safe and
    /// costs at most one lease of waiting.
    ///
    /// Returns for how long it is promised, which the acknowledgement has to say: nothing where the leader's term is
    /// over, by its own word or by a promise to a later one.
    pub fn accepted(&mut self, now: Moment, leader: &N, term: u64) -> Duration {
        if self.released_term.is_some_and(|released| term <= released) {
            return Duration::ZERO;
        }
        let until = now.plus(self.timing.promise());
        match &mut self.promise {
            Some(promise) if promise.term > term => return Duration::ZERO,
            Some(promise) if promise.to == *leader && promise.term == term => {
                promise.until = promise.until.max(until);
            }
            promise => *promise = Some(Promise { to: leader.clone(), term, until }),
        }
        self.timing.promise()
    }

    /// The leader of `term` said that it hands its leadership over. Its lease was revoked before it said so and does
    /// not come back in that term, and no earlier leader's lease can be valid any more (or it would not have been elected).
    ///
    /// Lifts the promise made to that term or an earlier one; not a newer one, and not the hold-off.
    pub fn transferred(&mut self, term: u64) {
        self.released_term = self.released_term.max(Some(term));
        if self.promise.as_ref().is_some_and(|promise| promise.term <= term) {
            self.promise = None;
        }
    }

    /// Whether this node may, at `now`, vote or pre-vote for `candidate`, or stand itself (then `candidate` is this
    /// node). Terms and logs are the protocol's to compare; this is the lease's say only.
    ///
    /// The leader to whom a promise was made may be voted for: standing anew, it has revoked its own lease first.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with the moment from which asking again may help.
    pub fn may_grant(&self, now: Moment, candidate: &N) -> Result<(), Refusal<N>> {
        if now < self.hold_off_until {
            return Err(Refusal::HoldOff { until: self.hold_off_until });
        }
        match &self.promise {
            Some(promise) if now < promise.until && promise.to != *candidate => {
                Err(Refusal::Promised { to: promise.to.clone(), until: promise.until })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing() -> Timing {
        Timing::for_election_timeout(Duration::from_secs(1)).unwrap()
    }

    fn ms(ms: u64) -> Moment {
        Moment::from_nanos(ms * 1_000_000)
    }

    fn fresh() -> Grantor<u8> {
        Grantor::start(timing(), ms(0), Outstanding::Impossible, Duration::ZERO)
    }

    #[test]
    fn a_promise_binds_for_one_lease_towards_everyone_but_the_leader() {
        let mut grantor = fresh();
        assert_eq!(grantor.may_grant(ms(1), &2), Ok(()));
        grantor.accepted(ms(10), &3, 4);
        assert_eq!(grantor.may_grant(ms(1_009), &2), Err(Refusal::Promised { to: 3, until: ms(1_010) }));
        assert_eq!(grantor.may_grant(ms(1_009), &3), Ok(()), "its own leader may stand anew");
        assert_eq!(grantor.may_grant(ms(1_010), &2), Ok(()));
    }

    #[test]
    fn every_message_prolongs_and_a_new_leader_takes_over() {
        let mut grantor = fresh();
        grantor.accepted(ms(10), &3, 4);
        grantor.accepted(ms(500), &3, 4);
        assert!(grantor.may_grant(ms(1_499), &2).is_err());
        grantor.accepted(ms(600), &2, 5);
        assert_eq!(grantor.may_grant(ms(700), &2), Ok(()));
        assert_eq!(grantor.may_grant(ms(1_599), &3), Err(Refusal::Promised { to: 2, until: ms(1_600) }));
    }

    #[test]
    fn a_restarted_voter_refuses_everyone_for_the_hold_off() {
        let mut grantor: Grantor<u8> = Grantor::start(timing(), ms(5_000), Outstanding::Possible, Duration::ZERO);
        for candidate in [1, 2, 3] {
            assert_eq!(grantor.may_grant(ms(6_109), &candidate), Err(Refusal::HoldOff { until: ms(6_110) }));
        }
        grantor.accepted(ms(5_001), &3, 9);
        grantor.transferred(9);
        assert!(grantor.may_grant(ms(6_109), &2).is_err(), "a transfer does not end the hold-off");
        assert_eq!(grantor.may_grant(ms(6_110), &2), Ok(()));
    }

    #[test]
    fn a_voter_that_restarts_with_a_shorter_lease_holds_off_for_the_promises_of_the_longer_one() {
        let long = Duration::from_secs(5);
        let grantor: Grantor<u8> = Grantor::start(timing(), ms(0), Outstanding::Possible, long);
        assert_eq!(grantor.may_grant(ms(5_549), &2), Err(Refusal::HoldOff { until: ms(5_550) }));
        assert_eq!(grantor.may_grant(ms(5_550), &2), Ok(()));
    }

    /// Two messages are promised one after the other before the consensus protocol has looked at either.
    #[test]
    fn a_message_of_an_older_term_does_not_replace_a_newer_promise() {
        let mut grantor = fresh();
        assert_eq!(grantor.accepted(ms(10), &2, 5), Duration::from_secs(1));
        assert_eq!(grantor.accepted(ms(11), &3, 4), Duration::ZERO, "and the older leader may count on nothing");
        assert_eq!(grantor.may_grant(ms(1_009), &3), Err(Refusal::Promised { to: 2, until: ms(1_010) }));
        assert_eq!(grantor.may_grant(ms(1_010), &3), Ok(()));
    }

    #[test]
    fn a_transfer_lifts_the_promise_of_its_term_and_later_messages_of_it_bind_nobody() {
        let mut grantor = fresh();
        grantor.accepted(ms(10), &3, 4);
        grantor.transferred(4);
        assert_eq!(grantor.may_grant(ms(11), &2), Ok(()));
        assert_eq!(grantor.accepted(ms(12), &3, 4), Duration::ZERO);
        assert_eq!(grantor.may_grant(ms(13), &2), Ok(()));
        grantor.accepted(ms(14), &2, 5);
        assert!(grantor.may_grant(ms(15), &1).is_err());
    }

    #[test]
    fn a_late_transfer_message_of_an_older_term_lifts_nothing_newer() {
        let mut grantor = fresh();
        grantor.accepted(ms(10), &2, 5);
        grantor.transferred(4);
        assert!(grantor.may_grant(ms(11), &1).is_err());
    }

    #[test]
    fn only_a_sole_voter_that_followed_nobody_starts_without_hold_off() {
        let alone = Voters::of([1]);
        let three = Voters::of([1, 2, 3]);
        let check = |configs: &[&Voters<u8>], vote: Option<u8>, expected| {
            assert_eq!(
                Outstanding::judge(&1, configs.iter().copied(), vote.as_ref()),
                expected,
                "{configs:?} {vote:?}"
            );
        };
        check(&[&alone], None, Outstanding::Impossible);
        check(&[&alone], Some(1), Outstanding::Impossible);
        check(&[&alone], Some(2), Outstanding::Possible);
        check(&[&alone, &three], Some(1), Outstanding::Possible);
        check(&[&three], None, Outstanding::Possible);
        check(&[], None, Outstanding::Possible);
    }
}
