//! What the server takes of memory while clients write as much as they can, and ask for as much as they can, counted by the
//! allocator: what it holds beside its stores stays within its budget, whatever waits on the way from a socket to the disk, and
//! back.
//!
//! A binary of its own, since the allocator counts the whole process, and one test at a time. The clients' own part is small: they
//! send from one buffer, and keep nothing of the answers.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

use dynamo_server::Server;
use dynamo_server::config::Config;
use dynamo_server::memory::{MEMORY_MIN, MemoryShares};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// The system's allocator, counting what is held, and the most that ever was.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: isize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: every call is passed on unchanged to the system's allocator; the counters themselves allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `pointer` came from `System.alloc` with this layout, as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Where it is moved there are both for a moment.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: as for the others.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Held by the test that runs.
static ALONE: Mutex<()> = Mutex::const_new(());

const SHARDS: u32 = 4;

/// So many that the newest entries of all their logs, four megabytes each, are far more than their share.
const MANY_SHARDS: u32 = 32;

/// Together they send five times the memory at once.
const CLIENTS: usize = 100;
const ROUNDS: usize = 3;

/// The most that a batch may put.
const BATCH: usize = 25;
const ITEM_BYTES: usize = 390_000;

fn request(operation: &str, body: &[u8]) -> Vec<u8> {
    let is_of_streams = matches!(operation, "ListStreams" | "DescribeStream" | "GetShardIterator" | "GetRecords");
    let service = if is_of_streams { "DynamoDBStreams" } else { "DynamoDB" };
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20260101T000000Z\r\n\
         X-Amz-Target: {service}_20120810.{operation}\r\nContent-Length: {}\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-target, Signature=0000\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The first line of the answer to a request; the rest, which may be as long as the request was, is thrown away.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request).expect("it reads");
    let (mut part, mut first) = (vec![0; 4096], Vec::new());
    loop {
        match stream.read(&mut part).expect("it answers") {
            0 => return String::from_utf8_lossy(&first).lines().next().unwrap_or_default().to_owned(),
            count if first.is_empty() => first.extend_from_slice(&part[..count]),
            _ => {}
        }
    }
}

fn table() -> Value {
    json!({
        "TableName": "tbl", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{
            "IndexName": "index", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"},
        }],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    })
}

async fn start(folder: &Path, shards: u32) -> Server {
    let config = Config {
        port: 0,
        data_dir: Some(folder.into()),
        shards: Some(shards),
        memory: Some(MEMORY_MIN),
        request_deadline: Duration::from_secs(60),
        ..Config::default()
    };
    Server::start(config).await.expect("it starts")
}

/// Entries that are applied are of use only to followers that are behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_entries_of_many_logs_take_no_more_than_their_share() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(folder.path(), MANY_SHARDS).await;
    let address = server.address();
    let writes = move || {
        assert!(exchange(address, &request("CreateTable", table().to_string().as_bytes())).starts_with("HTTP/1.1 200"));
        let before = HELD.load(Ordering::Relaxed);
        for at in 0..MANY_SHARDS as usize * 8 {
            let item = json!({"k": {"S": at.to_string()}, "v": {"S": "x".repeat(ITEM_BYTES)}});
            let put = json!({"TableName": "tbl", "Item": item}).to_string();
            assert!(exchange(address, &request("PutItem", put.as_bytes())).starts_with("HTTP/1.1 200"));
        }
        HELD.load(Ordering::Relaxed) - before
    };
    let held = tokio::task::spawn_blocking(writes).await.expect("no panic");
    let share = MemoryShares::of(MEMORY_MIN, MANY_SHARDS).stores.log_tails_bytes;
    // Beside them, what one request takes.
    let bound = share + (8 << 20);
    println!("{} of {} KiB are held", held >> 10, bound >> 10);
    assert!(held <= bound as isize, "{} MiB are held, {} are the share", held >> 20, share >> 20);
    server.stop().await;
}

