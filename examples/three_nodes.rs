//! A cluster of three nodes on this machine: three processes, written to through one, read through another, one killed.
//!
//! ```sh
//! cargo run --release -p examples --example three_nodes
//! ```
//!
//! Each node is this program once more, started with the flags of a cluster member, as in three terminals; their data is
//! in a temporary folder. In a terminal the cluster stays until Enter is pressed, so that one can try it.

use std::error::Error;
use std::io::{IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

// The binary's allocator, for the nodes.
#[global_allocator]
static ALLOCATOR: dynamo_server::Allocator = dynamo_server::Allocator;

const NODES: usize = 3;
const SONGS: usize = 100;
/// How long any step may take, elections included.
const PATIENCE: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Called with the flags of a node: be one.
    if std::env::args().len() > 1 {
        return dynamo_server::process::run();
    }
    match show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("three_nodes: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show() -> Result<()> {
    let mut cluster = Cluster::start()?;
    println!("three nodes, each of them an endpoint for any AWS SDK:");
    for node in &cluster.nodes {
        println!("  http://{}   log in {}", node.address, node.log.display());
    }
    let [first, second, third] = [0, 1, 2].map(|index| cluster.nodes[index].address);
    wait_until("every shard has a leader", || is_led(first))?;
    println!("\n{}", get(first, "/cluster/status?format=text")?.trim_end());

    println!("\ncreating a table and writing {SONGS} items through node 1");
    write_songs(first)?;
    let found = read_songs(second)?;
    println!("reading them through node 2: {found} found");

    let victim = leader_of_shard_0(third)?;
    println!("\nkill -9 of node {victim}, which leads shard 0");
    cluster.kill(victim);
    let began = Instant::now();
    let witness = cluster.nodes.iter().find(|node| node.process.is_some()).ok_or("nobody is left")?.address;
    wait_until("all items are read again", || matches!(read_songs(witness), Ok(SONGS)))?;
    println!("all {SONGS} items are read through {witness} after {:.1} s", began.elapsed().as_secs_f32());
    write_songs(witness)?;
    println!("and written again\n\n{}", get(witness, "/cluster/status?format=text")?.trim_end());

    if std::io::stdin().is_terminal() {
        println!("the two nodes stay until you press Enter");
        std::io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}

struct Node {
    address: SocketAddr,
    log: PathBuf,
    process: Option<Child>,
}

/// The processes and their folder; both go with it.
struct Cluster {
    nodes: Vec<Node>,
    folder: PathBuf,
}

impl Cluster {
    fn start() -> Result<Cluster> {
        let folder = std::env::temp_dir().join(format!("three-nodes-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let ports = free_ports(2 * NODES)?;
        let (clients, peers) = ports.split_at(NODES);
        let members: Vec<String> =
            peers.iter().enumerate().map(|(index, port)| format!("{}=127.0.0.1:{port}", index + 1)).collect();
        let mut cluster = Cluster { nodes: Vec::new(), folder };
        for (index, port) in clients.iter().enumerate() {
            cluster.nodes.push(start_node(index + 1, *port, &members.join(","), &cluster.folder)?);
        }
        Ok(cluster)
    }

    fn kill(&mut self, id: usize) {
        if let Some(mut process) = self.nodes[id - 1].process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (1..=self.nodes.len()).for_each(|id| self.kill(id));
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn start_node(id: usize, port: u16, members: &str, folder: &Path) -> Result<Node> {
    let log = folder.join(format!("node-{id}.log"));
    let process = Command::new(std::env::current_exe()?)
        .args(["--node-id", &id.to_string(), "--peers", members, "--port", &port.to_string()])
        .args(["--election-timeout-ms", "1000", "--data-dir"])
        .arg(folder.join(format!("node-{id}")))
        .stderr(std::fs::File::create(&log)?)
        .spawn()?;
    Ok(Node { address: ([127, 0, 0, 1], port).into(), log, process: Some(process) })
}

/// Ports that are free now. All are held until the last is found, so that they differ.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let listeners = (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<std::io::Result<Vec<_>>>()?;
    Ok(listeners
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()))
        .collect::<std::io::Result<_>>()?)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > PATIENCE {
            return Err(format!("waited in vain: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn is_led(address: SocketAddr) -> bool {
    get(address, "/cluster/status").is_ok_and(|status| status.contains(r#""healthy":true"#))
}

fn leader_of_shard_0(address: SocketAddr) -> Result<usize> {
    let status = get(address, "/cluster/status")?;
    let leader = status.split_once(r#"{"shard":0,"leader":"#).and_then(|(_, rest)| rest.split(',').next());
    Ok(leader.ok_or("shard 0 has no leader")?.parse()?)
}

fn write_songs(address: SocketAddr) -> Result<()> {
    let table = r#"{"TableName":"Music","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{"AttributeName":"Song","AttributeType":"S"}],
        "KeySchema":[{"AttributeName":"Song","KeyType":"HASH"}]}"#;
    let is_there = || {
        let _ = call(address, "CreateTable", table);
        call(address, "DescribeTable", r#"{"TableName":"Music"}"#).is_ok_and(|reply| reply.contains("ACTIVE"))
    };
    wait_until("the table is active", is_there)?;
    for number in 0..SONGS {
        let song = format!(r#"{{"TableName":"Music","Item":{{"Song":{{"S":"song {number}"}},"Plays":{{"N":"1"}}}}}}"#);
        wait_until("an item is written", || call(address, "PutItem", &song).is_ok())?;
    }
    Ok(())
}

/// How many of the items are found, one consistent read each.
fn read_songs(address: SocketAddr) -> Result<usize> {
    let mut found = 0;
    for number in 0..SONGS {
        let key = format!(r#"{{"TableName":"Music","ConsistentRead":true,"Key":{{"Song":{{"S":"song {number}"}}}}}}"#);
        found += usize::from(call(address, "GetItem", &key)?.contains("Plays"));
    }
    Ok(found)
}

/// The body of a call's reply.
fn call(address: SocketAddr, operation: &str, body: &str) -> Result<String> {
    exchange(
        address,
        &format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: DynamoDB_20120810.{operation}\r\nX-Amz-Date: 20260101T000000Z\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=00\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn get(address: SocketAddr, path: &str) -> Result<String> {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

fn exchange(address: SocketAddr, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let (head, body) = reply.split_once("\r\n\r\n").ok_or("the reply is not HTTP")?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(body.to_owned().into()) }
}
