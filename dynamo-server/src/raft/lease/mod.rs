//! The events of a group's lease: what each of them is, which code reports it, and before what.
//!
//! The crate `lease` decides; this is where its events come from. Every one of them is told synchronously, by the code
//! through which the event passes, before the event can reach anybody else:
//!
//! | event | told by | before |
//! |---|---|---|
//! | a vote is saved | `GroupLog::save_vote` | the vote is written, hence before any answer |
//! | a membership enters the log | `GroupLog::append` | it is written or sent |
//! | the log is cut | `GroupLog::truncate_after` | |
//! | a membership is applied | `Machine::apply` | the change is answered; a node that it removes leads no longer |
//! | a snapshot brings a membership | `Machine::install_snapshot` | |
//! | an entry of a term is applied | `Machine::apply` | the own-term gate |
//! | a peer accepted a message | `Connection`, with the time at which exactly that message was sent, and what was promised | |
//! | a peer answered anything | `Connection` | the next message is sent: see [`LeaseFeed::may_append`] |
//! | a transfer starts | `Connection::transfer_leader` | the target hears of it |
//! | this node stops | `Group::shutdown` | |
//!
//! Metrics watchers would be too late: they run as another task. There is one authority and it is this one; openraft's
//! own `LeaseRead` and `last_quorum_acked` are never asked.

pub(super) mod freshness;
pub(super) mod wall_clocks;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lease::{Grantor, Holder, Moment, Outstanding, Refusal, SharedHolder, Timing, Voters};
use parking_lot::Mutex;
use tokio::sync::Notify;

use self::freshness::{Attestation, Freshness};
use super::rules::{self, Rule};
use super::types::{Membership, NodeId, Vote};
use crate::env::Env;

/// How often a node that is not fit to lead looks whether it is.
const UNFIT_LOOK: Duration = Duration::from_millis(500);

/// No term: terms of leaders begin at 1.
const NO_TERM: u64 = 0;

/// The lease of one group on one node: the holder's side and the grantor's.
pub struct LeaseFeed {
    /// This node.
    me: NodeId,
    /// How long promises and leases last.
    timing: Timing,
    /// The holder's side; reads look at it without a lock.
    holder: SharedHolder<NodeId>,
    /// A plain lock: held for a few comparisons, never over an await.
    grantor: Mutex<Grantor<NodeId>>,
    /// Whether openraft may stand for election. Changed under the grantor's lock, together with openraft's own switch.
    may_stand: AtomicBool,
    /// Whether this node is fit to lead.
    is_fit: AtomicBool,
    /// Told when a promise was made or lifted, so that somebody has to look anew when standing is allowed.
    promises: Notify,
    /// The term that this node was elected in and has not voted itself out of, [`NO_TERM`] otherwise.
    elected: AtomicU64,
    /// The same term once an entry of it is applied here: the inherited log is applied, so that timestamps may be
    /// issued. A transfer takes the lease away but not this.
    leading: AtomicU64,
    /// When this node, leading, last heard a quorum.
    contact: Mutex<Contact>,
    /// When a message of a leader was last promised, in nanoseconds of the monotonic clock; zero where none was.
    heard_ns: AtomicU64,
    /// How new the state here is known to be.
    freshness: Mutex<Freshness>,
    /// Told when `leading` is set.
    begins_to_lead: Notify,
}

/// When a leader last heard a quorum. The first message of a term begins it.
struct Contact {
    /// The term of the leader that this is about; [`NO_TERM`] before there was any.
    term: u64,
    /// When it last heard a quorum, on the monotonic clock; never goes back within a term.
    at: Moment,
    /// Whether that was too long ago at the last look, so that it is said once.
    is_lost: bool,
}

/// The voters of a membership, as the lease counts them.
pub fn voters(membership: &Membership) -> Voters<NodeId> {
    let sets: &Vec<BTreeSet<NodeId>> = membership.get_joint_config();
    Voters::joint(sets.iter().map(|set| set.iter().copied()))
}

