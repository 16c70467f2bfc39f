//! From settings, of which any may be left open, to a configuration that has been checked.

use std::path::PathBuf;
use std::time::Duration;

use dynamo_engine::stream::StreamPolicy;

use super::cli::{LogFormat, Settings};
use super::cluster::{self, JoinRequest};
use super::{Config, ConfigError, DEFAULT_DATA_DIR, ELECTION_TIMEOUT_MAX, ELECTION_TIMEOUT_MIN, SHARDS_MAX, file};
use crate::guard::{EventualReads, ReadMode};
use crate::http::BODY_MEMORY_MIN;
use crate::memory::MEMORY_MIN;

const MIB: usize = 1 << 20;

impl Config {
    /// The configuration from the command line and environment (`settings`), the file that they name, and defaults.
    ///
    /// # Errors
    /// When the file cannot be read or parsed, or a value is out of range.
    pub fn load(settings: Settings) -> Result<Config, ConfigError> {
        Config::from_settings(with_file(settings)?, None)
    }

    /// As [`Config::load`], for a node that asks a cluster to be added.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_joining(settings: Settings, join: &JoinRequest) -> Result<Config, ConfigError> {
        Config::from_settings(with_file(settings)?, Some(join))
    }

    fn from_settings(settings: Settings, join: Option<&JoinRequest>) -> Result<Config, ConfigError> {
        let default = Config::default();
        let in_memory = settings.in_memory.unwrap_or(false);
        if in_memory && settings.data_dir.is_some() {
            return Err(ConfigError::Invalid("--in-memory and --data-dir exclude each other".to_owned()));
        }
        if settings.shards.is_some_and(|shards| !(1..=SHARDS_MAX).contains(&shards)) {
            return Err(ConfigError::Invalid(format!("--shards must be from 1 to {SHARDS_MAX}")));
        }
        if settings.shards.is_some() && join.is_some() {
            return Err(ConfigError::Invalid(
                "--shards is not for a node that joins: the cluster says how many".to_owned(),
            ));
        }
        let deadline_ms = settings.request_deadline_ms.unwrap_or(default.request_deadline.as_millis() as u64);
        if deadline_ms == 0 {
            return Err(ConfigError::Invalid("--request-deadline-ms must be at least 1".to_owned()));
        }
        if settings.max_connections == Some(0) {
            return Err(ConfigError::Invalid("--max-connections must be at least 1".to_owned()));
        }
        let memory = settings.memory_mib.map(|mib| mib as usize * MIB);
        if memory.is_some_and(|bytes| bytes < MEMORY_MIN) {
            return Err(ConfigError::Invalid(format!("--memory-mib must be at least {}", MEMORY_MIN / MIB)));
        }
        let body_memory = settings.body_memory_mib.map_or(default.body_memory, |mib| mib as usize * MIB);
        if body_memory < BODY_MEMORY_MIN {
            return Err(ConfigError::Invalid(format!("--body-memory-mib must be at least {}", BODY_MEMORY_MIN / MIB)));
        }
        let election_timeout = settings.election_timeout_ms.map_or(default.election_timeout, Duration::from_millis);
        if !(ELECTION_TIMEOUT_MIN..=ELECTION_TIMEOUT_MAX).contains(&election_timeout) {
            return Err(ConfigError::Invalid(format!(
                "--election-timeout-ms must be from {} to {}",
                ELECTION_TIMEOUT_MIN.as_millis(),
                ELECTION_TIMEOUT_MAX.as_millis()
            )));
        }
        let streams = streams(&settings)?;
        let config = Config {
            cluster: cluster::from_settings(&settings, join)?,
            host: settings.host.unwrap_or(default.host),
            port: settings.port.unwrap_or(default.port),
            data_dir: (!in_memory).then(|| settings.data_dir.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR))),
            shards: settings.shards,
            election_timeout,
            admin_from: settings.admin_from.unwrap_or_default(),
            request_deadline: Duration::from_millis(deadline_ms),
            max_connections: settings.max_connections.map_or(default.max_connections, |count| count as usize),
            memory,
            body_memory,
            free_disk_floor: settings.free_disk_floor_mib.map(|mib| u64::from(mib) << 20),
            compare_replicas_every: settings
                .compare_replicas_every_s
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.into())),
            ttl_interval: settings
                .ttl_interval_ms
                .map_or(default.ttl_interval, |ms| (ms > 0).then(|| Duration::from_millis(ms.into()))),
            ttl_update_window: Duration::from_secs(settings.ttl_update_window_s.unwrap_or(0).into()),
            streams,
            read_mode: settings.read_mode.map_or(default.read_mode, ReadMode::from),
            eventual_reads: settings.eventual_reads.map_or(default.eventual_reads, EventualReads::from),
            cors: match settings.cors {
                Some(origins) if origins.is_empty() || origins == "none" => None,
                Some(origins) => Some(origins),
                None => default.cors,
            },
            allowed_hosts: settings.allowed_hosts,
            log_json: settings.log_format.is_some_and(|format| format == LogFormat::Json),
            log_filter: settings.log_level.unwrap_or(default.log_filter),
        };
        config.validate();
        Ok(config)
    }

    /// Checks what the rest of the server relies on; called in debug builds where a configuration was made.
    fn validate(&self) {
        debug_assert!(self.shards.is_none_or(|shards| (1..=SHARDS_MAX).contains(&shards)), "a node has a shard");
        debug_assert!(self.election_timeout >= ELECTION_TIMEOUT_MIN, "a busy moment is no dead leader");
        debug_assert!(self.election_timeout <= ELECTION_TIMEOUT_MAX, "a dead leader is missed some time");
        debug_assert!(self.max_connections > 0, "somebody can connect");
        debug_assert!(self.body_memory >= BODY_MEMORY_MIN, "the largest body has room");
        debug_assert!(self.memory.is_none_or(|bytes| bytes >= MEMORY_MIN), "the stores have room");
        debug_assert!(!self.request_deadline.is_zero(), "a request has time");
        debug_assert!(
            self.ttl_interval.is_none_or(|interval| !interval.is_zero()),
            "a look is not followed by another at once"
        );
        debug_assert!(self.streams.roll_ms > 0, "a stream shard is open for some time");
        debug_assert!(self.streams.retention_ms > 0, "a record can be read for some time");
    }
}

