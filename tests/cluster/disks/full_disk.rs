//! A disk that is full to the last byte, under load: the node refuses writes, the others go on, and once there is room again
//! everything that was acknowledged is there, without a restart.
//!
//! The disk is a small one that the test mounts. Where that is not permitted the test says so and is passed over; writes
//! that are refused below the floor of free space are tested in `dynamo-server` without one.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tests::cluster::client::{Client, Reply};
use tests::cluster::fleet::{Fleet, Shape};
use tests::cluster::rng::Rng;
use tests::cluster::run::{Plan, start_clients, wait_healed};
use tests::cluster::workload::{Mix, Visitor, Workload};

/// Some times what the test writes, and ten times the floor that a node keeps free on it.
const DISK_BYTES: u64 = 320 << 20;

/// How long the disk is full.
const WHILE_FULL: Duration = Duration::from_secs(4);

/// How long one request may take, and something that must come.
const LIMIT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// The node with the small disk.
const VICTIM: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_the_node_comes_back() {
    let shape = Shape { shards: 2, election_timeout: Duration::from_millis(600), ..Shape::default() };
    let mut fleet = Fleet::prepare(shape.clone());
    if let Err(error) = fleet.give_small_disk(VICTIM, DISK_BYTES) {
        tests::pass_over(&format!("a small disk cannot be mounted here: {error}"));
        return;
    }
    for id in fleet.ids() {
        fleet.start(id).unwrap_or_else(|log| panic!("node {id} did not start:\n{log}"));
    }
    for id in fleet.ids() {
        fleet.wait_live(id).await;
    }
    fleet.wait_leaders().await;
    let limit = shape.request_deadline + Duration::from_secs(1);
    let workload = Workload::new(Mix::ALL, 30, limit);
    workload.set_up(fleet.address(1)).await;
    let plan = Plan {
        seed: 1,
        shape,
        mix: Mix::ALL,
        clients_per_node: 2,
        think_ms: 30,
        harms: Vec::new(),
        duration: Duration::ZERO,
    };
    let clients = start_clients(&plan, &fleet, &workload);
    for shard in 0..plan.shape.shards {
        let leader = fleet.some_leader(shard).await;
        fleet.order(leader, &format!("transfer {shard} {VICTIM}")).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;

    let full_since = workload.record.now();
    let filled = fleet.fill_disk(VICTIM);
    assert!(filled > 256 << 20, "the disk was empty before: {filled} bytes");
    tokio::time::sleep(WHILE_FULL).await;
    assert_eq!(fleet.exit_status(VICTIM), None, "a full disk is no fault:\n{}", fleet.log(VICTIM));
    let log = fleet.log(VICTIM);
    assert!(log.contains("free space on the disk"), "it says what is wrong:\n{log}");
    for other in fleet.others(VICTIM) {
        assert!(workload.record.last_write_through(other) > full_since, "node {other} goes on meanwhile");
    }
    println!("{filled} bytes filled the disk");

    fleet.make_room(VICTIM);
    fleet.wait_live(VICTIM).await;
    assert_eq!(wait_healed(&fleet, &workload).await, Vec::<u64>::new(), "every node takes writes again");
    workload.end();
    for client in clients {
        client.await.expect("clients do not panic");
    }
    Visitor::new(&workload, VICTIM, fleet.address(VICTIM), Rng::new(0)).look_back().await;
    let verdict = workload.record.judge();
    println!("{verdict}");
    assert_eq!(verdict.wrong, Vec::<String>::new(), "{verdict}");
}

/// Between the floor and its reserve, on any disk of some gigabytes.
const SHORT: &str = "disk free 120000000";

async fn call(fleet: &Fleet, node: u64, operation: &str, body: &Value) -> Reply {
    Client::new(fleet.address(node)).call(operation, body, LIMIT).await
}

fn is_short(reply: &Reply) -> bool {
    matches!(reply, Reply::Refused { kind, .. } if kind.starts_with("ServiceUnavailable"))
}

fn table(name: &str) -> Value {
    tests::table_of(name, "pk")
}

/// A table of whose items there is more than a row: a global index has them, and a stream what they were and are.
fn recorded(name: &str) -> Value {
    let mut table = table(name);
    let keys = json!([{"AttributeName": "g", "KeyType": "HASH"}]);
    table["AttributeDefinitions"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"AttributeName": "g", "AttributeType": "S"}));
    table["GlobalSecondaryIndexes"] =
        json!([{"IndexName": "index", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}]);
    table["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"});
    table
}

fn item(key: u64) -> Value {
    json!({"TableName": "kept", "Item": {"pk": {"S": key.to_string()}, "v": {"S": "x"}}})
}

