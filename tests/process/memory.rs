//! A process that may take only so much memory, and clients that want more.

use serde_json::{Value, json};
use tests::binary::Process;
use tests::patience::eventually;
use tests::raw::Connection;

/// The least that a server can be told to take.
const MEMORY_MIB: u64 = 192;

const ITEMS: usize = 40;
const ITEM_BYTES: usize = 390 << 10;

/// Clients that ask for 16 MB each, and read nothing: more than three times the memory.
const DEAF: usize = 40;

fn key(number: usize) -> Value {
    json!({"k": {"S": number.to_string()}})
}

async fn metric(server: &Process, name: &str) -> usize {
    let mut connection = Connection::open(server.address()).await;
    connection.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let page = String::from_utf8(connection.answer().await.body).expect("text");
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect("the metric is there");
    line.trim().parse().expect("a number")
}

#[tokio::test]
async fn answers_that_nobody_reads_are_throttled_before_they_fill_the_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().to_str().expect("UTF-8");
    let memory = MEMORY_MIB.to_string();
    // Large answers are made in threads that stand back, on a machine that does something else for longer than five seconds.
    let flags = ["--port", "0", "--data-dir", dir, "--memory-mib", &memory, "--request-deadline-ms", "60000"];
    let server = Process::start(&flags).expect("it starts");
    let mut client = Connection::open(server.address()).await;
    let table = tests::table_of("tbl", "k");
    assert_eq!(client.call("CreateTable", table).await.status, 200);
    for number in 0..ITEMS {
        let mut item = key(number);
        item["v"] = json!({"S": "y".repeat(ITEM_BYTES)});
        assert_eq!(client.call("PutItem", json!({"TableName": "tbl", "Item": item})).await.status, 200);
    }
    let keys: Vec<Value> = (0..ITEMS).map(key).collect();
    let batch = json!({"RequestItems": {"tbl": {"Keys": keys}}}).to_string();
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        let mut connection = Connection::open_with_little_room(server.address()).await;
        connection.post("BatchGetItem", &[], batch.as_bytes()).await;
        deaf.push(connection);
    }
    // What is small is served meanwhile.
    for number in 0..ITEMS {
        let get = json!({"TableName": "tbl", "Key": {"k": {"S": format!("absent {number}")}}});
        assert_eq!(client.call("GetItem", get).await.status, 200);
    }
    let (mut whole, mut throttled) = (0, 0);
    for connection in &mut deaf {
        let answer = connection.answer().await;
        match answer.status {
            200 => whole += 1,
            status => {
                assert_eq!((status, answer.error().0.as_str()), (400, "ProvisionedThroughputExceededException"));
                throttled += 1;
            }
        }
    }
    assert!(whole > 0 && throttled > 0, "{whole} answered, {throttled} throttled");
    let peak_mib = server.peak_memory() >> 20;
    assert!(peak_mib <= MEMORY_MIB, "{peak_mib} MiB");
    // What has been read takes nothing any more, and there is room again.
    eventually("the memory is free", async || (metric(&server, "dynamo_memory_bytes").await == 0).then_some(())).await;
    client.post("BatchGetItem", &[], batch.as_bytes()).await;
    assert_eq!(client.answer().await.status, 200);
}