/// How long streams keep what.
fn streams(settings: &Settings) -> Result<StreamPolicy, ConfigError> {
    if settings.stream_retention_s == Some(0) || settings.stream_shard_roll_s == Some(0) {
        return Err(ConfigError::Invalid(
            "--stream-retention-s and --stream-shard-roll-s must be at least 1".to_owned(),
        ));
    }
    let default = StreamPolicy::default();
    let ms = |seconds: Option<u32>, default| seconds.map_or(default, |seconds| u64::from(seconds) * 1_000);
    Ok(StreamPolicy {
        roll_ms: ms(settings.stream_shard_roll_s, default.roll_ms),
        retention_ms: ms(settings.stream_retention_s, default.retention_ms),
        ..default
    })
}

/// `settings` over those in the file that they name.
fn with_file(settings: Settings) -> Result<Settings, ConfigError> {
    let file = match &settings.config {
        Some(path) => file::read(path)?,
        None => Settings::default(),
    };
    Ok(settings.over(file))
}

#[cfg(test)]
pub(super) mod tests {
    use clap::{Args, Parser};

    use super::super::cli::Cli;
    use super::super::{AdminFrom, dynamodb_local};
    use super::*;

    fn load(line: &str) -> Result<Config, ConfigError> {
        let args = std::iter::once("dynamo-server".to_owned()).chain(line.split_whitespace().map(str::to_owned));
        let loaded = Config::load(Cli::parse_from(dynamodb_local::translate(args)).settings);
        if let Err(ConfigError::Invalid(reason)) = &loaded {
            names_flags_as_flags(reason);
        }
        loaded
    }

    /// Whoever reads a message can type what it names: a flag has its dashes.
    pub(in super::super) fn names_flags_as_flags(text: &str) {
        let settings = Settings::augment_args(clap::Command::new("settings"));
        let flags: Vec<&str> = settings.get_arguments().filter_map(clap::Arg::get_long).collect();
        let is_of_a_word = |letter: char| letter.is_alphanumeric() || "-=".contains(letter);
        let words: Vec<&str> = text.split(|letter| !is_of_a_word(letter)).collect();
        assert!(words.iter().any(|word| word.starts_with("--")), "no flag is named: {text}");
        // Words without a hyphen are also words of the language, but for the first one.
        let bare = |(at, word): (usize, &&str)| flags.contains(word) && (at == 0 || word.contains('-'));
        assert!(!words.iter().enumerate().any(bare), "{text}");
    }

    #[test]
    fn defaults_are_a_durable_node_on_port_8000() {
        let config = load("").expect("defaults are valid");
        assert_eq!(config.port, 8000);
        assert_eq!(config.host.to_string(), "127.0.0.1");
        assert_eq!(config.data_dir.as_deref(), Some(std::path::Path::new(DEFAULT_DATA_DIR)));
    }

    #[test]
    fn flags_of_dynamodb_local_are_synonyms() {
        let config = load("-inMemory -sharedDb -port 8123 -cors * -disableTelemetry").expect("valid");
        assert_eq!((config.port, config.data_dir), (8123, None));
        let config = load("-dbPath /tmp/x -delayTransientStatuses -optimizeDbBeforeStartup").expect("valid");
        assert_eq!(config.data_dir.as_deref(), Some(std::path::Path::new("/tmp/x")));
    }

    #[test]
    fn shards_are_one_alone_and_sixteen_in_a_cluster() {
        let cluster = "--node-id 2 --peers 1=127.0.0.1:7001,2=127.0.0.1:7002";
        let shards = |line: &str| load(line).expect("valid").shards_of_new_data();
        assert_eq!((shards(""), shards(cluster)), (1, 16));
        assert_eq!((shards("--shards 4"), shards(&format!("{cluster} --shards 3"))), (4, 3));
        for wrong in ["--shards 0", "--shards 1025"] {
            assert!(load(wrong).expect_err("out of range").to_string().contains("shards"));
        }
    }

