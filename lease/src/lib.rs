//! Leader leases for quorum systems: who may count on being the leader, and who must not elect another.
//!
//! # Problem
//!
//! A leader of a replicated group (Raft, Multi-Paxos, Viewstamped Replication) that answers a read from its own
//! state must know that no other leader exists which has already accepted newer writes. Asking a quorum before every
//! read is safe and costs a round trip. A lease makes the answer a comparison of two numbers.
//!
//! # Idea
//!
//! Gray and Cheriton, *Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency* (SOSP
//! 1989): a promise that ends by itself. Ongaro's dissertation, section 6.4.1, applies it to Raft: whoever accepts a
//! leader's message promises not to help elect anyone else for one election timeout; so a leader that has such
//! promises from a quorum knows for that long that it is alone.
//!
//! ```text
//!   leader    s ──────────── counts on its lease ────────┤            deadline = s + validity
//!              \ append     / ack                         :
//!   follower    ●──────────── promises ───────────────────:──────┤    until = arrival + promise
//!                                                         : safety gap: drift, margin, transit
//! ```
//!
//! - The [`Holder`] is the leader's side. It counts from when an acknowledged message was **sent** (its own clock,
//!   before the message can have reached anyone), takes the quorum over every voter configuration that may be
//!   active, and counts on it for a little less than the promise lasts ([`Timing`]).
//! - The [`Grantor`] is the follower's side. It counts from when the message was **accepted**, before the
//!   acknowledgement can have reached anyone, and after a restart, having forgotten what it promised, refuses
//!   everyone for longer than any forgotten promise could still matter.
//! - The [`AtomicLease`] is the reader's side: one atomic word, checked by one load and one look at the clock.
//! - The [`SharedHolder`] ties a holder to an atomic lease, so that events go in at one end and readers look at
//!   the other, and a revocation is visible before the event that caused it can reach anyone.
//!
//! Nothing here has a socket, a timer or a thread, and nothing reads a clock: time is an argument (a [`Moment`]).
//!
//! # Use
//!
//! ```
//! use std::time::Duration;
//! use lease::{Grantor, Holder, Moment, Outstanding, SharedHolder, Timing, Vote, Voters};
//!
//! let timing = Timing::for_election_timeout(Duration::from_millis(1_000)).unwrap();
//! let at = |ms: u64| Moment::from_nanos(ms * 1_000_000);
//!
//! // Node 1 leads a group of three in term 4; node 2 is one of its followers.
//! let leader = SharedHolder::new(Holder::new(1, timing, [(0, Voters::of([1, 2, 3]))]));
//! let mut follower = Grantor::start(timing, at(0), Outstanding::Impossible, Duration::ZERO);
//!
//! leader.update(|holder| holder.vote_saved(Vote { term: 4, node: 1, committed: true }));
//! leader.update(|holder| holder.own_term_applied(4));
//!
//! let promised = follower.accepted(at(5_001), &1, 4);          // an append arrives, sent at 5,000 ...
//! leader.update(|holder| holder.acked(4, &2, at(5_000), promised)); // ... and its acknowledgement comes back
//!
//! assert!(leader.lease().check(|| at(5_700)));                 // readers: no lock, no allocation
//! assert!(!leader.lease().check(|| at(5_790)));                // validity: 0.8 x 1000 - 10 = 790 ms
//! assert!(follower.may_grant(at(6_000), &3).is_err());         // promise: 1000 ms
//! assert!(follower.may_grant(at(6_002), &3).is_ok());
//! ```
//!
//! # The argument
//!
//! Suppose the lease of leader *x* in term *T* is valid at an instant *t*. For each possibly active configuration
//! a quorum of its voters accepted a message which *x* had sent at some *s*, with *t < s + validity* on *x*'s clock.
//! Each of them promised, from some instant at or after *s*, for some `promise` on its own clock, neither to vote for
//! another node nor to stand itself, and said so in its acknowledgement. Whatever the rates of the clocks within the stated
//! bound, `validity` is over before `promise` is. A promise ends early in only three ways:
//!
//! 1. the grantor restarts and forgets it: then it refuses everyone for the hold-off, which outlasts the validity in
//!    the longest promise that it ever made;
//! 2. *x* transfers its leadership: then *x* revoked its lease for the whole of term *T* before it said so;
//! 3. *x* itself votes for another or stands again: then *x* revoked before that vote could leave the node.
//!
//! So at *t* no candidate has a quorum in any configuration that may be active, hence no later leader exists, hence
//! no later write is committed. Earlier writes are in the state that *x* reads, because a lease is published only
//! after an entry of *x*'s own term is applied, and every committed entry of earlier terms stands before that one.
//! ∎
//!
//! The rule behind each step can be switched off in the model under `tests/model`, which then finds the stale read.
//!
//! # What it assumes of the consensus protocol
//!
//! - Votes are durable before they are answered, and a term has at most one leader, always the same node: after a
//!   restart a node never resumes a term that it led before (it stands for a new one).
//! - The joint quorum rules of the protocol hold: a leader needs the quorum of the configuration in its log.
//! - A disk that was lost comes back as a new node.
//! - Clock rates differ from true time by at most [`RATE_ERROR_PERMILLE`] on each node, and the clock counts time
//!   spent in suspend (`CLOCK_BOOTTIME` on Linux). A virtual machine whose guest time stops, by a pause or a
//!   restored snapshot, is outside; use a quorum round per read there.
//!
//! # Left out on purpose
//!
//! Renewing by a round of its own (every replication message and heartbeat renews), leases for followers, and reading
//! the clock: where `CLOCK_BOOTTIME` does not exist the caller must not use leases at all, and only the caller knows.

#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../README.md")]
struct Readme;

mod atomic;
mod grantor;
mod holder;
mod moment;
mod quorum;
mod shared;
mod sync;
mod timing;
mod word;

pub use atomic::AtomicLease;
pub use grantor::{Grantor, Outstanding, Refusal};
pub use holder::{Holder, Vote};
pub use moment::Moment;
pub use quorum::Voters;
pub use shared::SharedHolder;
pub use timing::{
    ELECTION_TIMEOUT_MIN, HOLD_OFF_PERMILLE, MARGIN, RATE_ERROR_PERMILLE, SLEW_MAX_PERMILLE, Timing, TimingError,
    VALIDITY_PERMILLE,
};
pub use word::{Generation, Word};
