//! Recovery of orphaned transactions: what coordinators left behind on the shards led here.
//!
//! A coordinator dies with its node. What it leaves is found by whoever leads the shards: a prepare without a decision
//! (recorded as ABORT after a while), a prepare whose decision is recorded on the record shard, a record that some
//! shards have not carried out yet. Ages are counted from when this node saw something first, so no clock of another
//! node matters.
//!
//! Recovering one asks other shards, and one that has no leader costs its whole time-out. So what is found is put into
//! groups by the shards that must be asked ([`Route`]), and each group is worked on by itself: a few transactions at a
//! time, until one fails; then the group rests. A shard that cannot be reached holds up those that need it and nobody
//! else, and costs a few requests every few seconds however much waits for it.
//!
//! ```text
//! shard 2 → record shard 1: ▪▪▪▪ ✗ (no leader) … rest … ▪▪▪▪ ✗ … rest …
//! shard 2 → record shard 3: ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪ done
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::two_phase::{Decision, PreparedTransaction};
use dynamo_engine::command::TransactionId;
use futures::future::{Either, select};
use futures::stream::{self, FuturesUnordered, StreamExt};
use shard_router::ShardId;

use super::records::{FINISH_MAX, Records};
use crate::env::Env;
use crate::router::Router;
use crate::shard::{Deadline, Shard, ShardError};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// What has been there for this long has nobody who cares for it. Aborting a transaction that is only slow does no
/// harm but to it.
const ABANDONED_AFTER: Duration = Duration::from_secs(3);

/// Transactions of one group that are recovered in one go; the rest waits for the next.
const GROUP_MAX: usize = 256;

/// Transactions of one group that are recovered at the same time.
const AT_ONCE_MAX: usize = 8;

/// Groups that are worked on at the same time. More wait; one that fails makes room within [`FINISH_MAX`].
const GROUPS_AT_ONCE_MAX: usize = 64;

/// How long a group is left alone after a failure, which gives its place to others.
const REST: Duration = Duration::from_secs(2);

/// Something that is open, and since when this node knows.
type Seen = BTreeMap<(ShardId, TransactionId, bool), u64>;

/// The shard where something was found, and those that must be asked to recover it.
type Route = (ShardId, BTreeSet<ShardId>);

/// Something that was left behind.
enum Orphan {
    Prepared(Arc<PreparedTransaction>),
    Decision(TransactionId, Arc<Decision>),
}

/// Looks after the shards.
pub(super) async fn run<E: Env>(records: Arc<Records<E>>) {
    let mut recovery = Recovery::default();
    let mut under_way = FuturesUnordered::new();
    loop {
        let mut look = std::pin::pin!(E::sleep(INTERVAL));
        while !under_way.is_empty() {
            match select(under_way.next(), look.as_mut()).await {
                Either::Left((Some((route, is_done)), _)) => recovery.ended(route, is_done, E::monotonic_ns()),
                Either::Left((None, _)) | Either::Right(_) => break,
            }
        }
        look.await;
        for (route, orphans) in recovery.look(&records.router) {
            let records = &records;
            under_way.push(async move {
                let is_done = recover_all(records, route.0, orphans).await;
                (route, is_done)
            });
        }
    }
}

/// What is known between two looks.
#[derive(Default)]
struct Recovery {
    /// What was open at the last look.
    seen: Seen,
    /// Groups that are worked on: at most [`GROUPS_AT_ONCE_MAX`].
    busy: BTreeSet<Route>,
    /// Until when a group rests, on the clock of [`Env::monotonic_ns`].
    resting: BTreeMap<Route, u64>,
}

impl Recovery {
    /// The groups to be worked on from now on.
    fn look<E: Env>(&mut self, router: &Router<E>) -> Vec<(Route, Vec<Orphan>)> {
        let now_ns = E::monotonic_ns();
        self.resting.retain(|_, until_ns| *until_ns > now_ns);
        let (mut groups, mut open) = (BTreeMap::new(), Seen::new());
        for shard in router.led() {
            self.look_at_shard(router, shard, now_ns, &mut groups, &mut open);
        }
        self.seen = open;
        let (busy, resting) = (&mut self.busy, &self.resting);
        let mut begun = Vec::new();
        for (route, orphans) in groups {
            if busy.len() < GROUPS_AT_ONCE_MAX && !resting.contains_key(&route) && busy.insert(route.clone()) {
                begun.push((route, orphans));
            }
        }
        debug_assert!(busy.len() <= GROUPS_AT_ONCE_MAX, "as many groups as may are worked on at the most");
        begun
    }

    fn look_at_shard<E: Env>(
        &self,
        router: &Router<E>,
        shard: &Shard<E>,
        now_ns: u64,
        groups: &mut BTreeMap<Route, Vec<Orphan>>,
        open: &mut Seen,
    ) {
        let mut is_old = |id, is_decision| {
            let key = (shard.id(), id, is_decision);
            let since_ns = self.seen.get(&key).copied().unwrap_or(now_ns);
            open.insert(key, since_ns);
            Duration::from_nanos(now_ns.saturating_sub(since_ns)) >= ABANDONED_AFTER
        };
        let mut put = |asked: BTreeSet<ShardId>, orphan| {
            let group: &mut Vec<Orphan> = groups.entry((shard.id(), asked)).or_default();
            if group.len() < GROUP_MAX {
                group.push(orphan);
            }
        };
        let transactions = shard.group().published().transactions();
        for prepared in transactions.prepared.iter().filter(|prepared| is_old(prepared.id, false)) {
            let record_shard = router.shard_of(prepared.record_token).id();
            put(BTreeSet::from([record_shard]), Orphan::Prepared(Arc::clone(prepared)));
        }
        for (id, decision) in transactions.decisions.iter().filter(|(id, _)| is_old(*id, true)) {
            let asked = match &**decision {
                Decision::Committed { prepares, .. } => {
                    prepares.iter().map(|prepared| router.shard_of(prepared.token).id()).collect()
                }
                Decision::Aborted { .. } => BTreeSet::new(),
            };
            put(asked, Orphan::Decision(*id, Arc::clone(decision)));
        }
    }

    fn ended(&mut self, route: Route, is_done: bool, now_ns: u64) {
        let was_busy = self.busy.remove(&route);
        debug_assert!(was_busy, "a group that was begun ends once");
        debug_assert!(!self.resting.contains_key(&route), "a group that rests is not worked on");
        if !is_done {
            self.resting.insert(route, now_ns.saturating_add(REST.as_nanos() as u64));
        }
    }
}

/// Recovers a group of what was found on a shard, until one fails; whether none did.
async fn recover_all<E: Env>(records: &Records<E>, shard: ShardId, orphans: Vec<Orphan>) -> bool {
    let Ok(shard) = records.router.shard(shard) else { return false };
    let recoveries = stream::iter(orphans).map(|orphan| recover(records, shard, orphan));
    let mut recoveries = std::pin::pin!(recoveries.buffer_unordered(AT_ONCE_MAX));
    while let Some(result) = recoveries.next().await {
        if let Err(error) = result {
            tracing::debug!(shard = shard.id().0, %error, "a transaction left behind cannot be finished yet");
            return false;
        }
    }
    true
}

async fn recover<E: Env>(records: &Records<E>, shard: &Arc<Shard<E>>, orphan: Orphan) -> Result<(), ShardError> {
    match orphan {
        Orphan::Prepared(prepared) => {
            records.settle(shard, &prepared, true, Deadline::after::<E>(FINISH_MAX)).await.map(|_| ())
        }
        Orphan::Decision(id, decision) => records.finish(shard, id, &decision).await,
    }
}
