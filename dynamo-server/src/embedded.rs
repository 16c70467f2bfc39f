//! A server inside another program: one line in a test, with data of its own.
//!
//! ```no_run
//! # async fn f() -> Result<(), dynamo_server::StartError> {
//! let server = dynamo_server::Server::in_memory().await?;
//! println!("point an AWS SDK at {}", server.endpoint_url());
//! server.stop().await;
//! # Ok(()) }
//! ```

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use thiserror::Error;
use tracing::info;

use crate::cluster::join::{self, Joiner};
use crate::config::{ClusterConfig, Config, Entry};
use crate::descriptors::{self, Descriptors, TooFew};
use crate::env::{Directory, Env, Identity, OpenError, Secret, StoreOptions, TcpTransport, Terms, TokioEnv};
use crate::http::{EventLoops, Hosts, HttpServer, Service, machine_name};
use crate::memory::{self, Budget, MemoryShares};
use crate::metrics::Metrics;
use crate::node::{BACKGROUND_READS_MIN, ClusterOptions, Node, NodeError, NodeOptions, StorageOptions};
use crate::raft::Pace;

/// A running server: the node with its storage, and the HTTP front.
pub struct Server {
    /// The node, which is stopped with the server.
    node: Arc<Node<TokioEnv>>,
    /// Its listener for clients.
    http: HttpServer,
    /// Where its peers reach it; `None` for a node that is alone.
    peer_address: Option<SocketAddr>,
    /// The threads that it uses, until the node has ended.
    loops: EventLoops,
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data could not be opened, or belongs to another node, process or version.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The system allows too few open files.
    #[error(transparent)]
    Descriptors(#[from] TooFew),
    /// So many shards do not fit into the memory that the process may take.
    #[error("--memory-mib {}: {shards} shards need at least {}", .memory >> 20, .needed >> 20)]
    Memory {
        /// Bytes that it may take.
        memory: usize,
        /// Bytes that it needs.
        needed: usize,
        /// How many shards there are, or are to be.
        shards: u32,
    },
    /// The port for peers could not be bound.
    #[error("cannot listen for peers on {address}: {source}")]
    PeerListen {
        /// The address asked for.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The cluster's secret cannot be used.
    #[error("--cluster-secret-file: {0}")]
    Secret(String),
    /// The cluster to join could not be asked.
    #[error("cannot join: {0}")]
    Join(String),
    /// The address could not be bound.
    #[error("cannot listen on {address}: {source}{}", remedy(.source))]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What to do where the system's word alone does not say it.
fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => ". Another program has this port; --port takes another one, --port 0 a free one",
        ErrorKind::PermissionDenied => ". Low ports need a privilege; --port takes another one",
        ErrorKind::AddrNotAvailable => ". --host must be an address of this machine",
        _ => "",
    }
}

impl Server {
    /// Starts a server with this configuration. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the data cannot be opened or the address not be bound.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        Server::start_on(config, EventLoops::here()).await
    }

    /// The same with connections spread over these event loops.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_on(config: Config, loops: EventLoops) -> Result<Server, StartError> {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let is_member = config.cluster.is_some();
        let files = Descriptors::share(descriptors::limit(), processors, is_member, config.max_connections)?;
        let env = match &config.cluster {
            None => TokioEnv::new(),
            Some(cluster) => {
                TokioEnv::with_peers(open_peer_port(&cluster.peer_listen, terms(&config, cluster)?).await?)
            }
        };
        let found = found_cluster(&config, &env).await?;
        let memory = memory_shares(&config, found.as_ref())?;
        let mut limits = files.connections;
        limits.clients = limits.clients.min(memory.connections);
        if limits.clients < config.max_connections {
            info!("{} connections at most: the limit of open files, or the memory, allows no more", limits.clients);
        }
        let options = NodeOptions {
            stores: store_options(&memory, &files),
            memory: Budget::new(memory.budget),
            blocking_reads_max: memory.reads,
            raft_on: loops.raft(),
            large_entries_max: memory.large_entries,
            background_reads_max: BACKGROUND_READS_MIN.max(2 * processors),
            ..node_options(&config, found.as_ref())
        };
        let seed = TokioEnv::random();
        let peer_address = env.transport().address();
        let node = Node::start(options, env).await?;
        let hosts = hosts(&config);
        if let Some(joiner) = config.cluster.and_then(joiner) {
            node.cluster().join(joiner);
        }
        let service = Service::new(node.clone(), Arc::new(Metrics::new()), config.cors.as_deref(), seed);
        let service = service.with_admin_from(config.admin_from).with_body_memory(config.body_memory).with_hosts(hosts);
        let service = Arc::new(service);
        let address = SocketAddr::new(config.host, config.port);
        match HttpServer::start(address, service, loops.clone(), limits).await {
            Ok(http) => Ok(Server { node, http, peer_address, loops }),
            Err(source) => {
                node.shutdown().await;
                Err(StartError::Listen { address, source })
            }
        }
    }

    /// A server on a free port of the loopback interface that keeps everything in memory: for tests.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn in_memory() -> Result<Server, StartError> {
        Server::start(Config { port: 0, data_dir: None, ..Config::default() }).await
    }

    /// A durable server on a free port of the loopback interface with its data in `dir`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn durable(dir: impl Into<PathBuf>) -> Result<Server, StartError> {
        Server::start(Config { port: 0, data_dir: Some(dir.into()), ..Config::default() }).await
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.http.address()
    }

    /// What to give an AWS SDK as its endpoint.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where the server listens for its peers; `None` for a node that is alone.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.peer_address
    }

    /// The node behind the server.
    pub fn node(&self) -> &Arc<Node<TokioEnv>> {
        &self.node
    }

    /// Resolves when the node can no longer serve (a disk that failed to sync, a corrupt entry), with the reason.
    pub async fn failed(&self) -> String {
        self.node.failed().await
    }

    /// Lets requests in flight end, flushes and closes the data.
    pub async fn stop(self) {
        self.http.stop().await;
        self.node.shutdown().await;
        drop(self.loops);
    }
}