/// The lengths that the grantor keeps to: the holder's, unless a test has it promise no more than the holder counts on.
fn grantors(timing: Timing) -> Timing {
    if rules::is_kept(Rule::PromiseOutlastsValidity) {
        return timing;
    }
    Timing::for_election_timeout(timing.validity()).expect("the validity is no shorter than the shortest lease")
}

impl LeaseFeed {
    /// The lease of a node that starts now.
    ///
    /// `configs` are the possibly active memberships by the index of their entries: the applied one and every newer
    /// one in the log. `longest_promise` is the longest that this node may have given before it started. `now` is the
    /// grantor's clock; see `promise`. `base` is drawn at random.
    pub fn start(
        me: NodeId,
        (timing, longest_promise): (Timing, Duration),
        configs: Vec<(u64, Voters<NodeId>)>,
        vote: Option<&Vote>,
        now: Moment,
        base: u64,
    ) -> Self {
        let outstanding = match vote.map(|vote| vote.leader_id.voted_for) {
            Some(last) => Outstanding::judge(&me, configs.iter().map(|(_, voters)| voters), Some(&last)),
            // Whoever accepts a leader's message makes its vote durable first: without any vote there is no promise.
            None => Outstanding::Impossible,
        };
        let outstanding = if rules::is_kept(Rule::HoldOff) { outstanding } else { Outstanding::Impossible };
        let is_before_kept = rules::is_kept(Rule::HoldOffForThePromiseBefore);
        let longest_promise = if is_before_kept { longest_promise } else { Duration::ZERO };
        debug_assert!(timing.validity() < timing.promise(), "a lease is valid for less long than was promised");
        debug_assert!(configs.windows(2).all(|pair| pair[0].0 < pair[1].0), "memberships are in the order of the log");
        LeaseFeed {
            me,
            timing,
            grantor: Mutex::new(Grantor::start(grantors(timing), now, outstanding, longest_promise)),
            may_stand: AtomicBool::new(false),
            is_fit: AtomicBool::new(true),
            promises: Notify::new(),
            holder: SharedHolder::new(Holder::new(me, timing, configs)),
            elected: AtomicU64::new(NO_TERM),
            leading: AtomicU64::new(NO_TERM),
            contact: Mutex::new(Contact { term: NO_TERM, at: Moment::NEVER, is_lost: false }),
            heard_ns: AtomicU64::new(0),
            freshness: Mutex::new(Freshness::new(base)),
            begins_to_lead: Notify::new(),
        }
    }

    /// Whether reads may be answered without asking anybody. Two loads and at most one look at the clock.
    #[inline]
    pub fn holds(&self, now: impl FnOnce() -> Option<Moment>) -> bool {
        // Without a clock every moment is later than any deadline: a clock error fails closed.
        self.holder.lease().check(|| now().unwrap_or(Moment::FOREVER))
    }

    /// Until when the lease holds, for display.
    pub fn deadline(&self) -> Moment {
        self.holder.lease().deadline()
    }

    /// The term in which this node leads with its inherited log applied; `None` while it does not.
    #[inline]
    pub fn leading_term(&self) -> Option<u64> {
        Some(self.leading.load(Ordering::Acquire)).filter(|term| *term != NO_TERM)
    }

    /// For how long this node promises a leader not to elect another.
    pub fn promise_length(&self) -> Duration {
        self.timing.promise()
    }

    /// Waits until this node leads with its inherited log applied.
    pub async fn wait_leading(&self) {
        loop {
            let begins = self.begins_to_lead.notified();
            tokio::pin!(begins);
            // Registered before the look, so that a beginning in between is not missed.
            begins.as_mut().enable();
            if self.leading_term().is_some() {
                return;
            }
            begins.await;
        }
    }