/// Requests of some kilobytes, each of which makes megabytes of rows where it is applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_entries_of_many_shards_are_not_applied_at_the_same_time() {
    const ITEMS: usize = 16;
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(folder.path(), MANY_SHARDS).await;
    let address = server.address();
    let writes = move || {
        assert!(exchange(address, &request("CreateTable", table().to_string().as_bytes())).starts_with("HTTP/1.1 200"));
        let key = |at: usize| json!({"k": {"S": at.to_string()}});
        for at in 0..ITEMS {
            let item = json!({"k": key(at)["k"], "g": {"S": "g"}, "n": {"N": "0"}, "v": {"S": "x".repeat(ITEM_BYTES)}});
            let put = json!({"TableName": "tbl", "Item": item}).to_string();
            assert!(exchange(address, &request("PutItem", put.as_bytes())).starts_with("HTTP/1.1 200"));
        }
        let before = HELD.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let client = move |number: usize| {
            let update = json!({
                "TableName": "tbl", "Key": key(number % ITEMS), "UpdateExpression": "SET n = n + :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            });
            let update = request("UpdateItem", update.to_string().as_bytes());
            (0..ROUNDS).filter(|_| exchange(address, &update).starts_with("HTTP/1.1 200")).count()
        };
        let clients: Vec<_> = (0..4 * CLIENTS).map(|number| std::thread::spawn(move || client(number))).collect();
        let done: usize = clients.into_iter().map(|client| client.join().expect("no panic")).sum();
        (done, PEAK.load(Ordering::Relaxed) - before)
    };
    let (done, peak) = tokio::task::spawn_blocking(writes).await.expect("no panic");
    println!("{done} updates done, {} MiB held at most", peak >> 20);
    // 171 to 187 MiB with the clients' own; 219 to 253 where nobody waits for a place.
    let bound = (MEMORY_MIN + (16 << 20)) as isize;
    assert!(done > 0 && peak <= bound, "{done} updates done, {} MiB held at most", peak >> 20);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_the_same_time_stay_within_the_budget() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(folder.path(), SHARDS).await;
    let address = server.address();
    let put = |at: usize| {
        let value = "x".repeat(ITEM_BYTES);
        json!({"PutRequest": {"Item": {"k": {"S": at.to_string()}, "g": {"S": format!("g{at}")}, "v": {"S": value}}}})
    };
    let batch = json!({"RequestItems": {"tbl": (0..BATCH).map(put).collect::<Vec<Value>>()}}).to_string();
    let batch: &'static [u8] = Vec::leak(request("BatchWriteItem", batch.as_bytes()));
    let created =
        tokio::task::spawn_blocking(move || exchange(address, &request("CreateTable", table().to_string().as_bytes())));
    assert!(created.await.expect("no panic").starts_with("HTTP/1.1 200"));

    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let client = move || -> Vec<String> { (0..ROUNDS).map(|_| exchange(address, batch)).collect() };
    let clients: Vec<_> = (0..CLIENTS).map(|_| std::thread::spawn(client)).collect();
    let answers = tokio::task::spawn_blocking(|| {
        clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect::<Vec<String>>()
    });
    let answers = answers.await.expect("no panic");
    let peak = usize::try_from(PEAK.load(Ordering::Relaxed) - before).expect("something was held");

    let taken = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 200")).count();
    let throttled = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 400")).count();
    println!("{taken} batches taken, {throttled} throttled, {} MiB held at most", peak >> 20);
    assert_eq!(taken + throttled, CLIENTS * ROUNDS, "{answers:?}");
    assert!(taken > 0 && throttled > 0, "{taken} taken, {throttled} throttled");
    let stores = MemoryShares::of(MEMORY_MIN, SHARDS).stores;
    let beside_stores = MEMORY_MIN - stores.state_cache_bytes - stores.state_buffers_bytes_max;
    assert!(peak <= beside_stores, "{} MiB of {}", peak >> 20, beside_stores >> 20);
    server.stop().await;
}

/// The JSON that answers a request.
fn ask(address: SocketAddr, operation: &str, body: &Value) -> Value {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(&request(operation, body.to_string().as_bytes())).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head") + 4;
    let answer: Value = serde_json::from_slice(&answer[end..]).expect("JSON");
    assert!(answer.get("__type").is_none(), "{operation}: {answer}");
    answer
}

/// Sends a request, takes the beginning of its answer, and nothing for a while; then goes away. The first line.
fn exchange_slowly(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request).expect("it reads");
    let mut part = vec![0; 4096];
    let count = stream.read(&mut part).expect("it answers");
    std::thread::sleep(SLOW);
    String::from_utf8_lossy(&part[..count]).lines().next().unwrap_or_default().to_owned()
}

/// How long a slow client takes nothing.
const SLOW: Duration = Duration::from_millis(300);

/// Items each of whose characters has six bytes as JSON.
const CONTROL_ITEMS: usize = 12;

