//! Upkeep of the disk: the end of the log, free space, the length of the log, room of deleted rows.
//!
//! One task per node looks at four things every so often:
//!
//! - *The log's end*: what says that the newest writes were durable is made durable itself.
//! - *Room*: how much of the disk is free; what follows from it stands in [`room`](crate::shard::room).
//! - *The log*: past its bound the state is flushed, and each group drops its log up to the entry that the state store
//!   says is persisted. So the log is never longer than what a restart has to replay.
//! - *What is gone for good*: rows of deleted tables and indexes, and of streams past their time, are gone at once, and their
//!   room when the store compacts what is left; that is asked for here, once nothing further goes for a second.
//!
//! A flush that finds no room is no fault: it is tried again at the next look, and what clients want to add is refused
//! meanwhile.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::keyspace::RowRange;
use futures::future::join_all;
use ordered_kv::{StateStore, StoreError};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::env::{Env, FaultSignal, Stores, Task, faults};
use crate::log_limit::LogLimit;
use crate::raft::rules::{self, Rule};
use crate::raft::{Wal, persisted_applied};
use crate::router::Router;
use crate::shard::Shard;
use crate::shard::room::{Floors, Level, log_bytes_max};

/// How often the task looks. At 100 MB/s of log this is 25 MB past the bound.
const INTERVAL: Duration = Duration::from_millis(250);

/// The pause before a look that a command waits for: others come meanwhile.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// What the task looks after.
pub(crate) struct DiskUpkeep<E: Env> {
    /// The shards, and the room that requests are refused by.
    router: Arc<Router<E>>,
    /// What is flushed, shortened and given back.
    stores: Arc<Stores>,
    /// Its writer is told when there may be room again.
    wal: Wal<E>,
    /// Bytes of log from which on the state is flushed.
    log_bytes_max: u64,
    /// The free bytes below which the disk counts as full.
    floors: Floors,
    /// What dropped tables have left.
    reclaim: Reclaim,
    /// Bounds the lines about flushes that find no room.
    full: Arc<LogLimit>,
    /// Becomes true when the node stops.
    stopping: watch::Receiver<bool>,
}

/// Looks without anything emptied after which the room of what was before is given back: the shards delete their parts of a
/// table one after the other, and neighbours would only be looked through again.
const QUIET_LOOKS: u32 = 4;

/// Room that is to be given back.
#[derive(Default)]
struct Reclaim {
    /// Rows of tables that were dropped, since the last flush for them.
    ranges: Vec<RowRange>,
    /// What found no room for the flush before.
    again: Arc<Mutex<Vec<RowRange>>>,
    /// Looks in a row at which no range was added.
    quiet_looks: u32,
    /// Giving back what was before.
    under_way: Option<Task<()>>,
}

impl<E: Env> DiskUpkeep<E> {
    /// Of a node that keeps so much log, and so much free space where that was said.
    pub(crate) fn new(
        router: Arc<Router<E>>,
        stores: Arc<Stores>,
        wal: Wal<E>,
        (log_bytes, free_bytes_min): (u64, Option<u64>),
        stopping: watch::Receiver<bool>,
    ) -> DiskUpkeep<E> {
        let disk_bytes = stores.disk_bytes();
        DiskUpkeep {
            log_bytes_max: log_bytes_max(log_bytes, disk_bytes),
            floors: Floors::of(free_bytes_min, disk_bytes),
            router,
            stores,
            wal,
            reclaim: Reclaim::default(),
            full: Arc::default(),
            stopping,
        }
    }

    /// Looks until the node stops. A node that is dropped without being stopped is stopped here.
    pub(crate) async fn run(mut self) {
        while !*self.stopping.borrow() {
            self.wal.settle().await;
            self.look_at_room().await;
            self.look_at_what_is_gone();
            let is_long = self.log_bytes() > faults::log_bytes_max(self.log_bytes_max);
            if is_long || self.stores.is_full() || self.wal.is_short_of_room() {
                self.shorten_logs().await;
            }
            self.wal.look_for_room();
            if self.pause().await.is_err() {
                return self.stop_groups().await;
            }
        }
    }

    /// Waits for the next look, which comes soon where a command waits for it.
    ///
    /// # Errors
    /// Where the node was dropped without being stopped.
    async fn pause(&mut self) -> Result<(), watch::error::RecvError> {
        let wanted = async {
            self.router.room.look_is_wanted().await;
            E::sleep(PAUSE_MIN).await;
        };
        let rest = async {
            tokio::select! {
                changed = self.stopping.changed() => changed,
                () = wanted => Ok(()),
            }
        };
        E::timeout(INTERVAL, rest).await.unwrap_or(Ok(()))
    }

