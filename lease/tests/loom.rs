//! Every interleaving of readers, renewals and revocations, by loom:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test --release -p quorum-lease --test loom
//! ```
#![cfg(loom)]

use std::time::Duration;

use lease::{AtomicLease, Holder, Moment, SharedHolder, Timing, Vote, Voters};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

fn at(ms: u64) -> Moment {
    Moment::from_nanos(ms * 1_000_000)
}

#[test]
fn a_late_renewal_does_not_resurrect_a_revoked_lease() {
    loom::model(|| {
        let lease = Arc::new(AtomicLease::new());
        let captured = lease.generation();
        let renewer = {
            let lease = lease.clone();
            thread::spawn(move || lease.renew(captured, at(900)))
        };
        lease.revoke();
        assert!(!lease.check(|| at(1)), "nothing holds once the revocation has returned");
        renewer.join().unwrap();
        assert!(!lease.check(|| at(1)), "nor after the late renewal");
    });
}

#[test]
fn renewals_compete_and_the_later_deadline_stays() {
    loom::model(|| {
        let lease = Arc::new(AtomicLease::new());
        let captured = lease.generation();
        let other = {
            let lease = lease.clone();
            thread::spawn(move || lease.renew(captured, at(900)))
        };
        assert!(lease.renew(captured, at(500)));
        assert!(other.join().unwrap());
        assert!(lease.check(|| at(800)));
    });
}

#[test]
fn two_revocations_leave_no_generation_that_was_captured_before() {
    loom::model(|| {
        let lease = Arc::new(AtomicLease::new());
        let captured = lease.generation();
        let other = {
            let lease = lease.clone();
            thread::spawn(move || lease.revoke())
        };
        let mine = lease.revoke();
        let theirs = other.join().unwrap();
        assert_ne!(mine, theirs);
        assert!(!lease.renew(captured, at(900)));
        assert!(lease.renew(mine.max(theirs), at(900)), "the newer of the two is the present one");
    });
}

#[test]
fn a_seen_lease_implies_the_applied_state() {
    loom::model(|| {
        let lease = Arc::new(AtomicLease::new());
        let applied = Arc::new(AtomicU64::new(0));
        let leader = {
            let (lease, applied) = (lease.clone(), applied.clone());
            thread::spawn(move || {
                let captured = lease.generation();
                applied.store(7, Ordering::Relaxed);
                lease.renew(captured, at(900));
            })
        };
        if lease.check(|| at(1)) {
            assert_eq!(applied.load(Ordering::Relaxed), 7);
        }
        leader.join().unwrap();
    });
}

#[test]
fn an_acknowledgement_that_races_with_a_transfer_gives_no_lease_after_it() {
    loom::model(|| {
        let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
        let shared = Arc::new(SharedHolder::new(Holder::new(1, timing, [(0, Voters::of([1, 2, 3]))])));
        shared.update(|holder| {
            holder.vote_saved(Vote { term: 1, node: 1, committed: true });
            holder.own_term_applied(1);
        });
        let network = {
            let shared = shared.clone();
            thread::spawn(move || shared.update(|holder| holder.acked(1, &2, at(5), Duration::from_secs(1))))
        };
        shared.update(|holder| holder.transfer_started());
        assert!(!shared.lease().check(|| at(6)));
        network.join().unwrap();
        assert!(!shared.lease().check(|| at(6)));
    });
}

/// The design that the packed word replaces, to show that loom would have found its fault: generation and deadline in
/// two words leave a gap between the comparison and the store.
#[test]
#[should_panic(expected = "resurrected")]
fn two_words_instead_of_one_are_caught() {
    loom::model(|| {
        let generation = Arc::new(AtomicU64::new(0));
        let deadline = Arc::new(AtomicU64::new(0));
        let captured = generation.load(Ordering::Acquire);
        let renewer = {
            let (generation, deadline) = (generation.clone(), deadline.clone());
            thread::spawn(move || {
                if generation.load(Ordering::Acquire) == captured {
                    deadline.store(900, Ordering::Release);
                }
            })
        };
        generation.fetch_add(1, Ordering::AcqRel);
        deadline.store(0, Ordering::Release);
        renewer.join().unwrap();
        assert_eq!(deadline.load(Ordering::Acquire), 0, "resurrected");
    });
}
