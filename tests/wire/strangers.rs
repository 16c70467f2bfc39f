//! Who may call: pages in browsers by their origin, requests by the host they ask for.

use dynamo_server::Server;
use dynamo_server::config::Config;
use tests::raw::{AUTHORIZATION, Connection};

use crate::server;

fn call(host: &str, extra: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\n{extra}Content-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.ListTables\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: {AUTHORIZATION}\r\nContent-Length: 2\r\n\r\n{{}}"
    )
}

async fn status(server: &Server, request: &str) -> u16 {
    let mut connection = Connection::open(server.address()).await;
    connection.send(request.as_bytes()).await;
    connection.answer().await.status
}

#[tokio::test]
async fn only_pages_of_this_machine_may_call_from_a_browser() {
    let (server, _) = server().await;
    for (origin, expected) in [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:5173", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
    ] {
        let request = call("localhost", &format!("Origin: {origin}\r\n"));
        assert_eq!(status(&server, &request).await, expected, "{origin}");
        let mut browser = Connection::open(server.address()).await;
        let preflight = format!(
            "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: x-amz-target\r\n\r\n"
        );
        browser.send(preflight.as_bytes()).await;
        let answer = browser.answer().await;
        let allowed = answer.headers.get("access-control-allow-origin").map(String::as_str);
        assert_eq!(allowed, (expected == 200).then_some(origin), "{origin}");
    }
}

#[tokio::test]
async fn the_operator_may_let_other_pages_in() {
    let config = Config { port: 0, data_dir: None, cors: Some("https://app.example".to_owned()), ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    for (origin, expected) in [("https://app.example", 200), ("http://localhost", 403)] {
        assert_eq!(status(&server, &call("localhost", &format!("Origin: {origin}\r\n"))).await, expected, "{origin}");
    }
    let config = Config { port: 0, data_dir: None, cors: Some("*".to_owned()), ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    assert_eq!(status(&server, &call("localhost", "Origin: https://any.example\r\n")).await, 200);
}

/// A name that its owner lets point here is seen by the `Host` that the browser sends.
#[tokio::test]
async fn requests_for_a_strangers_name_are_refused() {
    let (server, _) = server().await;
    let port = server.address().port();
    for (host, expected) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("dynamodb-local:8000".to_owned(), 200),
        ("host.docker.internal:8000".to_owned(), 200),
        ("dynamodb.eu-west-1.amazonaws.com".to_owned(), 200),
        (format!("evil.example:{port}"), 403),
        (format!("127.0.0.1.evil.example:{port}"), 403),
    ] {
        assert_eq!(status(&server, &call(&host, "")).await, expected, "{host}");
        for (path, stranger) in [("/", 403), ("/metrics", 403), ("/cluster/status", 403), ("/health/live", 200)] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let expected = if expected == 403 { stranger } else { 200 };
            assert_eq!(status(&server, &request).await, expected, "{path} at {host}");
        }
    }
    let config = Config { port: 0, data_dir: None, allowed_hosts: Some("*.example".to_owned()), ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    assert_eq!(status(&server, &call("db.example:8000", "")).await, 200);
}

/// What a proxy on this machine passes on comes from anywhere.
#[tokio::test]
async fn changes_of_the_cluster_do_not_come_through_a_proxy() {
    let (server, _) = server().await;
    let change = |extra: &str| {
        format!("POST /cluster/promote?node=9 HTTP/1.1\r\nHost: localhost\r\n{extra}Content-Length: 0\r\n\r\n")
    };
    assert_ne!(status(&server, &change("")).await, 403);
    for header in ["Via: 1.1 x", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1"] {
        assert_eq!(status(&server, &change(&format!("{header}\r\n"))).await, 403, "{header}");
    }
}
