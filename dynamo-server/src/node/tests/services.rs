//! Three nodes with disks and real connections on the loopback interface: elected, written to, stopped, come back.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::catalog::Catalog;

use bytes::Bytes;
use futures::future::BoxFuture;
use shard_router::ShardId;

use super::fixture::{TABLE, applied_value, create_table, get, put};
use crate::env::{
    AgreedSettings, Caller, Identity, Introduction, Lane, PeerHost, PeerRequest, Standing, Storage, TcpTransport,
    TokioEnv, Transport,
};
use crate::node::{ClusterOptions, Node, NodeError, NodeOptions};
use crate::peer::join::JoinRequest;
use crate::peer::{
    ChangeMembers, Encode, Fetch, Header, Join, PauseBalancing, Propose, ReadIndex, Rpc, Status, Transfer,
};
use crate::raft::types::Member;
use crate::raft::{MemberChange, Pace};

/// Quick, so that the test is; slow enough for a busy machine.
const PACE: Pace = Pace {
    heartbeat: Duration::from_millis(100),
    election_timeout_min: Duration::from_millis(500),
    election_timeout_max: Duration::from_millis(1_000),
};

const PATIENCE: Duration = Duration::from_secs(60);

type Members = BTreeMap<u64, String>;

fn place(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("node-{id}"))
}

async fn start(dir: &Path, id: u64, members: &Members, port: TcpTransport) -> Result<Arc<Node<TokioEnv>>, NodeError> {
    Node::start(options(dir, id, members), TokioEnv::with_peers(port)).await
}

fn options(dir: &Path, id: u64, members: &Members) -> NodeOptions {
    NodeOptions {
        storage: Storage::Directory(place(dir, id)),
        cluster: Some(ClusterOptions { node_id: id, members: members.clone(), joins: None }),
        pace: PACE,
        ..NodeOptions::default()
    }
}

async fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    waited.await.unwrap_or_else(|_| panic!("no {what}"))
}

type Nodes = BTreeMap<u64, Arc<Node<TokioEnv>>>;

async fn leader(nodes: &Nodes) -> u64 {
    let leads = |node: &Node<TokioEnv>| node.health().shards[0].leading_term.is_some();
    wait_for("leader", || nodes.iter().find(|(_, node)| leads(node)).map(|(id, _)| *id)).await
}