fn key(key: u64) -> Value {
    json!({"TableName": "kept", "Key": {"pk": {"S": key.to_string()}}})
}

/// Asks until the reply is as wanted: the disk is looked at now and then, and leaders move.
async fn at_last(fleet: &Fleet, node: u64, operation: &str, body: &Value, wanted: impl Fn(&Reply) -> bool) {
    let began = Instant::now();
    loop {
        let reply = call(fleet, node, operation, body).await;
        if wanted(&reply) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{operation} through node {node}: {reply:?}\n{}", fleet.log(node));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_done(reply: &Reply) -> bool {
    matches!(reply, Reply::Done(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_the_floor_what_frees_room_goes_on_and_what_grows_does_not() {
    let fleet = Fleet::found(Shape { nodes: 1, shards: 2, ..Shape::default() }).await;
    at_last(&fleet, 1, "CreateTable", &table("kept"), is_done).await;
    for number in 0..8 {
        at_last(&fleet, 1, "PutItem", &item(number), is_done).await;
    }
    fleet.must(1, SHORT).await;
    at_last(&fleet, 1, "PutItem", &item(8), is_short).await;
    let grows = json!({"TransactItems": [{"Put": item(0)}, {"Put": item(1)}, {"Put": item(2)}, {"Put": item(3)}]});
    assert!(is_short(&call(&fleet, 1, "TransactWriteItems", &grows).await));
    assert!(is_short(&call(&fleet, 1, "CreateTable", &table("other")).await));
    let frees: Vec<Value> = (0..6).map(|number| json!({"Delete": key(number)})).collect();
    let reply = call(&fleet, 1, "TransactWriteItems", &json!({"TransactItems": frees})).await;
    assert!(is_done(&reply), "on both shards: {reply:?}");
    let reply = call(&fleet, 1, "DeleteItem", &key(6)).await;
    assert!(is_done(&reply), "{reply:?}");
    assert_eq!(call(&fleet, 1, "GetItem", &key(6)).await, Reply::Done(json!({})));
    // Where a stream keeps what an item was, deleting it frees nothing.
    fleet.must(1, "mend disk").await;
    at_last(&fleet, 1, "CreateTable", &recorded("recorded"), is_done).await;
    let keyed = |name: &str| json!({"TableName": "recorded", name: {"pk": {"S": "0"}}});
    at_last(&fleet, 1, "PutItem", &keyed("Item"), is_done).await;
    fleet.must(1, SHORT).await;
    at_last(&fleet, 1, "PutItem", &item(8), is_short).await;
    let reply = call(&fleet, 1, "DeleteItem", &keyed("Key")).await;
    assert!(is_short(&reply), "{reply:?}");
    let check = json!({"ConditionCheck": {"TableName": "recorded", "Key": {"pk": {"S": "0"}}, "ConditionExpression": "attribute_exists(pk)"}});
    let frees = json!({"TransactItems": [check, {"Delete": key(7)}]});
    let reply = call(&fleet, 1, "TransactWriteItems", &frees).await;
    assert!(is_done(&reply), "a check adds nothing: {reply:?}");
    at_last(&fleet, 1, "DeleteTable", &json!({"TableName": "recorded"}), is_done).await;
    // The reserve is for what ends something.
    fleet.must(1, "disk free 1000000").await;
    at_last(&fleet, 1, "DeleteItem", &key(5), is_short).await;
    fleet.must(1, SHORT).await;
    at_last(&fleet, 1, "DeleteTable", &json!({"TableName": "kept"}), is_done).await;
    fleet.must(1, "mend disk").await;
    at_last(&fleet, 1, "CreateTable", &table("kept"), is_done).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_room_lets_others_lead_and_a_majority_without_stops_what_grows() {
    let shape = Shape { shards: 4, election_timeout: Duration::from_millis(600), ..Shape::default() };
    let fleet = Fleet::found(shape).await;
    at_last(&fleet, 1, "CreateTable", &table("kept"), is_done).await;
    for shard in 0..fleet.shape().shards {
        let leader = fleet.some_leader(shard).await;
        if leader != 1 {
            fleet.order(leader, &format!("transfer {shard} 1")).await;
        }
    }
    fleet.must(1, SHORT).await;
    // Nothing is led where the room is short any more, and its clients notice nothing.
    let began = Instant::now();
    loop {
        let views = fleet.shards(1).await;
        if views.iter().all(|view| !view.leads && view.leader.is_some()) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "node 1 leads: {views:?}\n{}", fleet.log(1));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for number in 0..16 {
        at_last(&fleet, 1, "PutItem", &item(number), is_done).await;
    }
    let (_, status) = fleet.plain(3, "GET", "/cluster/status", "").await.expect("an answer");
    assert!(status.contains("node 1 has too little room on its disk"), "{status}");
    // Two of three: their disks would be filled by the third.
    fleet.must(2, SHORT).await;
    for number in 0..16 {
        at_last(&fleet, 3, "PutItem", &item(number), is_short).await;
        let reply = call(&fleet, 3, "DeleteItem", &key(number)).await;
        assert!(is_done(&reply), "{reply:?}");
    }
    // The third has room itself, and hears of the others' within a second.
    let began = Instant::now();
    while fleet.plain(3, "GET", "/health/ready?need=writes", "").await.is_none_or(|(status, _)| status != 503) {
        assert!(began.elapsed() < PATIENCE, "node 3 cannot write, and is ready to");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for node in [1, 2] {
        fleet.must(node, "mend disk").await;
    }
    at_last(&fleet, 3, "PutItem", &item(0), is_done).await;
}

/// Clients that fill a small disk together.
const CLIENTS_FILLING: u64 = 8;

/// Of 300 kB, which a compression makes a quarter smaller.
fn large_item(rng: &mut Rng, number: u64) -> Value {
    let value: String = (0..300_000).map(|_| char::from(b'#' + (rng.below(57) as u8))).collect();
    json!({"TableName": "kept", "Item": {"pk": {"S": number.to_string()}, "g": {"S": "g"}, "v": {"S": value}}})
}

/// Writes until it is refused, and gives how many items were taken: what does not compress much, by several clients, so that the
/// disk fills fast.
async fn fill(fleet: &Fleet, rng: &mut Rng) -> u64 {
    let (mut taken, mut is_refused) = (0, false);
    while !is_refused {
        let bodies: Vec<Value> = (0..CLIENTS_FILLING).map(|client| large_item(rng, taken + client)).collect();
        for (body, reply) in
            bodies.iter().zip(join_all(bodies.iter().map(|body| call(fleet, 1, "PutItem", body))).await)
        {
            match reply {
                Reply::Done(_) => taken += 1,
                reply if is_short(&reply) => is_refused = true,
                reply => panic!("{}: {reply:?}\n{}", body["Item"]["pk"], fleet.log(1)),
            }
        }
        assert!(taken < 2_000, "the disk is smaller than this");
    }
    taken
}

/// A node on a disk of 200 MB; `None`, and said, where it cannot be mounted.
async fn on_small_disk() -> Option<Fleet> {
    let mut fleet = Fleet::prepare(Shape { nodes: 1, shards: 1, ..Shape::default() });
    if let Err(error) = fleet.give_small_disk(1, 200_000_000) {
        tests::pass_over(&format!("a small disk cannot be mounted here: {error}"));
        return None;
    }
    fleet.start(1).unwrap_or_else(|log| panic!("it did not start:\n{log}"));
    fleet.wait_live(1).await;
    Some(fleet)
}

/// The default floor fits a small disk: it takes writes, refuses them before it is full, and takes them again once a table is
/// deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_of_200_mb_takes_writes() {
    let Some(fleet) = on_small_disk().await else { return };
    at_last(&fleet, 1, "CreateTable", &table("kept"), is_done).await;
    let taken = fill(&fleet, &mut Rng::new(1)).await;
    assert!(taken > 100, "it takes writes first: {taken}");
    println!("the disk took {taken} items of 300 kB");
    at_last(&fleet, 1, "DeleteTable", &json!({"TableName": "kept"}), is_done).await;
    at_last(&fleet, 1, "CreateTable", &table("kept"), is_done).await;
    at_last(&fleet, 1, "PutItem", &item(0), is_done).await;
}

/// As the one above, where each item is in an index, too, and a stream keeps what it was: a delete leaves as much as it removes, and
/// is refused while there is still room for what makes room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_deletes_do_not_use_up_the_reserve() {
    let Some(fleet) = on_small_disk().await else { return };
    at_last(&fleet, 1, "CreateTable", &recorded("kept"), is_done).await;
    let taken = fill(&fleet, &mut Rng::new(1)).await;
    assert!(taken > 50, "it takes writes first: {taken}");
    let mut deleted = 0;
    for number in 0..taken {
        match call(&fleet, 1, "DeleteItem", &key(number)).await {
            Reply::Done(_) => deleted += 1,
            reply if is_short(&reply) => break,
            reply => panic!("{number}: {reply:?}\n{}", fleet.log(1)),
        }
    }
    println!("the disk took {taken} items of 300 kB, and then {deleted} deletes");
    at_last(&fleet, 1, "DeleteTable", &json!({"TableName": "kept"}), is_done).await;
    at_last(&fleet, 1, "CreateTable", &table("other"), is_done).await;
    at_last(&fleet, 1, "PutItem", &json!({"TableName": "other", "Item": {"pk": {"S": "x"}}}), is_done).await;
}
