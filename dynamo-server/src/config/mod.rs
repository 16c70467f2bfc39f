//! Configuration: what a server is told before it starts.
//!
//! A program that has a server inside fills [`Config`] itself. The binary (feature `cli`) takes flags, environment variables
//! and a file, in this order of precedence, over defaults that need none: every setting exists once, as a field of
//! `Settings`, and the three are ways to fill it. [`Config`] is what comes of them, where every field has a value and has
//! been checked.

#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod cluster;
#[cfg(feature = "cli")]
pub(crate) mod dynamodb_local;
mod error;
#[cfg(feature = "cli")]
mod file;
#[cfg(feature = "cli")]
mod load;
mod member;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "cli")]
pub use cli::{Cli, ClusterAction, ClusterCommand, Command, Settings};
#[cfg(feature = "cli")]
pub use cluster::JoinRequest;
use dynamo_engine::stream::StreamPolicy;
pub use error::ConfigError;
pub(crate) use member::check_reachable as check_peer_address;
pub use member::{ClusterConfig, Entry};

use crate::guard::{EventualReads, ReadMode};
use crate::http::{BODY_MEMORY_DEFAULT, CONNECTIONS_DEFAULT};
use crate::node::NodeOptions;
use crate::raft::Pace;

/// Port of DynamoDB Local, which every tutorial and test suite assumes.
pub const DEFAULT_PORT: u16 = 8000;
/// Folder for data, below the working folder.
pub const DEFAULT_DATA_DIR: &str = "dynamo-data";
/// How long one request may take before it is answered with InternalServerError.
pub const DEFAULT_REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Shards of a new node that is alone.
pub const DEFAULT_SHARDS_ALONE: u32 = 1;
/// Shards of a new cluster: their number is fixed when it is founded, and this many can be spread over as many nodes.
pub const DEFAULT_SHARDS_OF_CLUSTER: u32 = 16;
/// Shards at most. Each is a Raft group with queues of its own on every member, and the members exchange heartbeats for
/// each of them.
pub const SHARDS_MAX: u32 = 1024;
/// The shortest election timeout: below, a slow disk or a busy moment looks like a dead leader.
pub const ELECTION_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// The longest election timeout. For as long, at least, a shard whose leader died has none.
pub const ELECTION_TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// Whose requests may change the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum AdminFrom {
    /// Those of clients on the same machine.
    #[default]
    Loopback,
    /// Everybody's who reaches the port.
    Any,
}

/// The checked configuration of one server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on; loopback unless said otherwise.
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Where data is kept; `None` keeps it in memory only.
    pub data_dir: Option<PathBuf>,
    /// The cluster that the node belongs to; `None` for one that is alone.
    pub cluster: Option<ClusterConfig>,
    /// Number of shards (Raft groups) of a new data directory; `None` takes [`Config::shards_of_new_data`], and what an
    /// old directory has.
    pub shards: Option<u32>,
    /// The longest wait before an election, and the length of a lease.
    pub election_timeout: Duration,
    /// Who may change the cluster.
    pub admin_from: AdminFrom,
    /// Time from the first byte of a request's handling to its answer.
    pub request_deadline: Duration,
    /// Connections of clients at the same time, if the limit of open files allows so many.
    pub max_connections: usize,
    /// Bytes of memory that the process may take; `None` for half of what the machine or the control group has.
    pub memory: Option<usize>,
    /// Bytes that the bodies of all requests together may take.
    pub body_memory: usize,
    /// Free bytes on the disk below which only what frees room is taken; `None` for a floor that fits the disk.
    pub free_disk_floor: Option<u64>,
    /// How often replicas are compared; `None` for never.
    pub compare_replicas_every: Option<Duration>,
    /// How often items are looked for that have expired; `None` for never.
    pub ttl_interval: Option<Duration>,
    /// How long after a change of a table's time to live another one is refused; zero for never.
    pub ttl_update_window: Duration,
    /// When shards of streams roll over, and how long their records are kept.
    pub streams: StreamPolicy,
    /// How reads make sure that this node still leads.
    pub read_mode: ReadMode,
    /// Who answers reads that are not to be strongly consistent.
    pub eventual_reads: EventualReads,
    /// Origins whose pages may call from a browser: a comma-separated list, in which `loopback` stands for those of this
    /// machine and `*` for all; `None` for none.
    pub cors: Option<String>,
    /// Names that the server answers to besides those that no stranger can own, as in `--allowed-hosts`.
    pub allowed_hosts: Option<String>,
    /// Log lines as JSON instead of text.
    pub log_json: bool,
    /// Which log lines appear: a level, and levels for single modules, as in `info,openraft=error`.
    pub log_filter: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: DEFAULT_PORT,
            data_dir: Some(PathBuf::from(DEFAULT_DATA_DIR)),
            cluster: None,
            shards: None,
            election_timeout: Pace::default().election_timeout_max,
            admin_from: AdminFrom::default(),
            request_deadline: DEFAULT_REQUEST_DEADLINE,
            max_connections: CONNECTIONS_DEFAULT,
            memory: None,
            body_memory: BODY_MEMORY_DEFAULT,
            free_disk_floor: None,
            compare_replicas_every: None,
            ttl_interval: NodeOptions::default().ttl_interval,
            ttl_update_window: Duration::ZERO,
            streams: StreamPolicy::default(),
            read_mode: ReadMode::default(),
            eventual_reads: EventualReads::default(),
            cors: Some("loopback".to_owned()),
            allowed_hosts: None,
            log_json: false,
            log_filter: "info,openraft=error".to_owned(),
        }
    }
}

impl Config {
    /// How many shards new data gets.
    pub fn shards_of_new_data(&self) -> u32 {
        let default = if self.cluster.is_some() { DEFAULT_SHARDS_OF_CLUSTER } else { DEFAULT_SHARDS_ALONE };
        self.shards.unwrap_or(default)
    }
}
