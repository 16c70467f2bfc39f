//! Nodes that are set up wrongly or whose disks are damaged or full: refused with a reason, or out of the way; never
//! wrong data.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::cluster::client::{Client, Reply};
use tests::cluster::fleet::{Fleet, Shape};
use tests::patience::eventually;
use tests::sdk;

const LIMIT: Duration = Duration::from_secs(10);

/// How much longer than its deadline a request may take on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

fn shape() -> Shape {
    Shape { shards: 2, election_timeout: Duration::from_millis(600), ..Shape::default() }
}

async fn create_table(fleet: &Fleet, node: u64) {
    let body = tests::table_of("kept", "pk");
    let mut client = Client::new(fleet.address(node));
    let began = Instant::now();
    loop {
        match client.call("CreateTable", &body, LIMIT).await {
            Reply::Done(_) => return,
            Reply::Refused { kind, .. } if kind == "ResourceInUseException" => return,
            other => assert!(began.elapsed() < LIMIT, "no table: {other:?}"),
        }
    }
}

async fn put(fleet: &Fleet, node: u64, key: u64) -> Reply {
    let item = json!({"pk": {"S": key.to_string()}, "v": {"S": "x".repeat(500)}});
    Client::new(fleet.address(node)).call("PutItem", &json!({"TableName": "kept", "Item": item}), LIMIT).await
}

async fn get(fleet: &Fleet, node: u64, key: u64) -> Reply {
    let body = json!({"TableName": "kept", "Key": {"pk": {"S": key.to_string()}}, "ConsistentRead": true});
    Client::new(fleet.address(node)).call("GetItem", &body, LIMIT).await
}

/// What a node says it is ready for: everything, reads, writes, changes of tables.
async fn ready(fleet: &Fleet, node: u64) -> [bool; 4] {
    let mut found = [false; 4];
    for (found, query) in found.iter_mut().zip(["", "?need=reads", "?need=writes", "?need=catalog"]) {
        let page = format!("/health/ready{query}");
        let (status, text) = fleet.plain(node, "GET", &page, "").await.expect("an answer");
        assert!(matches!(status, 200 | 503), "{status}: {text}");
        *found = status == 200;
    }
    found
}

