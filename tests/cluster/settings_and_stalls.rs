//! What lies at the edges of the lease: settings that differ between nodes, a log that takes long to replay, disks that hang,
//! a wall clock that is wrong, a replica that is behind.

use std::time::Duration;

use serde_json::{Value, json};
use tests::cluster::client::Client;
use tests::cluster::fleet::{Fleet, Shape};
use tests::patience::eventually;

const LIMIT: Duration = Duration::from_secs(8);

/// How long something may take that must come; nothing is measured.
const PATIENCE: Duration = Duration::from_secs(60);

async fn call(fleet: &Fleet, node: u64, operation: &str, body: &Value) -> Option<Value> {
    Client::new(fleet.address(node)).call(operation, body, LIMIT).await.done()
}

async fn create_table(fleet: &Fleet, node: u64) {
    let body = tests::table_of("edges", "pk");
    eventually("the table is created", async || call(fleet, node, "CreateTable", &body).await).await;
    let describe = json!({"TableName": "edges"});
    for id in fleet.ids() {
        eventually("the table is active", async || {
            let described = call(fleet, id, "DescribeTable", &describe).await?;
            (described["Table"]["TableStatus"] == "ACTIVE").then_some(())
        })
        .await;
    }
}

async fn put(fleet: &Fleet, node: u64, key: &str, value: &str) -> bool {
    let item = json!({"pk": {"S": key}, "v": {"S": value}});
    call(fleet, node, "PutItem", &json!({"TableName": "edges", "Item": item})).await.is_some()
}

async fn get(fleet: &Fleet, node: u64, key: &str, consistent: bool) -> Option<String> {
    let body = json!({"TableName": "edges", "Key": {"pk": {"S": key}}, "ConsistentRead": consistent});
    Some(call(fleet, node, "GetItem", &body).await?["Item"]["v"]["S"].as_str().unwrap_or_default().to_owned())
}

async fn health(fleet: &Fleet, node: u64) -> String {
    fleet.plain(node, "GET", "/health/ready", "").await.map(|(_, text)| text).unwrap_or_default()
}

/// The usual flags of a node, with another election timeout.
fn with_timeout(fleet: &Fleet, node: u64, ms: u64) -> Vec<String> {
    let is_other = |flag: &String| !flag.starts_with("--election-timeout-ms");
    fleet.arguments(node).into_iter().filter(is_other).chain([format!("--election-timeout-ms={ms}")]).collect()
}

