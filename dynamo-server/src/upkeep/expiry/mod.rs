//! Deleting items that have expired, and filling the queues that say which: see `dynamo_engine::apply` (`ttl.rs`).
//!
//! On the node that leads a shard one task looks at the shard's expiry queues every so often ([`Expiry`]). What is due is
//! proposed for deletion in commands of some hundred items, and queues that are not filled yet are filled by commands of
//! some hundred rows, one of each at a time for each shard. After each the shard is left alone for [`REST_FACTOR`] times as
//! long as it took: so a sweep takes a part of what the shard can do, however fast or slow that is, and ends the sooner the
//! less there is to do. What is read here is not decided by: apply compares it with what there is.
//!
//! ```text
//!             ╭───────────── interval ─────────────╮
//!   look ──▶ nothing due                     look ──▶ 128 due ─▶ command ─▶ rest ─▶ 128 due ─▶ … ─▶ nothing due
//! ```
//!
//! Whether the node's time may be used for it is asked first ([`Trust`]). The cursor of a sweep is kept in memory: a new
//! leader begins at the head of the queue.

mod read;
mod trust;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dynamo_engine::apply::{Outcome, Rejection};
use dynamo_engine::command::{Command, Expire, FillTtlQueue};
use futures::future::join_all;
use hlc::CEILING_WINDOW_MS;
use shard_router::ShardId;
use tokio::sync::Semaphore;

use self::read::{Found, Queue};
use self::trust::{Doubt, Reading, Trust};
use crate::env::{Env, PeriodicTask, Stores};
use crate::log_limit::LogLimit;
use crate::router::Router;
use crate::shard::{Deadline, Shard};

/// How often the queues are looked at, where nothing else is said: what expires is gone within a minute.
pub const INTERVAL: Duration = Duration::from_secs(30);

/// Base rows that one command visits to fill a queue: as many as for an index.
const FILL_ROWS: u32 = 256;

/// How long one command may wait for its outcome.
const COMMAND_DEADLINE: Duration = Duration::from_secs(5);

/// How many times as long as a command took the shard is left alone after it.
const REST_FACTOR: u32 = 3;

/// For how long it is left alone at least: other shards' commands gather meanwhile.
const REST_MIN: Duration = Duration::from_millis(5);

/// For how long it is left alone where it could not take more, or something else held items.
const REST_REFUSED: Duration = Duration::from_millis(250);

/// What the task has done and seen, for the metrics page.
#[derive(Debug, Default)]
pub(crate) struct ExpiryCounters {
    /// Items deleted by shards led here.
    pub deleted: AtomicU64,
    /// For how long the first of what is due on shards led here has been past, in milliseconds.
    pub lag_ms: AtomicU64,
    /// Shards led here on which nothing is deleted because the time is in doubt.
    pub held: AtomicU64,
}

impl ExpiryCounters {
    /// What time to live has done here: items deleted, lag in seconds, shards on which it is held.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.deleted), read(&self.lag_ms) / 1_000, read(&self.held))
    }
}

/// The time of a node, as far as what is past by it may be deleted.
#[derive(Debug, Default)]
pub(super) struct BelievedTime {
    /// What the clocks have shown so far; `None` before the first look.
    trust: Option<Trust>,
}

impl BelievedTime {
    /// Takes note of the time; to be called at every look, so that a jump is seen. Where there are others, what it is worth
    /// is known only when they have been heard.
    pub fn look<E: Env>(&mut self, router: &Router<E>) {
        let now = reading(router);
        match &mut self.trust {
            Some(trust) => trust.look(now),
            None if now.ahead_ms.is_none() && router.shards.iter().any(|shard| has_others(shard)) => {}
            None => self.trust = Some(Trust::new(now, last_stamped_ms(router))),
        }
    }

    /// The time in milliseconds since the epoch by which this node may delete on a shard.
    ///
    /// # Errors
    /// Why it may not.
    pub fn now_ms<E: Env>(&self, router: &Router<E>, shard: &Shard<E>) -> Result<u64, Doubt> {
        let doubt = match &self.trust {
            Some(trust) => trust.doubt(reading(router), has_others(shard)),
            None => Some(Doubt::Unheard),
        };
        doubt.map_or_else(|| Ok(router.wall_ms()), Err)
    }
}

