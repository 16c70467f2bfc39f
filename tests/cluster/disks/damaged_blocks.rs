//! A bit of a node's state has rotted, and a read meets it: the node goes on, and so does everybody who asks for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tests::cluster::client::{Client, Reply};
use tests::cluster::fleet::{Fleet, Shape};
use tests::cluster::rng::Rng;
use tests::patience::eventually;

const LIMIT: Duration = Duration::from_secs(8);

/// Enough that the damaged block has none of the records that a start reads.
const ITEMS: u64 = 200;

/// The item in the middle of the block.
const VICTIM: u64 = 100;

async fn call(fleet: &Fleet, node: u64, operation: &str, body: &Value) -> Reply {
    Client::new(fleet.address(node)).call(operation, body, LIMIT).await
}

/// What no compression takes apart, and what is found in a file again.
fn text(item: u64) -> String {
    let mut rng = Rng::new(item);
    (0..1_000).map(|_| char::from(b'!' + rng.below(90) as u8)).filter(|letter| !"\\\"".contains(*letter)).collect()
}

async fn create(fleet: &Fleet, table: &str) {
    let body = tests::table_of(table, "pk");
    eventually("the table is created", async || call(fleet, 1, "CreateTable", &body).await.done()).await;
}

async fn fill(fleet: &Fleet) {
    create(fleet, "rot").await;
    for item in 0..ITEMS {
        let body = json!({"TableName": "rot", "Item": {"pk": {"S": item.to_string()}, "v": {"S": text(item)}}});
        eventually("the item is written", async || call(fleet, 1, "PutItem", &body).await.done()).await;
    }
}

async fn get(fleet: &Fleet, node: u64, item: u64) -> Reply {
    let body = json!({"TableName": "rot", "Key": {"pk": {"S": item.to_string()}}, "ConsistentRead": true});
    call(fleet, node, "GetItem", &body).await
}

/// Changes one bit of the item in the files of a node that is down.
fn rot(directory: &Path, item: u64) {
    let text = text(item);
    let looked_for = &text.as_bytes()[300..340];
    let files: Vec<PathBuf> = std::fs::read_dir(directory.join("state"))
        .expect("a folder")
        .map(|entry| entry.expect("readable").path())
        .collect();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "sst")) {
        let mut bytes = std::fs::read(file).expect("readable");
        if let Some(at) = bytes.windows(looked_for.len()).position(|window| window == looked_for) {
            bytes[at] ^= 1;
            std::fs::write(file, bytes).expect("writable");
            return;
        }
    }
    panic!("the item is in none of {files:?}");
}