    #[test]
    fn a_cluster_is_named_by_flags_or_by_the_file() {
        let config =
            load("--node-id 1 --peers 1=h1:7001,2=h2:7002 --no-cluster-secret --in-memory --election-timeout-ms 500")
                .expect("valid");
        assert_eq!(config.cluster.expect("a cluster").members[&2], "h2:7002");
        assert_eq!((config.election_timeout, config.admin_from), (Duration::from_millis(500), AdminFrom::Loopback));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("c.toml");
        std::fs::write(
            &path,
            "node-id = 2\npeers = \"1=h1:7001,2=h2:7002\"\ncluster-secret-file = \"s\"\nadmin-from = \"any\"\n",
        )
        .expect("written");
        let config = load(&format!("--config {}", path.display())).expect("valid");
        assert_eq!((config.cluster.expect("a cluster").node_id, config.admin_from), (2, AdminFrom::Any));
        assert!(load("--election-timeout-ms 99").is_err());
    }

    #[test]
    fn the_file_gives_what_the_flags_leave_open() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "port = 9000\nhost = \"0.0.0.0\"\nrequest-deadline-ms = 250\n").expect("written");
        let config = load(&format!("--config {} --port 9001", path.display())).expect("valid");
        assert_eq!(config.port, 9001);
        assert_eq!(config.host.to_string(), "0.0.0.0");
        assert_eq!(config.request_deadline, Duration::from_millis(250));
        std::fs::write(&path, "prot = 9000\n").expect("written");
        let error = load(&format!("--config {}", path.display())).expect_err("unknown key").to_string();
        assert!(error.contains("prot"), "{error}");
        std::fs::write(&path, "host = \"localhost\"\n").expect("written");
        assert_eq!(load(&format!("--config {}", path.display())).expect("valid").host.to_string(), "127.0.0.1");
        assert_eq!(load("--host localhost").expect("valid").host.to_string(), "127.0.0.1");
        std::fs::write(&path, "host = \"db.example\"\n").expect("written");
        let error = load(&format!("--config {}", path.display())).expect_err("a name").to_string();
        assert!(error.contains("db.example") && error.contains("0.0.0.0"), "{error}");
    }

    #[test]
    fn reads_can_be_made_to_ask_a_quorum() {
        assert_eq!(load("").expect("valid").read_mode, ReadMode::Lease);
        assert_eq!(load("--read-mode read-index").expect("valid").read_mode, ReadMode::ReadIndex);
        assert_eq!(load("").expect("valid").eventual_reads, EventualReads::Leader);
        assert_eq!(load("--eventual-reads any-replica").expect("valid").eventual_reads, EventualReads::AnyReplica);
    }

    #[test]
    fn expired_items_go_within_a_minute_unless_said_otherwise() {
        assert_eq!(load("").expect("valid").ttl_interval, Some(Duration::from_secs(30)));
        assert_eq!(load("--ttl-interval-ms 200").expect("valid").ttl_interval, Some(Duration::from_millis(200)));
        assert_eq!(load("--ttl-interval-ms 0").expect("valid").ttl_interval, None);
        assert_eq!(load("").expect("valid").ttl_update_window, Duration::ZERO);
        assert_eq!(load("--ttl-update-window-s 1800").expect("valid").ttl_update_window, Duration::from_secs(1800));
    }

    #[test]
    fn streams_keep_a_day_and_roll_over_after_four_hours() {
        let of = |line: &str| {
            let StreamPolicy { roll_ms, retention_ms, .. } = load(line).expect("valid").streams;
            (roll_ms, retention_ms)
        };
        assert_eq!(of(""), (14_400_000, 86_400_000));
        assert_eq!(of("--stream-shard-roll-s 2 --stream-retention-s 9"), (2_000, 9_000));
        assert!(load("--stream-shard-roll-s 0").is_err() && load("--stream-retention-s 0").is_err());
    }

    #[test]
    fn bodies_get_some_memory() {
        assert_eq!(load("").expect("valid").body_memory, 256 << 20);
        assert_eq!(load("--body-memory-mib 40").expect("valid").body_memory, 40 << 20);
        assert!(load("--body-memory-mib 31").is_err());
        assert_eq!(load("").expect("valid").memory, None);
        assert_eq!(load("--memory-mib 192").expect("valid").memory, Some(192 << 20));
        assert!(load("--memory-mib 191").is_err());
    }

    #[test]
    fn connections_are_ten_thousand_unless_said_otherwise() {
        assert_eq!(load("").expect("valid").max_connections, 10_000);
        assert_eq!(load("--max-connections 7").expect("valid").max_connections, 7);
        assert!(load("--max-connections 0").is_err());
    }

    #[test]
    fn memory_and_a_folder_exclude_each_other() {
        assert!(load("--in-memory --data-dir x").is_err());
    }
}
