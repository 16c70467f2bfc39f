//! kill -9 in the middle of a write load, again and again on the same data.
//!
//! Property: after each restart every acknowledged write is there, and of a transaction's two items either both are
//! or neither is. Writers stop at the first failed call, so at most one write per writer is of unknown outcome; the
//! test counts kills that hit writes in flight and demands that all of them did, since a kill between writes proves
//! nothing. (kill -9 proves replay of the log, not durability: the page cache survives it. Durability is shown on the
//! simulated disk.)
//!
//! `DYNAMO_KILLS=500 cargo test -p tests --test process kill` is the long run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tests::binary::Process;
use tests::patience::eventually;
use tests::raw::Connection;

/// Kills in the normal check.
const KILLS: u64 = 20;
/// Concurrent writers: enough that group commits hold several writes.
const WRITERS: u64 = 8;

/// What one writer knows: its counter goes up by one per write.
#[derive(Clone, Copy, Default)]
struct Written {
    /// The highest counter whose write was acknowledged.
    acknowledged: u64,
    /// The highest counter that was sent.
    sent: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kill_9() {
    let kills = std::env::var("DYNAMO_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Process::durable(folder.path());
    create_table(server.address()).await;
    let mut written = vec![Written::default(); WRITERS as usize];
    let mut hit_in_flight = 0;
    for round in 0..kills {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let start = written[writer as usize];
                tokio::spawn(write(server.address(), writer, start, acknowledged.clone()))
            })
            .collect();
        // Some work first, then the kill lands at a different point of it each time.
        let is_much = || acknowledged.load(Ordering::Relaxed) >= WRITERS * 4;
        eventually("writes are acknowledged", async || is_much().then_some(())).await;
        tokio::time::sleep(Duration::from_millis(round * 7 % 23)).await;
        server.kill();
        let mut in_flight = false;
        for (writer, task) in tasks.into_iter().enumerate() {
            written[writer] = task.await.expect("the writer ends by itself");
            in_flight |= written[writer].sent > written[writer].acknowledged;
        }
        hit_in_flight += u64::from(in_flight);
        server = Process::durable(folder.path());
        for (writer, state) in written.iter_mut().enumerate() {
            state.acknowledged = verify(server.address(), writer as u64, *state).await;
            state.sent = state.acknowledged;
        }
    }
    println!("{kills} kills, {hit_in_flight} of them with writes in flight; {} writes", total(&written));
    assert_eq!(hit_in_flight, kills, "each kill must hit writes in flight");
}

fn total(written: &[Written]) -> u64 {
    written.iter().map(|state| state.acknowledged).sum()
}

async fn create_table(address: SocketAddr) {
    let answer = Connection::open(address)
        .await
        .call(
            "CreateTable",
            json!({
                "TableName": "load", "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"},
                ],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            }),
        )
        .await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
}

/// Odd counters are single puts, even ones transactions over the two partitions `a…` and `b…`.
fn request(writer: u64, counter: u64) -> (&'static str, serde_json::Value) {
    let put = |side: &str| {
        json!({
            "TableName": "load",
            "Item": {
                "pk": {"S": format!("{side}{writer}")}, "sk": {"N": counter.to_string()},
                "filling": {"S": "x".repeat(200)},
            },
        })
    };
    if counter % 2 == 1 {
        ("PutItem", put("a"))
    } else {
        ("TransactWriteItems", json!({"TransactItems": [{"Put": put("a")}, {"Put": put("b")}]}))
    }
}

async fn write(address: SocketAddr, writer: u64, start: Written, acknowledged: Arc<AtomicU64>) -> Written {
    let mut state = start;
    // The connection panics when the server dies; a task of its own turns that into the end of this writer.
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let driver = tokio::spawn(async move {
        let mut connection = Connection::open(address).await;
        for counter in start.acknowledged + 1.. {
            let _ = sender.send((counter, false));
            let (operation, body) = request(writer, counter);
            let answer = connection.call(operation, body).await;
            assert_eq!(answer.status, 200, "{:?}", answer.json());
            acknowledged.fetch_add(1, Ordering::Relaxed);
            let _ = sender.send((counter, true));
        }
    });
    while let Some((counter, done)) = receiver.recv().await {
        if done {
            state.acknowledged = counter;
        } else {
            state.sent = counter;
        }
    }
    let ended = driver.await.expect_err("a writer only ends when its server dies");
    let reason = ended.into_panic();
    let text = reason.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
    assert!(!text.contains("left == right"), "a write failed before the kill: {text}");
    state
}

/// The highest counter present for this writer, after checking that nothing acknowledged is missing.
async fn verify(address: SocketAddr, writer: u64, state: Written) -> u64 {
    let mut connection = Connection::open(address).await;
    let singles = counters(&mut connection, &format!("a{writer}")).await;
    let pairs = counters(&mut connection, &format!("b{writer}")).await;
    let highest = singles.last().copied().unwrap_or(0);
    assert!(
        highest >= state.acknowledged,
        "writer {writer}: lost after {highest}, acknowledged {}",
        state.acknowledged
    );
    assert!(highest <= state.sent, "writer {writer}: {highest} was never sent");
    assert_eq!(singles, (1..=highest).collect::<Vec<_>>(), "writer {writer}: holes");
    let expected: Vec<_> = (1..=highest).filter(|counter| counter % 2 == 0).collect();
    assert_eq!(pairs, expected, "writer {writer}: a transaction was half applied");
    highest
}

async fn counters(connection: &mut Connection, partition: &str) -> Vec<u64> {
    let mut found = Vec::new();
    let mut start = serde_json::Value::Null;
    loop {
        let mut body = json!({
            "TableName": "load", "ConsistentRead": true, "ProjectionExpression": "sk",
            "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": partition}},
        });
        if !start.is_null() {
            body["ExclusiveStartKey"] = start;
        }
        let answer = connection.call("Query", body).await.json();
        for item in answer["Items"].as_array().expect("items") {
            found.push(item["sk"]["N"].as_str().and_then(|text| text.parse().ok()).expect("a counter"));
        }
        start = answer["LastEvaluatedKey"].clone();
        if start.is_null() {
            return found;
        }
    }
}