/// The task of a node.
pub(crate) struct Expiry<E: Env> {
    /// What looks and deletes.
    sweeper: Sweeper<E>,
    /// The time between two sweeps of a shard with nothing due.
    interval: Duration,
    /// By which items have expired.
    time: BelievedTime,
    /// By shard; only of those that are led here.
    sweeps: BTreeMap<ShardId, Sweep>,
    /// Bounds the lines about a time that is in doubt.
    doubt_log: LogLimit,
}

/// Where the sweep of a shard led here stands.
#[derive(Debug, Default)]
struct Sweep {
    /// When to look again, on the monotonic clock.
    due_ns: u64,
    /// The last queue row that was proposed.
    after: Vec<u8>,
    /// Since when the first of what is due has been past, in milliseconds.
    lag_ms: u64,
    /// Nothing is deleted, since the time is in doubt.
    is_held: bool,
}

/// What a sweep works with.
struct Sweeper<E: Env> {
    /// The shards that are led here.
    router: Arc<Router<E>>,
    /// Where the queues are read.
    stores: Arc<Stores>,
    /// Places for long reads, in the background.
    background: Arc<Semaphore>,
    /// What was deleted, and what was left.
    counters: Arc<ExpiryCounters>,
}

impl<E: Env> Expiry<E> {
    /// Looks so often.
    pub(crate) fn new(
        router: Arc<Router<E>>,
        stores: Arc<Stores>,
        background: Arc<Semaphore>,
        counters: Arc<ExpiryCounters>,
        interval: Duration,
    ) -> Expiry<E> {
        let sweeper = Sweeper { router, stores, background, counters };
        Expiry {
            sweeper,
            interval,
            time: BelievedTime::default(),
            sweeps: BTreeMap::new(),
            doubt_log: LogLimit::default(),
        }
    }

    fn tell(&self) {
        let counters = &self.sweeper.counters;
        let lag_ms = self.sweeps.values().map(|sweep| sweep.lag_ms).max().unwrap_or(0);
        counters.lag_ms.store(lag_ms, Ordering::Relaxed);
        let held = self.sweeps.values().filter(|sweep| sweep.is_held).count();
        counters.held.store(held as u64, Ordering::Relaxed);
    }
}

#[async_trait]
impl<E: Env> PeriodicTask for Expiry<E> {
    fn pause(&self) -> Duration {
        let now_ns = E::monotonic_ns();
        let next_ns = self.sweeps.values().map(|sweep| sweep.due_ns.saturating_sub(now_ns)).min();
        next_ns.map_or(self.interval, Duration::from_nanos).clamp(REST_MIN.min(self.interval), self.interval)
    }

    async fn look(&mut self) {
        let router = &self.sweeper.router;
        self.time.look(router);
        let (mut steps, now_ns) = (Vec::new(), E::monotonic_ns());
        for shard in &router.shards {
            if shard.group().lease().leading_term().is_none() {
                self.sweeps.remove(&shard.id());
                continue;
            }
            let sweep = self.sweeps.remove(&shard.id()).unwrap_or_default();
            if sweep.due_ns > now_ns {
                self.sweeps.insert(shard.id(), sweep);
                continue;
            }
            let time = self.time.now_ms(router, shard);
            steps.push(self.sweeper.step(shard, sweep, time, self.interval));
        }
        let mut doubts = Vec::new();
        for (shard, sweep, doubt) in join_all(steps).await {
            doubts.extend(doubt);
            self.sweeps.insert(shard, sweep);
        }
        self.tell();
        if let Some(doubt) = doubts.first()
            && let Some(left_out) = self.doubt_log.permits::<E>()
        {
            tracing::warn!(?doubt, left_out, "the time is in doubt: nothing that has expired is deleted");
        }
    }
}

/// Whether others vote on the shard.
fn has_others<E: Env>(shard: &Shard<E>) -> bool {
    shard.group().members().voters.len() > 1
}

