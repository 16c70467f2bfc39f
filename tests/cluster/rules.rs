//! With one rule of lease safety broken, real processes serve a stale read, and the checker finds it; with all of them
//! kept, the same harm finds nothing. A rule that nothing misses would not be known to matter, and a harness that
//! finds nothing would not be known to work.
//!
//! Each scenario steers its cluster to the moment that the rule is for: one client goes on reading from the deposed leader,
//! which does not know it, while another writes through the new one.

use std::time::{Duration, Instant};

use checker::Outcome;
use checker::register::Action;
use serde_json::json;
use tests::cluster::client::Client;
use tests::cluster::fleet::{Fleet, Shape};
use tests::cluster::host::namespace;
use tests::cluster::record::Record;

const LIMIT: Duration = Duration::from_secs(3);

/// The scenarios that are slow run only with the long run: `cargo test -p tests --test cluster rules -- --ignored`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_stands_still_is_beyond_what_any_lease_survives() {
    assert_eq!(standing_clock("clock rate 0", false).await, Found::StaleRead);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a cluster for 10 to 20 seconds each; the simulation shows the same in the normal check"]
async fn a_clock_within_the_bound_does_no_harm() {
    assert_eq!(standing_clock("clock rate 950", false).await, Found::Nothing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a cluster for 10 to 20 seconds each; the simulation shows the same in the normal check"]
async fn a_restarted_voter_must_hold_off() {
    assert_eq!(restarted_voters("break hold-off", false).await, Found::StaleRead);
    assert_eq!(restarted_voters("", false).await, Found::Nothing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a cluster for 10 to 20 seconds each; the simulation shows the same in the normal check"]
async fn a_transfer_must_end_the_lease() {
    assert_eq!(deaf_transfer("break transfer-revokes").await, Found::StaleRead);
    assert_eq!(deaf_transfer("").await, Found::Nothing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a cluster for 10 to 20 seconds each; the simulation shows the same in the normal check"]
async fn a_new_leader_must_apply_an_entry_of_its_own_term() {
    assert_eq!(hasty_successor("break own-term-gate").await, Found::StaleRead);
    assert_eq!(hasty_successor("").await, Found::Nothing);
}

/// The same with packets dropped between namespaces instead of messages by the switch: the harness finds by these cuts, too,
/// what there is to find.
#[test]
#[ignore = "three clusters for 10 to 20 seconds each"]
fn dropped_packets_find_what_broken_rules_let_through() {
    namespace::inside("rules::dropped_packets_find_what_broken_rules_let_through", async {
        assert_eq!(standing_clock("clock rate 0", true).await, Found::StaleRead);
        assert_eq!(restarted_voters("break hold-off", true).await, Found::StaleRead);
        assert_eq!(restarted_voters("", true).await, Found::Nothing);
    });
}

/// What a scenario found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The checker found that no order explains what the clients saw.
    StaleRead,
    /// Everything that the clients saw can be explained.
    Nothing,
}

/// A cluster of one shard, with one register, and what was seen of it.
struct Scene {
    fleet: Fleet,
    record: Record,
    leader: u64,
    others: Vec<u64>,
}

impl Scene {
    async fn open(election_timeout_ms: u64, faults: &str, has_namespaces: bool) -> Scene {
        let mut fleet = Fleet::prepare(Shape {
            shards: 1,
            election_timeout: Duration::from_millis(election_timeout_ms),
            faults: faults.to_owned(),
            has_namespaces,
            ..Shape::default()
        });
        for id in fleet.ids() {
            fleet.start(id).expect("it starts");
        }
        for id in fleet.ids() {
            fleet.wait_live(id).await;
        }
        // With long leases, elections are too long to wait for.
        let leader = elect(&fleet, &[1]).await;
        let others = fleet.others(leader);
        let scene = Scene { fleet, record: Record::default(), leader, others };
        scene.create_table().await;
        assert!(scene.write(leader, 1).await, "the leader takes a write");
        scene
    }

    async fn create_table(&self) {
        let body = tests::table_of("registers", "pk");
        let mut client = Client::new(self.fleet.address(self.leader));
        client.call("CreateTable", &body, LIMIT).await.done().expect("the table is created");
    }

    /// Writes through a node; whether it was acknowledged.
    async fn write(&self, node: u64, value: u64) -> bool {
        let item = json!({"pk": {"S": "r"}, "v": {"N": value.to_string()}});
        let start = self.record.now();
        let mut client = Client::new(self.fleet.address(node));
        let reply = client.call("PutItem", &json!({"TableName": "registers", "Item": item}), LIMIT).await;
        let outcome = if reply.done().is_some() { Outcome::Ok } else { Outcome::Unknown };
        self.record.register("r", start, Action::Write(value), outcome);
        outcome == Outcome::Ok
    }

    /// Reads from a node; whether it was answered.
    async fn read(&self, node: u64) -> bool {
        let body = json!({"TableName": "registers", "Key": {"pk": {"S": "r"}}, "ConsistentRead": true});
        let start = self.record.now();
        let reply = Client::new(self.fleet.address(node)).call("GetItem", &body, LIMIT).await;
        let Some(answer) = reply.done() else { return false };
        let value = answer["Item"]["v"]["N"].as_str().map(|text| text.parse().expect("a number"));
        self.record.register("r", start, Action::Read(value), Outcome::Ok);
        true
    }

    fn found(&self) -> Found {
        let verdict = self.record.judge();
        if verdict.wrong.is_empty() { Found::Nothing } else { Found::StaleRead }
    }
}

/// Lets these nodes stand for election until one of them leads.
async fn elect(fleet: &Fleet, candidates: &[u64]) -> u64 {
    let began = Instant::now();
    loop {
        for candidate in candidates {
            if fleet.shards(*candidate).await.first().is_some_and(|view| view.leads) {
                return *candidate;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(60), "none of {candidates:?} leads");
        fleet.order(candidates[0], "stand 0").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The leader's clock is wrong; then it is cut off, and somebody else leads.
async fn standing_clock(order: &str, has_namespaces: bool) -> Found {
    let scene = Scene::open(800, "", has_namespaces).await;
    scene.fleet.must(scene.leader, order).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    scene.fleet.isolate(scene.leader).await;
    let successor = elect(&scene.fleet, &scene.others).await;
    assert!(scene.write(successor, 2).await, "the new leader takes a write");
    scene.read(scene.leader).await;
    scene.found()
}

/// The leader is cut off, its followers restart within its lease and forget what they promised.
async fn restarted_voters(faults: &str, has_namespaces: bool) -> Found {
    let mut scene = Scene::open(8_000, faults, has_namespaces).await;
    // By the switch, the others forget their part of the cut when they are killed; the leader's part is enough.
    scene.fleet.isolate(scene.leader).await;
    for other in scene.others.clone() {
        scene.fleet.kill(other);
        scene.fleet.start(other).expect("it starts again");
    }
    for other in scene.others.clone() {
        scene.fleet.wait_live(other).await;
    }
    let successor = elect(&scene.fleet, &scene.others).await;
    assert!(scene.write(successor, 2).await, "the new leader takes a write");
    scene.read(scene.leader).await;
    scene.found()
}

/// The leader hands over, and hears nothing of what comes of it.
async fn deaf_transfer(faults: &str) -> Found {
    let scene = Scene::open(6_000, faults, false).await;
    scene.fleet.deafen(scene.leader).await;
    scene.fleet.must(scene.leader, &format!("transfer 0 {}", scene.others[0])).await;
    let successor = elect(&scene.fleet, &scene.others).await;
    assert!(scene.write(successor, 2).await, "the new leader takes a write");
    scene.read(scene.leader).await;
    scene.found()
}

/// The leader dies after it acknowledged a write, before its followers know that it is committed. Its successor is
/// elected and heard, but its entries are lost: it leads and has not applied what it inherited.
async fn hasty_successor(faults: &str) -> Found {
    let mut scene = Scene::open(2_000, faults, false).await;
    for other in &scene.others {
        scene.fleet.must(scene.leader, &format!("delay to {other} 200")).await;
    }
    assert!(scene.write(scene.leader, 2).await, "the leader takes a write");
    scene.fleet.kill(scene.leader);
    for other in &scene.others {
        for peer in scene.fleet.others(*other) {
            scene.fleet.must(*other, &format!("cut entries to {peer}")).await;
        }
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) && scene.found() == Found::Nothing {
        for other in &scene.others {
            // A node without a lease would wait until somebody leads.
            if scene.fleet.shards(*other).await.first().is_some_and(|view| view.has_lease) {
                scene.read(*other).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for other in &scene.others {
        scene.fleet.must(*other, "mend network").await;
    }
    let successor = elect(&scene.fleet, &scene.others).await;
    assert!(scene.read(successor).await, "the new leader answers at last");
    scene.found()
}
