//! HTTP as it should not be spoken: broken and oversized bodies, ends in the middle, heads that are too long.

use std::time::Duration;

use tests::raw::{AUTHORIZATION, Connection};

use crate::server;

/// What chunk extensions, and what trailers, may have in one body.
const EXTRAS_BYTES_MAX: usize = 16 << 10;

fn head(length: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.ListTables\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: {AUTHORIZATION}\r\n{length}\r\n\r\n"
    )
}

const CHUNKED: &str = "Transfer-Encoding: chunked";

#[tokio::test]
async fn a_body_that_is_not_one_is_the_clients_mistake() {
    let (server, _) = server().await;
    let long = "x".repeat(EXTRAS_BYTES_MAX + 1);
    let mut refused = Vec::new();
    for (what, length, body) in [
        ("no size", CHUNKED, "nonsense\r\n".to_owned()),
        ("a size beyond all numbers", CHUNKED, format!("{}\r\n{{}}", "f".repeat(17))),
        ("a size with a sign", CHUNKED, "-2\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("more than the size says", CHUNKED, "1\r\n{}\r\n0\r\n\r\n".to_owned()),
        ("extensions without end", CHUNKED, format!("2;{long}\r\n{{}}\r\n0\r\n\r\n")),
        ("a large trailer", CHUNKED, format!("2\r\n{{}}\r\n0\r\nx-filling: {long}\r\n\r\n")),
        ("a trailer that is none", CHUNKED, "2\r\n{}\r\n0\r\nno colon\r\n\r\n".to_owned()),
        ("an end in a chunk", CHUNKED, "10\r\n{}".to_owned()),
        ("an end between chunks", CHUNKED, "2\r\n{}\r\n".to_owned()),
        ("an end before the end", "Content-Length: 100", "{}".to_owned()),
        ("no body", "Content-Length: 100", String::new()),
    ] {
        let mut connection = Connection::open(server.address()).await;
        connection.send((head(length) + &body).as_bytes()).await;
        connection.finish_sending().await;
        refused.push((what, connection));
    }
    for (what, mut connection) in refused {
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.headers["connection"].as_str()), (400, "close"), "{what}: {answer:?}");
        assert_eq!(connection.read_until_closed().await, 0, "{what}");
    }
    for (what, body) in [
        ("extensions", format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(EXTRAS_BYTES_MAX / 2))),
        ("a trailer", format!("2\r\n{{}}\r\n0\r\nx-filling: {}\r\n\r\n", "x".repeat(EXTRAS_BYTES_MAX / 2))),
    ] {
        let mut connection = Connection::open(server.address()).await;
        connection.send((head(CHUNKED) + &body).as_bytes()).await;
        assert_eq!(connection.answer().await.status, 200, "{what} of a size within the limit");
    }
}

/// A connection that is closed under data which nobody reads loses its answer.
#[tokio::test]
async fn the_answer_to_a_broken_body_arrives_although_the_client_goes_on_sending() {
    let (server, _) = server().await;
    let mut connection = Connection::open(server.address()).await;
    connection.send((head(CHUNKED) + "nonsense\r\n").as_bytes()).await;
    for _ in 0..64 {
        connection.send(&[b'x'; 64 << 10]).await;
    }
    assert_eq!(connection.answer().await.status, 400);
    connection.finish_sending().await;
    assert_eq!(connection.read_until_closed().await, 0, "closed in order");
}

#[tokio::test]
async fn a_client_that_has_sent_all_gets_its_answers() {
    let (server, _) = server().await;
    for (what, body) in [("a call", "{}"), ("a call that is refused", "{")] {
        let mut connection = Connection::open(server.address()).await;
        connection.post("ListTables", &[], body.as_bytes()).await;
        connection.finish_sending().await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, if body == "{}" { 200 } else { 400 }, "{what}");
        assert_eq!(connection.read_until_closed().await, 0, "{what}: then it is closed");
    }
    let mut connection = Connection::open(server.address()).await;
    connection.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    connection.finish_sending().await;
    assert_eq!(connection.answer().await.status, 200);
    // Several requests at once, and a body that takes several reads.
    let mut connection = Connection::open(server.address()).await;
    for _ in 0..3 {
        connection.post("ListTables", &[], format!("{{{}}}", " ".repeat(200_000)).as_bytes()).await;
    }
    connection.finish_sending().await;
    for number in 0..3 {
        assert_eq!(connection.answer().await.status, 200, "request {number}");
    }
    // One that has to wait: a table is being created meanwhile.
    let mut connection = Connection::open(server.address()).await;
    let table = tests::table_of("tbl", "k");
    connection.post("CreateTable", &[], table.to_string().as_bytes()).await;
    connection.finish_sending().await;
    assert_eq!(connection.answer().await.status, 200);
}

/// 100 headers are read; the request here has six of its own.
#[tokio::test]
async fn more_headers_than_a_hundred_are_refused() {
    let (server, _) = server().await;
    for (extra, status) in [(94, 200), (95, 431)] {
        let names: Vec<String> = (0..extra).map(|number| format!("X-{number}")).collect();
        let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let mut connection = Connection::open(server.address()).await;
        connection.post("ListTables", &headers, b"{}").await;
        assert_eq!(connection.answer().await.status, status, "{extra} more");
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let (server, _) = server().await;
    for (hosts, status) in [("", 400), ("Host: localhost\r\nHost: localhost\r\n", 400), ("Host: localhost\r\n", 200)] {
        let mut connection = Connection::open(server.address()).await;
        connection.send(format!("GET / HTTP/1.1\r\n{hosts}\r\n").as_bytes()).await;
        assert_eq!(connection.answer().await.status, status, "{hosts:?}");
    }
}

/// On one thread, whose time can be moved on: a head that comes in single bytes is not waited for for ever.
#[tokio::test(flavor = "current_thread")]
async fn a_head_that_does_not_come_is_given_up() {
    let (server, _) = server().await;
    let mut connection = Connection::open(server.address()).await;
    connection.send(b"POST / HTTP/1.1\r\nHost: loc").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(80)).await;
    tokio::time::resume();
    connection.read_until_closed().await;
}