    pub(super) fn vote_is_saved(&self, vote: &Vote) {
        let (term, node) = (vote.leader_id.term, vote.leader_id.voted_for);
        let is_elected = node == self.me && vote.committed;
        if node != self.me && !vote.committed {
            // Somebody else stands, with this node's help: see `Group::gate_elections`.
            self.promises.notify_one();
        }
        if self.elected.swap(if is_elected { term } else { NO_TERM }, Ordering::AcqRel) != term || !is_elected {
            self.leading.store(NO_TERM, Ordering::Release);
        }
        self.holder.update(|holder| holder.vote_saved(lease::Vote { term, node, committed: vote.committed }));
        if is_elected && !rules::is_kept(Rule::OwnTermGate) {
            self.holder.update(|holder| holder.own_term_applied(term));
        }
    }

    pub(super) fn entry_is_applied(&self, term: u64) {
        debug_assert_ne!(term, NO_TERM, "an entry is of some leader's term");
        if self.elected.load(Ordering::Acquire) != term {
            return;
        }
        self.leading.store(term, Ordering::Release);
        // A vote that was saved in between must not be overlooked.
        if self.elected.load(Ordering::Acquire) != term {
            self.leading.store(NO_TERM, Ordering::Release);
        }
        self.holder.update(|holder| holder.own_term_applied(term));
        self.begins_to_lead.notify_waiters();
    }

    pub(super) fn membership_is_appended(&self, index: u64, membership: &Membership) {
        if !rules::is_kept(Rule::EveryMembership) {
            return;
        }
        self.holder.update(|holder| holder.config_appended(index, voters(membership)));
    }

    pub(super) fn membership_is_applied(&self, index: u64, membership: &Membership) {
        self.holder.update(|holder| holder.config_applied(index));
        if !membership.voter_ids().any(|voter| voter == self.me) {
            self.is_removed();
        }
    }

    /// This node votes no longer, and everybody may know it by now: it leads nobody, and does not again in this term.
    fn is_removed(&self) {
        self.elected.store(NO_TERM, Ordering::Release);
        self.leading.store(NO_TERM, Ordering::Release);
        self.holder.update(Holder::transfer_started);
    }

    pub(super) fn membership_is_installed(&self, index: u64, membership: &Membership) {
        self.holder.update(|holder| holder.config_installed(index, voters(membership)));
    }

    pub(super) fn log_is_cut(&self, from: u64) {
        self.holder.update(|holder| holder.configs_truncated(from));
    }

    pub(super) fn peer_accepted(&self, term: u64, peer: NodeId, sent_at: Moment, promised: Duration) {
        debug_assert_ne!(peer, self.me, "a leader counts on others' promises; its own is counted by the holder");
        let promised = if rules::is_kept(Rule::CountWhatWasPromised) { promised } else { self.timing.promise() };
        self.holder.update(|holder| holder.acked(term, &peer, sent_at, promised));
    }

    /// A peer answered something that was sent in `term`.
    pub(super) fn peer_answered(&self, term: u64, peer: NodeId, now: Moment) {
        debug_assert_ne!(peer, self.me, "a quorum is heard, not remembered");
        let heard = self.holder.update(|holder| {
            holder.heard(term, &peer, now);
            holder.heard_by_quorum()
        });
        let mut contact = self.contact.lock();
        if let Some(heard) = heard.filter(|_| contact.term == term) {
            // A sole voter hears a quorum at all times, but only until there is another.
            contact.at = contact.at.max(heard.min(now));
        }
    }

    /// Voters in the largest of the memberships that may be in force.
    pub(super) fn voters_max(&self) -> usize {
        self.holder.update(|holder| holder.voters_max())
    }