async fn lead(fleet: &Fleet, node: u64) {
    eventually("the node leads", async || {
        if fleet.shards(node).await.first().is_some_and(|view| view.leads) {
            return Some(());
        }
        match fleet.leader(0).await {
            Some(other) => fleet.order(other, &format!("transfer 0 {node}")).await,
            None => fleet.order(node, "stand 0").await,
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        None
    })
    .await;
}

/// The leader has a longer election timeout than its followers, as in a rolling change of the flag, and is cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_with_a_longer_lease_reads_nothing_old() {
    let mut fleet = Fleet::prepare(Shape { shards: 1, ..Shape::default() });
    for (id, ms) in [(1, 5_000), (2, 1_600), (3, 1_600)] {
        fleet.start_with(id, &with_timeout(&fleet, id, ms)).expect("it starts");
    }
    for id in fleet.ids() {
        fleet.wait_live(id).await;
    }
    lead(&fleet, 1).await;
    create_table(&fleet, 1).await;
    assert!(put(&fleet, 1, "r", "old").await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    fleet.isolate(1).await;
    let successor = eventually("another leads", async || {
        for id in [2, 3] {
            if fleet.shards(id).await.first().is_some_and(|view| view.leads) {
                return Some(id);
            }
        }
        None
    })
    .await;
    assert!(put(&fleet, successor, "r", "new").await, "the new leader takes a write");
    for _ in 0..20 {
        let body = json!({"TableName": "edges", "Key": {"pk": {"S": "r"}}, "ConsistentRead": true});
        let mut client = Client::new(fleet.address(1));
        let read = client.call("GetItem", &body, Duration::from_millis(200)).await.done();
        assert_eq!(read, None, "a leader that is cut off, and overtaken, answers");
    }
}

/// The replay of the log takes longer than restarted voters hold back: elections come all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_long_replay_somebody_leads() {
    let mut fleet = Fleet::found(Shape { shards: 2, ..Shape::default() }).await;
    create_table(&fleet, 1).await;
    for first in (0..6_000).step_by(25) {
        let puts: Vec<Value> = (first..first + 25)
            .map(|key| json!({"PutRequest": {"Item": {"pk": {"S": format!("k{key}")}, "v": {"S": "x"}}}}))
            .collect();
        let body = json!({"RequestItems": {"edges": puts}});
        eventually("the items are written", async || call(&fleet, 1, "BatchWriteItem", &body).await).await;
    }
    // The first restart remembers the longer lease of before; the second one holds back for a tenth of a second.
    for _ in 0..2 {
        for id in fleet.ids() {
            fleet.kill(id);
        }
        for id in fleet.ids() {
            fleet.start_with(id, &with_timeout(&fleet, id, 100)).expect("it starts again");
        }
        for id in fleet.ids() {
            fleet.wait_live(id).await;
        }
        fleet.wait_leaders().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    eventually("writes are taken", async || put(&fleet, 2, "k0", "new").await.then_some(())).await;
}

/// The thread of the leader's log is held for as long as the test takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_disk_hangs_is_followed_by_another() {
    let fleet = Fleet::found(Shape { shards: 1, request_deadline: Duration::from_secs(5), ..Shape::default() }).await;
    create_table(&fleet, 1).await;
    let leader = fleet.some_leader(0).await;
    let other = fleet.others(leader)[0];
    fleet.must(leader, "disk slow 600000").await;
    // This one hangs, and makes the disk hang.
    let _ = put(&fleet, leader, "a", "hangs").await;
    eventually("somebody else takes writes", async || put(&fleet, other, "a", "new").await.then_some(())).await;
    assert_ne!(fleet.leader(0).await, Some(leader));
    let said = health(&fleet, leader).await;
    assert!(said.contains("the disk of the log has not answered"), "{said}");
    let (_, status) = fleet.plain(other, "GET", "/cluster/status", "").await.expect("the status of the cluster");
    assert!(status.contains("has not answered"), "{status}");
    let read = eventually("the node with the hung disk forwards", async || get(&fleet, leader, "a", true).await).await;
    assert_eq!(read, "new");
    fleet.must(leader, "mend disk").await;
    eventually("the disk is well again", async || {
        (!health(&fleet, leader).await.contains("the disk of the log")).then_some(())
    })
    .await;
}

/// The leader's messages arrive, and it gets no answers: its followers must not go on electing nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_hears_nobody_is_replaced() {
    let mut fleet = Fleet::found(Shape { shards: 1, ..Shape::default() }).await;
    create_table(&fleet, 1).await;
    for round in 0..2 {
        let leader = fleet.some_leader(0).await;
        let others = fleet.others(leader);
        let value = format!("while node {leader} is deaf, {round}");
        fleet.deafen(leader).await;
        for other in &others {
            eventually("the others take writes", async || put(&fleet, *other, "a", &value).await.then_some(())).await;
        }
        let mut leading = 0;
        for other in &others {
            leading += usize::from(fleet.shards(*other).await.first().is_some_and(|view| view.leads));
        }
        assert_eq!(leading, 1, "node {leader} does not hear that it was deposed, the others know");
        assert!(fleet.log(leader).contains("hears no quorum"), "{}", fleet.log(leader));
        fleet.mend().await;
        let read = eventually("it is a member again", async || get(&fleet, leader, "a", true).await).await;
        assert_eq!(read, value);
    }
}

/// More scans hang than may run at the same time; each ends with its request's time, and none takes what other reads need.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_hang_end_with_their_requests_and_give_their_places_back() {
    let fleet = Fleet::found(Shape { nodes: 1, shards: 1, ..Shape::default() }).await;
    create_table(&fleet, 1).await;
    assert!(put(&fleet, 1, "a", "x").await);
    fleet.must(1, "disk reads 600000").await;
    let scan = json!({"TableName": "edges"});
    for _ in 0..3 {
        let scans: Vec<_> = (0..80)
            .map(|_| {
                let (address, scan) = (fleet.address(1), scan.clone());
                tokio::spawn(async move { Client::new(address).call("Scan", &scan, PATIENCE).await.done() })
            })
            .collect();
        for scanned in scans {
            assert_eq!(scanned.await.expect("no panic"), None, "a read that hangs has an end");
        }
    }
    let said = health(&fleet, 1).await;
    assert!(said.contains("reads hang at the disk"), "{said}");
    assert!(said.contains("reads: ready") && said.contains("writes: ready"), "there are threads left: {said}");
    assert_eq!(get(&fleet, 1, "a", true).await.as_deref(), Some("x"), "what is in memory is read all the same");
    fleet.must(1, "mend disk").await;
    eventually("reads are well again", async || call(&fleet, 1, "Scan", &scan).await).await;
    eventually("nothing hangs", async || (!health(&fleet, 1).await.contains("reads hang")).then_some(())).await;
}

