//! The applied state as others see it: how far a group has applied its log, and what its shard has.
//!
//! Written by the one task that applies, after the batch is visible in the store; read by any number of requests
//! without a lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use dynamo_engine::apply::two_phase::{Decision, Locks, PreparedTransaction};
use dynamo_engine::catalog::MemoryCatalog;
use dynamo_engine::command::TransactionId;
use dynamo_engine::keyspace::RowRange;
use dynamo_engine::outbox::{OutboxChannel, OutboxChannels};
use dynamo_engine::stream::StreamTotals;
use hlc::Timestamp;
use parking_lot::Mutex;
use shard_router::{Epoch, ShardId};
use tokio::sync::watch;

use super::comparison::Comparison;
use super::quarantine::Quarantine;

/// Where a group's applied state stands on this node.
pub struct Published {
    /// The index behind the last applied entry.
    applied_next: watch::Sender<u64>,
    /// The descriptors installed in the shard. One atomic load to read; replaced as a whole by the rare change.
    catalog: ArcSwap<MemoryCatalog>,
    /// Counts the changes of the catalog, for those who wait for one.
    catalog_changes: watch::Sender<u64>,
    /// Every timestamp that was promised is below it; never falls.
    ceiling: AtomicU64,
    /// Counts the changes of what the shard owns. None is made yet: the map is fixed when a cluster is founded.
    epoch: AtomicU64,
    /// Prepared transactions' locks in the shard; reads look at the lock table only when there are any.
    locks: AtomicU64,
    /// The shard's own channels to other shards; none on a node with one shard.
    channels: watch::Sender<BTreeMap<ShardId, OutboxChannel>>,
    /// What its streams come to: stream shards, records, bytes.
    streams: [AtomicU64; 3],
    /// Whether it remembers any ClientRequestToken.
    has_client_tokens: AtomicBool,
    /// What those transactions are. Replaced as a whole, since few are open at a time.
    transactions: ArcSwap<OpenTransactions>,
    /// Where rows were that are gone for good, for whoever gives their room back.
    emptied: Mutex<Vec<RowRange>>,
    /// The most work that applying did in one turn, in bytes.
    turn_work_max: AtomicU64,
    /// Commands that were applied away from the thread that ticks and heartbeats share.
    long_commands: AtomicU64,
    /// This replica's part in a comparison.
    comparison: Comparison,
    /// Whether the group takes part, rather than being started.
    is_running: AtomicBool,
    /// Whether the group is being stopped: what waits for room need not any more.
    is_stopping: AtomicBool,
    /// What of the shard's records cannot be read on this node; see [`note_damage`](Published::note_damage).
    damage: OnceLock<String>,
    /// Why the shard stands still on this node; `None` as a rule.
    quarantine: watch::Sender<Option<Arc<Quarantine>>>,
}

/// The transactions across shards that are under way in a shard.
#[derive(Debug, Default)]
pub struct OpenTransactions {
    /// What is prepared, and holds its items.
    pub prepared: Vec<Arc<PreparedTransaction>>,
    /// What was decided here and not forgotten yet.
    pub decisions: Vec<(TransactionId, Arc<Decision>)>,
}

impl Published {
    /// What a shard publishes when it starts.
    pub fn new(applied_next: u64, catalog: MemoryCatalog, ceiling: Timestamp, channels: &OutboxChannels) -> Self {
        Published {
            applied_next: watch::Sender::new(applied_next),
            catalog: ArcSwap::from_pointee(catalog),
            catalog_changes: watch::Sender::new(0),
            ceiling: AtomicU64::new(ceiling.0),
            epoch: AtomicU64::new(Epoch::FIRST.0),
            locks: AtomicU64::new(0),
            channels: watch::Sender::new(channels.out().clone()),
            streams: Default::default(),
            has_client_tokens: AtomicBool::new(false),
            transactions: ArcSwap::default(),
            emptied: Mutex::default(),
            turn_work_max: AtomicU64::new(0),
            long_commands: AtomicU64::new(0),
            comparison: Comparison::default(),
            is_running: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            damage: OnceLock::new(),
            quarantine: watch::Sender::new(None),
        }
    }

