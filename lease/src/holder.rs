//! The leader's side: for how long it may count on being alone.
//!
//! ```text
//!                    vote_saved(own, committed, higher term)        own_term_applied
//!        ┌─ idle ───────────────────────────────────────▶ elected ──────────────────▶ leading
//!        │   ▲                                               │                            │ acked: deadline moves on
//!        │   └───────────────────────────────────────────────┴────────────────────────────┤
//!        │        vote_saved(anything else), transfer_started: that term never comes back │
//!        └──────────────────────────────▶ shut down ◀──────────────────────────────────────┘
//!                                      shut_down: final
//! ```
//!
//! Only *leading* has a deadline. It is recomputed from what the peers have promised and the possibly active
//! configurations, never adjusted; so it cannot drift away from them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::moment::Moment;
use crate::quorum::Voters;
use crate::timing::Timing;

/// A vote as it is about to be made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vote<N> {
    /// The term of the vote.
    pub term: u64,
    /// For whom.
    pub node: N,
    /// Whether that node is known to have won the term (true) or is only a candidate (false).
    pub committed: bool,
}

/// The holder's state machine of one group on one node. Pure: feed it events, read the [`deadline`](Holder::deadline).
///
/// `N` identifies nodes. Whoever owns the holder must publish the deadline after every event and before the event's
/// consequences can reach anyone else; [`SharedHolder`](crate::SharedHolder) does that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder<N> {
    /// This node.
    me: N,
    /// The group's lengths.
    timing: Timing,
    /// The term that this node leads, if any.
    leadership: Option<Leadership>,
    /// No term up to this one can become ours (again): led and given up, or won by another.
    spent_term: Option<u64>,
    /// Every configuration that may be active, by the log index of its entry: the last applied one and all newer.
    configs: BTreeMap<u64, Voters<N>>,
    /// Per peer, until when what it acknowledged in this leadership may be counted on.
    reliable_until: BTreeMap<N, Moment>,
    /// Per peer, when it was last heard in this leadership, whatever it said; on the clock of whoever tells.
    heard: BTreeMap<N, Moment>,
    /// Counts beginnings and ends; see [`Holder::generation`].
    generation: u64,
    /// Set once by [`Holder::shut_down`].
    is_shut_down: bool,
}

/// A term of which this node is the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Leadership {
    /// Elected in this term.
    term: u64,
    /// Whether an entry of this term is applied here, and with it everything that was committed before the term.
    own_term_applied: bool,
}

impl<N: Ord + Clone> Holder<N> {
    /// The holder of a node that has just started.
    ///
    /// `configs` are the possibly active configurations by the log index of their entries: the last applied one and
    /// every newer one in the log. None at all is fine and means that nobody is known to vote: no lease.
    pub fn new(me: N, timing: Timing, configs: impl IntoIterator<Item = (u64, Voters<N>)>) -> Holder<N> {
        Holder {
            me,
            timing,
            leadership: None,
            spent_term: None,
            configs: configs.into_iter().collect(),
            reliable_until: BTreeMap::new(),
            heard: BTreeMap::new(),
            generation: 0,
            is_shut_down: false,
        }
    }

    /// A vote is about to be made durable: call **before** it is written, and before any answer that rests on it.
    ///
    /// Our own committed vote starts a leadership (or confirms the present one). Every other vote ends it: that another
    /// node is voted for, or that this node stands anew, both pass here before anyone can learn of them.
    pub fn vote_saved(&mut self, vote: Vote<N>) {
        let is_own = vote.node == self.me;
        if is_own && vote.committed {
            if self.leadership.is_none_or(|leadership| leadership.term != vote.term) {
                self.end_leading();
                self.begin_leading(vote.term);
            }
            return;
        }
        self.end_leading();
        // As a candidate we may still win `vote.term` itself; a term of somebody else is lost to us.
        let lost = if is_own { vote.term.checked_sub(1) } else { Some(vote.term) };
        self.spent_term = self.spent_term.max(lost);
    }

    /// An entry of our own `term` (usually the blank one that a new leader writes first) is applied here.
    ///
    /// Without this gate a new leader could answer from a state that lacks writes which its predecessor
    /// acknowledged and which it has in its log, not yet applied.
    pub fn own_term_applied(&mut self, term: u64) {
        if let Some(leadership) = &mut self.leadership
            && leadership.term == term
        {
            leadership.own_term_applied = true;
        }
    }

