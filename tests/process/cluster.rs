//! Three real processes started with the flags of cluster members, looked at and changed by the commands of an operator.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::binary::{Process, path};
use tests::patience::eventually_blocking;
use tests::raw::Connection;

use crate::commands::{clone, commands, words};

const SHARDS: u64 = 4;

/// Free ports; all are held until the last is found, so that they differ.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("bound").port()).collect()
}

/// Members as flags say them, from their ports.
fn peers(ports: &[u16]) -> String {
    let members: Vec<String> =
        ports.iter().enumerate().map(|(index, port)| format!("{}=127.0.0.1:{port}", index + 1)).collect();
    members.join(",")
}

fn start(folder: &Path, id: u64, flags: &[&str]) -> Process {
    let (node_id, data) = (id.to_string(), folder.join(format!("node-{id}")));
    let mut arguments = flags.to_vec();
    arguments.extend(["--node-id", &node_id, "--port", "0", "--election-timeout-ms", "1000"]);
    arguments.extend(["--data-dir", data.to_str().expect("UTF-8")]);
    Process::start(&arguments).unwrap_or_else(|log| panic!("node {id} did not start:\n{log}"))
}

fn start_three(folder: &Path, ports: &[u16]) -> Vec<Process> {
    let (peers, shards) = (peers(&ports[..3]), SHARDS.to_string());
    (1..=3).map(|id| start(folder, id, &["--peers", &peers, "--shards", &shards])).collect()
}

/// `dynamo-server cluster …` asked of a node: what it printed, or why it failed.
fn cluster(node: &Process, arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new(path()).arg("cluster").args(arguments).args(["--url", &node.url()]).output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn status(node: &Process) -> Value {
    let text = cluster(node, &["status", "--json"]).expect("any node answers");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Waits until the status that `node` gives is as wanted.
fn wait_for(node: &Process, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually_blocking(what, || {
        let status = status(node);
        if is_so(&status) { Ok(status) } else { Err(status) }
    })
}

fn is_healthy(status: &Value) -> bool {
    status["healthy"] == json!(true)
}

/// A number that the status gives for each node, in the order of the nodes.
fn of_nodes(status: &Value, field: &str) -> Vec<u64> {
    let nodes = status["nodes"].as_array().expect("nodes");
    nodes.iter().map(|node| node[field].as_u64().unwrap_or_else(|| panic!("{field} in {node}"))).collect()
}

#[tokio::test]
async fn an_operator_sees_three_nodes_and_moves_their_leaders() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nodes = start_three(folder.path(), &free_ports(3));
    let first = wait_for(&nodes[0], "a leader for every shard", is_healthy);
    assert_eq!((&first["shard_count"], &first["answered_by"]), (&json!(SHARDS), &json!(1)));
    assert_eq!(of_nodes(&first, "node"), [1, 2, 3]);
    assert_eq!(of_nodes(&first, "votes_on"), [SHARDS; 3]);
    for shard in first["shards"].as_array().expect("shards") {
        assert_eq!(shard["voters"], json!([1, 2, 3]));
        assert_eq!(shard["replicas"].as_array().map(Vec::len), Some(3), "{shard}");
    }
    // Leaders spread themselves, whoever won the first elections.
    let spread = |status: &Value| of_nodes(status, "leads").iter().all(|leads| *leads >= SHARDS / 3);
    wait_for(&nodes[1], "balance", |status| is_healthy(status) && spread(status));
    wait_for(&nodes[2], "leases", |status| {
        status["shards"].as_array().is_some_and(|shards| shards.iter().all(|shard| shard["lease"] == json!(true)))
    });

    let done = cluster(&nodes[2], &["transfer", "--shard", "all", "--to", "2"]).expect("node 2 is there");
    assert!(done.contains("node 2 leads all 4 shards"), "{done}");
    wait_for(&nodes[0], "the transfer", |status| of_nodes(status, "leads") == [0, SHARDS, 0]);
    // It stays so, although it is anything but balanced.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(of_nodes(&status(&nodes[0]), "leads"), [0, SHARDS, 0]);

    let table = cluster(&nodes[1], &["status"]).expect("any node answers");
    for part in ["3 nodes, 4 shards; answered by node 2", "NODE  PEER ADDRESS", "SHARD  LEADER  TERM", "voter"] {
        assert!(table.contains(part), "{part} is missing in:\n{table}");
    }
    for (arguments, reason) in [
        (&["transfer", "--shard", "9", "--to", "1"][..], "numbered 0 to 3"),
        (&["transfer", "--shard", "0", "--to", "9"], "does not vote"),
        (&["add", "--node", "9", "--address", "nowhere"], "HOST:PORT"),
        (&["promote", "--node", "9"], "is no member"),
        (&["remove", "--node", "99"], "node 99 is no member"),
        (&["replace", "--node", "99"], "node 99 is no member"),
        (&["add", "--node", "0", "--address", "127.0.0.1:1"], "begin at 1"),
        (&["add", "--node", "9", "--address", "127.0.0.1:1"], "no node answers at 127.0.0.1:1"),
    ] {
        let refused = cluster(&nodes[0], arguments).expect_err("refused");
        assert!(refused.contains(reason), "{arguments:?}: {refused}");
    }
    let mut browser = Connection::open(nodes[0].address()).await;
    let request = "POST /cluster/remove?node=3 HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nContent-Length: 0\r\n\r\n";
    browser.send(request.as_bytes()).await;
    let answer = browser.answer().await;
    assert_eq!(answer.status, 403);
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{:?}", answer.headers);
}

#[test]
fn a_dead_node_is_replaced_by_one_that_joins() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ports = free_ports(4);
    let mut nodes = start_three(folder.path(), &ports);
    wait_for(&nodes[0], "a leader for every shard", is_healthy);
    nodes.remove(2).kill();
    let missed = wait_for(&nodes[0], "silence", |status| status["nodes"][2]["state"] == json!("unreachable"));
    assert!(missed["complaints"][0].as_str().is_some_and(|text| text.contains("node 3")), "{missed:#}");
    let refused = cluster(&nodes[0], &["remove", "--node", "2"]).expect_err("no majority would be left");
    assert!(refused.contains("node 3 does not answer"), "{refused}");

    let (peers, address) = (peers(&ports[..3]), format!("127.0.0.1:{}", ports[3]));
    // The dead one is asked, too, and does no harm.
    let join = ["join", "--peers", &peers, "--peer-address", &address];
    let fourth = start(folder.path(), 4, &join);
    wait_for(&nodes[0], "the fourth node's votes", |status| {
        status["nodes"][3]["votes_on"] == json!(SHARDS) && status["nodes"][3]["lag_max"] == json!(0)
    });
    let done = cluster(&nodes[1], &["remove", "--node", "3"]).expect("three are left");
    assert!(done.contains("no member any more"), "{done}");
    let healed = wait_for(&nodes[0], "a cluster that is well", is_healthy);
    assert_eq!(of_nodes(&healed, "node"), [1, 2, 4]);
    assert_eq!(of_nodes(&healed, "votes_on"), [SHARDS; 3]);
    let gone = cluster(&nodes[0], &["remove", "--node", "3"]).expect_err("what is done stays done");
    assert!(gone.contains("node 3 is no member"), "{gone}");
    // Nor does the dead one come back: it is told what it is, by those who know.
    let third = start(folder.path(), 3, &["--peers", &peers]);
    wait_for_health(&third, "node 3 was removed from its cluster");

    // Nor one that asks for it: as a leader it has seen its own removal, and its supervisor starts it to join once more.
    eventually_blocking("the fourth node leads", || cluster(&nodes[0], &["transfer", "--shard", "all", "--to", "4"]));
    cluster(&nodes[0], &["remove", "--node", "4"]).expect("two are left");
    fourth.kill();
    let fourth = start(folder.path(), 4, &join);
    wait_for_health(&fourth, "node 4 was removed from its cluster");
    std::thread::sleep(Duration::from_secs(3));
    wait_for_health(&fourth, "node 4 was removed from its cluster");
    let refused = cluster(&nodes[0], &["add", "--node", "4", "--address", &address]).expect_err("its data are old");
    assert!(refused.contains("node 4 was removed from its cluster"), "{refused}");
    assert_eq!(of_nodes(&status(&nodes[0]), "node"), [1, 2]);
}

