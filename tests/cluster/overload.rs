//! A disk that takes a second for each sync, and more writers than it can serve: what clients are told over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::cluster::client::{Client, Reply};
use tests::cluster::fleet::{Fleet, Shape};
use tokio::task::JoinSet;

const TABLE: &str = "busy";

/// How long a client waits for an answer: longer than the server lets it.
const LIMIT: Duration = Duration::from_secs(20);

/// Writers of batches of 25 items: three times what goes through the log within the time that a write may wait.
const BATCHES: usize = 200;

/// Writers of single items beside them.
const SINGLES: usize = 20;

/// How long they write.
const LOAD: Duration = Duration::from_secs(12);

/// How long a writer rests after a refusal, as an SDK does.
const BACK_OFF: Duration = Duration::from_millis(200);

/// What the server's queue holds at most, in bytes.
const QUEUE_BYTES_MAX: u64 = 64 << 20;

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    throttled: AtomicU64,
    unprocessed: AtomicU64,
    /// No answer, or one that leaves open what happened.
    lost: AtomicU64,
}

impl Counts {
    fn all(&self) -> [u64; 4] {
        [&self.done, &self.throttled, &self.unprocessed, &self.lost].map(|count| count.load(Ordering::Relaxed))
    }
}

fn key(name: &str) -> Value {
    json!({ "k": { "S": name } })
}

fn item(name: &str, value: u64) -> Value {
    json!({ "k": { "S": name }, "v": { "N": value.to_string() } })
}

/// Writes to one key with rising numbers; gives the last number that was acknowledged, `None` where the last answer
/// leaves open what happened.
async fn write_items(mut client: Client, name: String, until: Instant, counts: Arc<Counts>) -> (String, Option<u64>) {
    let (mut number, mut last) = (0, Some(0));
    while Instant::now() < until {
        number += 1;
        match client.call("PutItem", &json!({ "TableName": TABLE, "Item": item(&name, number) }), LIMIT).await {
            Reply::Done(_) => {
                counts.done.fetch_add(1, Ordering::Relaxed);
                last = Some(number);
            }
            Reply::Refused { kind, .. } => {
                assert_eq!(kind, "ProvisionedThroughputExceededException");
                counts.throttled.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(BACK_OFF).await;
            }
            Reply::Lost | Reply::NotSent => {
                counts.lost.fetch_add(1, Ordering::Relaxed);
                last = None;
            }
        }
    }
    (name, last)
}

async fn write_batches(mut client: Client, name: String, until: Instant, counts: Arc<Counts>) {
    let put = |at: usize| json!({ "PutRequest": { "Item": item(&format!("{name}-{at}"), 1) } });
    let body = json!({ "RequestItems": { TABLE: (0..25).map(put).collect::<Vec<_>>() } });
    while Instant::now() < until {
        let is_refused = match client.call("BatchWriteItem", &body, LIMIT).await {
            Reply::Done(answer) => {
                let refused = answer["UnprocessedItems"][TABLE].as_array().map_or(0, Vec::len) as u64;
                counts.done.fetch_add(25 - refused, Ordering::Relaxed);
                counts.unprocessed.fetch_add(refused, Ordering::Relaxed);
                refused > 0
            }
            Reply::Refused { kind, .. } => {
                assert_eq!(kind, "ProvisionedThroughputExceededException");
                counts.throttled.fetch_add(1, Ordering::Relaxed);
                true
            }
            Reply::Lost | Reply::NotSent => {
                counts.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
        };
        if is_refused {
            tokio::time::sleep(BACK_OFF).await;
        }
    }
}

/// A number on the server's page of metrics. On a machine with other work a page may be late.
async fn metric(fleet: &Fleet, name: &str) -> u64 {
    let mut answer = None;
    for _ in 0..10 {
        answer = fleet.plain(1, "GET", "/metrics", "").await;
        if answer.is_some() {
            break;
        }
    }
    let (_, page) = answer.expect("a page");
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect("the metric is there");
    line.trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_beyond_the_disk_are_throttled_and_served_again_afterwards() {
    let mut fleet = Fleet::prepare(Shape { nodes: 1, shards: 1, ..Shape::default() });
    let port = format!("--port={}", fleet.address(1).port());
    fleet.start_with(1, &["--in-memory".to_owned(), port]).expect("it starts");
    fleet.wait_live(1).await;
    let mut client = Client::new(fleet.address(1));
    let table = json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "k", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "k", "KeyType": "HASH" }],
    });
    client.call("CreateTable", &table, LIMIT).await.done().expect("a table");
    fleet.must(1, "disk slow 1000").await;

    let counts = Arc::new(Counts::default());
    let until = Instant::now() + LOAD;
    let (mut singles, mut batches) = (JoinSet::new(), JoinSet::new());
    for number in 0..SINGLES {
        let client = Client::new(fleet.address(1));
        singles.spawn(write_items(client, format!("single-{number}"), until, Arc::clone(&counts)));
    }
    for number in 0..BATCHES {
        let client = Client::new(fleet.address(1));
        batches.spawn(write_batches(client, format!("batch-{number}"), until, Arc::clone(&counts)));
    }
    let mut fullest = 0;
    while Instant::now() < until {
        fullest = fullest.max(metric(&fleet, "dynamo_write_queue_bytes").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let written = singles.join_all().await;
    batches.join_all().await;
    let [done, throttled, unprocessed, lost] = counts.all();
    println!("{done} done, {throttled} throttled, {unprocessed} unprocessed, {lost} lost; {fullest} bytes waited");
    assert!(done > 0);
    assert!(throttled + unprocessed > 0, "more than the disk could do, and nobody was told");
    assert!(fullest <= QUEUE_BYTES_MAX);
    assert!(metric(&fleet, "dynamo_writes_refused_total").await >= throttled + unprocessed);

    fleet.must(1, "mend disk").await;
    let refused = metric(&fleet, "dynamo_writes_refused_total").await;
    for (name, last) in written {
        let found = client.call("GetItem", &json!({ "TableName": TABLE, "Key": key(&name) }), LIMIT).await;
        let found = found.done().expect("reads go on");
        if let Some(last) = last {
            let value = found["Item"]["v"]["N"].as_str().map_or(0, |value| value.parse().expect("a number"));
            assert_eq!(value, last, "{name}: what was refused was not done, what was acknowledged was");
        }
        let again = json!({ "TableName": TABLE, "Item": item(&name, 1_000_000) });
        client.call("PutItem", &again, LIMIT).await.done().expect("it has passed");
    }
    assert_eq!(metric(&fleet, "dynamo_writes_refused_total").await, refused);
}
