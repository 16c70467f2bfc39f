//! A client that does not read its answers.

use std::time::Duration;

use dynamo_server::Server;
use dynamo_server::config::Config;
use dynamo_server::http::STALL_MAX;
use serde_json::json;
use tests::patience::eventually;
use tests::raw::Connection;

use crate::create_table;
use crate::overload::metric;

/// More than both ends' kernels keep of an answer.
const ANSWER_BYTES_MIN: usize = 12 << 20;

/// Batches that have been read, so that their answers wait for their clients.
const ANSWERED: &str = "dynamo_requests_total{operation=\"BatchGetItem\",outcome=\"ok\"}";

const STALLED: &str = "dynamo_connections_stalled_total";

/// On one thread, whose time can be moved on.
#[tokio::test(flavor = "current_thread")]
async fn a_connection_is_closed_when_its_answer_is_not_read() {
    // On a machine with much else to do the answers take longer than a request has.
    let config = Config { port: 0, data_dir: None, request_deadline: Duration::from_secs(60), ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    let mut client = Connection::open(server.address()).await;
    create_table(&mut client).await;
    let value = "y".repeat(390 << 10);
    let keys: Vec<_> = (0..40).map(|number| json!({"k": {"S": number.to_string()}})).collect();
    for key in &keys {
        let mut item = key.clone();
        item["v"] = json!({"S": value});
        assert_eq!(client.call("PutItem", json!({"TableName": "tbl", "Item": item})).await.status, 200);
    }
    let get = json!({"RequestItems": {"tbl": {"Keys": keys}}}).to_string();

    let [mut deaf, mut slow] = [
        Connection::open_with_little_room(server.address()).await,
        Connection::open_with_little_room(server.address()).await,
    ];
    slow.post("BatchGetItem", &[], get.as_bytes()).await;
    wait_for_the_client(&mut client, 1).await;
    // The other half is for a machine with much else to do.
    move_on(STALL_MAX / 2).await;
    let answer = slow.answer().await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > ANSWER_BYTES_MIN, "a client that reads late gets all: {}", answer.body.len());

    deaf.post("BatchGetItem", &[], get.as_bytes()).await;
    wait_for_the_client(&mut client, 2).await;
    assert_eq!(metric(&mut client, STALLED).await, 0);
    move_on(STALL_MAX).await;
    eventually("it is closed", async || (metric(&mut client, STALLED).await == 1).then_some(())).await;
    let bytes = deaf.read_until_closed().await;
    assert!(bytes < ANSWER_BYTES_MIN, "what the kernels had of it: {bytes}");
    assert_eq!(slow.call("ListTables", json!({})).await.status, 200, "its connection goes on");
}

/// Waits until so many batches have been read and the kernel takes no more of the last one's answer.
async fn wait_for_the_client(watch: &mut Connection, answered: usize) {
    // The time must not be moved on under requests that are being worked on: they would be over.
    eventually("the batch is read", async || (metric(watch, ANSWERED).await == answered).then_some(())).await;
    // Answers are written in portions: each of these requests gives their connections some turns.
    for _ in 0..100 {
        metric(watch, STALLED).await;
    }
}

/// Lets so much time pass at once.
async fn move_on(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