/// Puts until a leader acknowledges; the value is the same each time.
async fn put_somewhere(nodes: &Nodes, id: &str, value: &str) -> u64 {
    let putting = async {
        loop {
            let leader = leader(nodes).await;
            if put(&nodes[&leader], id, value).await.is_ok() {
                return leader;
            }
        }
    };
    tokio::time::timeout(PATIENCE, putting).await.expect("a leader acknowledges")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_elect_replicate_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut ports = BTreeMap::new();
    for id in 1..=3 {
        ports.insert(id, TcpTransport::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap());
    }
    let members: Members = ports.iter().map(|(id, port)| (*id, port.address().unwrap().to_string())).collect();
    let mut nodes = Nodes::new();
    for (id, port) in ports {
        nodes.insert(id, start(dir.path(), id, &members, port).await.unwrap());
    }

    let first = leader(&nodes).await;
    create_table(&nodes[&first]).await;
    let first = put_somewhere(&nodes, "a", "1").await;
    assert!(get(&nodes[&first], "a").await.unwrap().contains(r#""value":{"S":"1"}"#));
    for (id, node) in nodes.iter().filter(|(id, _)| **id != first) {
        let applied = || node.catalog.installed().table(TABLE).and_then(|_| applied_value(node, "a"));
        assert_eq!(wait_for("replica", applied).await, "1", "node {id}");
        put(node, "a", "1").await.expect("what another node leads is written there");
    }

    let stopped = nodes.remove(&first).unwrap();
    stopped.shutdown().await;
    drop(stopped);
    let second = put_somewhere(&nodes, "a", "3").await;
    assert_ne!(first, second);
    assert!(get(&nodes[&second], "a").await.unwrap().contains(r#""value":{"S":"3"}"#));

    let address: SocketAddr = members[&first].parse().unwrap();
    let port = TcpTransport::open(address).await.expect("a stopped node has given its port back");
    let node = start(dir.path(), first, &members, port).await.expect("it comes back");
    let applied = || applied_value(&node, "a").filter(|value| value == "3");
    wait_for("caught up replica", applied).await;
    nodes.insert(first, node);

    for node in nodes.into_values() {
        node.shutdown().await;
    }
}

#[tokio::test]
async fn a_directory_of_another_node_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let members: Members = (1..=3).map(|id| (id, format!("127.0.0.1:{id}"))).collect();
    let node = start(dir.path(), 1, &members, TcpTransport::default()).await.unwrap();
    node.shutdown().await;
    drop(node);
    std::fs::rename(place(dir.path(), 1), place(dir.path(), 2)).unwrap();
    let refused = start(dir.path(), 2, &members, TcpTransport::default()).await.err();
    assert!(matches!(refused, Some(NodeError::OtherNode { found: 1, asked: 2 })), "{refused:?}");
    let stranger = start(dir.path(), 4, &members, TcpTransport::default()).await.err();
    assert!(matches!(stranger, Some(NodeError::NoMember(4))), "{stranger:?}");
}

#[tokio::test]
async fn a_node_is_alone_or_a_member_and_its_data_remembers_which() {
    let dir = tempfile::tempdir().unwrap();
    let members = Members::from([(1, "127.0.0.1:1".to_owned())]);
    let alone = |place: &Path| NodeOptions { storage: Storage::Directory(place.to_owned()), ..NodeOptions::default() };
    let start_alone = |place: PathBuf| async move { Node::start(alone(&place), TokioEnv::new()).await };

    let node = start(dir.path(), 1, &members, TcpTransport::default()).await.unwrap();
    node.shutdown().await;
    drop(node);
    let mut ports = Vec::new();
    for _ in 0..2 {
        ports.push(TcpTransport::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap());
    }
    let two: Members = (1..).zip(ports.iter().map(|port| port.address().unwrap().to_string())).collect();
    let founders = tempfile::tempdir().unwrap();
    let mut nodes = Nodes::new();
    for (id, port) in (1..).zip(ports) {
        nodes.insert(id, start(founders.path(), id, &two, port).await.unwrap());
    }
    leader(&nodes).await;
    let second = Arc::clone(&nodes[&2]);
    wait_for("membership", || second.router.members().get(2).cloned()).await;
    drop(second);
    for node in nodes.into_values() {
        node.shutdown().await;
    }
    std::fs::rename(place(founders.path(), 2), place(dir.path(), 2)).unwrap();
    let refused = start_alone(place(dir.path(), 2)).await.err();
    assert!(matches!(refused, Some(NodeError::IsMember(2))), "{refused:?}");

    let node = start_alone(place(dir.path(), 3)).await.unwrap();
    node.shutdown().await;
    drop(node);
    std::fs::remove_dir_all(place(dir.path(), 1)).unwrap();
    std::fs::rename(place(dir.path(), 3), place(dir.path(), 1)).unwrap();
    let refused = start(dir.path(), 1, &two, TcpTransport::default()).await.err();
    assert!(matches!(refused, Some(NodeError::IsAlone)), "{refused:?}");
}

/// Whoever reaches the port may ask how things are. What changes the cluster, or touches data, is for members.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_on_the_port_for_peers_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpTransport::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = port.address().unwrap().to_string();
    let members = Members::from([(1, address.clone())]);
    let node = start(dir.path(), 1, &members, port).await.unwrap();
    wait_for("leader", || node.health().shards[0].leading_term).await;
    let member = node.router.members().get(1).cloned().expect("it has founded");
    assert_eq!(member.incarnation, node.identity().incarnation);

    struct Nobody(Identity);
    impl PeerHost for Nobody {
        fn introduce(&self, _node: u64, _incarnation: u64) -> Introduction {
            Introduction { identity: self.0.clone(), has_data: false, standing: Standing::Unknown }
        }
        fn answer(&self, _caller: Caller, _request: Bytes) -> BoxFuture<'static, Option<Bytes>> {
            Box::pin(async { None })
        }
        fn hear_settings(&self, _node: u64, _settings: &AgreedSettings) {}
    }
    let stranger = TcpTransport::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    // A number that is free, and the member's own with other data.
    let me = Identity { node_id: 9, incarnation: 5, ..node.identity().clone() };
    stranger.listen(&me, Arc::new(Nobody(me.clone())));
    let ask = async |kind: u8, body: Vec<u8>| {
        let remaining = Duration::from_secs(2);
        let header = Header { kind, shard: ShardId(0), remaining, clock: hlc::Timestamp(0) };
        let mut message = Vec::new();
        header.encode(&mut message);
        message.extend(body);
        let (to, lane) = (1, Lane::Requests);
        let request = PeerRequest { to, incarnation: 0, address: address.clone(), lane, body: message.into() };
        stranger.call(request, remaining).await.is_ok()
    };
    assert!(ask(Status::KIND, Vec::new()).await);
    let mut add = Vec::new();
    MemberChange::AddLearner { node: 9, member: Member::new("h:9", 5) }.encode(&mut add);
    assert!(!ask(ChangeMembers::KIND, add).await);
    for kind in [Propose::KIND, Fetch::KIND, ReadIndex::KIND, Transfer::KIND, PauseBalancing::KIND] {
        assert!(!ask(kind, vec![0; 16]).await, "kind {kind}");
    }
    // It may ask for itself, and for nobody else.
    let mut promote = Vec::new();
    JoinRequest::Promote { node: 1 }.encode(&mut promote);
    assert!(ask(Join::KIND, promote).await, "it is told that it may not");
    assert_eq!(node.router.members().iter().count(), 1);
    node.shutdown().await;
}

/// The log of the others is dropped while a node is away, so that only a snapshot helps it, and one of several megabytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_for_long_comes_back_by_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut ports = BTreeMap::new();
    for id in 1..=3 {
        ports.insert(id, TcpTransport::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap());
    }
    let members: Members = ports.iter().map(|(id, port)| (*id, port.address().unwrap().to_string())).collect();
    let short_log = |id| NodeOptions { log_bytes_max: 0, shards: 2, ..options(dir.path(), id, &members) };
    let mut nodes = Nodes::new();
    for (id, port) in ports {
        nodes.insert(id, Node::start(short_log(id), TokioEnv::with_peers(port)).await.unwrap());
    }
    let first = leader(&nodes).await;
    create_table(&nodes[&first]).await;
    let away = nodes.keys().copied().find(|id| *id != first).unwrap();
    put_somewhere(&nodes, "before", "1").await;
    let stopped = nodes.remove(&away).unwrap();
    stopped.shutdown().await;
    let had: Vec<u64> = stopped.router.shards.iter().map(|shard| shard.group().published().applied_next()).collect();
    drop(stopped);

    let large = "x".repeat(100 << 10);
    for number in 0..40 {
        put_somewhere(&nodes, &format!("key-{number}"), &large).await;
    }
    put_somewhere(&nodes, "before", "2").await;
    for node in nodes.values() {
        for (shard, had) in node.router.shards.iter().zip(&had) {
            let purged = || shard.group().log().purged().filter(|purged| purged.index() > had + 1);
            wait_for("purge", purged).await;
        }
    }

    let address: SocketAddr = members[&away].parse().unwrap();
    let port = TcpTransport::open(address).await.expect("a stopped node has given its port back");
    let node = Node::start(short_log(away), TokioEnv::with_peers(port)).await.expect("it comes back");
    let caught_up = || {
        node.catalog.installed().table(TABLE).and_then(|_| applied_value(&node, "before")).filter(|value| value == "2")
    };
    wait_for("caught up replica", caught_up).await;
    for number in 0..40 {
        let applied = || applied_value(&node, &format!("key-{number}"));
        assert_eq!(wait_for("row", applied).await.len(), large.len());
    }
    for shard in &node.router.shards {
        // Counted when the sender is answered, a moment after the rows can be read.
        wait_for("snapshot", || (shard.group().snapshots_installed() > 0).then_some(())).await;
    }
    put(&node, "after", "3").await.expect("it takes part");
    nodes.insert(away, node);

    // It starts on what it was sent, with a log that begins behind it.
    let node = nodes.remove(&away).unwrap();
    node.shutdown().await;
    drop(node);
    let port = TcpTransport::open(address).await.expect("a stopped node has given its port back");
    let node = Node::start(short_log(away), TokioEnv::with_peers(port)).await.expect("it comes back again");
    assert_eq!(applied_value(&node, "key-7").map(|value| value.len()), Some(large.len()));
    node.shutdown().await;
    for node in nodes.into_values() {
        node.shutdown().await;
    }
}
