//! The command line, with an environment variable for every flag.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, Resettable};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{AdminFrom, DEFAULT_DATA_DIR, dynamodb_local};
use crate::guard::{EventualReads, ReadMode};
use crate::node::Capability;

/// An open database that speaks the Amazon DynamoDB API.
///
/// Without arguments: a durable node on http://127.0.0.1:8000 with its data under ./dynamo-data.
/// The flags of DynamoDB Local (-inMemory, -sharedDb, -dbPath, -port, -cors, ...) are understood too.
#[derive(Debug, Parser)]
#[command(name = "dynamo-server", version)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings given as flags or environment variables.
    #[command(flatten)]
    pub settings: Settings,
    /// Faults to begin with: a script, see the module `faults`
    #[cfg(feature = "fault-injection")]
    #[arg(long)]
    pub faults: Option<String>,
}

/// What the binary does besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask a running server whether it is ready; exits with 0 or 1.
    Healthcheck {
        /// The server's address, for instance http://127.0.0.1:8000.
        #[arg(long, env = "DYNAMO_SERVER_URL")]
        url: Option<String>,
        /// What it must be ready for: reads, writes or catalog [default: all of them]
        #[arg(long, value_parser = capability)]
        need: Option<Capability>,
    },
    /// Start a new node and ask a running cluster to add it: it receives a copy of every shard, then votes.
    Join {
        /// Where the members reach this node, HOST:PORT [default: the one given for it in --peers]
        #[arg(long, env = "DYNAMO_SERVER_PEER_ADDRESS")]
        peer_address: Option<String>,
        /// Stay a learner, which has a copy and no vote, until `cluster promote`
        #[arg(long)]
        learner: bool,
        /// The settings of the new node; --peers names members to ask.
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// LAST RESORT, offline: make the survivors of a lost majority a cluster of their own. Writes that only the lost nodes
    /// held are lost. Without --confirm it changes nothing and says what may be lost.
    Recover {
        /// The data directory of this survivor, whose server must not run
        #[arg(long, default_value = DEFAULT_DATA_DIR)]
        data_dir: PathBuf,
        /// All nodes that survive, by their numbers: 4,5. Run the command on each of them with the same list
        #[arg(long, value_delimiter = ',', required = true)]
        survivors: Vec<u64>,
        /// The number of the new cluster, as a run without this has printed it
        #[arg(long)]
        confirm: Option<String>,
    },
    /// Have a shard of a stopped node skip a log entry that no replica can apply. What the entry was to do is lost.
    SkipEntry {
        /// The shard that stands still.
        #[arg(long)]
        shard: u32,
        /// The entry as the status names it: TERM-INDEX
        #[arg(long, value_parser = parse_entry)]
        entry: (u64, u64),
        /// Do it; without this flag it only says what would be done.
        #[arg(long)]
        yes: bool,
        /// Names the node's data directory.
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Look at the cluster of a running server, or change it.
    Cluster(ClusterCommand),
}

/// What to do with the cluster, and through whom.
#[derive(Debug, Args)]
pub struct ClusterCommand {
    /// What to do.
    #[command(subcommand)]
    pub action: ClusterAction,
    /// Any node of the cluster, for instance http://127.0.0.1:8000
    #[arg(long, env = "DYNAMO_SERVER_URL", global = true)]
    pub url: Option<String>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Seconds until a change that is not through is given up.
    #[arg(long, default_value_t = 60, global = true)]
    pub timeout_s: u64,
}

/// What one can do with a cluster. Every change may be asked for again.
#[derive(Debug, Subcommand)]
pub enum ClusterAction {
    /// Show nodes, shards, leaders, leases and how far each replica is behind.
    Status,
    /// Give a node that is starting with `join` a copy of every shard, without a vote (`join` asks for this itself).
    Add {
        /// Its number.
        #[arg(long)]
        node: u64,
        /// Where the members reach it, HOST:PORT.
        #[arg(long)]
        address: String,
    },
    /// Let a member that has lost its data take part again: start it with its old flags and an empty data directory, then
    /// ask any other member for this. It receives everything and votes; what lay on its lost disk counts no longer.
    Replace {
        /// Its number, which stays.
        #[arg(long)]
        node: u64,
        /// Where the members reach it now, HOST:PORT [default: where they did]
        #[arg(long)]
        address: Option<String>,
    },
    /// Give a learner a vote on every shard, once it has caught up.
    Promote {
        /// Its number.
        #[arg(long)]
        node: u64,
    },
    /// Take a node out of every shard. Its data must never be used again.
    Remove {
        /// Its number.
        #[arg(long)]
        node: u64,
        /// Also if no majority of the others can be reached.
        #[arg(long)]
        force: bool,
    },
    /// Let a node lead a shard, or all of them; for ten minutes no leader is moved for balance then.
    Transfer {
        /// The shard's number, or `all`.
        #[arg(long)]
        shard: String,
        /// The node that is to lead.
        #[arg(long)]
        to: u64,
    },
}

/// An address to listen on. Of names only `localhost` is one, and everywhere the same.
fn listen_address(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => text.parse().map_err(|_| {
            "an IP address of this machine is wanted: 127.0.0.1 or localhost for this machine alone, 0.0.0.0 or :: for all of \
             its interfaces"
                .to_owned()
        }),
    }
}

