//! What a request may cost, counted: point reads, proposals, syncs. Figures that are equal on every machine.

use std::time::Duration;

use dynamo_server::Server;
use dynamo_server::config::Config;
use dynamo_server::node::Counters;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::patience::eventually;
use tests::raw::Connection;

/// A durable server with one table, at rest.
struct Bench {
    server: Server,
    connection: Connection,
    _dir: TempDir,
}

impl Bench {
    async fn start() -> Bench {
        Bench::with_shards(1).await
    }

    async fn with_shards(shards: u32) -> Bench {
        let dir = TempDir::new().expect("a folder");
        let config = Config { port: 0, data_dir: Some(dir.path().into()), shards: Some(shards), ..Config::default() };
        let server = Server::start(config).await.expect("it starts");
        let mut connection = Connection::open(server.address()).await;
        let table = tests::table_of("tbl", "k");
        assert_eq!(connection.call("CreateTable", table).await.status, 200);
        eventually("the table is active", async || {
            let described = connection.call("DescribeTable", json!({"TableName": "tbl"})).await.json();
            (described["Table"]["TableStatus"] == "ACTIVE").then_some(())
        })
        .await;
        let mut bench = Bench { server, connection, _dir: dir };
        bench.call("PutItem", put("warm")).await;
        bench.settle().await;
        bench
    }

    fn counters(&self) -> Counters {
        self.server.node().counters()
    }