fn wait_for_health(node: &Process, words: &str) {
    eventually_blocking(words, || {
        let health = node.get("/health/ready");
        if health.contains(words) { Ok(()) } else { Err(health) }
    });
}

/// What docs/operating.md shows for a cluster by hand: the same lines, but for the ports.
#[test]
fn a_cluster_is_started_as_the_document_shows() {
    let text = std::fs::read_to_string(clone().join("docs/operating.md")).expect("a document");
    let shown = ["7001", "7002", "7003", "7004", "8001", "8002", "8003", "8004"];
    let free = free_ports(shown.len());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut variables = BTreeMap::new();
    let (mut nodes, mut ids, mut is_shown) = (Vec::new(), Vec::new(), None);
    for line in commands(&text).iter().filter(|line| shown.iter().any(|port| line.contains(port))) {
        let line =
            shown.iter().zip(&free).fold(line.clone(), |line, (port, free)| line.replace(port, &free.to_string()));
        let words = words(&line, &variables);
        let mut command = Command::new(path());
        command.args(&words[1..]).current_dir(folder.path());
        match words[0].split_once('=') {
            Some((name, value)) => drop(variables.insert(name.to_owned(), value.to_owned())),
            None if words[1] == "cluster" => {
                wait_for(&nodes[0], "a leader for every shard", is_healthy);
                is_shown = Some(command.output().expect("it runs"));
            }
            None => {
                let id = words.iter().position(|word| word == "--node-id").expect("a node has a number");
                // One that is started again was stopped before, when all was well.
                if let Some(at) = ids.iter().position(|known| *known == words[id + 1]) {
                    wait_for(&nodes[0], "the node that is stopped then", |status| {
                        let votes = vec![status["shard_count"].as_u64().expect("a number"); nodes.len()];
                        is_healthy(status) && of_nodes(status, "votes_on") == votes
                    });
                    assert_eq!(nodes.remove(at).terminate(), Some(0));
                    drop(ids.remove(at));
                }
                ids.push(words[id + 1].clone());
                // A connection of somebody else's may have its port for a moment.
                nodes.push(eventually_blocking(&line, || Process::spawn(&mut command)));
            }
        }
    }
    let shown = is_shown.expect("the document looks at the cluster");
    assert!(
        shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains("answered by node 1"),
        "{shown:?}"
    );
    assert_eq!(nodes.len(), 4, "three nodes, and one that joins");
    wait_for(&nodes[0], "four nodes that are well", |status| {
        is_healthy(status) && of_nodes(status, "node") == [1, 2, 3, 4]
    });
    let last = nodes.last().expect("four nodes");
    assert!(!last.log().contains("joined"), "it is started again as a member: {}", last.log());
}