    /// The descriptors installed in the shard.
    pub fn catalog(&self) -> Arc<MemoryCatalog> {
        self.catalog.load_full()
    }

    /// The shard's ceiling: every timestamp that was ever promised is below it.
    pub fn ceiling(&self) -> Timestamp {
        Timestamp(self.ceiling.load(Ordering::Acquire))
    }

    /// The shard's epoch in the applied state. A read that was routed by another one must be routed again.
    #[inline]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Begins with this epoch.
    pub(in crate::raft) fn with_epoch(self, epoch: Epoch) -> Self {
        self.epoch.store(epoch.0, Ordering::Release);
        self
    }

    /// How many locks of prepared transactions there are.
    #[inline]
    pub fn locks(&self) -> u64 {
        self.locks.load(Ordering::Acquire)
    }

    /// The shard's own channels to other shards, as they are and as they change.
    pub fn channels(&self) -> watch::Receiver<BTreeMap<ShardId, OutboxChannel>> {
        self.channels.subscribe()
    }

    /// What the shard's streams come to; the three numbers may be of neighbouring entries.
    pub fn streams(&self) -> StreamTotals {
        let [shards, records, bytes] = self.streams.each_ref().map(|count| count.load(Ordering::Relaxed));
        StreamTotals { shards, records, bytes }
    }

    /// Whether any ClientRequestToken is remembered.
    pub fn has_client_tokens(&self) -> bool {
        self.has_client_tokens.load(Ordering::Relaxed)
    }

    /// The transactions across shards that are under way here.
    pub fn transactions(&self) -> Arc<OpenTransactions> {
        self.transactions.load_full()
    }

    /// The ranges that were emptied here for good since this was last called.
    pub fn take_emptied(&self) -> Vec<RowRange> {
        std::mem::take(&mut *self.emptied.lock())
    }

    pub(in crate::raft) fn note_emptied(&self, ranges: Vec<RowRange>) {
        if !ranges.is_empty() {
            self.emptied.lock().extend(ranges);
        }
    }

    /// Commands that took so long that they were applied on another thread.
    pub fn long_commands(&self) -> u64 {
        self.long_commands.load(Ordering::Relaxed)
    }

    pub(in crate::raft) fn counts_long_command(&self) {
        self.long_commands.fetch_add(1, Ordering::Relaxed);
    }

    /// The most bytes of rows that applying read and wrote, and steps of expressions that it took, between two moments at
    /// which it let other tasks run.
    pub fn turn_work_max(&self) -> u64 {
        self.turn_work_max.load(Ordering::Relaxed)
    }

    pub(in crate::raft) fn ends_turn(&self, work: usize) {
        self.turn_work_max.fetch_max(work as u64, Ordering::Relaxed);
    }

    /// Why the shard stands still on this node, if it does.
    pub fn quarantine(&self) -> Option<Arc<Quarantine>> {
        self.quarantine.borrow().clone()
    }

    /// Waits until the shard stands still on this node.
    pub async fn wait_quarantined(&self) {
        // The sender lives in `self`, so the channel cannot be closed while anybody waits.
        let _ = self.quarantine.subscribe().wait_for(Option::is_some).await;
    }

    /// This replica's part in the comparison of the shard's replicas.
    pub fn comparison(&self) -> &Comparison {
        &self.comparison
    }

    /// Whether the group has started.
    pub(in crate::raft) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    pub(in crate::raft) fn set_running(&self) {
        self.is_running.store(true, Ordering::Relaxed);
    }

    /// Whether the group is being stopped.
    pub(in crate::raft) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    pub(in crate::raft) fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Records of the shard cannot be read on this node, as whoever met them says. The first to say so is heard. What becomes
    /// of it is decided elsewhere: the replica goes on as long as no other can take its place.
    pub fn note_damage(&self, what: impl Into<String>) {
        let mut is_first = false;
        let what = self.damage.get_or_init(|| {
            is_first = true;
            what.into()
        });
        if is_first {
            tracing::error!(what, "records of a shard cannot be read on this node: cluster status says what to do");
        }
    }

