//! How a node is set up.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use dynamo_engine::stream::StreamPolicy;

use crate::cluster::ClusterOptions;
use crate::env::settings::{self, AgreedSettings};
use crate::env::{Storage, StoreOptions};
use crate::guard::{EventualReads, ReadMode};
use crate::memory::{Budget, READS_MAX};
use crate::raft::snapshot::SNAPSHOT_CHUNK_BYTES;
use crate::raft::{LARGE_ENTRIES_MAX, Pace};

/// Bytes of Raft log, all groups together, that the node keeps before it flushes the state and purges. A second
/// of writes at full speed, and what a restart has to look through at most.
pub const LOG_BYTES_MAX: u64 = 32 << 20;

/// Reads that wait for the disk at the same time, with plenty of memory.
pub const BLOCKING_READS_MAX: usize = READS_MAX;

/// Long reads (whole pages of scans) that run at the same time, at least; otherwise two for each processor. They are
/// processor time, mostly, so more would only take it from one another and hold more pages in memory. Who waits gets
/// the next place in the order of arrival, and a connection waits for one at a time: each gets its share.
pub const BACKGROUND_READS_MIN: usize = 4;

/// How long a request may take, all in all.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// The settings of a node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Where the data lives.
    pub storage: Storage,
    /// What its stores may take.
    pub stores: StoreOptions,
    /// The cluster to found or to come back to; `None` for a node that is alone.
    pub cluster: Option<ClusterOptions>,
    /// How many shards a new data directory gets; one that has another number is refused.
    pub shards: u32,
    /// Whether a data directory that has another number of shards is taken as it is, rather than refused.
    pub keeps_shards: bool,
    /// What [`Node::deadline`](super::Node::deadline) gives to a request.
    pub request_deadline: Duration,
    /// How reads make sure that this node still leads.
    pub read_mode: ReadMode,
    /// Who answers reads that are not to be strongly consistent.
    pub eventual_reads: EventualReads,
    /// The thread for Raft, the sequencers and the log, where they have one, which may then wait for a quick disk: whatever must
    /// go on while a disk stands still runs elsewhere. `None` for the caller's runtime.
    pub raft_on: Option<Handle>,
    /// The pace of the Raft groups.
    pub pace: Pace,
    /// See [`LOG_BYTES_MAX`]; less on a small disk.
    pub log_bytes_max: u64,
    /// See [`SNAPSHOT_CHUNK_BYTES`].
    pub snapshot_chunk_bytes: usize,
    /// Free bytes on the disk below which nothing is taken that grows; `None` for a floor that fits the disk. See
    /// [`room`](crate::shard::room).
    pub free_bytes_min: Option<u64>,
    /// How often the replicas of the shards led here are compared; `None` for never.
    pub compare_replicas_every: Option<Duration>,
    /// How often shards led here are looked at for items that have expired; `None` for never.
    pub ttl_interval: Option<Duration>,
    /// How long after a change of a table's time to live another one is refused; zero for never.
    pub ttl_update_window: Duration,
    /// When shards of streams roll over, and how long their records are kept.
    pub streams: StreamPolicy,
    /// See [`BLOCKING_READS_MAX`].
    pub blocking_reads_max: usize,
    /// See [`BACKGROUND_READS_MIN`].
    pub background_reads_max: usize,
    /// See [`LARGE_ENTRIES_MAX`].
    pub large_entries_max: usize,
    /// What the bodies of requests, and answers, may take together.
    pub memory: Arc<Budget>,
}

impl NodeOptions {
    /// The settings that all nodes of a cluster should have alike.
    pub fn agreed(&self) -> AgreedSettings {
        let election_timeout_ms = self.pace.election_timeout_max.as_millis();
        AgreedSettings::default()
            .with(settings::ELECTION_TIMEOUT_MS, u64::try_from(election_timeout_ms).unwrap_or(u64::MAX))
    }
}

impl Default for NodeOptions {
    fn default() -> Self {
        NodeOptions {
            storage: Storage::Memory,
            stores: StoreOptions::default(),
            cluster: None,
            shards: 1,
            raft_on: None,
            keeps_shards: false,
            request_deadline: REQUEST_DEADLINE,
            read_mode: ReadMode::default(),
            eventual_reads: EventualReads::default(),
            pace: Pace::default(),
            log_bytes_max: LOG_BYTES_MAX,
            snapshot_chunk_bytes: SNAPSHOT_CHUNK_BYTES,
            free_bytes_min: None,
            compare_replicas_every: None,
            ttl_interval: Some(crate::upkeep::TTL_INTERVAL),
            ttl_update_window: Duration::ZERO,
            streams: StreamPolicy::default(),
            blocking_reads_max: BLOCKING_READS_MAX,
            background_reads_max: BACKGROUND_READS_MIN,
            large_entries_max: LARGE_ENTRIES_MAX,
            memory: Budget::new(usize::MAX),
        }
    }
}
