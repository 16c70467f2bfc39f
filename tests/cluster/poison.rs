//! An entry that can be applied nowhere: its shard stands still and says at what, the others serve, also after restarts; and
//! the operator's way out.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::binary;
use tests::cluster::client::{Client, Reply};
use tests::cluster::fleet::{Fleet, Shape};

const LIMIT: Duration = Duration::from_secs(10);

/// What applying panics at.
const POISON: &str = "271828182845904523";

const KEYS: u64 = 24;

/// The error of a client that tries again is no news.
const PATIENCE: Duration = Duration::from_secs(60);

async fn create_table(fleet: &Fleet) {
    let body = tests::table_of("kept", "pk");
    let began = Instant::now();
    while !matches!(Client::new(fleet.address(1)).call("CreateTable", &body, LIMIT).await, Reply::Done(_)) {
        assert!(began.elapsed() < PATIENCE, "no table");
    }
}

async fn put(fleet: &Fleet, node: u64, key: &str, value: &str) -> bool {
    let body = json!({"TableName": "kept", "Item": {"pk": {"S": key}, "v": {"S": value}}});
    matches!(Client::new(fleet.address(node)).call("PutItem", &body, LIMIT).await, Reply::Done(_))
}

async fn get(fleet: &Fleet, node: u64, key: &str) -> Option<Value> {
    let body = json!({"TableName": "kept", "Key": {"pk": {"S": key}}, "ConsistentRead": true});
    match Client::new(fleet.address(node)).call("GetItem", &body, LIMIT).await {
        Reply::Done(answer) => Some(answer),
        _ => None,
    }
}

/// Puts until it is acknowledged: elections take a while.
async fn put_at_last(fleet: &Fleet, key: &str) {
    let began = Instant::now();
    while !put(fleet, 1, key, "kept").await {
        assert!(began.elapsed() < PATIENCE, "{key} cannot be written:\n{}", fleet.log(1));
    }
}

async fn complaints(fleet: &Fleet, node: u64) -> Vec<String> {
    let Some((200, text)) = fleet.plain(node, "GET", "/cluster/status", "").await else { return Vec::new() };
    let status: Value = serde_json::from_str(&text).expect("JSON");
    let complaints = status["complaints"].as_array().expect("a list").iter();
    complaints.filter_map(|complaint| complaint.as_str().map(str::to_owned)).collect()
}