    /// What of the shard's records cannot be read on this node; `None` as a rule.
    pub fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// The first reason stays.
    pub(in crate::raft) fn set_quarantine(&self, quarantine: Quarantine) {
        self.quarantine.send_if_modified(|known| match known {
            Some(_) => false,
            None => {
                *known = Some(Arc::new(quarantine));
                true
            }
        });
    }

    /// The index behind the last applied entry.
    pub fn applied_next(&self) -> u64 {
        *self.applied_next.borrow()
    }

    /// Waits until the entry at `index` is applied; never returns if it never is.
    pub async fn wait_applied(&self, index: u64) {
        // The sender lives in `self`, so the channel cannot be closed while anybody waits.
        let _ = self.applied_next.subscribe().wait_for(|next| *next > index).await;
    }

    /// Tells of every change of the catalog from now on; the catalog itself is to be looked at afterwards.
    pub fn catalog_changes(&self) -> watch::Receiver<u64> {
        self.catalog_changes.subscribe()
    }

    pub(in crate::raft) fn set_catalog(&self, catalog: MemoryCatalog) {
        self.catalog.store(Arc::new(catalog));
        self.catalog_changes.send_modify(|count| *count += 1);
    }

    /// Bytes in the shard's outbox.
    pub fn outbox_bytes(&self) -> u64 {
        let channels = self.channels.borrow();
        debug_assert!(
            channels.values().all(|channel| channel.trimmed_bytes <= channel.bytes),
            "no more goes than there was"
        );
        channels.values().map(|channel| channel.bytes - channel.trimmed_bytes).sum()
    }

    /// Says where the channels stand, where they have moved.
    pub(in crate::raft) fn show_channels(&self, channels: &OutboxChannels) {
        self.channels.send_if_modified(|shown| {
            let moved = shown != channels.out();
            if moved {
                shown.clone_from(channels.out());
            }
            moved
        });
    }

    /// Says what the streams come to.
    pub(in crate::raft) fn show_streams(&self, totals: StreamTotals) {
        let StreamTotals { shards, records, bytes } = totals;
        for (shown, count) in self.streams.iter().zip([shards, records, bytes]) {
            shown.store(count, Ordering::Relaxed);
        }
    }

    /// Says whether any ClientRequestToken is remembered.
    pub(in crate::raft) fn show_client_tokens(&self, has_any: bool) {
        self.has_client_tokens.store(has_any, Ordering::Relaxed);
    }

    /// To be called before the entry that changed them is published as applied: whoever waits for it looks here next.
    pub(in crate::raft) fn set_transactions(&self, locks: &Locks) {
        let prepared = locks.prepared().cloned().collect();
        let decisions = locks.decisions().map(|(id, decision)| (id, Arc::clone(decision))).collect();
        debug_assert!(locks.count() == 0 || locks.prepared().next().is_some(), "whoever locks is prepared");
        self.transactions.store(Arc::new(OpenTransactions { prepared, decisions }));
        // Last, so that whoever sees a count finds what is counted.
        self.locks.store(locks.count() as u64, Ordering::Release);
    }

    /// The whole state was replaced by another one.
    pub(in crate::raft) fn replace(&self, catalog: MemoryCatalog, ceiling: Timestamp, applied: Option<u64>) {
        self.set_catalog(catalog);
        self.ceiling.store(ceiling.0, Ordering::Release);
        self.applied_next.send_replace(applied.map_or(0, |applied| applied + 1));
    }

    pub(in crate::raft) fn advance(&self, applied: u64, ceiling: Timestamp) {
        let before = self.ceiling.swap(ceiling.0, Ordering::AcqRel);
        debug_assert!(before <= ceiling.0, "the ceiling never falls: timestamps below it were promised to be over");
        let before = self.applied_next.send_replace(applied + 1);
        debug_assert!(before <= applied, "an entry is applied once, in the order of the log");
    }
}
