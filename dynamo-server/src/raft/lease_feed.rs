//! What the lease of a group is told, by whom, and when.
//!
//! The crate `lease` decides; this is where its events come from. Every one of them is told synchronously, by the code
//! through which the event passes, before the event can reach anybody else:
//!
//! | event | told by | before |
//! |---|---|---|
//! | a vote is saved | `GroupLog::save_vote` | the vote is written, hence before any answer |
//! | a membership enters the log | `GroupLog::append` | it is written or sent |
//! | the log is cut | `GroupLog::truncate_after` | |
//! | a membership is applied | `Machine::apply` | |
//! | an entry of a term is applied | `Machine::apply` | the own-term gate |
//! | a peer accepted a message | `Connection`, with the time at which exactly that message was sent | |
//! | a transfer starts | `Connection::transfer_leader` | the target hears of it |
//! | this node stops | `Group::shutdown` | |
//!
//! Metrics watchers would be too late: they run as another task. There is one authority and it is this one; openraft's
//! own `LeaseRead` and `last_quorum_acked` are never asked.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use lease::{Grantor, Holder, Moment, Outstanding, Refusal, SharedHolder, Timing, Voters};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::types::{Membership, NodeId, Vote};

/// No term: terms of leaders begin at 1.
const NO_TERM: u64 = 0;

/// The lease of one group on one node: the holder's side and the grantor's.
pub struct LeaseFeed {
    me: NodeId,
    holder: SharedHolder<NodeId>,
    /// A plain lock: held for a few comparisons, never over an await.
    grantor: Mutex<Grantor<NodeId>>,
    /// The term that this node was elected in and has not voted itself out of, [`NO_TERM`] otherwise.
    elected: AtomicU64,
    /// The same term once an entry of it is applied here: the inherited log is applied, so that timestamps may be
    /// issued. A transfer takes the lease away but not this.
    leading: AtomicU64,
    /// Told when `leading` is set.
    begins_to_lead: Notify,
}

/// The voters of a membership, as the lease counts them.
pub fn voters(membership: &Membership) -> Voters<NodeId> {
    let sets: &Vec<BTreeSet<NodeId>> = membership.get_joint_config();
    Voters::joint(sets.iter().map(|set| set.iter().copied()))
}

impl LeaseFeed {
    /// The lease of a node that starts now.
    ///
    /// `configs` are the possibly active memberships by the index of their entries: the applied one and every newer
    /// one in the log. `now` is the grantor's clock; see [`promise`](LeaseFeed::promise).
    pub fn start(
        me: NodeId,
        timing: Timing,
        configs: Vec<(u64, Voters<NodeId>)>,
        vote: Option<&Vote>,
        now: Moment,
    ) -> Self {
        let last_vote_for = vote.map(|vote| vote.leader_id.voted_for);
        let outstanding = Outstanding::judge(&me, configs.iter().map(|(_, voters)| voters), last_vote_for.as_ref());
        LeaseFeed {
            me,
            grantor: Mutex::new(Grantor::start(timing, now, outstanding)),
            holder: SharedHolder::new(Holder::new(me, timing, configs)),
            elected: AtomicU64::new(NO_TERM),
            leading: AtomicU64::new(NO_TERM),
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
        if self.elected.swap(if is_elected { term } else { NO_TERM }, Ordering::AcqRel) != term || !is_elected {
            self.leading.store(NO_TERM, Ordering::Release);
        }
        self.holder.update(|holder| holder.vote_saved(lease::Vote { term, node, committed: vote.committed }));
    }

    pub(super) fn entry_is_applied(&self, term: u64) {
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
        self.holder.update(|holder| holder.config_appended(index, voters(membership)));
    }

    pub(super) fn membership_is_applied(&self, index: u64) {
        self.holder.update(|holder| holder.config_applied(index));
    }

    pub(super) fn membership_is_installed(&self, index: u64, membership: &Membership) {
        self.holder.update(|holder| holder.config_installed(index, voters(membership)));
    }

    pub(super) fn log_is_cut(&self, from: u64) {
        self.holder.update(|holder| holder.configs_truncated(from));
    }

    pub(super) fn peer_accepted(&self, term: u64, peer: NodeId, sent_at: Moment) {
        self.holder.update(|holder| holder.acked(term, &peer, sent_at));
    }

    pub(super) fn transfer_starts(&self) {
        self.holder.update(Holder::transfer_started);
    }

    pub(super) fn shut_down(&self) {
        self.leading.store(NO_TERM, Ordering::Release);
        self.holder.update(Holder::shut_down);
    }

    /// A message of `leader` was accepted: promise it not to help anybody else for a while.
    ///
    /// The grantor's clock is the monotonic one, everywhere: if it stands still while the machine is suspended, the
    /// promise lasts longer than it must, which is safe.
    pub(super) fn promise(&self, now: Moment, leader: NodeId, term: u64) {
        self.grantor.lock().accepted(now, &leader, term);
    }

    /// The leader of `term` gives its lease away: promises to it bind no longer.
    pub(super) fn release(&self, term: u64) {
        self.grantor.lock().transferred(term);
    }

    /// Whether this node may vote for `candidate` now.
    ///
    /// # Errors
    /// The promise or hold-down that forbids it.
    pub(super) fn may_grant(&self, now: Moment, candidate: NodeId) -> Result<(), Refusal<NodeId>> {
        self.grantor.lock().may_grant(now, &candidate)
    }
}
