//! Whether this node is fit to lead, and what it does where it is not.
//!
//! A leader whose disk does not answer is worse than one that is dead: it keeps its lease, everybody goes on asking it, and
//! nothing that it takes is ever done. Raft does not notice, because heartbeats need no disk. So a task looks at the log's
//! writer several times a second:
//!
//! ```text
//!   oldest request older than DISK_WAIT_MAX ─▶ not electable; the followers are asked to take over
//!   still led STEP_DOWN_AFTER later         ─▶ no more heartbeats: the followers elect one of theirs
//!   the disk answers                        ─▶ electable, heartbeats
//! ```
//!
//! Nor does a node lead that the others look for elsewhere: it could reach them, be elected and hold its lease, and whoever is asked
//! by a client at another node would not reach it. One that a leader has called since it started is reached, whatever its flags say.
//!
//! Records that the store cannot read back are noted with their shard, by reads and by compactions. This node gives a shard with such
//! records up once it leads it and a majority of other voters could go on. Until then the shard serves what can be read, and a
//! request for the rest gets an error. Damage of which the shard is not known is a complaint in the status.
//!
//! It looks, too, whether the groups still run: a group of which only the Raft task has ended would otherwise be noticed by
//! the next proposal, which a follower never gets.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use shard_router::ShardId;

use super::misplaced::is_misplaced;
use super::status::health::Impairment;
use crate::env::{DamageNote, Env, Tasks, Transport};
use crate::raft::{AHEAD_MAX_MS, Wal};
use crate::read::Reader;
use crate::router::Router;

/// How old the oldest request to the log may be. Longer than a disk takes that is only busy; shorter than what a request has
/// by default, so that one which comes meanwhile is done by the next leader.
pub const DISK_WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a node that stops leading waits until others lead what it led. Two messages and two synced writes, as a rule.
pub(crate) const HAND_OVER_MAX: Duration = Duration::from_secs(1);

/// How long the followers have to take over.
const STEP_DOWN_AFTER: Duration = Duration::from_secs(1);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(200);

/// What keeps this node from leading.
pub(crate) struct Fitness<E: Env> {
    /// The groups that are watched.
    router: Arc<Router<E>>,
    /// Its writer is watched.
    wal: Wal<E>,
    /// Reads may hang at the disk.
    reader: Arc<Reader<E>>,
    /// Leaderships are handed over beside the watch.
    tasks: Arc<Tasks<E>>,
    /// For how long the disk has not answered, in milliseconds; zero while it does, as far as that is too long.
    stalled_ms: AtomicU64,
    /// The address that this node was given as its own, where it is a member of a cluster.
    given_address: OnceLock<String>,
    /// Whether nobody reaches this node, as of the last look.
    is_unreached: AtomicBool,
}

impl<E: Env> Fitness<E> {
    /// That of a node.
    pub(super) fn new(router: Arc<Router<E>>, wal: Wal<E>, reader: Arc<Reader<E>>, tasks: Arc<Tasks<E>>) -> Fitness<E> {
        let (stalled_ms, is_unreached) = (AtomicU64::new(0), AtomicBool::new(false));
        Fitness { router, wal, reader, tasks, stalled_ms, given_address: OnceLock::new(), is_unreached }
    }

    /// The address that this node was given as its own, which never changes while it runs.
    pub(super) fn set_given_address(&self, given: &str) {
        self.given_address.get_or_init(|| given.to_owned());
    }

