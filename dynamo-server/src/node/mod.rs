//! One node: the parts that it consists of, started, stopped and put together.
//!
//! ```text
//!   ops, http ──▶ reader ─────▶ transactions ─▶ index ─▶ router ─▶ shards
//!                 catalog, cluster, upkeep ──────────────▶ router
//!   peers ──────▶ services: what each message asks of the parts
//! ```
//!
//! Each part owns its fields and names the parts that it needs. Here is no logic but the order in which they start and stop.

mod counters;
mod off_loop;
mod options;
mod services;
mod start;
mod stop_step;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{Semaphore, watch};

pub use self::counters::Counters;
pub(crate) use self::off_loop::INLINE_BYTES_MAX;
pub use self::options::{BACKGROUND_READS_MIN, BLOCKING_READS_MAX, LOG_BYTES_MAX, NodeOptions, REQUEST_DEADLINE};
pub use self::start::NodeError;
pub use self::stop_step::{StopProgress, StopStep};
pub use crate::cluster::{Admission, Capability, ClusterOptions, Health, Impairment, MembershipFailure, ShardHealth};
pub use crate::env::{FaultSignal, Storage as StorageOptions};
pub use crate::peer::status::{NodeStatus, ShardStatus};

use self::counters::Counting;
use self::off_loop::OffLoop;
use self::services::Services;
use crate::catalog::Catalog;
use crate::cluster::{Cluster, HAND_OVER_MAX};
use crate::env::{Env, Identity, Stores, Tasks};
use crate::guard::LeaseGuard;
use crate::index::IndexRelay;
use crate::memory::Budget;
use crate::raft::Wal;
use crate::read::Reader;
use crate::router::Router;
use crate::shard::Deadline;
use crate::transaction::{TransactionCounters, Transactions};
use crate::upkeep::ExpiryCounters;

/// How long a stopping node waits for its tasks to let go of the stores.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// A running node.
pub struct Node<E: Env> {
    /// The way to the shards, here and elsewhere.
    pub(crate) router: Arc<Router<E>>,
    /// What answers reads.
    pub(crate) reader: Arc<Reader<E>>,
    /// What carries out writes.
    pub transactions: Arc<Transactions<E>>,
    /// The tables.
    pub catalog: Catalog<E>,
    /// This node among the others.
    pub(crate) cluster: Arc<Cluster<E>>,
    /// Where work is done that would hold an event loop up.
    pub(crate) off_loop: OffLoop,
    /// What brings index entries to other shards.
    index: Arc<IndexRelay<E>>,
    /// What peers are answered by, for as long as the node is there.
    services: Arc<Services<E>>,
    /// What time to live has done and seen.
    expiry: Arc<ExpiryCounters>,
    /// Places for long reads, in the background.
    background: Arc<Semaphore>,
    /// What the bodies of requests, and answers, may take together.
    memory: Arc<Budget>,
    /// The time that a request has from its arrival to its answer.
    request_deadline: Duration,
    /// How long after a change of a table's time to live another one is refused.
    ttl_update_window: Duration,
    /// The log and the state of all shards; closed when the node stops, after everything that uses them.
    stores: Arc<Stores>,
    /// The writer of the log; closed before the stores are.
    wal: Wal<E>,
    /// What runs beside requests.
    tasks: Arc<Tasks<E>>,
    /// Set to true when the node stops; tasks end with it.
    stopping: watch::Sender<bool>,
    /// What a stop is at.
    stop_progress: Arc<StopProgress>,
}

impl<E: Env> Node<E> {
    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.router.identity
    }

    /// The deadline of a request that arrives now.
    pub fn deadline(&self) -> Deadline {
        Deadline::after::<E>(self.request_deadline)
    }

    /// How long after a change of a table's time to live another one is refused; zero for never.
    pub fn ttl_update_window(&self) -> Duration {
        self.ttl_update_window
    }

    /// The group of a shard, for tests that move its leadership.
    #[cfg(any(test, feature = "fault-injection"))]
    pub fn group(&self, shard: u32) -> Option<&crate::raft::Group<E>> {
        self.router.shards.iter().find(|own| own.id().0 == shard).map(|own| &**own.group())
    }

    /// This node as a member of its cluster, and the cluster.
    pub fn cluster(&self) -> &Arc<Cluster<E>> {
        &self.cluster
    }

    /// How the node is.
    pub fn health(&self) -> Health {
        self.cluster.health()
    }

    /// What the bodies of requests, and answers, may take together.
    pub fn memory(&self) -> &Arc<Budget> {
        &self.memory
    }

    /// The guard that reads pass.
    pub fn guard(&self) -> &LeaseGuard {
        &self.router.guard
    }

    /// How transactions ended that clients asked of this node.
    pub fn transactions(&self) -> &TransactionCounters {
        self.transactions.counters()
    }

    /// What the node has done since it started.
    pub fn counters(&self) -> Counters {
        let Node { router, reader, transactions, cluster, expiry, stores, wal, .. } = self;
        Counters::of(Counting { router, reader, transactions, cluster, expiry, stores, wal })
    }

    /// Waits until a fault stops this node, and says which. The process should exit then, after [`Node::hand_over`].
    pub async fn failed(&self) -> String {
        self.router.fault.raised().await
    }

    /// What an ordinary stop is at: requests, as long as none was begun here.
    pub fn stop_progress(&self) -> &Arc<StopProgress> {
        &self.stop_progress
    }

    /// Lets others lead what this node leads, as far as it still can, and waits a second for that at most.
    pub async fn hand_over(&self) {
        join_all(self.router.shards.iter().map(|shard| shard.group().hand_over(HAND_OVER_MAX))).await;
    }

    /// Stops in order: others take over what this node leads, then leases, the groups, the state and the log. Afterwards,
    /// when the last handle of the node is dropped, its directory can be opened again.
    pub async fn shutdown(&self) {
        if self.stopping.send_replace(true) {
            return;
        }
        self.tasks.abort();
        let shards = &self.router.shards;
        self.stop_progress.reaches(StopStep::HandingOver);
        self.hand_over().await;
        self.stop_progress.reaches(StopStep::Groups);
        shards.iter().for_each(|shard| shard.group().announce_stop());
        self.wal.stop_waiting();
        join_all(shards.iter().map(|shard| shard.stop())).await;
        self.stop_progress.reaches(StopStep::State);
        let state = Arc::clone(&self.stores.state);
        if let Err(error) = E::blocking(move || state.flush()).await {
            tracing::warn!(%error, "the state could not be flushed; the log will be replayed");
        }
        self.stop_progress.reaches(StopStep::Log);
        self.wal.close().await;
        self.wait_for_tasks().await;
    }

    /// The tasks of stopped groups end by themselves; until then they hold the stores.
    async fn wait_for_tasks(&self) {
        let deadline = Deadline::after::<E>(CLOSE_WAIT);
        while !self.is_quiet() && !deadline.is_over::<E>() {
            E::sleep(Duration::from_millis(1)).await;
        }
    }

    fn is_quiet(&self) -> bool {
        let shards = &self.router.shards;
        // Each group's log holds the log store once, beside the node itself and its WAL, which asks for its room.
        self.tasks.have_ended()
            && Arc::strong_count(&self.stores.state) == 1
            && Arc::strong_count(&self.stores.log) <= 2 + shards.len()
            && shards.iter().all(|shard| Arc::strong_count(shard) == 1 && shard.is_quiet())
    }
}