fn listen_address_in_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    listen_address(&text).map(Some).map_err(|reason| D::Error::custom(format!("{text}: {reason}")))
}

fn capability(name: &str) -> Result<Capability, String> {
    Capability::of(name).ok_or_else(|| format!("one of {}", Capability::ALL.map(Capability::name).join(", ")))
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How reads make sure that this node still leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadModeSetting {
    /// By a lease: no waiting.
    Lease,
    /// By asking a quorum for each read: for virtual machines that may be paused or restored.
    ReadIndex,
}

impl From<ReadModeSetting> for ReadMode {
    fn from(setting: ReadModeSetting) -> ReadMode {
        match setting {
            ReadModeSetting::Lease => ReadMode::Lease,
            ReadModeSetting::ReadIndex => ReadMode::ReadIndex,
        }
    }
}

/// Who answers reads that are not to be strongly consistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventualReadsSetting {
    /// The leader of the shard, as for consistent ones.
    Leader,
    /// Any replica that has heard its leader within the last second.
    AnyReplica,
}

impl From<EventualReadsSetting> for EventualReads {
    fn from(setting: EventualReadsSetting) -> EventualReads {
        match setting {
            EventualReadsSetting::Leader => EventualReads::Leader,
            EventualReadsSetting::AnyReplica => EventualReads::AnyReplica,
        }
    }
}