async fn lead(fleet: &Fleet, node: u64) {
    eventually("it leads", async || {
        if fleet.shards(node).await.first().is_some_and(|view| view.leads) {
            return Some(());
        }
        if let Some(leader) = fleet.leader(0).await {
            fleet.order(leader, &format!("transfer 0 {node}")).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        None
    })
    .await;
}

async fn status(fleet: &Fleet, node: u64) -> String {
    fleet.plain(node, "GET", "/cluster/status", "").await.map(|(_, text)| text).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_alone_answers_what_it_can_read() {
    let mut fleet = Fleet::found(Shape { nodes: 1, shards: 1, ..Shape::default() }).await;
    fill(&fleet).await;
    assert_eq!(fleet.terminate(1), Some(0));
    rot(&fleet.data_dir(1), VICTIM);
    fleet.start(1).expect("it starts");
    fleet.wait_live(1).await;
    fleet.wait_leaders().await;
    assert!(get(&fleet, 1, VICTIM).await.done().is_none(), "the item cannot be read");
    assert!(call(&fleet, 1, "Scan", &json!({"TableName": "rot"})).await.done().is_none(), "nor a page with it");
    let mut served = 0;
    for item in 0..ITEMS {
        served += u64::from(get(&fleet, 1, item).await.done().is_some());
    }
    assert!(served > ITEMS / 2 && served < ITEMS, "{served} of {ITEMS}");
    let body = json!({"TableName": "rot", "Item": {"pk": {"S": "new"}}});
    assert!(call(&fleet, 1, "PutItem", &body).await.done().is_some(), "it takes writes:\n{}", fleet.log(1));
    let said = status(&fleet, 1).await;
    assert!(said.contains("records of shard 0 cannot be read here"), "{said}");
    assert!(said.contains("backup") && !said.contains("Replace this node"), "nobody could take its place: {said}");

    // It knows that after a restart, without anybody having met the block again.
    let note = fleet.data_dir(1).join("damage");
    eventually("it is noted", async || note.exists().then_some(())).await;
    assert_eq!(fleet.terminate(1), Some(0));
    fleet.start(1).expect("it starts");
    fleet.wait_live(1).await;
    let said = status(&fleet, 1).await;
    assert!(said.contains("records of shard 0 cannot be read here"), "{said}");
    let (_, metrics) = fleet.plain(1, "GET", "/metrics", "").await.expect("an answer");
    assert!(metrics.contains("\ndynamo_shards_damaged 1\n"), "{metrics}");
}

/// Puts a node whose disk has a damaged block in the way of a compaction: a table that goes has its room given back, and it lies
/// in the same file. What the node wrote until it ended.
async fn compact(fleet: &mut Fleet, rotten: u64, through: u64) -> String {
    let before = fleet.log(rotten).len();
    let body = json!({"TableName": "gone"});
    eventually("the table goes", async || call(fleet, through, "DeleteTable", &body).await.done()).await;
    let (is_success, log) = fleet.wait_end(rotten).await;
    let log = log[before..].to_owned();
    assert!(!is_success, "{log}");
    let last = log.lines().last().unwrap_or_default();
    assert!(last.contains("the state takes no more writes") && last.contains(".sst"), "which file it was: {log}");
    log
}

/// Fills a cluster, and changes a bit on the disk of a node that leads then.
async fn rotten_leader(nodes: u64) -> (Fleet, u64) {
    let mut fleet = Fleet::found(Shape { nodes, shards: 1, ..Shape::default() }).await;
    create(&fleet, "gone").await;
    fill(&fleet).await;
    let rotten = fleet.some_leader(0).await;
    assert_eq!(fleet.terminate(rotten), Some(0));
    rot(&fleet.data_dir(rotten), VICTIM);
    fleet.start(rotten).expect("it starts");
    fleet.wait_live(rotten).await;
    lead(&fleet, rotten).await;
    (fleet, rotten)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_that_meets_damage_lets_others_lead() {
    let (mut fleet, rotten) = rotten_leader(3).await;
    let other = fleet.others(rotten)[0];
    let log = compact(&mut fleet, rotten, other).await;
    assert!(log.contains("handed_over=true"), "nobody waits for an election:\n{log}");
    eventually("others serve", async || get(&fleet, other, VICTIM).await.done()).await;
    let body = json!({"TableName": "rot", "Item": {"pk": {"S": "new"}}});
    eventually("others take writes", async || call(&fleet, other, "PutItem", &body).await.done()).await;

    // Started again it takes part, merges nothing, knows whose records are damaged, and serves by asking the others.
    fleet.start(rotten).expect("it starts");
    fleet.wait_live(rotten).await;
    eventually("it asks others", async || get(&fleet, rotten, VICTIM).await.done()).await;
    let said = eventually("it says what is wrong", async || {
        Some(status(&fleet, other).await).filter(|said| said.contains("records of shard 0 cannot be read here"))
    })
    .await;
    assert!(said.contains(".sst"), "{said}");
    let mut applied = Vec::new();
    eventually("it has everything", async || {
        applied.clear();
        for node in [rotten, other] {
            applied.extend(fleet.shards(node).await.first().map(|view| view.applied));
        }
        (applied.len() == 2 && applied[0] == applied[1]).then_some(())
    })
    .await;
    assert!(fleet.log(rotten).contains("files are merged no more"), "{}", fleet.log(rotten));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_alone_serves_again_after_a_compaction_met_damage() {
    let (mut fleet, rotten) = rotten_leader(1).await;
    compact(&mut fleet, rotten, rotten).await;
    fleet.start(rotten).expect("it starts");
    fleet.wait_live(rotten).await;
    fleet.wait_leaders().await;
    for round in 0..3 {
        let body = json!({"TableName": "rot", "Item": {"pk": {"S": "new"}, "v": {"N": round.to_string()}}});
        eventually("it takes writes", async || call(&fleet, rotten, "PutItem", &body).await.done()).await;
    }
    assert!(get(&fleet, rotten, VICTIM).await.done().is_none(), "damage is never served");
    assert!(get(&fleet, rotten, VICTIM / 2).await.done().is_some() || get(&fleet, rotten, 0).await.done().is_some());
    let said = status(&fleet, rotten).await;
    assert!(said.contains("cannot be read here") && said.contains("backup"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_serve_what_a_leader_cannot_read() {
    let mut fleet = Fleet::found(Shape { shards: 1, ..Shape::default() }).await;
    fill(&fleet).await;
    let rotten = fleet.some_leader(0).await;
    let other = fleet.others(rotten)[0];
    assert_eq!(fleet.terminate(rotten), Some(0));
    rot(&fleet.data_dir(rotten), VICTIM);
    fleet.start(rotten).expect("it starts");
    fleet.wait_live(rotten).await;
    lead(&fleet, rotten).await;
    for node in [other, rotten] {
        let answer = eventually("the item is read", async || get(&fleet, node, VICTIM).await.done()).await;
        assert_eq!(answer["Item"]["v"]["S"], json!(text(VICTIM)));
    }
    let said = eventually("it says what is wrong", async || {
        Some(status(&fleet, other).await).filter(|said| said.contains("stands still at what lies here of it"))
    })
    .await;
    assert!(!fleet.log(rotten).contains("RaftMsg"), "a line for each message:\n{}", fleet.log(rotten));
    assert!(fleet.is_up(rotten) && !said.contains("stopped"), "{said}");
    assert!(!fleet.shards(rotten).await.first().is_some_and(|view| view.leads));
}