    /// Whether this node, leading `term`, may send appends, each of which makes whoever hears it promise to elect nobody
    /// else: while it hears a quorum itself. One that is heard and hears nobody would otherwise keep the others from
    /// electing a leader that can do something, for as long as that lasts. `Err` with whether it is new that it may not.
    pub(super) fn may_append(&self, term: u64, now: Moment) -> Result<(), bool> {
        if !rules::is_kept(Rule::QuorumIsHeard) {
            return Ok(());
        }
        let mut contact = self.contact.lock();
        if contact.term != term {
            *contact = Contact { term, at: now, is_lost: false };
        }
        let was_lost = contact.is_lost;
        // As long as whoever heard the last message before has promised.
        contact.is_lost = now.since(contact.at) > self.timing.promise() && !self.is_sole_voter();
        if contact.is_lost { Err(!was_lost) } else { Ok(()) }
    }

    /// Whether this node is a quorum by itself.
    fn is_sole_voter(&self) -> bool {
        self.holder.update(|holder| holder.heard_by_quorum()) == Some(Moment::FOREVER)
    }

    pub(super) fn transfer_starts(&self) {
        if !rules::is_kept(Rule::TransferRevokes) {
            return;
        }
        self.holder.update(Holder::transfer_started);
    }

    pub(super) fn shut_down(&self) {
        self.leading.store(NO_TERM, Ordering::Release);
        self.holder.update(Holder::shut_down);
    }

    /// A message of `leader` was accepted: promise it not to help anybody else for a while, oneself included. Gives for how
    /// long. `forbid` is called where this node could have stood for election until now.
    ///
    /// The grantor's clock is the monotonic one, everywhere: if it stands still while the machine is suspended, the
    /// promise lasts longer than it must, which is safe.
    pub(super) fn promise(&self, now: Moment, leader: NodeId, term: u64, forbid: impl FnOnce()) -> Duration {
        if !rules::is_kept(Rule::GrantorPromises) {
            return self.timing.promise();
        }
        let mut grantor = self.grantor.lock();
        let promised = grantor.accepted(now, &leader, term);
        debug_assert!(promised <= self.timing.promise(), "no more is promised than was agreed on");
        self.heard_ns.store(now.as_nanos(), Ordering::Relaxed);
        if !promised.is_zero() && rules::is_kept(Rule::AskOneself) && self.may_stand.swap(false, Ordering::Relaxed) {
            forbid();
            self.promises.notify_one();
        }
        // A grantor that a test has made forgetful says what it should have promised.
        if rules::is_kept(Rule::PromiseOutlastsValidity) { promised } else { self.timing.promise() }
    }

    /// When a leader was last heard, whatever it said; `None` where none was. That says nothing about the state here.
    pub fn heard_at(&self) -> Option<Moment> {
        Some(self.heard_ns.load(Ordering::Relaxed)).filter(|heard| *heard != 0).map(Moment::from_nanos)
    }

    /// The leader of `term` gives its lease away: promises to it bind no longer.
    pub(super) fn release(&self, term: u64) {
        self.grantor.lock().transferred(term);
        self.promises.notify_one();
    }

    /// Lets this node stand for election, by calling `allow`, where its own grantor would vote for it. Otherwise gives the
    /// moment from which asking again may help.
    ///
    /// Under the same lock as `promise`: whatever is promised later forbids it again, and is handed to openraft later still.
    /// So openraft stands before it accepts that message, and then refuses it, or does not stand.
    pub(super) fn let_stand(&self, now: Moment, allow: impl FnOnce()) -> Result<(), Moment> {
        let grantor = self.grantor.lock();
        if !self.is_fit.load(Ordering::Relaxed) {
            return Err(now.plus(UNFIT_LOOK));
        }
        match grantor.may_grant(now, &self.me) {
            Err(Refusal::HoldOff { until }) => return Err(until),
            Err(Refusal::Promised { until, .. }) if rules::is_kept(Rule::AskOneself) => return Err(until),
            Err(Refusal::Promised { .. }) | Ok(()) => {}
        }
        self.may_stand.store(true, Ordering::Relaxed);
        allow();
        Ok(())
    }

