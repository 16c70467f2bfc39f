//! The settings that make a node the member of a cluster: its number, the members, where it listens for them.
//!
//! A founder is given every founding member, itself included; each of them the same list. A node that joins is given
//! some members to ask, and says where they reach it. Mistakes are refused here, before anything is bound or written,
//! with the setting to change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use super::cli::Settings;
use super::member::{check_address, check_reachable, invalid};
use super::{ClusterConfig, ConfigError, Entry};

/// What `join` says beside the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// Where the members reach the new node; the address given for it in `peers` when left open.
    pub peer_address: Option<String>,
    /// See [`Entry::Joiner`].
    pub promote: bool,
}

/// The cluster in `settings`, `None` for a node that is alone.
pub(super) fn from_settings(
    settings: &Settings,
    join: Option<&JoinRequest>,
) -> Result<Option<ClusterConfig>, ConfigError> {
    let node_id = match (settings.node_id, &settings.peers) {
        (None, None) if join.is_none() => {
            return match &settings.peer_listen {
                Some(_) => Err(invalid("--peer-listen has no meaning without --node-id and --peers")),
                None => Ok(None),
            };
        }
        (None, _) => {
            return Err(invalid("--node-id is missing: --peers says who the members are, --node-id which one this is"));
        }
        (Some(0), _) => return Err(invalid("--node-id must be at least 1")),
        (Some(node_id), _) => node_id,
    };
    let Some(peers) = &settings.peers else {
        return Err(invalid(match join {
            None => {
                "--peers is missing: a node with a --node-id needs the founding members, 1=HOST:PORT,2=HOST:PORT,..."
            }
            Some(_) => "--peers is missing: say which members to ask, 1=HOST:PORT,2=HOST:PORT,...",
        }));
    };
    let mut members = parse_peers(peers)?;
    let peer_address = match join {
        None => members.get(&node_id).cloned().ok_or_else(|| {
            invalid(format!(
                "--node-id {node_id} is not among the --peers ({peers}): the list names this node, too; one that has joined \
                 adds itself"
            ))
        })?,
        Some(join) => own_address(node_id, members.remove(&node_id), join)?,
    };
    if members.is_empty() {
        return Err(invalid("--peers names no other member to ask"));
    }
    if join.is_some() && members.values().any(|address| *address == peer_address) {
        return Err(invalid(format!("--peer-address {peer_address} is the address of another member")));
    }
    let peer_listen = settings.peer_listen.clone().unwrap_or_else(|| peer_address.clone());
    check_address("--peer-listen", &peer_listen)?;
    let addresses = members.values().chain([&peer_address, &peer_listen]);
    let secret_file = secret_file(settings, addresses.map(String::as_str))?;
    let entry = join.map_or(Entry::Founder, |join| Entry::Joiner { promote: join.promote });
    Ok(Some(ClusterConfig { node_id, members, peer_address, peer_listen, entry, secret_file }))
}

/// The secret's file: a port that other machines reach must have one, or be left open knowingly.
fn secret_file<'a>(
    settings: &Settings,
    mut addresses: impl Iterator<Item = &'a str>,
) -> Result<Option<PathBuf>, ConfigError> {
    match (&settings.cluster_secret_file, settings.no_cluster_secret.unwrap_or(false)) {
        (Some(_), true) => Err(invalid("--cluster-secret-file and --no-cluster-secret exclude each other")),
        (Some(path), false) => Ok(Some(path.clone())),
        (None, true) => Ok(None),
        (None, false) => match addresses.find(|address| !is_loopback(address)) {
            None => Ok(None),
            Some(address) => Err(invalid(format!(
                "--cluster-secret-file is missing: {address} is beyond this machine, and whoever reaches a port for peers may \
                 do everything. Give all nodes the same secret, or say --no-cluster-secret where the network is trusted"
            ))),
        },
    }
}

/// Whether only this machine reaches an address.
fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Where a joining node is reached: what `join` says, or what the list of members says about it.
fn own_address(node_id: u64, listed: Option<String>, join: &JoinRequest) -> Result<String, ConfigError> {
    match (&join.peer_address, listed) {
        (Some(said), Some(listed)) if *said != listed => Err(invalid(format!(
            "--peer-address {said} and the address of node {node_id} in --peers ({listed}) differ"
        ))),
        (Some(said), _) => check_reachable("--peer-address", said).map(|()| said.clone()),
        (None, Some(listed)) => Ok(listed),
        (None, None) => Err(invalid("--peer-address is missing: where do the members reach this node?")),
    }
}

