//! What the server takes of memory while clients write as much as they can, counted by the allocator: what it holds beside its
//! stores stays within its budget, whatever waits on the way from a socket to the disk.
//!
//! A binary of its own, since the allocator counts the whole process, and one test at a time. The clients' own part is small: they
//! send from one buffer, and the answers are short.

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
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20260101T000000Z\r\n\
         X-Amz-Target: DynamoDB_20120810.{operation}\r\nContent-Length: {}\r\nConnection: close\r\n\
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