/// Waits until a majority stands still, and says so; the shard and the entry.
async fn stands_still(fleet: &Fleet) -> (String, String) {
    let began = Instant::now();
    loop {
        let said = complaints(fleet, 1).await;
        let named: Vec<&String> = said.iter().filter(|text| text.contains("stands still at entry")).collect();
        if named.len() >= 2 {
            let words: Vec<&str> = named[0].split_whitespace().collect();
            let after = |word: &str| words[words.iter().position(|found| *found == word).expect("named") + 1];
            assert!(named[0].contains("(put)") && named[0].contains("panicked"), "{named:?}");
            return (after("shard").to_owned(), after("entry").to_owned());
        }
        assert!(began.elapsed() < PATIENCE, "{said:?}\n{}", fleet.log(1));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Keys whose shard serves.
async fn served(fleet: &Fleet, node: u64) -> Vec<u64> {
    let mut served = Vec::new();
    for key in 0..KEYS {
        if get(fleet, node, &key.to_string()).await.is_some_and(|answer| answer["Item"]["v"]["S"] == "kept") {
            served.push(key);
        }
    }
    served
}

async fn metric(fleet: &Fleet, node: u64, name: &str) -> u64 {
    let (_, page) = fleet.plain(node, "GET", "/metrics", "").await.expect("an answer");
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).expect("the figure is there")
}

fn skip(fleet: &Fleet, node: u64, shard: &str, entry: &str, more: &[&str]) -> Result<String, String> {
    let mut command = Command::new(binary::faults_path());
    command.args(["skip-entry", "--shard", shard, "--entry", entry, "--data-dir"]).arg(fleet.data_dir(node)).args(more);
    let output = command.output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_entry_stops_its_shard_alone_and_can_be_skipped() {
    let shape = Shape {
        shards: 2,
        election_timeout: Duration::from_millis(600),
        request_deadline: Duration::from_millis(1_000),
        faults: format!("poison {POISON}"),
        ..Shape::default()
    };
    let mut fleet = Fleet::found(shape).await;
    create_table(&fleet).await;
    for key in 0..KEYS {
        put_at_last(&fleet, &key.to_string()).await;
    }
    assert!(!put(&fleet, 1, "poisoned", POISON).await, "it cannot be applied");

    let (shard, entry) = stands_still(&fleet).await;
    let left = served(&fleet, 2).await;
    assert!(!left.is_empty() && left.len() < KEYS as usize, "one of two shards serves: {left:?}");
    assert!(
        metric(&fleet, 1, "dynamo_shards_quarantined").await + metric(&fleet, 2, "dynamo_shards_quarantined").await > 0
    );
    let (status, _) = fleet.plain(1, "GET", "/health/ready?need=writes", "").await.expect("an answer");
    assert_eq!(status, 503);

    // A restart changes nothing: the others serve, and the shard stands still at the same entry.
    for id in fleet.ids() {
        assert_eq!(fleet.terminate(id), Some(0), "it ends in order:\n{}", fleet.log(id));
    }
    for id in fleet.ids() {
        fleet.start(id).expect("it starts");
    }
    for id in fleet.ids() {
        fleet.wait_live(id).await;
    }
    assert_eq!(stands_still(&fleet).await, (shard.clone(), entry.clone()));
    let began = Instant::now();
    while served(&fleet, 3).await != left {
        assert!(began.elapsed() < PATIENCE, "the other shard serves after a restart");
    }

    // A replica that the entry has not reached stands still once it does, and is told then.
    let mut without = Vec::new();
    for id in fleet.ids() {
        fleet.terminate(id);
        let tried = skip(&fleet, id, &shard, &entry, &[]).expect_err("it says what would be lost");
        match skip(&fleet, id, &shard, &entry, &["--yes"]) {
            Ok(_) => assert!(tried.contains("--yes") && tried.contains(&entry), "{tried}"),
            Err(refused) if refused.contains("has no entry") => {
                assert_eq!(tried, refused, "what is refused is refused when it is only tried");
                without.push(id);
            }
            Err(refused) => panic!("the replica has not applied it: {refused}"),
        }
    }
    assert!(without.len() <= 1, "a majority has what it committed, not {without:?}");
    for id in fleet.ids() {
        fleet.start(id).expect("it starts");
    }
    for id in fleet.ids() {
        fleet.wait_live(id).await;
    }
    fleet.wait_leaders().await;
    for id in without {
        let began = Instant::now();
        loop {
            fleet.terminate(id);
            let skipped = skip(&fleet, id, &shard, &entry, &["--yes"]);
            fleet.start(id).expect("it starts");
            fleet.wait_live(id).await;
            match skipped {
                Ok(_) => break,
                // By a snapshot of those that are past it.
                Err(refused) if refused.contains("has applied everything") => break,
                Err(refused) => assert!(began.elapsed() < PATIENCE, "{refused}"),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    let began = Instant::now();
    while served(&fleet, 2).await.len() < KEYS as usize {
        assert!(began.elapsed() < PATIENCE, "everything else is there");
    }
    assert_eq!(get(&fleet, 2, "poisoned").await, Some(json!({})), "it was never applied");
    put_at_last(&fleet, "poisoned").await;
    assert!(fleet.log(1).contains("an operator has this entry skipped"), "loudly");
    let began = Instant::now();
    while !complaints(&fleet, 1).await.is_empty() {
        assert!(began.elapsed() < PATIENCE, "{:?}", complaints(&fleet, 1).await);
    }
    // Past it, there is nothing to skip.
    fleet.terminate(1);
    let refused = skip(&fleet, 1, &shard, &entry, &["--yes"]).expect_err("it is applied");
    assert!(refused.contains("has applied everything"), "{refused}");
    assert_eq!(skip(&fleet, 1, &shard, &entry, &[]).expect_err("it is applied"), refused);
}

/// After a crash the state may be behind what was applied and acknowledged, and the log does not say so of its last entries. An
/// operator who names them all by mistake loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_can_be_applied_is_never_skipped() {
    let mut fleet = Fleet::found(Shape { nodes: 1, shards: 1, ..Shape::default() }).await;
    create_table(&fleet).await;
    for key in 0..KEYS {
        put_at_last(&fleet, &key.to_string()).await;
    }
    fleet.kill(1);
    for more in [&[][..], &["--yes"]] {
        let refused = skip(&fleet, 1, "0", "9-999999", more).expect_err("there is no such entry");
        assert!(refused.contains("has no entry 9-999999"), "{refused}");
    }
    let named = |term: u64| (0..60).map(move |index| format!("{term}-{index}"));
    let taken: Vec<String> =
        (1..4).flat_map(named).filter(|entry| skip(&fleet, 1, "0", entry, &["--yes"]).is_ok()).collect();
    assert!(!taken.is_empty(), "some entry is in the log and not known to be applied");
    fleet.start(1).expect("it starts");
    fleet.wait_live(1).await;
    fleet.wait_leaders().await;
    assert_eq!(served(&fleet, 1).await.len(), KEYS as usize, "skipped: {taken:?}\n{}", fleet.log(1));
    assert!(fleet.log(1).contains("but it can be applied here"), "{}", fleet.log(1));
}