async fn wait_ready(fleet: &Fleet, node: u64, wanted: [bool; 4]) {
    let began = Instant::now();
    loop {
        let found = ready(fleet, node).await;
        if found == wanted {
            return;
        }
        assert!(began.elapsed() < 6 * LIMIT, "node {node} is ready for {found:?}, not for {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the status that a node gives complains about each shard.
async fn wait_until_none_is_served(fleet: &Fleet, node: u64) {
    eventually("each shard is said to have no leader", async || {
        let (_, page) = fleet.plain(node, "GET", "/cluster/status", "").await?;
        let status: Value = serde_json::from_str(&page).expect("JSON");
        let shards = status["shards"].as_array().expect("a list");
        let is_named = |shard: &Value| page.contains(&format!("\"shard {} has no leader", shard["shard"]));
        shards.iter().all(|shard| shard["served"] == json!(false) && is_named(shard)).then_some(())
    })
    .await;
}

/// Writes until a write is acknowledged: elections take a while.
async fn put_at_last(fleet: &Fleet, node: u64, key: u64) {
    let began = Instant::now();
    loop {
        match put(fleet, node, key).await {
            Reply::Done(_) => return,
            reply => assert!(began.elapsed() < 6 * LIMIT, "key {key} cannot be written through node {node}: {reply:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_fails_in_time_and_the_last_peer_is_missed_by_nobody() {
    let mut fleet = Fleet::found(shape()).await;
    fleet.ids().into_iter().for_each(|id| fleet.kill(id));
    fleet.start(1).expect("it starts without its peers");
    fleet.wait_live(1).await;
    let began = Instant::now();
    assert_eq!(get(&fleet, 1, 1).await, Reply::Lost, "one of three knows nothing");
    assert_eq!(ready(&fleet, 1).await, [false; 4], "and says so");
    assert!(began.elapsed() < fleet.shape().request_deadline + SLACK, "{:?}", began.elapsed());
    // The second peer makes a quorum; the third one is never reachable.
    fleet.start(2).expect("it starts");
    fleet.wait_live(2).await;
    create_table(&fleet, 1).await;
    for key in 0..10 {
        put_at_last(&fleet, 1 + key % 2, key).await;
        assert!(matches!(get(&fleet, 2 - key % 2, key).await, Reply::Done(_)));
    }
    wait_ready(&fleet, 1, [true; 4]).await;
    wait_ready(&fleet, 2, [true; 4]).await;
    // A minority again: cut off, in the middle of its work.
    fleet.isolate(1).await;
    wait_ready(&fleet, 1, [false; 4]).await;
    wait_ready(&fleet, 2, [false; 4]).await;
    // One of the two led each shard, and goes on believing it.
    for node in [1, 2] {
        wait_until_none_is_served(&fleet, node).await;
    }
    tokio::time::sleep(fleet.shape().election_timeout).await;
    for key in 0..4 {
        let began = Instant::now();
        assert_eq!(put(&fleet, 1, key).await, Reply::Lost);
        assert_eq!(get(&fleet, 1, key).await, Reply::Lost);
        assert!(began.elapsed() < 2 * fleet.shape().request_deadline + SLACK, "{:?}", began.elapsed());
    }
    let client = sdk::client(&format!("http://{}", fleet.address(1)));
    let failed = client.get_item().table_name("kept").key("pk", sdk::s("1")).consistent_read(true).send().await;
    assert_eq!(sdk::failure(failed).0, "InternalServerError");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_nodes_and_used_numbers_are_left_out() {
    let mut fleet = Fleet::prepare(shape());
    for id in [1, 2] {
        fleet.start(id).expect("it starts");
    }
    // Node 3 was given other peers: its cluster is another one.
    let stranger: Vec<String> = fleet
        .arguments(3)
        .into_iter()
        .map(|argument| match argument.strip_prefix("--peers=") {
            Some(peers) => format!("--peers={peers},9=127.0.0.1:1"),
            None => argument,
        })
        .collect();
    fleet.start_with(3, &stranger).expect("it cannot know yet");
    for id in fleet.ids() {
        fleet.wait_live(id).await;
    }
    assert!(!matches!(get(&fleet, 3, 1).await, Reply::Done(_)), "a stranger answers nothing");
    wait_for_log(&fleet, 1, "it belongs to another cluster").await;
    // The right third node founds with the others.
    fleet.kill(3);
    fs::remove_dir_all(fleet.data_dir(3)).expect("nothing of value was there");
    fleet.start(3).expect("it starts");
    fleet.wait_live(3).await;
    create_table(&fleet, 1).await;
    put_at_last(&fleet, 1, 1).await;
    put_at_last(&fleet, 3, 2).await;
    // Another disk comes under its number, from another place, while it lives.
    let twin = fleet.add_place();
    let data_dir = format!("--data-dir={}", fleet.data_dir(twin).display());
    let mut arguments = fleet.arguments(3);
    arguments.retain(|argument| !argument.starts_with("--data-dir") && !argument.starts_with("--port"));
    arguments.extend([data_dir, format!("--port={}", fleet.address(twin).port())]);
    arguments.push(format!("--peer-listen={}", fleet.peer_address(twin)));
    fleet.start_with(twin, &arguments).expect("it cannot know yet");
    fleet.wait_live(twin).await;
    wait_for_log(&fleet, twin, "knows node 3 with another data directory").await;
    assert!(!matches!(get(&fleet, twin, 1).await, Reply::Done(_)), "a second bearer of a number answers nothing");
    for key in 0..6 {
        put_at_last(&fleet, 1 + key % 3, key).await;
    }
}

async fn wait_for_log(fleet: &Fleet, id: u64, text: &str) {
    let began = Instant::now();
    while !fleet.log(id).contains(text) {
        assert!(began.elapsed() < 6 * LIMIT, "node {id} does not say {text:?}:\n{}", fleet.log(id));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_of_another_node_is_refused() {
    let mut fleet = Fleet::prepare(shape());
    for id in fleet.ids() {
        fleet.start(id).expect("it starts");
    }
    for id in fleet.ids() {
        fleet.wait_live(id).await;
    }
    fleet.kill(2);
    fleet.kill(3);
    let other = format!("--data-dir={}", fleet.data_dir(3).display());
    let arguments: Vec<String> = fleet
        .arguments(2)
        .into_iter()
        .map(|argument| if argument.starts_with("--data-dir=") { other.clone() } else { argument })
        .collect();
    let _ = fleet.start_with(2, &arguments);
    let (is_success, log) = fleet.wait_end(2).await;
    assert!(!is_success && log.contains("belongs to node 3, this is to be node 2"), "{log}");
    // Nor are they the data of a node with another number of shards.
    let arguments: Vec<String> = fleet
        .arguments(3)
        .into_iter()
        .map(|argument| if argument.starts_with("--shards=") { "--shards=7".to_owned() } else { argument })
        .collect();
    let _ = fleet.start_with(3, &arguments);
    let (is_success, log) = fleet.wait_end(3).await;
    assert!(!is_success && log.contains("another number of shards, 2, than --shards 7"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_serves_reads() {
    let fleet = Fleet::found(Shape { nodes: 1, ..shape() }).await;
    create_table(&fleet, 1).await;
    put_at_last(&fleet, 1, 1).await;
    fleet.must(1, "disk free 0").await;
    let began = Instant::now();
    // The space is looked at now and then.
    while !matches!(put(&fleet, 1, 2).await, Reply::Refused { .. }) {
        assert!(began.elapsed() < LIMIT, "writes are still taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(matches!(get(&fleet, 1, 1).await, Reply::Done(item) if item["Item"]["v"]["S"].is_string()));
    let (_, health) = fleet.plain(1, "GET", "/health/ready", "").await.expect("an answer");
    assert!(health.contains("the disk is full"), "{health}");
    assert_eq!(ready(&fleet, 1).await, [false, true, false, false]);
    fleet.must(1, "mend disk").await;
    put_at_last(&fleet, 1, 3).await;
    assert_eq!(ready(&fleet, 1).await, [true; 4]);
}

/// Damages one file after the other, each time on a fresh copy: the node refuses with a reason, or stops, or serves what
/// was written; it never serves anything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_are_noticed_and_never_served() {
    const KEYS: u64 = 40;
    let mut fleet = Fleet::found(Shape { nodes: 1, shards: 1, ..shape() }).await;
    create_table(&fleet, 1).await;
    for key in 0..KEYS {
        put_at_last(&fleet, 1, key).await;
    }
    fleet.terminate(1);
    let original = fleet.data_dir(1);
    let pristine = original.with_extension("pristine");
    fs::rename(&original, &pristine).expect("renamed");
    let mut noticed = 0;
    let files = data_files(&pristine);
    assert!(files.len() >= 4, "{files:?}");
    for file in &files {
        copy_folder(&pristine, &original);
        damage(&original.join(file));
        let before = fleet.log(1).len();
        let _ = fleet.start(1);
        if serves_what_was_written(&mut fleet, KEYS, before).await {
            println!("{}: no harm", file.display());
        } else {
            noticed += 1;
            let log = fleet.log(1)[before..].to_owned();
            let says = ["corrupt", "Corrupt", "checksum", "damaged", "ends", "missing", "mismatch"];
            assert!(says.iter().any(|word| log.contains(word)), "{}: no reason given:\n{log}", file.display());
            println!("{}: {}", file.display(), log.lines().last().unwrap_or_default());
        }
        fleet.kill(1);
        fs::remove_dir_all(&original).expect("removed");
    }
    assert!(noticed >= 3, "the identity, a log and a table of the state are among {files:?}");
}

/// Whether all keys are served; `false` when the node ended, or says from `before` in its log on that it cannot read.
///
/// # Panics
/// When it serves something that was not written.
async fn serves_what_was_written(fleet: &mut Fleet, keys: u64, before: usize) -> bool {
    let began = Instant::now();
    let mut key = 0;
    while key < keys {
        if fleet.exit_status(1).is_some() {
            return false;
        }
        match get(fleet, 1, key).await {
            Reply::Done(answer) => {
                let text = answer["Item"]["v"]["S"].as_str();
                assert_eq!(text, Some("x".repeat(500).as_str()), "key {key} is not what was written");
                key += 1;
            }
            Reply::Refused { kind, .. } => panic!("key {key}: {kind}"),
            Reply::NotSent if began.elapsed() < LIMIT => tokio::time::sleep(Duration::from_millis(20)).await,
            // A block that cannot be read fails the requests that need it, and the node goes on; its words may come later than
            // its answer.
            Reply::NotSent | Reply::Lost => {
                while !fleet.log(1)[before..].contains("records of a shard cannot be read") {
                    if let Some(status) = fleet.exit_status(1) {
                        assert!(!status.success(), "{}", fleet.log(1));
                        return false;
                    }
                    assert!(began.elapsed() < 6 * LIMIT, "neither serves nor ends:\n{}", fleet.log(1));
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                return false;
            }
        }
    }
    true
}

/// The files that hold data, by their places in the folder: not locks, and not what RocksDB writes for people.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("node")];
    for part in ["log", "state"] {
        for entry in fs::read_dir(folder.join(part)).expect("readable") {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let is_data = name.starts_with("segment-") || name.ends_with(".sst") || name.starts_with("MANIFEST");
            if is_data && path.metadata().expect("readable").len() > 64 {
                found.push(Path::new(part).join(name));
            }
        }
    }
    found.sort();
    found
}

/// Turns some bits in the middle of what is written.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("readable");
    // Recycled files are longer than what is in them.
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for place in [written / 3, written / 2] {
        bytes[place] ^= 0x55;
    }
    fs::write(path, bytes).expect("writable");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}