    /// `peer` accepted a message of our `term` that was sent at `sent_at` on this node's clock, and promised, from then or
    /// later, for `promised` on its own clock ([`Grantor::accepted`](crate::Grantor::accepted)).
    ///
    /// `sent_at` must be read **before** the message is handed to anything that could deliver it, and the
    /// acknowledgement must be paired with exactly its own message. Accepted means: the peer recognised us as the
    /// leader of `term`, whether or not the entries fitted its log. Acknowledgements may come late and out of order;
    /// those of another term are ignored.
    pub fn acked(&mut self, term: u64, peer: &N, sent_at: Moment, promised: Duration) {
        if self.leadership.is_none_or(|leadership| leadership.term != term) {
            return;
        }
        assert!(sent_at != Moment::FOREVER, "a message was sent at some real moment");
        let validity = self.timing.validity_in(promised);
        if validity.is_zero() {
            return;
        }
        let until = sent_at.plus(validity);
        match self.reliable_until.get_mut(peer) {
            Some(latest) => *latest = (*latest).max(until),
            None => {
                self.reliable_until.insert(peer.clone(), until);
            }
        }
    }

    /// `peer` answered something in our `term`, at `now`; what, and whether it promised anything, does not matter. No lease
    /// comes of it, only [`heard_by_quorum`](Holder::heard_by_quorum).
    pub fn heard(&mut self, term: u64, peer: &N, now: Moment) {
        if self.leadership.is_none_or(|leadership| leadership.term != term) {
            return;
        }
        let latest = self.heard.entry(peer.clone()).or_insert(now);
        *latest = (*latest).max(now);
    }

    /// The latest moment at which a quorum of every possibly active configuration had been heard from; `None` while there is
    /// none, [`Moment::FOREVER`] for a sole voter. A leader that has waited too long for the next such moment can commit
    /// nothing and should not keep others from being elected: the *check of the quorum* (Ongaro's thesis, 6.2).
    pub fn heard_by_quorum(&self) -> Option<Moment> {
        self.quorum_of(&self.heard)
    }

    /// Voters in the largest of the possibly active configurations.
    pub fn voters_max(&self) -> usize {
        self.configs.values().map(Voters::count_max).max().unwrap_or(0)
    }

    /// A configuration entry is about to be appended at `index`: call **before** it is written or sent. From now on
    /// the lease needs its quorum too.
    pub fn config_appended(&mut self, index: u64, voters: Voters<N>) {
        self.configs.split_off(&index);
        self.configs.insert(index, voters);
        self.generation += 1;
    }

    /// The configuration entry at `index` was applied: older configurations are not active any more.
    pub fn config_applied(&mut self, index: u64) {
        if self.configs.contains_key(&index) {
            self.configs = self.configs.split_off(&index);
        }
    }

    /// The log was cut before `from_index`: configurations at or after it never were.
    pub fn configs_truncated(&mut self, from_index: u64) {
        self.configs.split_off(&from_index);
    }

    /// A snapshot replaced the log up to `index`; `voters` is the configuration it holds.
    pub fn config_installed(&mut self, index: u64, voters: Voters<N>) {
        self.configs = self.configs.split_off(&index);
        self.configs.insert(index, voters);
    }

    /// Leadership of the present term is about to be handed over: call **before** anyone is told. There is no lease
    /// in this term any more, whether or not the transfer succeeds.
    pub fn transfer_started(&mut self) {
        self.end_leading();
    }

    /// The node stops. Nothing gives this holder a deadline again.
    pub fn shut_down(&mut self) {
        self.end_leading();
        self.is_shut_down = true;
        self.generation += 1;
    }

    /// Until when this node may answer reads without asking anyone: strictly before this moment of its own clock.
    ///
    /// [`Moment::NEVER`] without a leadership, before the own-term gate, or without a quorum. [`Moment::FOREVER`] when
    /// every possibly active configuration is this node alone; that falls out of the same computation, because a
    /// leader counts itself as acknowledging always (it can help elect another only through
    /// [`vote_saved`](Holder::vote_saved), which ends the leadership first).
    pub fn deadline(&self) -> Moment {
        match self.quorum_of(&self.reliable_until) {
            Some(until) if self.may_hold() => until,
            _ => Moment::NEVER,
        }
    }

    /// Grows with the beginning and the end of every leadership, with every configuration appended and with the shutdown, so
    /// that a renewal prepared before such an event (by a quorum of other voters, say) can be told from one prepared
    /// after it. Votes saved by a node that does not lead change nothing.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether this node leads and its own-term gate is open, so that a quorum's answer would give it a lease.
    pub fn may_hold(&self) -> bool {
        self.leadership.is_some_and(|leadership| leadership.own_term_applied) && !self.is_shut_down
    }

    /// The term that this node leads and has not given up, if any.
    pub fn term(&self) -> Option<u64> {
        self.leadership.map(|leadership| leadership.term)
    }

