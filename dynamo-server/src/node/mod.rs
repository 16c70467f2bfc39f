//! One node: its stores, its shards, and what the front asks of them.
//!
//! A request comes down here as a command or a read plan and goes to the shards that its tokens name; what comes back is
//! an outcome or a body. Everything that makes this node special (identity, disk, faults, upkeep) lives here too.

mod admission;
pub mod balance;
pub(crate) mod compare;
mod counters;
mod ddl;
mod expiry;
mod fitness;
mod health;
mod leaders;
mod membership;
mod off_loop;
mod options;
mod outbox_relay;
mod peers;
mod periodic;
mod read;
pub mod room;
mod route;
mod share_room;
mod start;
mod status;
mod streams;
#[cfg(test)]
mod tests;
pub mod transaction;
mod transfer;
mod upkeep;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dynamo_engine::catalog::MemoryCatalog;
use futures::future::join_all;
use hlc::NodeClock;
use parking_lot::Mutex;
use shard_router::{ShardId, ShardMap};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

pub use self::admission::Admission;
pub use self::counters::Counters;
pub use self::health::{Capability, Health, Impairment, ShardHealth};
pub(crate) use self::leaders::Called;
pub use self::membership::MembershipFailure;
pub(crate) use self::off_loop::INLINE_BYTES_MAX;
pub use self::options::{
    BACKGROUND_READS_MIN, BLOCKING_READS_MAX, ClusterOptions, LOG_BYTES_MAX, NodeOptions, REQUEST_DEADLINE,
};
pub use self::route::OnConflict;
pub use self::start::NodeError;
pub use crate::env::{FaultSignal, Storage as StorageOptions};
pub use crate::peer::status::{NodeStatus, ShardStatus};

use self::counters::StoreReads;
use self::fitness::Fitness;
use self::transaction::TransactionCounters;
use crate::env::{AgreedSettings, Env, Identity, Stores};
use crate::guard::{EventualReads, LeaseGuard};
use crate::in_flight::InFlight;
use crate::log_limit::LogLimit;
use crate::memory::Budget;
use crate::raft::{Wal, WallClocks};
use crate::shard::{Deadline, Shard};

/// How long a stopping node waits until others lead what it led. Two messages and two synced writes, as a rule.
const HAND_OVER_MAX: Duration = Duration::from_secs(1);

/// How long a stopping node waits for its tasks to let go of the stores.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// A running node.
pub struct Node<E: Env> {
    /// For tasks that outlive the request that began them.
    me: Weak<Node<E>>,
    identity: Identity,
    request_deadline: Duration,
    /// How long ago a leader, or a leader's quorum, may have been heard for this node to count as in contact with it.
    contact_max: Duration,
    /// By shard id.
    shards: Vec<Arc<Shard<E>>>,
    /// Which shard owns what.
    map: Arc<ShardMap>,
    /// No other node is to be asked for anything.
    is_alone: bool,
    transport: E::Transport,
    /// What this node expects its peers to be set up with, too.
    agreed: AgreedSettings,
    /// What stands between it and its cluster.
    admission: admission::SharedAdmission,
    /// A leader that has called within so many nanoseconds is one that calls.
    called_within_ns: u64,
    /// Merged with the hybrid time of every message.
    clock: Arc<NodeClock>,
    /// What the members' wall clocks say about this node's.
    wall_clocks: Arc<WallClocks>,
    /// Lines about clocks that are far apart.
    wall_log: LogLimit,
    guard: LeaseGuard,
    eventual_reads: EventualReads,
    transactions: TransactionCounters,
    in_flight: Arc<InFlight>,
    reads: Arc<StoreReads>,
    page_cache: Arc<read::PageCacheEstimator>,
    /// Places in the blocking pool.
    blocking: Arc<Semaphore>,
    /// Its threads: as many, and [`HANGING_READS_MAX`] more.
    blocking_threads: Arc<Semaphore>,
    blocking_reads_max: usize,
    /// What keeps this node from leading.
    fitness: Arc<Fitness>,
    /// Places for work that would hold an event loop up; see `off_loop`.
    heavy: Arc<Semaphore>,
    /// Places for long reads, in the background.
    background: Arc<Semaphore>,
    /// What the bodies of requests, and answers, may take together.
    memory: Arc<Budget>,
    stores: Stores,
    wal: Wal<E>,
    /// How much room the disks have, here and elsewhere.
    room: Arc<room::Room>,
    /// What was said of peers' settings.
    heard: peers::HeardSettings,
    fault: FaultSignal,
    /// What spreads the leaders over the nodes.
    balancer: balance::SharedBalancer,
    /// What differs between the replicas of shards led here, by shard.
    differences: Mutex<BTreeMap<u32, String>>,
    /// What time to live has done and seen.
    expiry: expiry::ExpiryCounters,
    /// How long after a change of a table's time to live another one is refused.
    ttl_update_window: Duration,
    /// The place of the one shard that is read for a comparison.
    comparing: Semaphore,
    /// Set to true when the node stops.
    stopping: watch::Sender<bool>,
    /// What this node has started and must end. Finished ones are forgotten now and then.
    tasks: Mutex<Vec<AbortHandle>>,
}

