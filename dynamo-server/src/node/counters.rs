//! What a node has done since it started: the same numbers for tests, that hold an operation to its budget, and for
//! the metrics page.

use std::sync::atomic::Ordering;

use crate::cluster::Cluster;
use crate::env::{Env, Stores};
use crate::raft::Wal;
use crate::read::Reader;
use crate::router::Router;
use crate::shard::Shard;
use crate::transaction::Transactions;
use crate::upkeep::{ExpiryCounters, stream_totals};

/// A node's counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Point reads of the state store by requests, repeated ones included.
    pub store_gets: u64,
    /// Cursors opened on the state store by requests.
    pub store_cursors: u64,
    /// Reads that went to the blocking pool.
    pub blocking_reads: u64,
    /// PartiQL statements that were carried out as scans.
    pub statement_scans: u64,
    /// Synchronous writes of the log.
    pub log_syncs: u64,
    /// Writes of the log that were made by the thread that asked for them.
    pub log_writes_in_place: u64,
    /// Entries proposed to Raft.
    pub proposals: u64,
    /// Commands in them.
    pub commands: u64,
    /// Commands refused because too much was waiting.
    pub writes_refused: u64,
    /// Bytes of commands that wait for the log or are on their way through it.
    pub queued_bytes: u64,
    /// For how long the disk of the log has not answered, in milliseconds, where that is too long.
    pub disk_stalled_ms: u64,
    /// Reads that wait for the disk although their requests were given up.
    pub reads_hanging: u64,
    /// Shard checks that a lease let through.
    pub lease_hits: u64,
    /// Shard checks that asked a quorum.
    pub lease_misses: u64,
    /// Of those, the ones that shared another read's round.
    pub lease_coalesced: u64,
    /// Of the misses, the ones that nobody confirmed.
    pub lease_failed: u64,
    /// Nanoseconds that the misses waited, together.
    pub lease_wait_ns: u64,
    /// Rounds in which reads asked a quorum.
    pub read_rounds: u64,
    /// Bytes of Raft log that are not purged, roughly.
    pub log_bytes: u64,
    /// The most bytes of rows that applying read and wrote in one turn, and steps of expressions that it took there, since
    /// the start.
    pub apply_turn_bytes_max: u64,
    /// Commands that were applied on another thread, because they take long.
    pub long_commands: u64,
    /// Shards led here whose replicas differed when they were last compared.
    pub shards_differing: u64,
    /// Shards that stand still on this node.
    pub shards_quarantined: u64,
    /// Shards of which records cannot be read here; damage of unknown shards counts as one more.
    pub shards_damaged: u64,
    /// Index entries that were brought to other shards.
    pub index_delivered: u64,
    /// Writes acknowledged before their index entries had arrived on other shards.
    pub index_ahead: u64,
    /// Bytes of index entries that wait to be brought to other shards, or were not tidied away since.
    pub index_lag_bytes: u64,
    /// Parts of transactions, on shards led here, that are prepared and hold their items until the decision.
    pub transaction_parts_prepared: u64,
    /// Decisions about transactions, on shards led here, that may not be carried out everywhere yet.
    pub transaction_decisions: u64,
    /// Items that had expired and were deleted, on shards led here.
    pub ttl_deleted: u64,
    /// For how long the first of what has expired on shards led here, and is not deleted, has been past, in seconds.
    pub ttl_lag_s: u64,
    /// Shards led here on which nothing is deleted because the time is in doubt.
    pub ttl_shards_held: u64,
    /// Stream shards that are kept by replicas of this node, open and sealed.
    pub stream_shards: u64,
    /// Records that were ever written into them.
    pub stream_records: u64,
    /// Bytes of these records, keys and values: until a stream shard is dropped as a whole, trimmed ones among them.
    pub stream_bytes: u64,
}

/// The parts of a node that count.
pub(super) struct Counting<'n, E: Env> {
    /// What the shards have written and refused.
    pub router: &'n Router<E>,
    /// Reads, and what of them had to wait for the disk.
    pub reader: &'n Reader<E>,
    /// How transactions ended.
    pub transactions: &'n Transactions<E>,
    /// Leaders moved, replicas compared.
    pub cluster: &'n Cluster<E>,
    /// Items that were due.
    pub expiry: &'n ExpiryCounters,
    /// Sizes of the state and of the log.
    pub stores: &'n Stores,
    /// Writes of the log, and its syncs.
    pub wal: &'n Wal<E>,
}

