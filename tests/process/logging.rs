//! A server whose log lines nobody reads: it serves, counts them, and ends when it is told to.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::json;
use tests::binary::path;
use tests::raw::Connection;

/// More than a pipe (64 KiB) and the server's queue hold, at some lines a request.
const REQUESTS_MAX: usize = 20_000;

/// Starts a server that logs as much as it can, and reads its log until it is ready.
// `terminate` waits for it; where a test fails before, the test's process ends, too.
#[allow(clippy::zombie_processes)]
fn start() -> (Child, BufReader<ChildStderr>, SocketAddr) {
    let mut child = Command::new(path())
        .args(["--in-memory", "--port", "0", "--log-level", "trace"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    loop {
        line.clear();
        assert!(log.read_line(&mut line).expect("text") > 0, "it ended before it was ready");
        if let Some((_, rest)) = line.split_once("ready on http://") {
            let address = rest.split([',', ' ']).next().expect("the address").parse().expect("an address");
            return (child, log, address);
        }
    }
}

fn terminate(mut child: Child) -> Option<i32> {
    let id = i32::try_from(child.id()).expect("a process id fits");
    // SAFETY: plain system call with a process id that is ours until it has been waited for.
    unsafe { libc::kill(id, libc::SIGTERM) };
    child.wait().expect("it ends").code()
}

async fn lines_dropped(connection: &mut Connection) -> u64 {
    connection.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let page = connection.answer().await.body;
    let page = String::from_utf8_lossy(&page).into_owned();
    let value = page.lines().find_map(|line| line.strip_prefix("dynamo_log_lines_dropped_total "));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no such figure:\n{page}"))
}

/// Asks until some lines were lost, and some more then.
async fn serves_without_a_reader(address: SocketAddr) {
    let mut connection = Connection::open(address).await;
    let mut dropped = 0;
    for number in 0..REQUESTS_MAX {
        let answer = connection.call("ListTables", json!({})).await;
        assert_eq!(answer.status, 200, "request {number}");
        if number % 50 == 0 {
            let now = lines_dropped(&mut connection).await;
            if dropped > 0 && now > dropped {
                return;
            }
            dropped = now;
        }
    }
    panic!("{REQUESTS_MAX} requests and {dropped} lines dropped: are there no lines?");
}

#[tokio::test]
async fn a_log_that_nobody_reads_any_more_holds_nothing_up() {
    let (child, log, address) = start();
    serves_without_a_reader(address).await;
    assert_eq!(terminate(child), Some(0));
    drop(log);
}

#[tokio::test]
async fn a_log_whose_reader_has_gone_stops_nothing() {
    let (child, log, address) = start();
    drop(log);
    serves_without_a_reader(address).await;
    assert_eq!(terminate(child), Some(0));
}

#[test]
fn commands_whose_reader_has_gone_end_in_order() {
    let (child, log, address) = start();
    let mut command = Command::new(path());
    let check = command.args(["healthcheck", "--need", "writes", "--url", &format!("http://{address}")]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(check.stdout(writer).status().expect("runs").code(), Some(0));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let gone = Command::new(path()).args(["healthcheck", "--url", "http://127.0.0.1:1"]).stderr(writer).status();
    assert_eq!(gone.expect("runs").code(), Some(1));
    drop(log);
    assert_eq!(terminate(child), Some(0));
}
