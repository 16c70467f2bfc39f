//! Keeping the disk small and the node honest about it.
//!
//! One task per node looks now and then at three things:
//!
//! - *The log's end*: what was written since the last look is guarded by a new floor.
//! - *Room*: how much of the disk is free; what follows from it stands in [`room`](super::room).
//! - *The log*: past its bound the state is flushed, and each group drops its log up to the entry that the state store
//!   says is persisted. So the log is never longer than what a restart has to replay.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::FaultSignal;
use super::room::{Floors, Room};
use crate::env::{Env, Stores, faults};
use crate::raft::{Wal, persisted_applied};
use crate::shard::Shard;

/// How often the task looks. At 100 MB/s of log this is 25 MB past the bound.
const INTERVAL: Duration = Duration::from_millis(250);

/// What the task looks after.
pub(super) struct Upkeep<E: Env> {
    pub(super) shards: Vec<Arc<Shard<E>>>,
    pub(super) stores: Stores,
    pub(super) wal: Wal<E>,
    pub(super) log_bytes_max: u64,
    pub(super) floors: Floors,
    pub(super) room: Arc<Room>,
    pub(super) fault: FaultSignal,
    /// Becomes true when the node stops.
    pub(super) stopping: watch::Receiver<bool>,
}

impl<E: Env> Upkeep<E> {
    /// Looks until the node stops. A node that is dropped without being stopped is stopped here.
    pub(super) async fn run(mut self) {
        while !*self.stopping.borrow() {
            self.wal.guard_end().await;
            self.look_at_room();
            if self.log_bytes() > faults::log_bytes_max(self.log_bytes_max) {
                self.shorten_logs().await;
            }
            if let Some(Err(_)) = E::timeout(INTERVAL, self.stopping.changed()).await {
                return self.stop_groups().await;
            }
        }
    }

    async fn stop_groups(&self) {
        for shard in &self.shards {
            shard.stop().await;
        }
    }

    fn look_at_room(&self) {
        let free_bytes = self.stores.free_bytes();
        let level = self.floors.level(free_bytes);
        if level != self.room.observe(level, E::monotonic_ns()) {
            let Floors { floor, reserve } = self.floors;
            tracing::warn!(?level, free_bytes, floor, reserve, "free space on the disk");
        }
    }

    fn log_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.group().log().bytes()).sum()
    }

    async fn shorten_logs(&self) {
        let state = Arc::clone(&self.stores.state);
        if let Err(error) = E::blocking(move || state.flush()).await {
            return self.fault.raise(format!("flushing the state failed: {error}"));
        }
        for shard in &self.shards {
            let applied = match persisted_applied(&*self.stores.state, shard.id()) {
                Ok(Some(applied)) => applied,
                Ok(None) => continue,
                Err(error) => return self.fault.raise(format!("shard {}: {error}", shard.id().0)),
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