async fn transact(fleet: &Fleet, node: u64, round: u64) -> bool {
    let put = |key: String| json!({"Put": {"TableName": "edges", "Item": {"pk": {"S": key}, "v": {"S": "t"}}}});
    let items: Vec<Value> = (0..6).map(|item| put(format!("t-{round}-{item}"))).collect();
    call(fleet, node, "TransactWriteItems", &json!({"TransactItems": items})).await.is_some()
}

/// One member is an hour ahead. Transactions through all of them go on, and nobody's time goes there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_wrong_wall_clock_harms_nobody() {
    let mut fleet = Fleet::found(Shape::default()).await;
    create_table(&fleet, 1).await;
    let wrong = fleet.some_leader(1).await;
    let right = fleet.others(wrong);
    fleet.must(wrong, "clock wall 3600000").await;
    for round in 0..10 {
        assert!(transact(&fleet, right[0], 2 * round).await, "through a right one, round {round}");
        assert!(transact(&fleet, wrong, 2 * round + 1).await, "through the wrong one, round {round}");
    }
    let said = health(&fleet, wrong).await;
    assert!(said.contains("ahead of most members'"), "{said}");
    let lines = fleet.log(right[0]).lines().filter(|line| line.contains("too far ahead")).count();
    assert!(lines < 20, "{lines} lines about the clock");
    fleet.kill(wrong);
    fleet.wait_leaders().await;
    for round in 100..105 {
        assert!(transact(&fleet, right[1], round).await, "after the death of the wrong one, round {round}");
    }
    // An hour ahead, the shards would refuse what a right clock stamps.
    fleet.start(wrong).expect("it starts again");
    fleet.wait_live(wrong).await;
    assert!(transact(&fleet, right[0], 200).await);
}

/// Nobody can tell a node that is alone that its clock is wrong; a transaction is done once under its token all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wall_clock_that_is_set_has_nothing_done_twice() {
    let mut fleet = Fleet::found(Shape { nodes: 1, ..Shape::default() }).await;
    create_table(&fleet, 1).await;
    fleet.must(1, "clock wall -3600000").await;
    let add = |key: &str| {
        json!({"Update": {
            "TableName": "edges", "Key": {"pk": {"S": key}}, "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }})
    };
    let once = json!({"TransactItems": [add("a"), add("b"), add("c")], "ClientRequestToken": "once"});
    eventually("it is done", async || call(&fleet, 1, "TransactWriteItems", &once).await).await;
    let other = json!({"TransactItems": [add("other")]});
    for lives in 0..2 {
        fleet.must(1, "clock wall 7200000").await;
        // Some of time must pass for the shards, whatever they make of it.
        assert!(call(&fleet, 1, "TransactWriteItems", &other).await.is_some());
        eventually("it is answered", async || call(&fleet, 1, "TransactWriteItems", &once).await).await;
        for key in ["a", "b", "c"] {
            let body = json!({"TableName": "edges", "Key": {"pk": {"S": key}}, "ConsistentRead": true});
            let answer = call(&fleet, 1, "GetItem", &body).await.expect("it is read");
            assert_eq!(answer["Item"]["n"]["N"], json!("1"), "{key}, in life {lives}");
        }
        fleet.kill(1);
        fleet.start(1).expect("it starts again");
        fleet.wait_live(1).await;
        fleet.wait_leaders().await;
    }
}

/// A follower hears its leader's heartbeats and gets none of its entries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_behind_does_not_answer_by_itself() {
    let flags = vec!["--eventual-reads=any-replica".to_owned()];
    let fleet = Fleet::found(Shape { shards: 1, flags, ..Shape::default() }).await;
    create_table(&fleet, 1).await;
    let leader = fleet.some_leader(0).await;
    let behind = fleet.others(leader)[0];
    assert!(put(&fleet, leader, "a", "old").await);
    eventually("the replica has it", async || (get(&fleet, behind, "a", false).await? == "old").then_some(())).await;
    fleet.must(leader, &format!("cut entries to {behind}")).await;
    assert!(put(&fleet, leader, "a", "new").await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    for _ in 0..10 {
        if let Some(read) = get(&fleet, behind, "a", false).await {
            assert_eq!(read, "new", "older than a second");
        }
    }
}
