//! A holder behind a lock, with its deadline published to an atomic lease.

use crate::atomic::AtomicLease;
use crate::holder::Holder;
use crate::moment::Moment;
use crate::sync::{Mutex, MutexGuard};
use crate::word::Generation;

/// Ties a [`Holder`] to the [`AtomicLease`] that readers check.
///
/// Events go through [`update`](SharedHolder::update), which publishes before it returns. So an event is
/// visible to every reader before its consequences can reach anyone, if only the caller feeds it early enough (see
/// the methods of [`Holder`]). Readers use [`lease`](SharedHolder::lease) and never wait for the lock.
///
/// The lock is an ordinary one: it is held for the few hundred nanoseconds of one event, never across I/O or an await.
#[derive(Debug)]
pub struct SharedHolder<N> {
    /// Held for some comparisons.
    tracker: Mutex<Tracker<N>>,
    /// What reads look at, without a lock.
    lease: AtomicLease,
}

/// What the lock protects.
#[derive(Debug)]
struct Tracker<N> {
    /// The pure part.
    holder: Holder<N>,
    /// The holder's generation at the last publication.
    holder_generation: u64,
    /// The generation of the atomic lease that belongs to it.
    lease_generation: Generation,
    /// The deadline at the last publication.
    deadline: Moment,
}

impl<N: Ord + Clone> SharedHolder<N> {
    /// Publishes what `holder` says now, and from now on.
    pub fn new(holder: Holder<N>) -> SharedHolder<N> {
        let lease = AtomicLease::new();
        let mut tracker = Tracker {
            holder_generation: holder.generation(),
            lease_generation: lease.generation(),
            deadline: Moment::NEVER,
            holder,
        };
        tracker.publish(&lease);
        SharedHolder { tracker: Mutex::new(tracker), lease }
    }

    /// Feeds one or more events to the holder and publishes the outcome before returning.
    ///
    /// Should `events` panic, the lease is revoked and no later update publishes anything: a holder of which nobody
    /// knows what it saw gives no lease.
    pub fn update<R>(&self, events: impl FnOnce(&mut Holder<N>) -> R) -> R {
        let mut tracker = self.lock();
        let revoke_on_panic = RevokeOnDrop(&self.lease);
        let result = events(&mut tracker.holder);
        std::mem::forget(revoke_on_panic);
        tracker.publish(&self.lease);
        result
    }

    /// To be called before a quorum round that is to renew the lease as a whole, where acknowledgements are not fed
    /// to the holder one by one: the generation to hand to [`AtomicLease::renew`] with the start of the round plus
    /// [`Timing::validity`](crate::Timing::validity). `None` when this node does not lead, or has given its lease away for
    /// the rest of the term: then no answer of any quorum may renew. (The model under `tests/model` found that
    /// capturing the generation alone does not do: a round may begin *after* the revocation.)
    pub fn capture(&self) -> Option<Generation> {
        let tracker = self.lock();
        tracker.holder.may_hold().then_some(tracker.lease_generation)
    }

    /// What readers check. Revoking it directly is safe and lasts until the next leadership begins or a configuration is
    /// appended; [`update`](SharedHolder::update) is the way to tell of an event.
    pub fn lease(&self) -> &AtomicLease {
        &self.lease
    }

    /// A copy of the holder's state, for display and tests.
    pub fn snapshot(&self) -> Holder<N> {
        self.lock().holder.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Tracker<N>> {
        match self.tracker.lock() {
            Ok(tracker) => tracker,
            Err(poisoned) => {
                let mut tracker = poisoned.into_inner();
                tracker.holder.shut_down();
                tracker
            }
        }
    }
}

impl<N: Ord + Clone> Tracker<N> {
    /// Makes the atomic lease say what the holder says. Two publications never interleave: both hold the lock.
    fn publish(&mut self, lease: &AtomicLease) {
        let deadline = self.holder.deadline();
        let is_new_generation = self.holder.generation() != self.holder_generation;
        if !is_new_generation && deadline == self.deadline {
            return; // Most events of a busy group: an applied entry, an acknowledgement that came out of order.
        }
        if is_new_generation || deadline < self.deadline {
            self.lease_generation = lease.revoke();
        }
        lease.renew(self.lease_generation, deadline);
        self.holder_generation = self.holder.generation();
        self.deadline = deadline;
    }
}

/// Revokes when dropped, that is when an update panics.
struct RevokeOnDrop<'a>(&'a AtomicLease);

impl Drop for RevokeOnDrop<'_> {
    fn drop(&mut self) {
        self.0.revoke();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::*;
    use crate::holder::Vote;
    use crate::quorum::Voters;
    use crate::timing::Timing;

    fn at(ms: u64) -> Moment {
        Moment::from_nanos(ms * 1_000_000)
    }

    fn leader_of(voters: Voters<u8>) -> SharedHolder<u8> {
        let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
        let shared = SharedHolder::new(Holder::new(1, timing, [(0, voters)]));
        shared.update(|holder| {
            holder.vote_saved(Vote { term: 1, node: 1, committed: true });
            holder.own_term_applied(1);
        });
        shared
    }

    #[test]
    fn readers_see_what_the_holder_says() {
        let shared = leader_of(Voters::of([1, 2, 3]));
        assert!(!shared.lease().check(|| at(0)));
        shared.update(|holder| holder.acked(1, &2, at(1_000), Duration::from_secs(1)));
        assert!(shared.lease().check(|| at(1_780)));
        assert!(!shared.lease().check(|| at(1_790)));
        shared.update(|holder| holder.transfer_started());
        assert!(!shared.lease().check(|| at(1_001)));
    }

    #[test]
    fn a_configuration_that_shortens_the_lease_shortens_what_readers_see() {
        let shared = leader_of(Voters::of([1]));
        assert!(shared.lease().check(|| unreachable!("a sole voter needs no clock")));
        let captured = shared.lease().generation();
        shared.update(|holder| holder.acked(1, &2, at(500), Duration::from_secs(1)));
        shared.update(|holder| holder.config_appended(2, Voters::of([1, 2])));
        assert!(shared.lease().check(|| at(1_280)));
        assert!(!shared.lease().check(|| at(1_290)));
        assert!(!shared.lease().renew(captured, Moment::FOREVER), "renewals begun under the old voters are void");
    }

    #[test]
    fn no_round_begins_without_a_leadership_and_none_outlives_it() {
        let shared = leader_of(Voters::of([1, 2, 3]));
        let captured = shared.capture().expect("node 1 leads");
        assert!(shared.lease().renew(captured, at(700)));
        assert!(shared.lease().check(|| at(600)));
        shared.update(|holder| holder.config_appended(3, Voters::of([1, 2, 3, 4, 5])));
        assert!(!shared.lease().check(|| at(600)), "a quorum of the old voters says nothing about the new ones");
        assert!(!shared.lease().renew(captured, at(800)));
        shared.update(|holder| holder.transfer_started());
        assert_eq!(shared.capture(), None);
    }

    #[test]
    fn a_panicking_update_ends_the_lease_for_good() {
        let shared = leader_of(Voters::of([1]));
        let panicked = catch_unwind(AssertUnwindSafe(|| shared.update(|_| panic!("as tested"))));
        assert!(panicked.is_err());
        assert!(!shared.lease().check(|| at(0)));
        shared.update(|holder| holder.vote_saved(Vote { term: 9, node: 1, committed: true }));
        shared.update(|holder| holder.own_term_applied(9));
        assert!(!shared.lease().check(|| at(0)));
    }
}
