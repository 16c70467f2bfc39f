//! A node that is told to stop ends, whatever its disk does, and loses nothing that it has acknowledged.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::binary::{self, Process};
use tests::cluster::client::Client;
use tests::cluster::fleet::{Fleet, Shape};
use tests::patience::eventually;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(8);

/// How long something may take that must come; nothing is measured.
const PATIENCE: Duration = Duration::from_secs(60);

async fn call(fleet: &Fleet, node: u64, operation: &str, body: &Value) -> Option<Value> {
    Client::new(fleet.address(node)).call(operation, body, LIMIT).await.done()
}

async fn prepare() -> Fleet {
    let fleet = Fleet::found(Shape { shards: 2, ..Shape::default() }).await;
    let body = tests::table_of("kept", "pk");
    let began = Instant::now();
    while call(&fleet, 1, "CreateTable", &body).await.is_none() {
        assert!(began.elapsed() < PATIENCE, "no table");
    }
    let item = json!({"TableName": "kept", "Item": {"pk": {"S": "a"}, "v": {"S": "kept"}}});
    while call(&fleet, 1, "PutItem", &item).await.is_none() {
        assert!(began.elapsed() < PATIENCE, "no item");
    }
    fleet
}

/// Its log, once it has ended by SIGTERM, and the acknowledged item, once it has come back.
async fn stop_and_come_back(fleet: &mut Fleet, node: u64) -> String {
    let ended = fleet.terminate(node);
    let log = fleet.log(node);
    assert_eq!(ended, Some(0), "{log}");
    fleet.start(node).expect("it starts again");
    fleet.wait_live(node).await;
    let (began, key) =
        (Instant::now(), json!({"TableName": "kept", "Key": {"pk": {"S": "a"}}, "ConsistentRead": true}));
    loop {
        if let Some(answer) = call(fleet, node, "GetItem", &key).await {
            assert_eq!(answer["Item"]["v"]["S"], "kept");
            return log;
        }
        assert!(began.elapsed() < PATIENCE, "it serves again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_stop_says_nothing_of_errors() {
    let mut fleet = prepare().await;
    for id in fleet.ids() {
        let log = stop_and_come_back(&mut fleet, id).await;
        assert!(log.contains("stopped") && !log.contains(" ERROR "), "{log}");
    }
}

/// Peers' messages come all the time: none of them is left without an answer of openraft's, which would say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_among_messages_says_nothing_of_errors() {
    let mut fleet = prepare().await;
    let item = json!({"TableName": "kept", "Item": {"pk": {"S": "b"}, "v": {"S": "x"}}});
    for round in 0..6 {
        let (stops, through) = (round % 3 + 1, (round + 1) % 3 + 1);
        let address = fleet.address(through);
        let item = item.clone();
        let writes = tokio::spawn(async move {
            let mut client = Client::new(address);
            loop {
                let _ = client.call("PutItem", &item, LIMIT).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let log = tokio::task::block_in_place(|| {
            let ended = fleet.terminate(stops);
            (ended, fleet.log(stops))
        });
        writes.abort();
        assert_eq!(log.0, Some(0));
        assert!(!log.1.contains(" ERROR "), "{}", log.1);
        fleet.start(stops).expect("it starts again");
        fleet.wait_live(stops).await;
        fleet.wait_leaders().await;
    }
}

/// Half a request is nothing that a stop has to wait for: nothing of it was done. The log has no word of what held it up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_request_holds_no_stop_up() {
    let mut fleet = prepare().await;
    let node = fleet.some_leader(0).await;
    let head =
        "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Length: 100\r\n";
    let mut silent = Vec::new();
    for sent in [String::new(), head.to_owned(), format!("{head}\r\n"), format!("{head}\r\n{{\"TableName\"")] {
        let mut stream = TcpStream::connect(fleet.address(node)).await.expect("it listens");
        stream.write_all(sent.as_bytes()).await.expect("it reads");
        silent.push(stream);
    }
    // The server has read what was sent before it answers this.
    assert!(fleet.plain(node, "GET", "/health/live", "").await.is_some());
    let log = stop_and_come_back(&mut fleet, node).await;
    assert!(log.contains("stopped"), "{log}");
    assert!(!log.contains("are cut off") && !log.contains("ends before everything is written out"), "{log}");
}

/// Whoever says it twice means it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_the_stop_at_once() {
    let mut fleet = prepare().await;
    let leader = fleet.some_leader(0).await;
    fleet.must(leader, "disk slow 600000").await;
    // This one hangs, and makes the disk hang.
    let body = json!({"TableName": "kept", "Item": {"pk": {"S": "b"}}});
    let _ = call(&fleet, leader, "PutItem", &body).await;
    fleet.send_term(leader);
    let began = Instant::now();
    while !fleet.log(leader).contains("SIGTERM: finishing") {
        assert!(began.elapsed() < PATIENCE, "the first signal is heard:\n{}", fleet.log(leader));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = stop_and_come_back(&mut fleet, leader).await;
    assert!(log.contains("ends before everything is written out (a second SIGTERM)"), "{log}");
}

/// Everything that the stop has to write waits for minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_holds_no_stop_up() {
    let mut fleet = prepare().await;
    let leader = fleet.some_leader(0).await;
    fleet.must(leader, "disk slow 600000").await;
    // This one hangs, and makes the disk hang.
    let body = json!({"TableName": "kept", "Item": {"pk": {"S": "b"}}});
    let _ = call(&fleet, leader, "PutItem", &body).await;
    let log = stop_and_come_back(&mut fleet, leader).await;
    let last = log.lines().find(|line| line.contains("ends before everything is written out")).expect("a reason");
    assert!(last.contains("disk"), "{last}");
    let ours = log.lines().filter(|line| line.contains(" ERROR ")).all(|line| line.contains("the disk of the log"));
    assert!(ours, "{log}");
}

/// A node that is alone writes its log on Raft's own thread while the disk is quick, where there are processors for one; when a sync
/// hangs, whatever does not need the disk goes on, and the node ends when it is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_under_a_lone_node_holds_up_nothing_else() {
    hang_the_disk_of(Command::new(binary::faults_path())).await;
}

/// On one processor Raft shares its thread with connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_on_one_processor_holds_up_nothing_else() {
    let mut command = Command::new(binary::faults_path());
    let on_one_processor = || {
        // SAFETY: plain data, of which zeros are a value; the calls read and write no more than it.
        let done = unsafe {
            let mut processors: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(usize::try_from(libc::sched_getcpu()).unwrap_or(0), &mut processors);
            libc::sched_setaffinity(0, size_of_val(&processors), &raw const processors)
        };
        if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: two system calls, after the fork and before the program.
    unsafe { command.pre_exec(on_one_processor) };
    hang_the_disk_of(command).await;
}

async fn hang_the_disk_of(mut command: Command) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("data");
    let server = Process::spawn(command.args(["--port", "0", "--data-dir"]).arg(&dir)).expect("it starts");
    // A connection for each: what is accepted before the disk hangs tells nothing of what comes after.
    let call =
        async |operation: &str, body: &Value| Client::new(server.address()).call(operation, body, LIMIT).await.done();
    let page = async |method: &str, path: &str, body: &str| {
        Client::new(server.address()).plain(method, path, body, LIMIT).await.unwrap_or_default()
    };
    eventually("a table", async || call("CreateTable", &tests::table_of("kept", "pk")).await).await;
    let item = json!({"TableName": "kept", "Item": {"pk": {"S": "a"}, "v": {"S": "kept"}}});
    for _ in 0..100 {
        eventually("an item", async || call("PutItem", &item).await).await;
    }
    assert_eq!(page("POST", "/faults", "disk slow 600000").await.0, 200);
    let lost = json!({"TableName": "kept", "Item": {"pk": {"S": "b"}}});
    assert!(call("PutItem", &lost).await.is_none(), "it hangs, and makes the disk hang");
    assert_eq!(page("GET", "/health/live", "").await.0, 200);
    let key = json!({"TableName": "kept", "Key": {"pk": {"S": "a"}}, "ConsistentRead": true});
    assert_eq!(call("GetItem", &key).await.expect("reads go on")["Item"]["v"]["S"], "kept");
    eventually("it says what is wrong", async || {
        let (status, said) = page("GET", "/health/ready", "").await;
        (status == 503 && said.contains("the disk of the log has not answered")).then_some(())
    })
    .await;
    let ended = tokio::task::block_in_place(|| server.terminate());
    assert_eq!(ended, Some(0));
}
