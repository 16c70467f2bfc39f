//! What a configuration says of a node as the member of a cluster, and which addresses can be one of a node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::ConfigError;

/// What a node needs to know of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// This node's number.
    pub node_id: u64,
    /// Members by their numbers, and where they listen for peers: all founders, or those that a joining node asks.
    pub members: BTreeMap<u64, String>,
    /// Where the other members reach this node.
    pub peer_address: String,
    /// What this node binds for them.
    pub peer_listen: String,
    /// How it becomes a member.
    pub entry: Entry,
    /// The file with the secret that all nodes share; `None` where every caller of the port for peers is trusted.
    pub secret_file: Option<PathBuf>,
}

/// How a node becomes a member of its cluster. Of no meaning for one that is a member already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It founds the cluster, with the others in the list.
    Founder,
    /// It asks a cluster that runs to be added.
    Joiner {
        /// Whether it is to vote once it has caught up, or to stay a learner until it is promoted.
        promote: bool,
    },
}

/// An address that others are to call: not one that only means "everywhere here".
pub(crate) fn check_reachable(setting: &str, address: &str) -> Result<(), ConfigError> {
    let host = check_address(setting, address)?;
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => Err(invalid(format!(
            "{setting}: nobody can call {address}; give the address by which the others reach the node, and use \
             --peer-listen to listen everywhere"
        ))),
        _ => Ok(()),
    }
}

/// The host of `HOST:PORT`.
pub(super) fn check_address<'a>(setting: &str, address: &'a str) -> Result<&'a str, ConfigError> {
    let wrong = || invalid(format!("{setting}: {address:?} is not of the form HOST:PORT"));
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if host.is_empty() || (bare.is_none() && host.contains([':', '/', ' '])) {
        return Err(wrong());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(bare.unwrap_or(host)),
        _ => Err(wrong()),
    }
}

pub(super) fn invalid(reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid(reason.into())
}