impl<E: Env> Node<E> {
    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The tables installed here, at this moment. One atomic load.
    pub fn catalog(&self) -> Arc<MemoryCatalog> {
        self.system().group().published().catalog()
    }

    /// The deadline of a request that arrives now.
    pub fn deadline(&self) -> Deadline {
        Deadline::after::<E>(self.request_deadline)
    }

    /// The requests that are being answered; whoever answers one counts it.
    pub(crate) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Wall time in milliseconds since 1970, never far ahead of most members'.
    pub fn wall_ms(&self) -> u64 {
        self.wall_clocks.believed(E::wall_ms(), E::monotonic_ns())
    }

    /// How long after a change of a table's time to live another one is refused; zero for never.
    pub fn ttl_update_window(&self) -> Duration {
        self.ttl_update_window
    }

    /// The system group's shard.
    pub(crate) fn system(&self) -> &Arc<Shard<E>> {
        &self.shards[0]
    }

    /// Whether the catalog here is never behind, because this node decides about it.
    pub(crate) fn leads_catalog(&self) -> bool {
        self.is_alone || self.system().has_lease()
    }

    /// Who leads the shard: this node once it may serve, another one as far as it is known.
    fn leader_of(&self, shard: &Shard<E>) -> Option<u64> {
        match shard.group().lease().leading_term() {
            Some(_) => Some(self.identity.node_id),
            None => shard.group().other_leader(),
        }
    }

    /// The group of a shard, for tests that move its leadership.
    #[cfg(any(test, feature = "fault-injection"))]
    pub fn group(&self, shard: u32) -> Option<&crate::raft::Group<E>> {
        self.shards.iter().find(|own| own.id().0 == shard).map(|own| &**own.group())
    }

