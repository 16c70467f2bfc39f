//! Nodes with their HTTP fronts in this process, a table, and requests by hand: SDKs would hide a 500 by trying again.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dynamo_engine::catalog::Catalog;
use dynamo_engine::keyspace::{KeyPart, token_of};
use serde_json::{Value, json};
use shard_router::{ShardId, TokenRange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::env::{Storage, TcpTransport, TokioEnv};
use crate::guard::fault::{Fault, Faults};
use crate::guard::{Checks, EventualReads, Handler};
use crate::http::{ConnectionLimits, EventLoops, HttpServer, Service};
use crate::metrics::Metrics;
use crate::node::{ClusterOptions, Node, NodeOptions};
use crate::raft::Pace;

/// How long a request may take here.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// How long something may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The table of every rig.
pub const TABLE: &str = "things";

/// The handlers of data.
pub const DATA: [Handler; 5] =
    [Handler::GetItem, Handler::BatchGetItem, Handler::Query, Handler::Scan, Handler::TransactGetItems];

/// One or several nodes with the table `things` (partition key `k`, a text).
pub struct Rig {
    pub nodes: Vec<Arc<Node<TokioEnv>>>,
    fronts: Vec<HttpServer>,
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The error's name.
    pub fn error(&self) -> &str {
        let kind = self.body["__type"].as_str().unwrap_or_default();
        kind.rsplit('#').next().unwrap_or_default()
    }

    /// What a client is told when nobody can confirm what it asks for.
    pub fn is_internal(&self) -> bool {
        self.status == 500 && self.error() == "InternalServerError" && self.body.get("Item").is_none()
    }
}

impl Rig {
    /// One node, with so many shards.
    pub async fn alone(shards: u32) -> Rig {
        let options =
            NodeOptions { storage: Storage::Memory, shards, request_deadline: DEADLINE, ..NodeOptions::default() };
        Rig::of(options).await
    }

    /// One node, started so.
    pub async fn of(options: NodeOptions) -> Rig {
        let node = Node::start(options, TokioEnv::new()).await.unwrap();
        Rig::serve(vec![node]).await
    }

    /// Three nodes.
    pub async fn cluster(shards: u32) -> Rig {
        Rig::cluster_with(shards, EventualReads::Leader).await
    }

    /// Three nodes, whose reads without ConsistentRead are answered so.
    pub async fn cluster_with(shards: u32, eventual_reads: EventualReads) -> Rig {
        let mut ports = BTreeMap::new();
        for id in 1..=3_u64 {
            ports.insert(id, TcpTransport::open((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap());
        }
        let members: BTreeMap<u64, String> =
            ports.iter().map(|(id, port)| (*id, port.address().unwrap().to_string())).collect();
        let mut nodes = Vec::new();
        for (node_id, port) in ports {
            let options = NodeOptions {
                storage: Storage::Memory,
                cluster: Some(ClusterOptions { node_id, members: members.clone(), joins: None }),
                shards,
                request_deadline: DEADLINE,
                eventual_reads,
                pace: Pace::for_election_timeout(Duration::from_secs(1)),
                ..NodeOptions::default()
            };
            nodes.push(Node::start(options, TokioEnv::with_peers(port)).await.unwrap());
        }
        Rig::serve(nodes).await
    }

    async fn serve(nodes: Vec<Arc<Node<TokioEnv>>>) -> Rig {
        let mut fronts = Vec::new();
        for node in &nodes {
            let service = Service::new(Arc::clone(node), Arc::new(Metrics::new()), None, 1);
            fronts.push(
                HttpServer::start(
                    (Ipv4Addr::LOCALHOST, 0).into(),
                    Arc::new(service),
                    EventLoops::here(),
                    ConnectionLimits::default(),
                )
                .await
                .unwrap(),
            );
        }
        let rig = Rig { nodes, fronts };
        rig.create_table(0, TABLE).await;
        rig
    }

    /// Creates a table through a node and waits until it serves data.
    pub async fn create_table(&self, at: usize, name: &str) {
        let table = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "k", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "k", "KeyType": "HASH" }],
        });
        let created = Instant::now();
        loop {
            let answer = self.call(at, "CreateTable", table.clone()).await;
            match answer.status {
                200 => break,
                // Nobody leads yet, or the answer to the first attempt was lost.
                _ if answer.error() == "ResourceInUseException" => break,
                _ => assert!(created.elapsed() < PATIENCE, "{answer:?}"),
            }
        }
        loop {
            let answer = self.call(at, "DescribeTable", json!({ "TableName": name })).await;
            if answer.body["Table"]["TableStatus"] == "ACTIVE" {
                return;
            }
            assert!(created.elapsed() < PATIENCE, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn stop(self) {
        for front in self.fronts {
            front.stop().await;
        }
        for node in self.nodes {
            node.shutdown().await;
        }
    }

    pub fn address(&self, at: usize) -> SocketAddr {
        self.fronts[at].address()
    }

    /// One request to a node, over a connection of its own.
    pub async fn call(&self, at: usize, operation: &str, body: Value) -> Answer {
        call(self.address(at), operation, &body).await
    }

    /// A page that is no operation, such as `/metrics`.
    pub async fn page(&self, at: usize, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address(at)).await.expect("the server listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    /// As [`Rig::call`], which must succeed.
    pub async fn done(&self, at: usize, operation: &str, body: Value) -> Value {
        let answer = self.call(at, operation, body).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        answer.body
    }

    pub async fn put(&self, at: usize, key: &str, value: &str) {
        let item = json!({ "k": { "S": key }, "v": { "S": value } });
        self.done(at, "PutItem", json!({ "TableName": TABLE, "Item": item })).await;
    }

    /// The value of an item.
    pub async fn value(&self, at: usize, key: &str) -> Option<String> {
        let body = self.done(at, "GetItem", get(key)).await;
        body["Item"]["v"]["S"].as_str().map(str::to_owned)
    }

    /// The shard of a key.
    pub fn shard_of(&self, key: &str) -> ShardId {
        let table = self.nodes[0].catalog.installed().table(TABLE).expect("the table was created");
        self.nodes[0].router.shard_of(token_of(table.id.0, &[KeyPart::S(key)])).id()
    }

    /// `count` keys of a shard.
    pub fn keys_of(&self, shard: u32, count: usize) -> Vec<String> {
        let all = (0..).map(|number| format!("key-{number}"));
        all.filter(|key| self.shard_of(key) == ShardId(shard)).take(count).collect()
    }

    /// The shards in the order of the ring.
    pub fn ring(&self) -> Vec<ShardId> {
        let map = shard_router::ShardMap::even(self.nodes[0].router.shards.len()).expect("there are shards");
        map.owners(TokenRange::FULL).map(|owner| owner.shard).collect()
    }

    /// Injects a fault into the checks of a shard for all handlers of data, on every node.
    pub fn break_data(&self, shard: ShardId, fault: Fault) {
        for handler in DATA {
            self.break_for(shard, handler, fault);
        }
    }

    /// Injects a fault into the checks of a shard for one handler, on every node.
    pub fn break_for(&self, shard: ShardId, handler: Handler, fault: Fault) {
        self.faults().for_each(|faults| faults.set(shard, Some(handler), Some(fault)));
    }

    pub fn heal(&self) {
        self.faults().for_each(Faults::clear);
    }

    pub fn faults(&self) -> impl Iterator<Item = &Faults> {
        self.nodes.iter().map(|node| node.guard().faults())
    }

    /// The checks of a shard for a handler, on all nodes together.
    pub fn checks(&self, shard: ShardId, handler: Handler) -> Checks {
        let of_nodes = self.nodes.iter().map(|node| node.guard().counters().of(shard, handler));
        of_nodes.fold(Checks::default(), Checks::plus)
    }

    /// Waits until the leaders are spread over the nodes, after which they stay where they are.
    pub async fn spread(&self) {
        let began = Instant::now();
        loop {
            let mut led = vec![0; self.nodes.len()];
            for shard in self.nodes[0].router.shards.iter().map(|shard| shard.id()) {
                led[self.leader_of(shard).await] += 1;
            }
            if led.iter().max() <= led.iter().min().map(|least| least + 1).as_ref() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the leaders are not spread: {led:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The node that leads a shard.
    pub async fn leader_of(&self, shard: ShardId) -> usize {
        let leads = |node: &&Arc<Node<TokioEnv>>| {
            node.health().shards.iter().any(|health| health.shard == shard.0 && health.leading_term.is_some())
        };
        let began = Instant::now();
        loop {
            if let Some(at) = self.nodes.iter().position(|node| leads(&node)) {
                return at;
            }
            assert!(began.elapsed() < PATIENCE, "nobody leads shard {shard}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// One request over a connection of its own.
pub async fn call(address: SocketAddr, operation: &str, body: &Value) -> Answer {
    let mut stream = send(address, operation, body).await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let text = String::from_utf8(answer).expect("JSON");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, body: serde_json::from_str(body).unwrap_or(Value::Null) }
}

/// Sends a request and leaves the answer to the caller.
pub async fn send(address: SocketAddr, operation: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.{operation}\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-target, Signature=0000\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

pub fn get(key: &str) -> Value {
    json!({ "TableName": TABLE, "Key": { "k": { "S": key } } })
}

pub fn batch_get(keys: &[String]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|key| json!({ "k": { "S": key } })).collect();
    json!({ "RequestItems": { TABLE: { "Keys": keys } } })
}

pub fn transact_get(keys: &[String]) -> Value {
    json!({ "TransactItems": keys.iter().map(|key| json!({ "Get": get(key) })).collect::<Vec<_>>() })
}

pub fn query(key: &str) -> Value {
    json!({
        "TableName": TABLE, "KeyConditionExpression": "k = :k",
        "ExpressionAttributeValues": { ":k": { "S": key } },
    })
}

pub fn scan() -> Value {
    json!({ "TableName": TABLE })
}
