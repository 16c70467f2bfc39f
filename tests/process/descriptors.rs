//! A process that may have only so many open files, and more connections than it can take.

use std::path::Path;

use serde_json::{Value, json};
use tests::binary::Process;
use tests::patience::eventually;
use tests::raw::Connection;

/// Few enough that a test can use them up.
const FEW: u64 = 256;

const ITEM_BYTES: usize = 300 << 10;

fn durable(folder: &Path) -> [&str; 4] {
    ["--port", "0", "--data-dir", folder.to_str().expect("UTF-8")]
}

fn key(number: usize) -> Value {
    json!({"k": {"S": number.to_string()}})
}

async fn create_table(connection: &mut Connection) {
    let table = tests::table_of("tbl", "k");
    assert_eq!(connection.call("CreateTable", table).await.status, 200);
}

async fn put(connection: &mut Connection, number: usize) {
    let mut item = key(number);
    item["v"] = json!({"S": "y".repeat(ITEM_BYTES)});
    let answer = connection.call("PutItem", json!({"TableName": "tbl", "Item": item})).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

async fn page(connection: &mut Connection, path: &str) -> tests::raw::Answer {
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
    connection.answer().await
}

/// Twice as many connections as the process may have descriptors, which say nothing; meanwhile the store writes files.
#[tokio::test]
async fn connections_without_end_use_up_nothing_that_the_store_needs() {
    const ITEMS: usize = 120;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start_with_files(&durable(folder.path()), FEW, FEW).expect("it starts");
    let mut early = Connection::open(server.address()).await;
    create_table(&mut early).await;
    let mut idle = Vec::new();
    for _ in 0..2 * FEW {
        idle.push(Connection::open(server.address()).await);
    }
    for number in 0..ITEMS {
        put(&mut early, number).await;
    }
    let mut late = Connection::open(server.address()).await;
    assert_eq!(page(&mut late, "/health/live").await.status, 200);
    drop(idle);
    assert_eq!(server.terminate(), Some(0));

    let server = Process::start_with_files(&durable(folder.path()), FEW, FEW).expect("it starts again");
    let mut connection = Connection::open(server.address()).await;
    for number in 0..ITEMS {
        let got = connection.call("GetItem", json!({"TableName": "tbl", "Key": key(number)})).await;
        assert_eq!(got.json()["Item"]["v"]["S"].as_str().map(str::len), Some(ITEM_BYTES), "item {number}");
    }
}

#[tokio::test]
async fn a_low_limit_is_raised_and_one_that_cannot_be_is_told() {
    let server = Process::start_with_files(&["--in-memory", "--port", "0"], 64, 2_048).expect("it starts");
    let mut connections = Vec::new();
    for _ in 0..1_000 {
        connections.push(Connection::open(server.address()).await);
    }
    for connection in &mut connections {
        assert_eq!(connection.call("ListTables", json!({})).await.status, 200, "all of them are clients");
    }
    let log = Process::start_with_files(&["--in-memory", "--port", "0"], 100, 100).err().expect("it refuses");
    assert!(log.contains("may have 100 open files, and needs at least"), "{log}");
}

#[tokio::test]
async fn pages_for_operators_have_room_of_their_own() {
    const PLACES: usize = 3;
    let server = Process::start(&["--in-memory", "--port", "0", "--max-connections", "3"]).expect("it starts");
    let mut clients = Vec::new();
    for _ in 0..PLACES {
        let mut client = Connection::open(server.address()).await;
        assert_eq!(client.call("ListTables", json!({})).await.status, 200);
        clients.push(client);
    }
    // More silent ones than there are places for guests.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(Connection::open(server.address()).await);
    }
    for path in ["/health/live", "/health/ready", "/cluster/status", "/metrics"] {
        let mut guest = Connection::open(server.address()).await;
        let answer = page(&mut guest, path).await;
        assert_eq!((answer.status, answer.headers["connection"].as_str()), (200, "close"), "{path}");
    }
    let mut guest = Connection::open(server.address()).await;
    let refused = guest.call("ListTables", json!({})).await;
    assert_eq!((refused.status, refused.error().0.as_str()), (400, "ProvisionedThroughputExceededException"));
    assert_eq!(guest.read_until_closed().await, 0);
    for client in &mut clients {
        assert_eq!(client.call("ListTables", json!({})).await.status, 200, "nobody has lost a place");
    }
    let mut guest = Connection::open(server.address()).await;
    let metrics = String::from_utf8(page(&mut guest, "/metrics").await.body).expect("text");
    assert!(metrics.contains("\ndynamo_connections_refused_total 1\n"), "{metrics}");

    // A place that is given back is taken by whoever comes next.
    drop((clients, silent));
    eventually("there is a place", async || {
        let mut next = Connection::open(server.address()).await;
        (next.call("ListTables", json!({})).await.status == 200).then_some(())
    })
    .await;
}