/// Every setting, each of which may be left open. The same names serve as flags, environment variables
/// (`DYNAMO_SERVER_` + the name in capitals) and keys of the configuration file.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Address to listen on: that of a network interface, 0.0.0.0 for all of them, or localhost [default: 127.0.0.1]
    #[arg(long, env = "DYNAMO_SERVER_HOST", value_parser = listen_address)]
    #[serde(default, deserialize_with = "listen_address_in_file")]
    pub host: Option<IpAddr>,
    /// Port to listen on; 0 takes a free one [default: 8000]
    #[arg(long, env = "DYNAMO_SERVER_PORT")]
    pub port: Option<u16>,
    /// Folder for the data [default: ./dynamo-data]
    #[arg(long, env = "DYNAMO_SERVER_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep everything in memory; nothing survives a stop
    #[arg(long, env = "DYNAMO_SERVER_IN_MEMORY", num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub in_memory: Option<bool>,
    /// This node's number in its cluster; no other member has it
    #[arg(long, env = "DYNAMO_SERVER_NODE_ID")]
    pub node_id: Option<u64>,
    /// Founding members of the cluster and where they listen for each other, this node included:
    /// 1=HOST:PORT,2=HOST:PORT,3=HOST:PORT; the same for each of them
    #[arg(long, env = "DYNAMO_SERVER_PEERS")]
    pub peers: Option<String>,
    /// Address to listen on for peers [default: the one given for this node in --peers]
    #[arg(long, env = "DYNAMO_SERVER_PEER_LISTEN")]
    pub peer_listen: Option<String>,
    /// File with the secret that all nodes of the cluster share, at least 16 bytes: who does not know it is no peer.
    /// Needed, unless renounced, where peers are not all on this machine
    #[arg(long, env = "DYNAMO_SERVER_CLUSTER_SECRET_FILE")]
    pub cluster_secret_file: Option<PathBuf>,
    /// Believe whoever reaches the port for peers, although peers are on other machines
    #[arg(long, env = "DYNAMO_SERVER_NO_CLUSTER_SECRET", num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub no_cluster_secret: Option<bool>,
    /// Longest wait before an election, which is also how long a lease lasts [default: 1000]
    #[arg(long, env = "DYNAMO_SERVER_ELECTION_TIMEOUT_MS")]
    pub election_timeout_ms: Option<u64>,
    /// Whose requests may change the cluster: clients on this machine, or any [default: loopback]
    #[arg(long, env = "DYNAMO_SERVER_ADMIN_FROM", value_enum)]
    pub admin_from: Option<AdminFrom>,
    /// Number of shards of a new data directory or cluster, fixed from then on [default: 1, with peers 16]
    #[arg(long, env = "DYNAMO_SERVER_SHARDS")]
    pub shards: Option<u32>,
    /// Milliseconds until an unfinished request is answered with an error [default: 5000]
    #[arg(long, env = "DYNAMO_SERVER_REQUEST_DEADLINE_MS")]
    pub request_deadline_ms: Option<u64>,
    /// Connections of clients at the same time, as far as the limit of open files allows; health and admin pages have some
    /// more [default: 10000]
    #[arg(long, env = "DYNAMO_SERVER_MAX_CONNECTIONS")]
    pub max_connections: Option<u32>,
    /// MiB of memory that the process may take, at least 192 [default: half of what the machine or the control group has]
    #[arg(long, env = "DYNAMO_SERVER_MEMORY_MIB")]
    pub memory_mib: Option<u32>,
    /// MiB that the bodies of all requests together may take, at least 32 [default: 256]
    #[arg(long, env = "DYNAMO_SERVER_BODY_MEMORY_MIB")]
    pub body_memory_mib: Option<u32>,
    /// MiB of free disk below which writes that need room are refused [default: 256, on a small disk a tenth of it]
    #[arg(long, env = "DYNAMO_SERVER_FREE_DISK_FLOOR_MIB")]
    pub free_disk_floor_mib: Option<u32>,
    /// Seconds between two comparisons of the replicas of each shard; 0 for none [default: 0]
    #[arg(long, env = "DYNAMO_SERVER_COMPARE_REPLICAS_EVERY_S")]
    pub compare_replicas_every_s: Option<u32>,
    /// Milliseconds between two looks for items that have expired; 0 never deletes any [default: 30000]
    #[arg(long, env = "DYNAMO_SERVER_TTL_INTERVAL_MS")]
    pub ttl_interval_ms: Option<u32>,
    /// Seconds after a change of a table's time to live in which another one is refused, as the service does for about
    /// half an hour [default: 0]
    #[arg(long, env = "DYNAMO_SERVER_TTL_UPDATE_WINDOW_S")]
    pub ttl_update_window_s: Option<u32>,
    /// Seconds for which a stream keeps its records at least [default: 86400]
    #[arg(long, env = "DYNAMO_SERVER_STREAM_RETENTION_S")]
    pub stream_retention_s: Option<u32>,
    /// Seconds after which an open shard of a stream is closed and its child opened [default: 14400]
    #[arg(long, env = "DYNAMO_SERVER_STREAM_SHARD_ROLL_S")]
    pub stream_shard_roll_s: Option<u32>,
    /// How reads make sure that this node still leads [default: lease]
    #[arg(long, env = "DYNAMO_SERVER_READ_MODE", value_enum)]
    pub read_mode: Option<ReadModeSetting>,
    /// Who answers reads that are not to be strongly consistent [default: leader]
    #[arg(long, env = "DYNAMO_SERVER_EVENTUAL_READS", value_enum)]
    pub eventual_reads: Option<EventualReadsSetting>,
    /// Origins whose pages may call from a browser, separated by commas; `loopback` for those of this machine, * for all;
    /// none for none [default: loopback]
    #[arg(long, env = "DYNAMO_SERVER_CORS")]
    pub cors: Option<String>,
    /// Names under which clients reach this server, separated by commas, *.NAME for all below one, * for any; addresses,
    /// names without a dot and private names need not be listed
    #[arg(long, env = "DYNAMO_SERVER_ALLOWED_HOSTS")]
    pub allowed_hosts: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, env = "DYNAMO_SERVER_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// Which log lines appear: off, error, warn, info, debug or trace, and other levels for single modules as MODULE=LEVEL
    /// [default: info,openraft=error]
    #[arg(long, env = "DYNAMO_SERVER_LOG_LEVEL")]
    pub log_level: Option<String>,
    /// File with these settings, in TOML
    #[arg(long, env = "DYNAMO_SERVER_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