    /// Waits until nothing is going on in the background.
    async fn settle(&self) {
        let mut last = self.counters();
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = self.counters();
            if (now.proposals, now.log_syncs) == (last.proposals, last.log_syncs) {
                return;
            }
            last = now;
        }
        panic!("the server does not come to rest: {last:?}");
    }

    async fn call(&mut self, operation: &str, body: Value) {
        let answer = self.connection.call(operation, body).await;
        assert_eq!(answer.status, 200, "{operation}: {}", String::from_utf8_lossy(&answer.body));
    }

    /// What one request changed in the counters, with whatever it leaves to the background.
    async fn cost(&mut self, operation: &str, body: Value) -> Cost {
        let before = self.counters();
        self.call(operation, body).await;
        let after = self.counters();
        Cost {
            gets: after.store_gets - before.store_gets,
            cursors: after.store_cursors - before.store_cursors,
            proposals: after.proposals - before.proposals,
            commands: after.commands - before.commands,
            syncs: after.log_syncs - before.log_syncs,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Cost {
    gets: u64,
    cursors: u64,
    proposals: u64,
    commands: u64,
    syncs: u64,
}

const NOTHING: Cost = Cost { gets: 0, cursors: 0, proposals: 0, commands: 0, syncs: 0 };
const ONE_WRITE: Cost = Cost { proposals: 1, commands: 1, syncs: 1, ..NOTHING };

fn put(key: &str) -> Value {
    json!({"TableName": "tbl", "Item": {"k": {"S": key}, "v": {"N": "1"}}})
}

fn key(key: &str) -> Value {
    json!({"TableName": "tbl", "Key": {"k": {"S": key}}})
}

#[tokio::test]
async fn reads_touch_the_store_as_often_as_they_must() {
    let mut bench = Bench::start().await;
    assert_eq!(bench.cost("GetItem", key("warm")).await, Cost { gets: 1, ..NOTHING });
    assert_eq!(bench.cost("GetItem", key("absent")).await, Cost { gets: 1, ..NOTHING });
    let consistent = json!({"TableName": "tbl", "Key": {"k": {"S": "warm"}}, "ConsistentRead": true});
    assert_eq!(bench.cost("GetItem", consistent).await, Cost { gets: 1, ..NOTHING });
    let batch =
        json!({"RequestItems": {"tbl": {"Keys": [{"k": {"S": "warm"}}, {"k": {"S": "b"}}, {"k": {"S": "c"}}]}}});
    assert_eq!(bench.cost("BatchGetItem", batch).await, Cost { gets: 3, ..NOTHING });
    assert_eq!(bench.cost("Scan", json!({"TableName": "tbl"})).await, Cost { cursors: 1, ..NOTHING });
}

/// What would hold up the event loop is read elsewhere: a large batch, a large cut, whole pages.
#[tokio::test]
async fn large_reads_leave_the_event_loop() {
    let mut bench = Bench::start().await;
    let large = "y".repeat(100 << 10);
    for name in ["a", "b", "c"] {
        bench.call("PutItem", json!({"TableName": "tbl", "Item": {"k": {"S": name}, "v": {"S": large}}})).await;
    }
    let keys = json!([{"k": {"S": "a"}}, {"k": {"S": "b"}}]);
    let gets: Vec<Value> =
        ["a", "b"].map(|name| json!({"Get": {"TableName": "tbl", "Key": {"k": {"S": name}}}})).to_vec();
    for (operation, body, elsewhere) in [
        ("GetItem", key("a"), 0),
        ("BatchGetItem", json!({"RequestItems": {"tbl": {"Keys": keys}}}), 1),
        ("BatchGetItem", json!({"RequestItems": {"tbl": {"Keys": [{"k": {"S": "warm"}}, {"k": {"S": "x"}}]}}}), 0),
        ("TransactGetItems", json!({"TransactItems": gets}), 1),
        ("Scan", json!({"TableName": "tbl"}), 1),
    ] {
        let before = bench.counters().blocking_reads;
        bench.call(operation, body).await;
        assert_eq!(bench.counters().blocking_reads - before, elsewhere, "{operation}");
    }
}

/// One lease check for each shard that is read, whatever the number of keys, and no more point reads than keys.
#[tokio::test]
async fn several_shards_are_checked_once_each() {
    let mut bench = Bench::with_shards(4).await;
    let keys: Vec<Value> = (0..40).map(|number| json!({"k": {"S": format!("k{number}")}})).collect();
    let batch = json!({"RequestItems": {"tbl": {"Keys": keys}}});
    let gets: Vec<Value> = keys.iter().map(|key| json!({"Get": {"TableName": "tbl", "Key": key}})).collect();
    for (operation, body, cost, checks) in [
        ("GetItem", key("warm"), Cost { gets: 1, ..NOTHING }, 1),
        ("BatchGetItem", batch, Cost { gets: 40, ..NOTHING }, 4),
        ("Scan", json!({"TableName": "tbl"}), Cost { cursors: 4, ..NOTHING }, 4),
    ] {
        let before = bench.counters();
        assert_eq!(bench.cost(operation, body).await, cost, "{operation}");
        let after = bench.counters();
        assert_eq!(
            (after.lease_hits - before.lease_hits, after.lease_misses),
            (checks, before.lease_misses),
            "{operation}"
        );
    }
    let before = bench.counters();
    bench.call("TransactGetItems", json!({"TransactItems": gets})).await;
    let after = bench.counters();
    assert_eq!(after.lease_hits - before.lease_hits, 4, "one view has all of them");
}

#[tokio::test]
async fn a_request_that_is_refused_touches_nothing() {
    let mut bench = Bench::start().await;
    let before = bench.counters();
    for (operation, body) in [
        ("GetItem", json!({"TableName": "tbl", "Key": {"x": {"S": "warm"}}})),
        ("PutItem", json!({"TableName": "tbl", "Item": {"x": {"S": "warm"}}})),
        (
            "Query",
            json!({"TableName": "tbl", "KeyConditionExpression": "v = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}),
        ),
        ("Scan", json!({"TableName": "tbl", "IndexName": "absent"})),
    ] {
        assert_eq!(bench.connection.call(operation, body).await.status, 400, "{operation}");
    }
    let after = bench.counters();
    assert_eq!(
        (after.store_gets, after.store_cursors, after.proposals, after.log_syncs, after.lease_hits),
        (before.store_gets, before.store_cursors, before.proposals, before.log_syncs, before.lease_hits)
    );
}

#[tokio::test]
async fn a_write_is_one_proposal_and_one_sync() {
    let mut bench = Bench::start().await;
    assert_eq!(bench.cost("PutItem", put("a")).await, ONE_WRITE);
    let conditional = json!({
        "TableName": "tbl", "Item": {"k": {"S": "b"}}, "ConditionExpression": "attribute_not_exists(k)",
        "ReturnValues": "ALL_OLD",
    });
    assert_eq!(bench.cost("PutItem", conditional).await, ONE_WRITE);
    let update = json!({
        "TableName": "tbl", "Key": {"k": {"S": "a"}}, "UpdateExpression": "ADD v :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}}, "ReturnValues": "ALL_NEW",
    });
    assert_eq!(bench.cost("UpdateItem", update).await, ONE_WRITE);
    assert_eq!(bench.cost("DeleteItem", key("a")).await, ONE_WRITE);
    let transaction = json!({"TransactItems": [
        {"Put": {"TableName": "tbl", "Item": {"k": {"S": "t1"}}}},
        {"Put": {"TableName": "tbl", "Item": {"k": {"S": "t2"}}}},
        {"ConditionCheck": {"TableName": "tbl", "Key": {"k": {"S": "b"}}, "ConditionExpression": "attribute_exists(k)"}},
    ], "ClientRequestToken": "once"});
    assert_eq!(bench.cost("TransactWriteItems", transaction).await, ONE_WRITE);
}

#[tokio::test]
async fn every_acknowledgement_follows_a_sync_of_its_own_time() {
    let mut bench = Bench::start().await;
    for number in 0..20 {
        let before = bench.counters().log_syncs;
        bench.call("PutItem", put(&format!("k{number}"))).await;
        assert!(bench.counters().log_syncs > before, "write {number} was acknowledged without a sync");
    }
}

#[tokio::test]
async fn writers_at_the_same_time_share_syncs() {
    const WRITERS: usize = 64;
    const EACH: usize = 4;
    let bench = Bench::start().await;
    let before = bench.counters();
    let address = bench.server.address();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(async move {
            let mut connection = Connection::open(address).await;
            for number in 0..EACH {
                let answer = connection.call("PutItem", put(&format!("{writer}-{number}"))).await;
                assert_eq!(answer.status, 200);
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.expect("no writer fails");
    }
    let after = bench.counters();
    let writes = (WRITERS * EACH) as u64;
    assert_eq!(after.commands - before.commands, writes);
    let (proposals, syncs) = (after.proposals - before.proposals, after.log_syncs - before.log_syncs);
    assert!(proposals < writes && syncs < writes / 2, "{writes} writes, {proposals} proposals, {syncs} syncs");
}