    /// Looks again and again.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            self.judge();
            E::sleep(LOOK).await;
        }
    }

    fn judge(&self) {
        self.router.shards.iter().for_each(|shard| shard.group().check_running());
        self.give_up_damaged();
        self.judge_place();
        let waits = self.wal.waits_for();
        let stalled = if waits < DISK_WAIT_MAX { Duration::ZERO } else { waits };
        let stalled_ms = u64::try_from(stalled.as_millis()).unwrap_or(u64::MAX);
        let before_ms = self.stalled_ms.swap(stalled_ms, Ordering::Relaxed);
        match (before_ms, stalled_ms) {
            (0, 0) => return,
            (0, _) => self.disk_stalls(),
            (_, 0) => {
                tracing::warn!(for_ms = before_ms, "the disk of the log answers again");
                return self.set_fit();
            }
            _ => {}
        }
        if stalled >= DISK_WAIT_MAX + STEP_DOWN_AFTER {
            self.router.shards.iter().for_each(|shard| shard.group().fall_silent());
        }
    }

    /// Whether the node is where the others look for it, or somewhere where they find it all the same.
    fn judge_place(&self) {
        let is_unreached = self.misplaced().is_some()
            && self.router.shards.iter().all(|shard| shard.group().lease().heard_at().is_none());
        if self.is_unreached.swap(is_unreached, Ordering::Relaxed) == is_unreached {
            return;
        }
        if is_unreached {
            tracing::error!(
                "the members look for this node elsewhere: others are to lead, since nobody would reach it"
            );
        }
        self.set_fit();
    }

    /// Says to all groups whether this node is fit to lead.
    fn set_fit(&self) {
        let is_fit = self.stalled_ms.load(Ordering::Relaxed) == 0 && !self.is_unreached.load(Ordering::Relaxed);
        self.router.shards.iter().for_each(|shard| shard.group().set_fit(is_fit));
    }

    /// Whether the members look for this node where it is not.
    fn misplaced(&self) -> Option<Impairment> {
        let members = self.router.members();
        let known = &members.get(self.router.me())?.address;
        let (given, listens_at) = (self.given_address.get()?, self.router.transport.listens_at()?);
        is_misplaced(known, given, listens_at).then(|| Impairment::Misplaced {
            known: known.clone(),
            given: given.clone(),
            listens_at,
        })
    }

    fn give_up_damaged(&self) {
        for shard in self.router.led() {
            if let Some(what) = shard.group().published().damage()
                && shard.group().overview().can_do_without_leader()
            {
                let (group, what) = (Arc::clone(shard.group()), what.to_owned());
                self.tasks.start(async move { group.give_up(what, HAND_OVER_MAX).await });
            }
        }
    }

    fn disk_stalls(&self) {
        tracing::error!("the disk of the log does not answer: others are to lead what this node leads");
        self.set_fit();
        for shard in &self.router.shards {
            let group = Arc::clone(shard.group());
            self.tasks.start(async move { group.hand_over(HAND_OVER_MAX).await });
        }
    }

    /// What makes this node unfit to lead, or its clock or disk something to look after.
    pub(super) fn unfitness(&self) -> Vec<Impairment> {
        let mut found = Vec::from_iter(self.misplaced());
        let stalled_ms = self.stalled_ms.load(Ordering::Relaxed);
        if stalled_ms > 0 {
            let leads = self.router.shards.iter().any(|shard| shard.group().lease().leading_term().is_some());
            found.push(Impairment::DiskStalled { for_s: stalled_ms / 1_000, leads });
        }
        let count = self.reader.runner().hanging();
        if count > 0 {
            let are_too_many = self.reader.runner().is_full_of_hanging();
            found.push(Impairment::ReadsHang { count, are_too_many });
        }
        // A shard that stands still says so, with the same reason.
        let stands_still = |number: u32| {
            let shard = self.router.shard(ShardId(number));
            shard.is_ok_and(|shard| shard.group().published().quarantine().is_some())
        };
        let damage = self.router.all_damage().filter(|damage| !damage.shard.is_some_and(stands_still));
        let is_alone = self.router.members().iter().count() <= 1;
        found.extend(damage.map(|DamageNote { shard, what }| Impairment::Damaged { shard, what, is_alone }));
        let ahead_ms = self.router.wall_clocks.ahead_ms(E::wall_ms(), E::monotonic_ns()).unwrap_or(0);
        if ahead_ms.unsigned_abs() > AHEAD_MAX_MS {
            found.push(Impairment::ClockApart { ahead_ms });
        }
        found
    }

    /// For how long the disk of the log has not answered, where that is too long; in milliseconds.
    pub(crate) fn disk_stalled_ms(&self) -> u64 {
        self.stalled_ms.load(Ordering::Relaxed)
    }
}