/// What the node takes for granted between itself and its peers.
fn terms(config: &Config, cluster: &ClusterConfig) -> Result<Terms, StartError> {
    let secret = cluster.secret_file.as_deref().map(Secret::read).transpose().map_err(StartError::Secret)?;
    Ok(Terms { secret, settings: node_options(config, None).agreed() })
}

/// Opens the port for peers at the first address that `address` stands for.
async fn open_peer_port(address: &str, terms: Terms) -> Result<TcpTransport, StartError> {
    let failed = |source| StartError::PeerListen { address: address.to_owned(), source };
    let mut found = tokio::net::lookup_host(address).await.map_err(failed)?;
    let first = found.next().ok_or_else(|| failed(std::io::ErrorKind::AddrNotAvailable.into()))?;
    TcpTransport::open_on(first, terms).await.map_err(failed)
}

/// The cluster that a node joins: as its data says, if it has any, and as the members say otherwise. `None` for a node
/// that does not join.
async fn found_cluster(config: &Config, env: &TokioEnv) -> Result<Option<Identity>, StartError> {
    let Some(cluster) = config.cluster.as_ref().filter(|cluster| cluster.entry != Entry::Founder) else {
        return Ok(None);
    };
    let written = match &config.data_dir {
        Some(dir) => Directory::identity_in(dir).map_err(|error| StartError::Node(OpenError::from(error).into()))?,
        None => None,
    };
    match written {
        Some(identity) => Ok(Some(identity)),
        None => join::inquire(env, &cluster.members).await.map(Some).map_err(StartError::Join),
    }
}

/// Shares out the memory of a server that joins this cluster, or none.
fn memory_shares(config: &Config, found: Option<&Identity>) -> Result<MemoryShares, StartError> {
    // What is wrong with the data is said when they are opened.
    let written = config.data_dir.as_deref().and_then(|dir| Directory::identity_in(dir).ok().flatten());
    let shards = written.as_ref().or(found).map_or(config.shards_of_new_data(), |identity| identity.shards);
    let needed = memory::memory_min(shards);
    match config.memory {
        Some(memory) if memory < needed => Err(StartError::Memory { memory, needed, shards }),
        memory => Ok(MemoryShares::of(memory.unwrap_or_else(memory::default_bytes).max(needed), shards)),
    }
}

/// The names that the server answers to: those of the machine and of the cluster's members among them.
fn hosts(config: &Config) -> Hosts {
    let cluster = config.cluster.iter();
    let members = cluster.flat_map(|cluster| cluster.members.values().chain([&cluster.peer_address]));
    Hosts::new(config.allowed_hosts.as_deref()).and(members.map(String::as_str)).and(machine_name().as_deref())
}

/// The settings of the node, with the cluster that was `found` for one that joins.
fn node_options(config: &Config, found: Option<&Identity>) -> NodeOptions {
    NodeOptions {
        storage: match &config.data_dir {
            Some(dir) => StorageOptions::Directory(dir.clone()),
            None => StorageOptions::Memory,
        },
        cluster: config.cluster.as_ref().map(|cluster| cluster_options(cluster, found)),
        shards: found.map_or(config.shards_of_new_data(), |found| found.shards),
        keeps_shards: config.shards.is_none(),
        pace: Pace::for_election_timeout(config.election_timeout),
        request_deadline: config.request_deadline,
        free_bytes_min: config.free_disk_floor,
        compare_replicas_every: config.compare_replicas_every,
        ttl_interval: config.ttl_interval,
        ttl_update_window: config.ttl_update_window,
        streams: config.streams,
        read_mode: config.read_mode,
        eventual_reads: config.eventual_reads,
        ..NodeOptions::default()
    }
}

fn store_options(memory: &MemoryShares, files_of: &Descriptors) -> StoreOptions {
    let files = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
    let mut options = memory.stores.clone();
    options.state_files = files(files_of.state_files);
    options
}

fn cluster_options(cluster: &ClusterConfig, found: Option<&Identity>) -> ClusterOptions {
    let mut members = cluster.members.clone();
    members.insert(cluster.node_id, cluster.peer_address.clone());
    ClusterOptions { node_id: cluster.node_id, members, joins: found.map(|found| found.cluster_id) }
}

fn joiner(cluster: ClusterConfig) -> Option<Joiner> {
    match cluster.entry {
        Entry::Founder => None,
        Entry::Joiner { promote } => {
            Some(Joiner { members: cluster.members, peer_address: cluster.peer_address, promote })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_shards_than_the_memory_has_room_for_are_refused() {
        let start = |shards, memory| {
            let config =
                Config { port: 0, data_dir: None, shards: Some(shards), memory: Some(memory), ..Config::default() };
            Server::start(config)
        };
        let refused = start(1_000, memory::MEMORY_MIN).await.err().map(|error| error.to_string()).unwrap_or_default();
        let needed = memory::memory_min(1_000) >> 20;
        assert_eq!(refused, format!("--memory-mib 192: 1000 shards need at least {needed}"));
        start(16, memory::MEMORY_MIN).await.expect("as many as a cluster has by default").stop().await;
    }
}