    async fn stop_groups(&self) {
        join_all(self.router.shards.iter().map(|shard| shard.stop())).await;
    }

    async fn look_at_room(&self) {
        self.router.room.look_begins();
        let free_bytes = self.stores.free_bytes();
        self.stores.tell_free_bytes(free_bytes);
        let (before, level) = self.router.room.observe(free_bytes, &self.floors, E::monotonic_ns());
        if level != before {
            let Floors { floor, reserve } = self.floors;
            tracing::warn!(?level, free_bytes, floor, reserve, "free space on the disk");
            self.stores.be_frugal(level != Level::Ample);
            self.wal.tidy().await;
        }
    }

    fn look_at_what_is_gone(&mut self) {
        let before = self.reclaim.ranges.len();
        self.reclaim.ranges.append(&mut self.reclaim.again.lock());
        for shard in &self.router.shards {
            self.reclaim.ranges.extend(shard.group().published().take_emptied());
        }
        let is_quiet = self.reclaim.ranges.len() == before;
        self.reclaim.quiet_looks = if is_quiet { self.reclaim.quiet_looks + 1 } else { 0 };
        let is_busy = self.reclaim.under_way.as_ref().is_some_and(|task| !task.is_finished());
        if before == 0 || self.reclaim.quiet_looks < QUIET_LOOKS || is_busy {
            return;
        }
        let mut ranges = std::mem::take(&mut self.reclaim.ranges);
        ranges.sort_unstable_by(|one, other| one.start.cmp(&other.start));
        ranges.dedup();
        let (state, again) = (Arc::clone(&self.stores.state), Arc::clone(&self.reclaim.again));
        let store = Arc::clone(&state);
        let (fault, full) = (self.router.fault.clone(), Arc::clone(&self.full));
        self.reclaim.under_way = Some(E::spawn(async move {
            let work = move || match state.flush() {
                Ok(()) => {
                    ranges.iter().for_each(|range| state.reclaim(&range.start, &range.end));
                    Ok(())
                }
                Err(error) => {
                    again.lock().append(&mut ranges);
                    Err(error)
                }
            };
            is_flushed::<E>(&*store, E::blocking(work).await, &fault, &full);
        }));
    }

    fn log_bytes(&self) -> u64 {
        self.moving().map(|shard| shard.group().log().bytes()).sum()
    }

    /// The shards whose logs can be shortened: not those that stand still.
    fn moving(&self) -> impl Iterator<Item = &Arc<Shard<E>>> {
        self.router.shards.iter().filter(|shard| shard.group().published().quarantine().is_none())
    }

    async fn shorten_logs(&self) {
        let state = Arc::clone(&self.stores.state);
        let flushed = E::blocking(move || state.flush()).await;
        if !is_flushed::<E>(&*self.stores.state, flushed, &self.router.fault, &self.full) {
            return;
        }
        for shard in self.moving() {
            let applied = match persisted_applied(&*self.stores.state, shard.id()) {
                Ok(Some(applied)) => applied,
                Ok(None) => continue,
                Err(error) if error.is_damage() => {
                    shard.group().published().note_damage(error.to_string());
                    continue;
                }
                Err(error) => return self.router.fault.raise(format!("shard {}: {error}", shard.id().0)),
            };
            if shard.group().log().purged() >= Some(applied) {
                continue;
            }
            if let Err(error) = shard.group().purge(applied.index()).await {
                tracing::warn!(shard = shard.id().0, %error, "the log could not be shortened");
            }
        }
    }
}

/// Whether a flush went well. One that found no room comes to nothing for now; any other failure stops the node.
fn is_flushed<E: Env>(
    state: &dyn StateStore,
    flushed: Result<(), StoreError>,
    fault: &FaultSignal,
    full: &LogLimit,
) -> bool {
    match flushed {
        Ok(()) => true,
        Err(StoreError::Full(reason)) if rules::is_kept(Rule::WaitForRoom) => {
            if let Some(left_out) = full.permits::<E>() {
                tracing::error!(reason, left_out, "the state is flushed as soon as there is room on the disk");
            }
            false
        }
        // Whoever watches the store stops the node in order: see `damage.rs`.
        Err(StoreError::Corruption(_)) if state.damage().is_some() => false,
        Err(error) => {
            fault.raise(format!("flushing the state failed: {error}"));
            false
        }
    }
}
