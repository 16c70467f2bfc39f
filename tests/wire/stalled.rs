//! A client that does not read its answers.

use std::time::Duration;

use dynamo_server::http::STALL_MAX;
use serde_json::json;
use tests::raw::Connection;

use crate::overload::metric;
use crate::{create_table, server};

/// More than both ends' kernels keep of an answer.
const ANSWER_BYTES_MIN: usize = 12 << 20;

/// Batches that have been read, so that their answers wait for their clients.
const ANSWERED: &str = "dynamo_requests_total{operation=\"BatchGetItem\",outcome=\"ok\"}";

const STALLED: &str = "dynamo_connections_stalled_total";

/// On one thread, whose time can be moved on.
#[tokio::test(flavor = "current_thread")]
async fn a_connection_is_closed_when_its_answer_is_not_read() {
    let (server, mut client) = server().await;
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
    deaf.post("BatchGetItem", &[], get.as_bytes()).await;
    slow.post("BatchGetItem", &[], get.as_bytes()).await;
    // The time must not be moved on under requests that are being worked on: they would be over.
    while metric(&mut client, ANSWERED).await < 2 {}
    // Answers are written in portions: each of these requests gives their connections some turns, until the kernel takes no
    // more.
    for _ in 0..100 {
        metric(&mut client, STALLED).await;
    }
    move_on(STALL_MAX - Duration::from_secs(5)).await;
    assert_eq!(metric(&mut client, STALLED).await, 0, "there is time left");
    let answer = slow.answer().await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > ANSWER_BYTES_MIN, "a client that reads late gets all: {}", answer.body.len());
    move_on(Duration::from_secs(6)).await;
    assert_eq!(metric(&mut client, STALLED).await, 1);
    let bytes = deaf.read_until_closed().await;
    assert!(bytes < ANSWER_BYTES_MIN, "what the kernels had of it: {bytes}");
    assert_eq!(slow.call("ListTables", json!({})).await.status, 200, "its connection goes on");
}

/// Lets so much time pass at once.
async fn move_on(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