    /// The latest moment that a quorum of every possibly active configuration has reached, each peer its own; this node
    /// has reached every moment.
    fn quorum_of(&self, reached: &BTreeMap<N, Moment>) -> Option<Moment> {
        let reached = |node: &N| if *node == self.me { Some(Moment::FOREVER) } else { reached.get(node).copied() };
        let mut earliest: Option<Moment> = None;
        for voters in self.configs.values() {
            let of_config = voters.quorum_moment(reached)?;
            earliest = Some(earliest.map_or(of_config, |moment| moment.min(of_config)));
        }
        earliest
    }

    fn begin_leading(&mut self, term: u64) {
        if self.is_shut_down || self.spent_term.is_some_and(|spent| term <= spent) {
            return;
        }
        self.leadership = Some(Leadership { term, own_term_applied: false });
        self.generation += 1;
    }

    fn end_leading(&mut self) {
        let Some(leadership) = self.leadership.take() else { return };
        self.spent_term = self.spent_term.max(Some(leadership.term));
        self.reliable_until.clear();
        self.heard.clear();
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALIDITY: u64 = 790_000_000;
    const LEASE: Duration = Duration::from_secs(1);

    fn timing() -> Timing {
        Timing::for_election_timeout(LEASE).unwrap()
    }

    fn at(nanos: u64) -> Moment {
        Moment::from_nanos(nanos)
    }

    fn own(term: u64) -> Vote<u8> {
        Vote { term, node: 1, committed: true }
    }

    fn leading(voters: Voters<u8>) -> Holder<u8> {
        let mut holder = Holder::new(1, timing(), [(0, voters)]);
        holder.vote_saved(own(4));
        holder.own_term_applied(4);
        holder
    }

    #[test]
    fn the_deadline_counts_from_the_send_time_of_a_quorum() {
        let mut holder = leading(Voters::of([1, 2, 3]));
        assert_eq!(holder.deadline(), Moment::NEVER);
        holder.acked(4, &2, at(100), LEASE);
        assert_eq!(holder.deadline(), at(100 + VALIDITY));
        holder.acked(4, &3, at(300), LEASE);
        assert_eq!(holder.deadline(), at(300 + VALIDITY));
        holder.acked(4, &3, at(200), LEASE);
        assert_eq!(holder.deadline(), at(300 + VALIDITY), "a late acknowledgement takes nothing away");
    }

    #[test]
    fn a_sole_voter_has_its_lease_forever_but_only_after_its_own_entry_is_applied() {
        let mut holder = Holder::new(1, timing(), [(0, Voters::of([1]))]);
        assert_eq!(holder.deadline(), Moment::NEVER);
        holder.vote_saved(own(1));
        assert_eq!(holder.deadline(), Moment::NEVER, "the own-term gate holds for one voter too");
        holder.own_term_applied(1);
        assert_eq!(holder.deadline(), Moment::FOREVER);
        holder.config_appended(9, Voters::of([1, 2]));
        assert_eq!(holder.deadline(), Moment::NEVER, "a second voter counts from the append");
        holder.acked(1, &2, at(50), LEASE);
        assert_eq!(holder.deadline(), at(50 + VALIDITY));
    }

    #[test]
    fn every_possibly_active_configuration_needs_a_quorum() {
        let mut holder = leading(Voters::of([1, 2, 3]));
        holder.acked(4, &2, at(700), LEASE);
        holder.config_appended(5, Voters::joint([vec![1, 2, 3], vec![1, 4, 5]]));
        assert_eq!(holder.deadline(), Moment::NEVER);
        holder.acked(4, &4, at(600), LEASE);
        assert_eq!(holder.deadline(), at(600 + VALIDITY));
        holder.config_applied(5);
        holder.config_appended(6, Voters::of([1, 4, 5]));
        assert_eq!(holder.deadline(), at(600 + VALIDITY));
        holder.config_applied(6);
        holder.acked(4, &5, at(800), LEASE);
        assert_eq!(holder.deadline(), at(800 + VALIDITY), "the old set does not matter any more");
    }

    #[test]
    fn a_quorum_is_heard_without_any_promise_and_gives_no_lease() {
        let mut holder = leading(Voters::of([1, 2, 3]));
        assert_eq!(holder.heard_by_quorum(), None);
        holder.heard(4, &2, at(700));
        holder.heard(3, &3, at(900));
        assert_eq!((holder.heard_by_quorum(), holder.deadline()), (Some(at(700)), Moment::NEVER));
        holder.heard(4, &2, at(600));
        holder.config_appended(5, Voters::of([1, 2, 3, 4, 5]));
        assert_eq!(holder.heard_by_quorum(), None, "the new configuration needs three of five");
        holder.heard(4, &4, at(650));
        assert_eq!(holder.heard_by_quorum(), Some(at(650)));
        holder.transfer_started();
        holder.vote_saved(own(6));
        assert_eq!(holder.heard_by_quorum(), None, "what was heard does not outlive the term");
        assert_eq!(leading(Voters::of([1])).heard_by_quorum(), Some(Moment::FOREVER));
    }

    #[test]
    fn a_truncated_configuration_never_was_and_a_snapshot_replaces_all_older() {
        let mut holder = leading(Voters::of([1, 2, 3]));
        holder.acked(4, &2, at(700), LEASE);
        holder.config_appended(5, Voters::of([1, 9]));
        assert_eq!(holder.deadline(), Moment::NEVER);
        holder.configs_truncated(5);
        assert_eq!(holder.deadline(), at(700 + VALIDITY));
        holder.config_installed(8, Voters::of([1]));
        assert_eq!(holder.deadline(), Moment::FOREVER);
    }

    #[test]
    fn a_peer_is_counted_on_for_no_longer_than_it_promised() {
        let mut holder = leading(Voters::of([1, 2, 3]));
        holder.acked(4, &2, at(100), LEASE / 2);
        assert_eq!(holder.deadline(), at(100 + 390_000_000));
        holder.acked(4, &2, at(200), Duration::ZERO);
        assert_eq!(holder.deadline(), at(100 + 390_000_000), "what promises nothing takes nothing away");
        holder.acked(4, &3, at(150), 5 * LEASE);
        assert_eq!(holder.deadline(), at(150 + VALIDITY), "nor for longer than the own lease");
    }

    #[test]
    fn a_leader_that_does_not_vote_needs_a_majority_of_the_others() {
        let mut holder = leading(Voters::of([2, 3, 4]));
        holder.acked(4, &2, at(10), LEASE);
        assert_eq!(holder.deadline(), Moment::NEVER);
        holder.acked(4, &3, at(20), LEASE);
        assert_eq!(holder.deadline(), at(10 + VALIDITY));
    }

    #[test]
    fn no_voters_no_lease() {
        let mut holder = Holder::new(1, timing(), []);
        holder.vote_saved(own(1));
        holder.own_term_applied(1);
        assert_eq!(holder.deadline(), Moment::NEVER);
    }

    /// The table of all events after which a leading sole voter has no lease, and whether the term can come back.
    #[test]
    fn every_end_of_a_leadership_ends_its_lease() {
        type Ending = fn(&mut Holder<u8>);
        let endings: [(&str, Ending); 5] = [
            ("votes for another", |h| h.vote_saved(Vote { term: 5, node: 2, committed: false })),
            ("another won", |h| h.vote_saved(Vote { term: 5, node: 2, committed: true })),
            ("stands anew", |h| h.vote_saved(Vote { term: 5, node: 1, committed: false })),
            ("transfers", |h| h.transfer_started()),
            ("shuts down", |h| h.shut_down()),
        ];
        for (name, ending) in endings {
            let mut holder = leading(Voters::of([1]));
            let generation = holder.generation();
            ending(&mut holder);
            assert_eq!(holder.deadline(), Moment::NEVER, "{name}");
            assert!(holder.generation() > generation, "{name}");
            holder.vote_saved(own(4));
            holder.own_term_applied(4);
            assert_eq!(holder.deadline(), Moment::NEVER, "{name}: term 4 never comes back");
            holder.vote_saved(own(6));
            holder.own_term_applied(6);
            let again = if name == "shuts down" { Moment::NEVER } else { Moment::FOREVER };
            assert_eq!(holder.deadline(), again, "{name}: a later term");
        }
    }

    #[test]
    fn a_candidate_that_wins_leads_in_the_term_it_stood_for() {
        let mut holder = leading(Voters::of([1]));
        holder.vote_saved(Vote { term: 5, node: 1, committed: false });
        holder.vote_saved(own(5));
        holder.own_term_applied(5);
        assert_eq!(holder.deadline(), Moment::FOREVER);
        assert_eq!(holder.term(), Some(5));
    }

    #[test]
    fn events_of_other_terms_are_ignored() {
        let mut holder = Holder::new(1, timing(), [(0, Voters::of([1, 2, 3]))]);
        holder.vote_saved(own(4));
        holder.own_term_applied(3);
        holder.acked(4, &2, at(10), LEASE);
        assert_eq!(holder.deadline(), Moment::NEVER);
        holder.own_term_applied(4);
        holder.acked(3, &2, at(500), LEASE);
        holder.acked(5, &3, at(500), LEASE);
        assert_eq!(holder.deadline(), at(10 + VALIDITY));
        holder.vote_saved(own(4));
        assert_eq!(holder.deadline(), at(10 + VALIDITY), "saving the same vote again changes nothing");
        holder.vote_saved(own(7));
        assert_eq!(holder.deadline(), Moment::NEVER, "acknowledgements do not outlive their term");
    }
}