impl Counters {
    /// What these parts have done since they started.
    pub(super) fn of<E: Env>(node: Counting<'_, E>) -> Counters {
        let Counting { router, reader, transactions, cluster, expiry, stores, wal } = node;
        let reads = reader.runner().counts();
        let sum = |count: &dyn Fn(&Shard<E>) -> u64| router.shards.iter().map(|shard| count(shard)).sum();
        let guard = router.guard.counters().total();
        let (transaction_parts_prepared, transaction_decisions) = transactions.open();
        let (ttl_deleted, ttl_lag_s, ttl_shards_held) = expiry.totals();
        let streams = stream_totals(router);
        Counters {
            store_gets: reads.gets(),
            store_cursors: reads.cursors(),
            blocking_reads: reads.blocking(),
            statement_scans: reads.statement_scans(),
            log_syncs: stores.log.syncs(),
            log_writes_in_place: wal.written_in_place(),
            proposals: sum(&|shard| shard.sequencer().counters().entries.load(Ordering::Relaxed)),
            commands: sum(&|shard| shard.sequencer().counters().commands.load(Ordering::Relaxed)),
            writes_refused: sum(&|shard| shard.sequencer().counters().refused.load(Ordering::Relaxed)),
            queued_bytes: sum(&|shard| shard.sequencer().queued_bytes() as u64),
            disk_stalled_ms: cluster.fitness().disk_stalled_ms(),
            reads_hanging: reader.runner().hanging(),
            lease_hits: guard.hits,
            lease_misses: guard.misses,
            lease_coalesced: guard.coalesced,
            lease_failed: guard.failed,
            lease_wait_ns: guard.wait_ns,
            read_rounds: sum(&Shard::read_rounds),
            log_bytes: sum(&|shard| shard.group().log().bytes()),
            apply_turn_bytes_max: router
                .shards
                .iter()
                .map(|shard| shard.group().published().turn_work_max())
                .max()
                .unwrap_or(0),
            long_commands: sum(&|shard| shard.group().published().long_commands()),
            shards_differing: cluster.comparison().differences().len() as u64,
            shards_quarantined: sum(&|shard| u64::from(shard.group().published().quarantine().is_some())),
            shards_damaged: router.all_damage().count() as u64,
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

    /// Each counter with a name and what it counts, for the metrics page.
    pub fn series(&self) -> Vec<(&'static str, &'static str, u64)> {
        vec![
            ("store_gets_total", "Point reads of the state store by requests", self.store_gets),
            ("store_cursors_total", "Cursors opened on the state store by requests", self.store_cursors),
            ("blocking_reads_total", "Reads that went to the blocking pool", self.blocking_reads),
            ("partiql_scans_total", "PartiQL statements carried out as scans", self.statement_scans),
            ("log_syncs_total", "Synchronous writes of the log", self.log_syncs),
            ("log_writes_in_place_total", "Writes of the log by the thread that asked", self.log_writes_in_place),
            ("raft_proposals_total", "Entries proposed to Raft", self.proposals),
            ("raft_commands_total", "Commands in proposed entries", self.commands),
            ("writes_refused_total", "Commands refused because too much was waiting", self.writes_refused),
            ("write_queue_bytes", "Bytes of commands that wait for the log or are under way", self.queued_bytes),
            ("log_disk_stalled_milliseconds", "Time that the disk of the log has not answered", self.disk_stalled_ms),
            ("reads_hanging", "Reads that wait for the disk, their requests given up", self.reads_hanging),
            ("lease_hits_total", "Shard checks that a lease let through", self.lease_hits),
            ("lease_misses_total", "Shard checks that asked a quorum", self.lease_misses),
            ("lease_coalesced_total", "Shard checks that shared another read's round", self.lease_coalesced),
            ("lease_failed_total", "Shard checks that no quorum confirmed", self.lease_failed),
            ("lease_wait_nanoseconds_total", "Time that shard checks waited for a quorum", self.lease_wait_ns),
            ("read_index_rounds_total", "Rounds in which reads asked a quorum", self.read_rounds),
            ("raft_log_bytes", "Bytes of Raft log that are not purged", self.log_bytes),
            ("apply_turn_bytes_max", "Most bytes of rows that one turn of applying touched", self.apply_turn_bytes_max),
            (
                "apply_long_commands_total",
                "Commands applied on another thread since they take long",
                self.long_commands,
            ),
            ("shards_differing", "Shards led here whose replicas differed when last compared", self.shards_differing),
            ("shards_quarantined", "Shards that stand still on this node at an entry", self.shards_quarantined),
            (
                "shards_damaged",
                "Shards of which records on this node's disk cannot be read; damage of unknown shards counts as one more",
                self.shards_damaged,
            ),
            ("index_delivered_total", "Index entries brought to other shards", self.index_delivered),
            ("index_ahead_total", "Writes acknowledged before their index entries arrived", self.index_ahead),
            ("index_lag_bytes", "Bytes of index entries that wait for other shards", self.index_lag_bytes),
            (
                "transaction_parts_prepared",
                "Parts of transactions on shards led here that hold their items until the decision",
                self.transaction_parts_prepared,
            ),
            (
                "transaction_decisions",
                "Decisions on shards led here that may not be carried out everywhere yet",
                self.transaction_decisions,
            ),
            ("ttl_deleted_total", "Items that had expired and were deleted, on shards led here", self.ttl_deleted),
            ("ttl_lag_seconds", "Age of the oldest expiry due and not deleted, on shards led here", self.ttl_lag_s),
            ("ttl_shards_held", "Shards led here where nothing expires: the time is in doubt", self.ttl_shards_held),
            ("stream_shards", "Stream shards kept by replicas of this node", self.stream_shards),
            ("stream_records", "Records written into the stream shards that are kept", self.stream_records),
            ("stream_bytes", "Bytes of records written into the stream shards that are kept", self.stream_bytes),
        ]
    }
}