    /// Says whether this node is fit to lead. One that is not does not stand: `forbid` is called where it could have.
    pub(super) fn set_fit(&self, is_fit: bool, forbid: impl FnOnce()) {
        let _grantor = self.grantor.lock();
        self.is_fit.store(is_fit, Ordering::Relaxed);
        if !is_fit && self.may_stand.swap(false, Ordering::Relaxed) {
            forbid();
        }
        self.promises.notify_one();
    }

    /// The leader that this node has promised not to elect anybody else, while that binds: known without openraft, which
    /// may be waiting for the disk.
    pub(super) fn follows(&self, now: Moment) -> Option<NodeId> {
        match self.grantor.lock().may_grant(now, &self.me) {
            Err(Refusal::Promised { to, .. }) => Some(to),
            Err(Refusal::HoldOff { .. }) | Ok(()) => None,
        }
    }

    /// Waits until a promise was made that forbids to stand, or one was lifted.
    pub(super) async fn promises_change(&self) {
        self.promises.notified().await;
    }

    /// What a leader is asked to send back, so that it can be told how new the state here is.
    pub(super) fn mark(&self, now_ns: u64) -> u64 {
        self.freshness.lock().mark(now_ns)
    }

    /// When a mark that came back was made, on the monotonic clock.
    pub(super) fn moment_of(&self, mark: u64, now_ns: u64) -> Option<u64> {
        self.freshness.lock().moment_of(mark, now_ns)
    }

    /// A leader with a lease has said how far it has applied its log. So far is it applied here.
    pub(super) fn attested(&self, said: Attestation, now_ns: u64, applied_next: u64) {
        if !rules::is_kept(Rule::KnownAge) {
            let mut freshness = self.freshness.lock();
            let spoken_to = Attestation { mark: freshness.mark(now_ns), applied_next: 0 };
            return freshness.heard(spoken_to, now_ns, applied_next);
        }
        self.freshness.lock().heard(said, now_ns, applied_next);
    }

    /// The latest moment of the monotonic clock up to which the state here, applied so far, is known to show everything
    /// that was acknowledged; `None` where nothing is known.
    pub fn fresh_since(&self, applied_next: u64) -> Option<u64> {
        self.freshness.lock().since(applied_next)
    }

    /// How long this node, restarted, must not vote for anybody, itself included.
    pub(super) fn hold_off(&self, now: Moment) -> Duration {
        match self.grantor.lock().may_grant(now, &self.me) {
            Err(Refusal::HoldOff { until }) => until.since(now),
            Err(Refusal::Promised { .. }) | Ok(()) => Duration::ZERO,
        }
    }

    /// Whether this node may vote for `candidate` now.
    ///
    /// # Errors
    /// The promise or hold-off that forbids it.
    pub(super) fn may_grant(&self, now: Moment, candidate: NodeId) -> Result<(), Refusal<NodeId>> {
        self.grantor.lock().may_grant(now, &candidate)
    }
}