impl<E: Env> Sweeper<E> {
    /// One look at a shard led here: at most one command that fills a queue and one that deletes.
    async fn step(
        &self,
        shard: &Arc<Shard<E>>,
        sweep: Sweep,
        time: Result<u64, Doubt>,
        interval: Duration,
    ) -> (ShardId, Sweep, Option<Doubt>) {
        let since_ns = E::monotonic_ns();
        let catalog = shard.group().published().catalog();
        let queues: Vec<Queue> =
            catalog.described_tables().filter_map(|(table, phase)| Queue::of(table, phase)).collect();
        let rest = |sweep: Sweep, rest: Duration| {
            let rest_ns = u64::try_from(rest.as_nanos()).unwrap_or(u64::MAX);
            Sweep { due_ns: E::monotonic_ns().saturating_add(rest_ns), ..sweep }
        };
        if queues.is_empty() {
            return (shard.id(), rest(Sweep::default(), interval), None);
        }
        let sweep = Sweep { is_held: time.is_err(), ..sweep };
        let (state, id, after) = (Arc::clone(&self.stores.state), shard.id(), sweep.after.clone());
        let places = self.router.map.ranges(id);
        let found = {
            // Such places are few, and shared with clients' long reads in the order of arrival.
            let _place = self.background.acquire().await;
            E::background(move || read::find(&*state, id, &places, &queues, time.ok(), &after)).await
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let what = format_args!("an expiry queue cannot be read: {error}");
                self.router.background_read_failed(id, &what, error.is_damage());
                return (id, rest(sweep, interval), time.err());
            }
        };
        let lag_ms = time.map_or(0, |now_ms| found.first_due_ms.map_or(0, |first| now_ms.saturating_sub(first)));
        let sweep = Sweep { lag_ms, after: found.last.clone(), ..sweep };
        match self.propose(shard, found).await {
            Some(true) => {
                let took = Duration::from_nanos(E::monotonic_ns().saturating_sub(since_ns));
                (id, rest(sweep, (took * REST_FACTOR).clamp(REST_MIN, interval.max(REST_MIN))), time.err())
            }
            Some(false) => (id, rest(sweep, REST_REFUSED), time.err()),
            None => (id, rest(Sweep { after: Vec::new(), ..sweep }, interval), time.err()),
        }
    }

    /// Proposes what was found, and says whether the shard took all of it; `None` where there was nothing.
    async fn propose(&self, shard: &Arc<Shard<E>>, found: Found) -> Option<bool> {
        let Found { fill, expire, .. } = found;
        let fill =
            fill.map(|(table, attribute)| Command::FillTtlQueue(FillTtlQueue { table, attribute, rows: FILL_ROWS }));
        let expire = expire.map(|(table, attribute, items)| Command::Expire(Expire { table, attribute, items }));
        let commands: Vec<Command> = fill.into_iter().chain(expire).collect();
        if commands.is_empty() {
            return None;
        }
        let deadline = Deadline::after::<E>(COMMAND_DEADLINE);
        let proposals = commands.into_iter().map(|command| self.router.propose_here(shard, command, deadline));
        let mut is_taken = true;
        for outcome in join_all(proposals).await {
            is_taken &= match outcome {
                Ok(Outcome::Expired { deleted, put_off }) => {
                    self.counters.deleted.fetch_add(u64::from(deleted), Ordering::Relaxed);
                    put_off == 0
                }
                // The table has changed meanwhile: the next look knows how.
                Ok(Outcome::Backfilled { .. } | Outcome::Rejected(Rejection::Stale)) => true,
                Ok(_) => false,
                Err(error) => {
                    let shard = shard.id().0;
                    tracing::debug!(shard, %error, "a step of time to live has no outcome yet");
                    false
                }
            };
        }
        Some(is_taken)
    }
}

/// What is known of the time at this moment.
fn reading<E: Env>(router: &Router<E>) -> Reading {
    let (own_ms, monotonic_ns) = (E::wall_ms(), E::monotonic_ns());
    Reading {
        own_ms,
        boot_ns: E::boot_ns().unwrap_or(monotonic_ns),
        ahead_ms: router.wall_clocks.ahead_ms(own_ms, monotonic_ns),
    }
}

/// About the last time that any shard of this node was stamped with, as far as it has applied; 0 for new data.
fn last_stamped_ms<E: Env>(router: &Router<E>) -> u64 {
    let ceilings = router.shards.iter().map(|shard| shard.group().published().ceiling().physical_ms());
    ceilings.max().unwrap_or(0).saturating_sub(CEILING_WINDOW_MS)
}