/// Reads `1=HOST:PORT,2=HOST:PORT,…`.
fn parse_peers(text: &str) -> Result<BTreeMap<u64, String>, ConfigError> {
    let mut members = BTreeMap::new();
    let mut addresses = BTreeSet::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (id, address) = part
            .split_once('=')
            .ok_or_else(|| invalid(format!("--peers: {part:?} is not of the form NODE-ID=HOST:PORT")))?;
        let id: u64 = match id.trim().parse() {
            Ok(id) if id > 0 => id,
            _ => return Err(invalid(format!("--peers: {id:?} is not a node id (a number from 1)"))),
        };
        let address = address.trim();
        check_reachable("--peers", address)?;
        if !addresses.insert(address.to_owned()) {
            return Err(invalid(format!("--peers: the address {address} is given to two nodes")));
        }
        if members.insert(id, address.to_owned()).is_some() {
            return Err(invalid(format!("--peers: node {id} is named twice")));
        }
    }
    if members.is_empty() {
        return Err(invalid("--peers is empty"));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(node_id: u64, peers: &str) -> Settings {
        let no_cluster_secret = Some(true);
        Settings { node_id: Some(node_id), peers: Some(peers.to_owned()), no_cluster_secret, ..Settings::default() }
    }

    fn reason(settings: &Settings, join: Option<&JoinRequest>) -> String {
        let text = from_settings(settings, join).expect_err("refused").to_string();
        super::super::load::tests::names_flags_as_flags(&text);
        text
    }

    #[test]
    fn a_founder_listens_where_the_others_reach_it() {
        let cluster = from_settings(&settings(2, "1=a:7001, 2=b:7002,3=[::1]:7003"), None).unwrap().unwrap();
        assert_eq!(cluster.members.len(), 3);
        assert_eq!((cluster.peer_address.as_str(), cluster.peer_listen.as_str()), ("b:7002", "b:7002"));
        assert_eq!(cluster.entry, Entry::Founder);
        let everywhere = Settings { peer_listen: Some("0.0.0.0:7002".to_owned()), ..settings(2, "1=a:1,2=b:2") };
        assert_eq!(from_settings(&everywhere, None).unwrap().unwrap().peer_listen, "0.0.0.0:7002");
        assert_eq!(from_settings(&Settings::default(), None).unwrap(), None);
    }

    #[test]
    fn a_joiner_says_where_it_is_reached() {
        let join = |address: Option<&str>| JoinRequest { peer_address: address.map(str::to_owned), promote: true };
        let cluster = from_settings(&settings(4, "1=a:1,2=b:2"), Some(&join(Some("d:4")))).unwrap().unwrap();
        assert_eq!((cluster.peer_address.as_str(), cluster.members.len()), ("d:4", 2));
        assert_eq!(cluster.entry, Entry::Joiner { promote: true });
        let listed = from_settings(&settings(4, "1=a:1,4=d:4"), Some(&join(None))).unwrap().unwrap();
        assert_eq!((listed.peer_address.as_str(), listed.members.len()), ("d:4", 1));
        for (peers, address, said) in [
            ("1=a:1", None, "peer-address is missing"),
            ("1=a:1,4=d:4", Some("d:5"), "differ"),
            ("4=d:4", None, "no other member"),
            ("1=a:1", Some("a:1"), "address of another member"),
            ("1=a:1", Some("0.0.0.0:4"), "nobody can call"),
        ] {
            let text = reason(&settings(4, peers), Some(&join(address)));
            assert!(text.contains(said), "{peers}: {text}");
        }
    }

    #[test]
    fn a_cluster_beyond_this_machine_needs_a_secret_or_renounces_it() {
        let plain = |peers: &str| Settings { no_cluster_secret: None, ..settings(1, peers) };
        let with_file = |settings| Settings { cluster_secret_file: Some("secret".into()), ..settings };
        for local in ["1=127.0.0.1:1,2=127.0.0.1:2", "1=localhost:1,2=[::1]:2"] {
            assert_eq!(from_settings(&plain(local), None).unwrap().unwrap().secret_file, None);
        }
        let remote = plain("1=127.0.0.1:1,2=b:2");
        assert!(reason(&remote, None).contains("cluster-secret-file is missing: b:2"));
        let listens = Settings { peer_listen: Some("0.0.0.0:1".to_owned()), ..plain("1=127.0.0.1:1,2=127.0.0.1:2") };
        assert!(reason(&listens, None).contains("0.0.0.0:1"));
        let secret = from_settings(&with_file(remote), None).unwrap().unwrap().secret_file;
        assert_eq!(secret, Some(PathBuf::from("secret")));
        assert!(reason(&with_file(settings(1, "1=a:1,2=b:2")), None).contains("exclude"));
    }

    #[test]
    fn inconsistent_settings_are_refused_with_the_one_to_change() {
        let only =
            |node_id, peers: Option<&str>| Settings { node_id, peers: peers.map(str::to_owned), ..Settings::default() };
        for (settings, said) in [
            (only(None, Some("1=a:1")), "node-id is missing"),
            (only(Some(1), None), "--peers is missing"),
            (settings(4, "1=a:1,2=b:2"), "node-id 4 is not among the --peers"),
            (settings(0, "1=a:1"), "at least 1"),
            (settings(1, "1=a:1,1=b:2"), "node 1 is named twice"),
            (settings(1, "1=a:1,2=a:1"), "given to two nodes"),
            (settings(1, "1=a"), "HOST:PORT"),
            (settings(1, "1=a:0"), "HOST:PORT"),
            (settings(1, "1=http://a:1"), "HOST:PORT"),
            (settings(1, "1=:::1"), "HOST:PORT"),
            (settings(1, "a:1"), "NODE-ID=HOST:PORT"),
            (settings(1, "x=a:1"), "not a node id"),
            (settings(1, "0=a:1"), "not a node id"),
            (settings(1, "1=0.0.0.0:7"), "peer-listen"),
            (settings(1, " , "), "empty"),
            (Settings { peer_listen: Some("a:1".to_owned()), ..Settings::default() }, "peer-listen has no meaning"),
            (Settings { peer_listen: Some("a".to_owned()), ..settings(1, "1=a:1") }, "peer-listen"),
        ] {
            let text = reason(&settings, None);
            assert!(text.contains(said), "{settings:?}: {text}");
        }
    }
}
