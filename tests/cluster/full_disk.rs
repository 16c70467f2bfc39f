//! A disk that is full to the last byte, under load: the node refuses writes or ends with the reason, the others go on,
//! and once there is room again everything that was acknowledged is there.
//!
//! The disk is a small one that the test mounts. Where that is not permitted the test says so and is passed over; writes
//! that are refused below the floor of free space are tested in `dynamo-server` without one.

use std::time::Duration;

use tests::cluster::fleet::{Fleet, Shape};
use tests::cluster::rng::Rng;
use tests::cluster::run::{Plan, start_clients, wait_healed};
use tests::cluster::workload::{Mix, Visitor, Workload};

/// Some times what the test writes, and ten times the floor that a node keeps free on it.
const DISK_BYTES: u64 = 320 << 20;

/// How long the disk is full.
const WHILE_FULL: Duration = Duration::from_secs(4);

/// The node with the small disk.
const VICTIM: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_the_node_comes_back() {
    let shape = Shape { shards: 2, election_timeout: Duration::from_millis(600), ..Shape::default() };
    let mut fleet = Fleet::prepare(shape.clone());
    if let Err(error) = fleet.give_small_disk(VICTIM, DISK_BYTES) {
        println!("PASSED OVER: a small disk cannot be mounted here: {error}");
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
    let log = fleet.log(VICTIM);
    let has_ended = fleet.exit_status(VICTIM).is_some();
    let reason = if has_ended { "No space left on device" } else { "free space on the disk" };
    assert!(log.contains(reason), "it says what is wrong (ended: {has_ended}):\n{log}");
    for other in fleet.others(VICTIM) {
        assert!(workload.record.last_write_through(other) > full_since, "node {other} goes on meanwhile");
    }
    println!("{filled} bytes filled the disk; the node {}", if has_ended { "ended" } else { "refused writes" });

    fleet.make_room(VICTIM);
    if has_ended {
        fleet.come_back(VICTIM).unwrap_or_else(|log| panic!("it does not start again:\n{log}"));
    }
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