/// The grantor's clock; see [`LeaseFeed::promise`].
pub(super) fn now<E: Env>() -> Moment {
    Moment::from_nanos(E::monotonic_ns())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::raft::types::Member;

    const LEASE: Duration = Duration::from_secs(1);

    fn membership(nodes: &[NodeId]) -> Membership {
        let members: BTreeMap<NodeId, Member> = nodes.iter().map(|node| (*node, Member::default())).collect();
        Membership::new(vec![nodes.iter().copied().collect()], members).unwrap()
    }

    fn at(ms: u64) -> Moment {
        Moment::from_nanos(ms * 1_000_000)
    }

    /// The lease of node 1 in a group of these voters, started at 0 after this last vote.
    fn start(nodes: &[NodeId], vote: Option<Vote>) -> LeaseFeed {
        let timing = Timing::for_election_timeout(LEASE).unwrap();
        LeaseFeed::start(1, (timing, LEASE), vec![(0, voters(&membership(nodes)))], vote.as_ref(), at(0), 0)
    }

    /// A sole voter that was elected in term 2 and has applied its first entry.
    fn leading_alone() -> LeaseFeed {
        let feed = start(&[1], None);
        feed.vote_is_saved(&Vote::new(2, 1));
        feed.vote_is_saved(&Vote::new_committed(2, 1));
        feed.entry_is_applied(2);
        feed
    }

    fn holds(feed: &LeaseFeed, ms: u64) -> bool {
        feed.holds(|| Some(at(ms)))
    }

    #[test]
    fn a_leader_serves_after_applying_an_entry_of_its_term() {
        let feed = start(&[1], None);
        feed.vote_is_saved(&Vote::new(2, 1));
        feed.vote_is_saved(&Vote::new_committed(2, 1));
        feed.entry_is_applied(1);
        assert!(!holds(&feed, 0), "an entry of an earlier term proves nothing");
        assert_eq!(feed.leading_term(), None);
        feed.entry_is_applied(2);
        assert!(holds(&feed, 0));
        assert!(holds(&feed, u64::MAX / 2_000_000), "a sole voter's lease does not end by itself");
        assert_eq!(feed.leading_term(), Some(2));
    }

    #[test]
    fn every_vote_but_the_own_committed_one_revokes() {
        for vote in [Vote::new(3, 1), Vote::new(3, 2), Vote::new_committed(3, 2)] {
            let feed = leading_alone();
            feed.vote_is_saved(&vote);
            assert!(!holds(&feed, 0), "{vote}");
            assert_eq!(feed.leading_term(), None, "{vote}");
            feed.entry_is_applied(2);
            assert!(!holds(&feed, 0), "an entry of the old term brings nothing back after {vote}");
        }
        let feed = leading_alone();
        feed.vote_is_saved(&Vote::new_committed(2, 1));
        assert!(holds(&feed, 0), "the own committed vote confirms");
    }

    #[test]
    fn a_second_voter_in_the_log_needs_its_quorum_at_once() {
        let feed = leading_alone();
        feed.membership_is_appended(5, &membership(&[1, 2]));
        assert!(!holds(&feed, 0));
        feed.peer_accepted(2, 2, at(100), LEASE);
        assert!(holds(&feed, 880));
        assert!(!holds(&feed, 890), "0.8 of the lease less the margin");
        feed.log_is_cut(5);
        assert!(holds(&feed, 5_000), "the entry never was");
    }

    #[test]
    fn a_leader_that_hears_no_quorum_sends_no_appends() {
        let feed = start(&[1, 2, 3], None);
        feed.vote_is_saved(&Vote::new_committed(2, 1));
        assert_eq!(feed.may_append(2, at(10_000)), Ok(()), "a term begins with its first message");
        assert_eq!(feed.may_append(2, at(11_000)), Ok(()));
        assert_eq!(feed.may_append(2, at(11_001)), Err(true));
        assert_eq!(feed.may_append(2, at(11_002)), Err(false), "said once");
        feed.peer_answered(1, 2, at(11_100));
        assert_eq!(feed.may_append(2, at(11_200)), Err(false), "an answer to a message of an earlier term");
        feed.peer_answered(2, 2, at(11_300));
        assert_eq!(feed.may_append(2, at(12_300)), Ok(()));
        assert!(!holds(&feed, 11_300), "to be heard gives no lease");
        assert_eq!(feed.may_append(2, at(12_301)), Err(true));
        feed.vote_is_saved(&Vote::new_committed(3, 1));
        assert_eq!(feed.may_append(3, at(60_000)), Ok(()));
    }

    #[test]
    fn a_transfer_ends_the_lease_but_not_the_leadership() {
        let feed = leading_alone();
        feed.transfer_starts();
        assert!(!holds(&feed, 0));
        assert_eq!(feed.leading_term(), Some(2));
        feed.entry_is_applied(2);
        assert!(!holds(&feed, 0), "not again in this term");
    }

    #[test]
    fn a_sole_voter_hears_a_quorum_until_there_is_another_voter() {
        let feed = leading_alone();
        assert_eq!(feed.may_append(2, at(0)), Ok(()));
        feed.peer_answered(2, 2, at(1_000));
        assert_eq!(feed.may_append(2, at(60_000)), Ok(()), "a learner that is silent takes nothing away");
        feed.peer_answered(2, 2, at(61_000));
        feed.membership_is_appended(1, &membership(&[1, 2]));
        assert_eq!(feed.may_append(2, at(62_000)), Ok(()));
        assert_eq!(feed.may_append(2, at(62_500)), Err(true), "what it heard as a sole voter counts for no longer");
    }

    #[test]
    fn a_leader_that_is_removed_leads_until_its_removal_is_applied() {
        let feed = start(&[1, 2, 3], None);
        feed.vote_is_saved(&Vote::new_committed(2, 1));
        feed.entry_is_applied(2);
        feed.membership_is_appended(5, &membership(&[2, 3]));
        feed.peer_accepted(2, 2, at(100), LEASE);
        assert!(!holds(&feed, 200), "of the new voters one is no majority");
        feed.peer_accepted(2, 3, at(100), LEASE);
        assert!(holds(&feed, 200));
        assert_eq!(feed.leading_term(), Some(2));
        feed.membership_is_applied(5, &membership(&[2, 3]));
        assert!(!holds(&feed, 200));
        assert_eq!(feed.leading_term(), None);
        feed.entry_is_applied(2);
        feed.peer_accepted(2, 2, at(300), LEASE);
        assert!(!holds(&feed, 200), "not again in this term");
        assert_eq!(feed.leading_term(), None);
    }

    #[test]
    fn without_a_clock_or_after_the_end_nothing_is_served() {
        let feed = start(&[1, 2], None);
        feed.vote_is_saved(&Vote::new_committed(2, 1));
        feed.entry_is_applied(2);
        feed.peer_accepted(2, 2, at(100), LEASE);
        assert!(holds(&feed, 200));
        assert!(!feed.holds(|| None));
        feed.shut_down();
        assert!(!holds(&feed, 200));
    }

    #[test]
    fn a_restarted_voter_of_many_holds_off_and_a_sole_one_does_not() {
        let many = start(&[1, 2, 3], Some(Vote::new_committed(4, 2)));
        assert_eq!(many.hold_off(at(0)), LEASE * 111 / 100);
        assert!(many.may_grant(at(1_000), 3).is_err());
        assert!(many.may_grant(at(1_111), 3).is_ok());
        let alone = start(&[1], Some(Vote::new_committed(4, 1)));
        assert_eq!(alone.hold_off(at(0)), Duration::ZERO);
    }

    /// However late the look comes that allows it: what was promised before is over, and what is promised then forbids it.
    #[test]
    fn standing_is_allowed_once_nothing_forbids_it_and_forbidden_with_the_next_promise() {
        let feed = start(&[1, 2, 3], Some(Vote::new_committed(4, 2)));
        let allowed = std::cell::Cell::new(false);
        assert_eq!(feed.let_stand(at(1_109), || allowed.set(true)), Err(at(1_110)));
        assert!(!allowed.get());
        assert_eq!(feed.let_stand(at(60_000), || allowed.set(true)), Ok(()));
        assert!(allowed.get(), "also where the hold-off was over before anybody looked");
        assert_eq!(feed.promise(at(60_001), 2, 4, || allowed.set(false)), LEASE);
        assert!(!allowed.get());
        assert_eq!(feed.let_stand(at(61_000), || allowed.set(true)), Err(at(61_001)));
        feed.release(4);
        assert_eq!(feed.let_stand(at(61_000), || allowed.set(true)), Ok(()));
    }
}
