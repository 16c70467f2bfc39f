//! The disk's room comes back when what took it is gone for good: records of a stream past their time, the rows of an index.
//!
//! What is written does not compress, and nothing is written afterwards: the store by itself would see no reason to compact.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::binary::Process;
use tests::raw::Connection;

const ROUNDS: usize = 120;
const VALUE_BYTES: usize = 300 << 10;

/// More than the store's own files, less than what is given back.
const SLACK_BYTES: u64 = 8 << 20;

/// For how long room may fail to come back.
const PATIENCE: Duration = Duration::from_secs(120);

/// Characters that do not compress.
fn noise(seed: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 33) as u8 % 75)
    };
    (0..VALUE_BYTES).map(|_| next()).filter(|letter| *letter != '\\').collect()
}

/// The bytes of the files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).expect("the folder is there").flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

/// Waits until a server's state takes little more than the items in it.
async fn is_small_at_last(folder: &Path) {
    let (state, began) = (folder.join("state"), Instant::now());
    while bytes_in(&state) > (ROUNDS * VALUE_BYTES) as u64 + SLACK_BYTES {
        assert!(began.elapsed() < PATIENCE, "{} bytes are taken", bytes_in(&state));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn done(client: &mut Connection, operation: &str, body: Value) {
    let answer = client.call(operation, body).await;
    assert_eq!(answer.status, 200, "{operation}: {}", String::from_utf8_lossy(&answer.body));
}

fn table(more: Value) -> Value {
    let mut table = tests::table_of("tbl", "k");
    table.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    table
}

#[tokio::test]
async fn of_the_records_of_a_stream() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().to_str().expect("UTF-8");
    let times = ["--stream-shard-roll-s", "4", "--stream-retention-s", "12"];
    let server = Process::start(&[&["--port", "0", "--data-dir", dir][..], &times].concat()).expect("it starts");
    let mut client = Connection::open(server.address()).await;
    let stream = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
    done(&mut client, "CreateTable", table(json!({"StreamSpecification": stream}))).await;
    // So quickly that all is on the disk before any of it has had its time.
    let values: Vec<String> = (0..ROUNDS).map(noise).collect();
    for (round, value) in values.iter().enumerate() {
        let item = json!({"k": {"S": round.to_string()}, "v": {"S": value}});
        done(&mut client, "PutItem", json!({"TableName": "tbl", "Item": item})).await;
    }
    is_small_at_last(folder.path()).await;
}

#[tokio::test]
async fn of_the_rows_of_an_index() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Process::durable(folder.path());
    let mut client = Connection::open(server.address()).await;
    let index = json!({
        "IndexName": "idx", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    });
    let attributes =
        json!([{"AttributeName": "k", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "S"}]);
    let create = table(json!({"AttributeDefinitions": attributes, "GlobalSecondaryIndexes": [index]}));
    done(&mut client, "CreateTable", create).await;
    for round in 0..ROUNDS {
        let item = json!({"k": {"S": round.to_string()}, "g": {"S": "x"}, "v": {"S": noise(round)}});
        done(&mut client, "PutItem", json!({"TableName": "tbl", "Item": item})).await;
    }
    let gone = json!({"TableName": "tbl", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "idx"}}]});
    done(&mut client, "UpdateTable", gone).await;
    is_small_at_last(folder.path()).await;
}