/// Requests that are answered with them, by operation.
fn requests_for_control_items(address: SocketAddr, stream: &str) -> Vec<(&'static str, Vec<u8>)> {
    let key = |at: usize| json!({"k": {"S": "a"}, "r": {"N": at.to_string()}});
    let all = |one: &dyn Fn(usize) -> Value| (0..CONTROL_ITEMS).map(one).collect::<Vec<Value>>();
    let is_met = "attribute_not_exists(k)";
    let check = |at: usize| {
        json!({"ConditionCheck": {"TableName": "ctl", "Key": key(at), "ConditionExpression": is_met,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}})
    };
    let statement = |at: usize| {
        json!({"Statement": format!("UPDATE ctl SET z=1 WHERE k='a' AND r={at} AND q=7"),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD"})
    };
    let mut requests = vec![
        (
            "Query",
            json!({"TableName": "ctl", "KeyConditionExpression": "k = :k",
            "ExpressionAttributeValues": {":k": {"S": "a"}}}),
        ),
        ("BatchGetItem", json!({"RequestItems": {"ctl": {"Keys": all(&key)}}})),
        (
            "TransactGetItems",
            json!({"TransactItems": (0..10)
            .map(|at| json!({"Get": {"TableName": "ctl", "Key": key(at)}})).collect::<Vec<Value>>()}),
        ),
        ("ExecuteStatement", json!({"Statement": "SELECT * FROM ctl WHERE k='a'"})),
        ("BatchExecuteStatement", json!({"Statements": all(&statement)})),
        ("ExecuteTransaction", json!({"TransactStatements": all(&statement)})),
        ("TransactWriteItems", json!({"TransactItems": (0..10).map(check).collect::<Vec<Value>>()})),
    ];
    for at in 0..CONTROL_ITEMS {
        requests.push(("GetItem", json!({"TableName": "ctl", "Key": key(at)})));
        requests.push((
            "UpdateItem",
            json!({"TableName": "ctl", "Key": key(at), "UpdateExpression": "SET q = :q",
            "ExpressionAttributeValues": {":q": {"NULL": true}}, "ReturnValues": "ALL_NEW"}),
        ));
        requests.push((
            "DeleteItem",
            json!({"TableName": "ctl", "Key": key(at), "ConditionExpression": is_met,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
        ));
    }
    let shards = ask(address, "DescribeStream", &json!({"StreamArn": stream}));
    let shards = shards["StreamDescription"]["Shards"].as_array().expect("shards").clone();
    for shard in shards {
        let from = json!({"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
        let iterator = ask(address, "GetShardIterator", &from)["ShardIterator"].clone();
        let records = json!({"ShardIterator": iterator});
        if !ask(address, "GetRecords", &records)["Records"].as_array().expect("records").is_empty() {
            requests.push(("GetRecords", records));
        }
    }
    requests.into_iter().map(|(name, body)| (name, request(name, body.to_string().as_bytes()))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_longer_than_their_items_stay_within_the_budget() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start(folder.path(), SHARDS).await;
    let address = server.address();
    let reads = move || {
        let table = json!({
            "TableName": "ctl", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}, {"AttributeName": "r", "AttributeType": "N"}],
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        });
        let stream = ask(address, "CreateTable", &table)["TableDescription"]["LatestStreamArn"].clone();
        for at in 0..CONTROL_ITEMS {
            let item = json!({"k": {"S": "a"}, "r": {"N": at.to_string()}, "v": {"S": "\u{1}".repeat(ITEM_BYTES)}});
            ask(address, "PutItem", &json!({"TableName": "ctl", "Item": item}));
        }
        let requests = requests_for_control_items(address, stream.as_str().expect("a stream"));
        let mut names: Vec<&str> = requests.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        let crowd = |wanted: &dyn Fn(&str) -> bool| -> (usize, usize, isize) {
            let requests: Vec<&[u8]> =
                requests.iter().filter(|(name, _)| wanted(name)).map(|(_, request)| &request[..]).collect();
            let before = HELD.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            let answers = std::thread::scope(|scope| {
                let client = |number: usize| {
                    let requests = &requests;
                    let exchange = if number.is_multiple_of(2) { exchange_slowly } else { exchange };
                    move || {
                        let request = |round: usize| requests[(number / 2 + round) % requests.len()];
                        (0..ROUNDS).map(|round| exchange(address, request(round))).collect::<Vec<String>>()
                    }
                };
                let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(client(number))).collect();
                clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect::<Vec<String>>()
            });
            let is_told = |answer: &&String| answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 400");
            let told = answers.iter().filter(is_told).count();
            let done = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 200")).count();
            assert_eq!(told, answers.len(), "{answers:?}");
            (done, told, PEAK.load(Ordering::Relaxed))
        };
        let mut peaks = Vec::new();
        for name in names {
            peaks.push((name, crowd(&|of: &str| of == name)));
        }
        peaks.push(("all of them", crowd(&|_: &str| true)));
        peaks
    };
    let peaks = tokio::task::spawn_blocking(reads).await.expect("no panic");
    let stores = MemoryShares::of(MEMORY_MIN, SHARDS).stores;
    let bound = (MEMORY_MIN - stores.state_cache_bytes - stores.state_buffers_bytes_max) as isize;
    for (name, (done, told, peak)) in &peaks {
        println!("{name}: {done} of {told} with what they asked for, {} of {} MiB", peak >> 20, bound >> 20);
    }
    let most = peaks.iter().max_by_key(|(_, (_, _, peak))| *peak).expect("some were sent");
    assert!(most.1.2 <= bound, "{}: {} MiB of {}", most.0, most.1.2 >> 20, bound >> 20);
    assert!(peaks.iter().any(|(name, (done, told, _))| *name == "Query" && *done > 0 && done < told), "{peaks:?}");
    server.stop().await;
}