    /// The shards of this node.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.shards.iter().map(|shard| shard.id())
    }

    /// How the node is.
    pub fn health(&self) -> Health {
        let shards: Vec<ShardHealth> = self
            .shards
            .iter()
            .map(|shard| ShardHealth {
                shard: shard.id().0,
                leading_term: shard.group().lease().leading_term(),
                leader: self.leader_of(shard),
                has_lease: shard.has_lease(),
                applied_next: shard.group().published().applied_next(),
            })
            .collect();
        Health { impairments: self.impairments(), shards }
    }

    /// What keeps this node from something, as far as it knows; the worst first.
    fn impairments(&self) -> Vec<Impairment> {
        let mut found = Vec::new();
        found.extend(self.fault.reason().map(|reason| Impairment::Stopped(reason.to_owned())));
        found.extend(self.not_admitted().map(Impairment::NotAdmitted));
        if *self.stopping.borrow() {
            found.push(Impairment::Stopping);
        }
        found.extend(self.unfitness());
        found.extend(self.room.is_short().then_some(Impairment::DiskFull));
        let differences = self.differences.lock();
        found.extend(
            differences.iter().map(|(shard, what)| Impairment::ReplicasDiffer { shard: *shard, what: what.clone() }),
        );
        drop(differences);
        for shard in &self.shards {
            let number = shard.id().0;
            let voters = || shard.group().members().voters.into_keys().collect();
            if let Some(quarantine) = shard.group().published().quarantine() {
                found.push(Impairment::Quarantined { shard: number, what: quarantine.to_string() });
                continue;
            }
            match self.leader_of(shard) {
                None => found.push(Impairment::NoLeader { shard: number }),
                Some(_) if !shard.is_in_contact(self.contact_max) => {
                    found.push(Impairment::NoQuorum { shard: number });
                }
                Some(leader) if self.room.is_shard_short(self.identity.node_id, leader, voters) => {
                    found.push(Impairment::NoRoom { shard: number });
                }
                Some(_) => {}
            }
        }
        found
    }

    /// What the bodies of requests, and answers, may take together.
    pub fn memory(&self) -> &Arc<Budget> {
        &self.memory
    }

    /// The guard that reads pass.
    pub fn guard(&self) -> &LeaseGuard {
        &self.guard
    }

    /// How transactions ended that clients asked of this node.
    pub fn transactions(&self) -> &TransactionCounters {
        &self.transactions
    }

    /// What the shards that this node leads hold of transactions under way: parts that are prepared, and decisions
    /// that are not carried out everywhere.
    fn open_transactions(&self) -> (u64, u64) {
        let (mut prepared, mut decisions) = (0, 0);
        for shard in self.shards.iter().filter(|shard| shard.group().lease().leading_term().is_some()) {
            let open = shard.group().published().transactions();
            prepared += open.prepared.len() as u64;
            decisions += open.decisions.len() as u64;
        }
        (prepared, decisions)
    }

    /// What the node has done since it started.
    pub fn counters(&self) -> Counters {
        let sum = |count: &dyn Fn(&Shard<E>) -> u64| self.shards.iter().map(|shard| count(shard)).sum();
        let guard = self.guard.counters().total();
        let (transaction_parts_prepared, transaction_decisions) = self.open_transactions();
        let (ttl_deleted, ttl_lag_s, ttl_shards_held) = self.expiry_counts();
        let streams = self.stream_totals();
        Counters {
            store_gets: self.reads.gets(),
            store_cursors: self.reads.cursors(),
            blocking_reads: self.reads.blocking.load(Ordering::Relaxed),
            statement_scans: self.reads.statement_scans.load(Ordering::Relaxed),
            log_syncs: self.stores.log.syncs(),
            log_writes_in_place: self.wal.written_in_place(),
            proposals: sum(&|shard| shard.counters().entries.load(Ordering::Relaxed)),
            commands: sum(&|shard| shard.counters().commands.load(Ordering::Relaxed)),
            writes_refused: sum(&|shard| shard.counters().refused.load(Ordering::Relaxed)),
            queued_bytes: sum(&|shard| shard.queued_bytes() as u64),
            disk_stalled_ms: self.disk_stalled_ms(),
            reads_hanging: self.reads_hanging(),
            lease_hits: guard.hits,
            lease_misses: guard.misses,
            lease_coalesced: guard.coalesced,
            lease_failed: guard.failed,
            lease_wait_ns: guard.wait_ns,
            read_rounds: sum(&Shard::read_rounds),
            log_bytes: sum(&|shard| shard.group().log().bytes()),
            apply_turn_bytes_max: self
                .shards
                .iter()
                .map(|shard| shard.group().published().turn_work_max())
                .max()
                .unwrap_or(0),
            long_commands: sum(&|shard| shard.group().published().long_commands()),
            shards_differing: self.differences.lock().len() as u64,
            shards_quarantined: sum(&|shard| u64::from(shard.group().published().quarantine().is_some())),
            index_delivered: sum(&|shard| shard.arrivals().delivered()),
            index_ahead: sum(&|shard| shard.arrivals().ahead()),
            index_lag_bytes: sum(&|shard| shard.group().published().outbox_bytes()),
            transaction_parts_prepared,
            transaction_decisions,
            ttl_deleted,
            ttl_lag_s,
            ttl_shards_held,
            stream_shards: streams.shards,
            stream_records: streams.records,
            stream_bytes: streams.bytes,
        }
    }

    /// Waits until a fault stops this node, and says which. The process should exit then.
    pub async fn failed(&self) -> String {
        self.fault.raised().await
    }

    /// Stops in order: others take over what this node leads, then leases, the groups, the state and the log. Afterwards, when the last handle
    /// of the node is dropped, its directory can be opened again.
    pub async fn shutdown(&self) {
        if self.stopping.send_replace(true) {
            return;
        }
        self.tasks.lock().iter().for_each(AbortHandle::abort);
        join_all(self.shards.iter().map(|shard| shard.group().hand_over(HAND_OVER_MAX))).await;
        self.shards.iter().for_each(|shard| shard.group().announce_stop());
        self.wal.stop_waiting();
        for shard in &self.shards {
            shard.stop().await;
        }
        let state = Arc::clone(&self.stores.state);
        if let Err(error) = E::blocking(move || state.flush()).await {
            tracing::warn!(%error, "the state could not be flushed; the log will be replayed");
        }
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
        // Each group's log holds the log store once, beside the node itself and its WAL, which asks for its room.
        Arc::strong_count(&self.stores.state) == 1
            && Arc::strong_count(&self.stores.log) <= 2 + self.shards.len()
            && self.shards.iter().all(|shard| Arc::strong_count(shard) == 1 && shard.is_quiet())
    }

    /// Starts a task that ends with the node at the latest.
    pub(crate) fn start_task(&self, task: impl Future<Output = ()> + Send + 'static) {
        let handle = E::spawn(task).abort_handle();
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle);
    }
}