impl Settings {
    /// These settings, with those left open taken from `other`. Where these name a place for the data, the other's
    /// choice between memory and disk does not count.
    pub fn over(self, other: Settings) -> Settings {
        let place_given = self.in_memory.is_some() || self.data_dir.is_some();
        Settings {
            host: self.host.or(other.host),
            port: self.port.or(other.port),
            data_dir: if place_given { self.data_dir } else { other.data_dir },
            in_memory: if place_given { self.in_memory } else { other.in_memory },
            node_id: self.node_id.or(other.node_id),
            peers: self.peers.or(other.peers),
            peer_listen: self.peer_listen.or(other.peer_listen),
            cluster_secret_file: self.cluster_secret_file.or(other.cluster_secret_file),
            no_cluster_secret: self.no_cluster_secret.or(other.no_cluster_secret),
            election_timeout_ms: self.election_timeout_ms.or(other.election_timeout_ms),
            admin_from: self.admin_from.or(other.admin_from),
            shards: self.shards.or(other.shards),
            request_deadline_ms: self.request_deadline_ms.or(other.request_deadline_ms),
            max_connections: self.max_connections.or(other.max_connections),
            memory_mib: self.memory_mib.or(other.memory_mib),
            body_memory_mib: self.body_memory_mib.or(other.body_memory_mib),
            free_disk_floor_mib: self.free_disk_floor_mib.or(other.free_disk_floor_mib),
            compare_replicas_every_s: self.compare_replicas_every_s.or(other.compare_replicas_every_s),
            ttl_interval_ms: self.ttl_interval_ms.or(other.ttl_interval_ms),
            ttl_update_window_s: self.ttl_update_window_s.or(other.ttl_update_window_s),
            stream_retention_s: self.stream_retention_s.or(other.stream_retention_s),
            stream_shard_roll_s: self.stream_shard_roll_s.or(other.stream_shard_roll_s),
            read_mode: self.read_mode.or(other.read_mode),
            eventual_reads: self.eventual_reads.or(other.eventual_reads),
            cors: self.cors.or(other.cors),
            allowed_hosts: self.allowed_hosts.or(other.allowed_hosts),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
            config: self.config.or(other.config),
        }
    }

    /// A place for the data that was given as a flag counts more than another kind of place in a variable: an image that
    /// names a folder can be started in memory.
    fn settle_place(&mut self, matches: &ArgMatches) {
        let is_flag = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        match (is_flag("in_memory"), is_flag("data_dir")) {
            (true, false) if self.in_memory == Some(true) => self.data_dir = None,
            (false, true) => self.in_memory = None,
            _ => {}
        }
    }
}

impl Cli {
    /// Parses the process's arguments, DynamoDB Local's flags included; prints help or the mistake and exits.
    pub fn from_process() -> Cli {
        let arguments = dynamodb_local::translate(std::env::args());
        let is_empty = |variable: &OsStr| std::env::var_os(variable).is_some_and(|value| value.is_empty());
        let parsed = without_empty(Cli::command(), &is_empty).try_get_matches_from(&arguments);
        let parsed = parsed.and_then(|matches| {
            let mut cli = Cli::from_arg_matches(&matches)?;
            cli.settings.settle_place(&matches);
            if let Some(Command::Join { settings, .. } | Command::SkipEntry { settings, .. }) = &mut cli.command
                && let Some((_, matches)) = matches.subcommand()
            {
                settings.settle_place(matches);
            }
            Ok(cli)
        });
        parsed.unwrap_or_else(|error| match dynamodb_local::unknown_flag(&arguments) {
            Some(reason) if error.kind() == ErrorKind::UnknownArgument => {
                Cli::command().error(ErrorKind::UnknownArgument, reason).exit()
            }
            _ => error.exit(),
        })
    }
}

/// The same command, to which a variable that is set to nothing is not set: in compose files, unit files and charts one writes
/// `NAME=` for a value that is left out.
fn without_empty(command: clap::Command, is_empty: &dyn Fn(&OsStr) -> bool) -> clap::Command {
    let command = command.mut_args(|argument| match argument.get_env() {
        Some(variable) if is_empty(variable) => argument.env(Resettable::Reset),
        _ => argument,
    });
    command.mut_subcommands(|command| without_empty(command, is_empty))
}

/// Reads an entry's name, as the status shows it: term and index with a hyphen between them.
///
/// # Errors
/// When it is none.
fn parse_entry(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('-').and_then(|(term, index)| Some((term.parse().ok()?, index.parse().ok()?)));
    parts.ok_or_else(|| format!("{text} is no entry; one looks like 5-120"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of every command and every flag: what a variable of each is called stands in one list.
    #[test]
    fn a_variable_that_is_empty_is_not_set() {
        fn variables(command: &clap::Command) -> Vec<String> {
            let own = command.get_arguments().filter_map(|argument| argument.get_env());
            let own = own.map(|name| name.to_string_lossy().into_owned());
            own.chain(command.get_subcommands().flat_map(variables)).collect()
        }
        let all = variables(&Cli::command());
        assert!(all.len() > 40 && all.contains(&"DYNAMO_SERVER_IN_MEMORY".to_owned()), "{all:?}");
        assert_eq!(variables(&without_empty(Cli::command(), &|_| true)), [""; 0]);
        let kept = variables(&without_empty(Cli::command(), &|name| name == "DYNAMO_SERVER_PORT"));
        assert!(!kept.contains(&"DYNAMO_SERVER_PORT".to_owned()) && kept.contains(&"DYNAMO_SERVER_HOST".to_owned()));
    }

    #[test]
    fn entries_are_named_by_term_and_index() {
        assert_eq!(parse_entry("5-120"), Ok((5, 120)));
        assert!(["", "5", "5-", "-1", "five-1", "1-2-3"].iter().all(|text| parse_entry(text).is_err()));
    }
}
