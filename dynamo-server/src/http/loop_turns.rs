//! How long a request holds its event loop, counted in steps (see [`crate::meter`]): the worst requests that are known, each as
//! it is, packed, and asking for a packed answer, over a connection to a server whose loop is this test's thread. The turns of
//! the Raft group count as well: on small machines they share the first loop.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;

use dynamo_protocol::ops::Operation;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::attacks;
use crate::env::Storage;
use crate::guard::tests::rig::Rig;
use crate::meter;
use crate::node::NodeOptions;

/// The most steps of one turn of a connection: some hundreds of microseconds. A body that is planned on its loop has 40 KiB and
/// may become 20 times as much.
const TURN_STEPS_MAX: u64 = 1 << 20;

/// The most steps of one turn of a Raft group or its sequencer. What applying does is bounded in rows and in steps of
/// expressions ([`WORK_PER_TURN_MAX`](crate::raft::WORK_PER_TURN_MAX)); the trees that an update makes of its item, and the end of
/// a command of tens of thousands of names, are beside that. Builds with checks read every entry that they propose once more,
/// which is a third of the worst.
const GROUP_TURN_STEPS_MAX: u64 = 3 << 22;

/// Sends one request over a connection of its own: the head and the length of the answer.
async fn exchange(address: SocketAddr, operation: &str, headers: &str, body: &[u8]) -> (String, usize) {
    let target = if operation.contains("Stream") || matches!(operation, "GetRecords" | "GetShardIterator") {
        "DynamoDBStreams_20120810"
    } else {
        "DynamoDB_20120810"
    };
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: {target}.{operation}\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=key/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, \
         Signature=0000\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
    (String::from_utf8_lossy(&answer[..end]).into_owned(), answer.len() - end - 4)
}

/// Every operation that is carried out has its worst request in the corpus, and its bound on the page of limits.
#[test]
fn every_operation_has_a_stated_bound_and_an_attack() {
    let carried_out = include_str!("../ops/mod.rs");
    let limits = include_str!("../../../docs/limits.md");
    let bounds = limits.split("## By operation").nth(1).expect("the table of operations");
    let stated: BTreeSet<&str> = bounds
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|operations| operations.split(", "))
        .collect();
    let attacked: BTreeSet<&str> = attacks::corpus().map(|request| request.operation).collect();
    let mut count = 0;
    for operation in Operation::ALL.iter().map(|operation| operation.name()) {
        if carried_out.contains(&format!("Operation::{operation} =>")) {
            assert!(stated.contains(operation), "{operation} has no row in docs/limits.md");
            assert!(attacked.contains(operation), "{operation} has no attack");
            count += 1;
        }
    }
    assert_eq!(count, 30, "all that are carried out, and no others");
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn no_request_of_the_corpus_holds_its_event_loop() {
    let rig = Rig::of(NodeOptions { storage: Storage::Memory, ..NodeOptions::default() }).await;
    let address = rig.address(0);
    let mut too_long = Vec::new();
    let mut judge = |what: &str| {
        let [of_connections, of_any] = meter::take_longest_turns();
        assert!(of_connections > 1_000, "turns are counted");
        println!("{of_connections:>9} {of_any:>9} steps: {what}");
        if of_connections > TURN_STEPS_MAX || of_any > GROUP_TURN_STEPS_MAX {
            too_long.push(format!("{of_connections}, {of_any} steps: {what}"));
        }
    };
    for (operation, body) in attacks::preparations() {
        let (head, _) = exchange(address, operation, "", body.as_bytes()).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{operation}: {head}");
        judge(&format!("{operation} of {} bytes, as a preparation", body.len()));
    }
    for attack in attacks::corpus() {
        for (how, headers) in [
            ("as it is", ""),
            ("packed", "Content-Encoding: gzip\r\n"),
            ("for a packed answer", "Accept-Encoding: gzip\r\n"),
        ] {
            let body = if how == "packed" { packed(attack.body.as_bytes()) } else { attack.body.clone().into_bytes() };
            let (head, answer) = exchange(address, attack.operation, headers, &body).await;
            let status = head.split(' ').nth(1).unwrap_or_default();
            assert!(matches!(status, "200" | "400" | "413"), "{}, {}: {head}", attack.operation, attack.name);
            let (operation, name) = (attack.operation, attack.name);
            judge(&format!("{operation}, {name} ({how}, {} bytes, {answer} answered {status})", body.len()));
        }
    }
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
    rig.stop().await;
}
