//! The injection points of a test build: each applies the faults that a test has injected.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use parking_lot::Mutex;
use shard_router::ShardId;

use super::Point;
use crate::env::Env;
use crate::guard::Handler;
use crate::shard::{Deadline, ShardError};

/// What the guard of a shard does instead of looking at its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no lease: a quorum is asked.
    NoLease,
    /// There is no lease, and the quorum is asked only after so long.
    Slow(Duration),
    /// There is no lease and no quorum, which is known at once.
    Refuses,
    /// There is no lease, and nobody answers.
    Hangs,
}

/// The faults of a node. Nothing by default.
#[derive(Debug, Default)]
pub struct Faults {
    /// By shard, and for one handler or all.
    shards: Mutex<BTreeMap<(ShardId, Option<Handler>), Fault>>,
    /// How long a read is held up at a point.
    pauses: Mutex<BTreeMap<Point, Duration>>,
}

impl Faults {
    /// Injects a fault into the checks of a shard, for one handler or for all; `None` heals it.
    pub fn set(&self, shard: ShardId, handler: Option<Handler>, fault: Option<Fault>) {
        let mut shards = self.shards.lock();
        match fault {
            Some(fault) => drop(shards.insert((shard, handler), fault)),
            None => drop(shards.remove(&(shard, handler))),
        }
    }

    /// Holds every read up at `point`.
    pub fn pause_at(&self, point: Point, pause: Duration) {
        self.pauses.lock().insert(point, pause);
    }

    /// Heals everything.
    pub fn clear(&self) {
        self.shards.lock().clear();
        self.pauses.lock().clear();
    }

    /// Whether the check may look at the lease.
    pub(crate) fn lets_hit(&self, shard: ShardId, handler: Handler) -> bool {
        self.fault(shard, handler).is_none()
    }

    /// What a miss meets before it asks the quorum.
    pub(crate) async fn meet<E: Env>(
        &self,
        shard: ShardId,
        handler: Handler,
        deadline: Deadline,
    ) -> Result<(), ShardError> {
        let met = async {
            match self.fault(shard, handler) {
                None | Some(Fault::NoLease) => Ok(()),
                Some(Fault::Slow(pause)) => {
                    E::sleep(pause).await;
                    Ok(())
                }
                Some(Fault::Refuses) => Err(ShardError::NotConfirmed),
                Some(Fault::Hangs) => pending().await,
            }
        };
        E::timeout(deadline.remaining::<E>(), met).await.unwrap_or(Err(ShardError::NotConfirmed))
    }

    /// Waits as long as reads are to be held up at `point`.
    pub async fn pass<E: Env>(&self, point: Point) {
        let pause = self.pauses.lock().get(&point).copied();
        if let Some(pause) = pause {
            E::sleep(pause).await;
        }
    }

    fn fault(&self, shard: ShardId, handler: Handler) -> Option<Fault> {
        let shards = self.shards.lock();
        shards.get(&(shard, Some(handler))).or_else(|| shards.get(&(shard, None))).copied()
    }
}
