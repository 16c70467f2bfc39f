//! Around the JSON: methods, targets, content types, credentials, compression, sizes, pipelining, headers.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;
use tests::raw::{AUTHORIZATION, Connection};

use crate::server;

fn error_of(answer: &tests::raw::Answer) -> (u16, String, String) {
    let (kind, message) = answer.error();
    (answer.status, kind, message)
}

#[tokio::test]
async fn every_reply_has_an_id_a_checksum_and_a_length() {
    let (_server, mut connection) = server().await;
    let mut ids = std::collections::BTreeSet::new();
    for body in [json!({}), json!({"Limit": "x"})] {
        let answer = connection.call("ListTables", body).await;
        let id = &answer.headers["x-amzn-requestid"];
        assert!(id.len() == 52 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{id}");
        ids.insert(id.clone());
        assert_eq!(answer.headers["x-amz-crc32"], crc32fast::hash(&answer.body).to_string());
        assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.0");
    }
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn health_pages_answer_and_other_paths_do_not() {
    let (_server, mut connection) = server().await;
    for (path, status, body) in [
        ("/", 200, "healthy: "),
        ("/health/live", 200, "live"),
        ("/health/ready", 200, ""),
        ("/metrics", 200, "dynamo_requests_total"),
        ("/shell/", 404, ""),
    ] {
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, status, "{path}");
        assert!(String::from_utf8_lossy(&answer.body).contains(body), "{path}: {:?}", answer);
    }
}

#[tokio::test]
async fn an_unknown_operation_is_answered_before_credentials_are_asked_for() {
    let (_server, mut connection) = server().await;
    for target in [
        "DynamoDB_20120810.Nonsense",
        "DynamoDB_20111205.GetItem",
        "",
        "GetItem",
        "DynamoDBStreams_20120810.GetItem",
        "DynamoDB_20120810.GetRecords",
    ] {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: {target}\r\n\
             Content-Length: 2\r\n\r\n{{}}"
        );
        connection.send(head.as_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.error().0.as_str()), (400, "UnknownOperationException"), "{target}");
    }
}

#[tokio::test]
async fn a_request_without_credentials_is_refused() {
    let (_server, mut connection) = server().await;
    connection
        .send(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\n\
              X-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Length: 2\r\n\r\n{}",
        )
        .await;
    let answer = connection.answer().await;
    assert_eq!(
        error_of(&answer),
        (400, "MissingAuthenticationTokenException".into(), "Request is missing Authentication Token".into())
    );
    assert_eq!(connection.call("ListTables", json!({})).await.status, 200, "the connection goes on");
}

#[tokio::test]
async fn without_credentials_an_empty_body_is_not_looked_at() {
    let (_server, mut connection) = server().await;
    for (body, kind) in [
        ("", "MissingAuthenticationTokenException"),
        ("{}", "MissingAuthenticationTokenException"),
        ("{", "SerializationException"),
    ] {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.send(head.as_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.error().0.as_str()), (400, kind), "{body}");
    }
}

#[tokio::test]
async fn an_address_may_be_signed_in_place_of_a_header() {
    let (_server, mut connection) = server().await;
    let whole = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Feu-west-1%2Fdynamodb%2Faws4_request\
                 &X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let header = format!("Authorization: {AUTHORIZATION}\r\n");
    for (query, header, kind) in [
        (whole, "", ""),
        (whole, header.as_str(), "InvalidSignatureException"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "", "IncompleteSignatureException"),
        ("a=b", "", "MissingAuthenticationTokenException"),
    ] {
        let head = format!(
            "POST /?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: DynamoDB_20120810.ListTables\r\n{header}Content-Length: 2\r\n\r\n{{}}"
        );
        connection.send(head.as_bytes()).await;
        let answer = connection.answer().await;
        if kind.is_empty() {
            assert_eq!(answer.status, 200, "{query}");
        } else {
            assert_eq!((answer.status, answer.error().0.as_str()), (400, kind), "{query}");
        }
    }
}

#[tokio::test]
async fn other_requests_get_an_id_and_a_checksum() {
    let (_server, mut connection) = server().await;
    let typed = "Content-Type: application/x-amz-json-1.1\r\n";
    for (method, path, headers, body) in [
        ("POST", "/", "", "{}"),
        ("POST", "/", typed, "{}"),
        ("POST", "/other", "", ""),
        ("GET", "/other", "", ""),
        ("PUT", "/", "", ""),
        ("OPTIONS", "/", "", ""),
    ] {
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        connection.send(head.as_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.body, b"<UnknownOperationException/>\n");
        assert_eq!(answer.headers["x-amz-crc32"], "3552371480");
        assert_eq!(answer.headers["x-amzn-requestid"].len(), 52);
    }
}

#[tokio::test]
async fn a_call_without_a_type_and_without_a_body_is_a_call() {
    let (_server, mut connection) = server().await;
    let target = "X-Amz-Target: DynamoDB_20120810.ListTables\r\n";
    for (headers, kind) in [("", "UnknownOperationException"), (target, "MissingAuthenticationTokenException")] {
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 0\r\n\r\n");
        connection.send(head.as_bytes()).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.error().0.as_str()), (400, kind));
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn malformed_json_is_a_serialization_exception_and_loses_nothing() {
    let (_server, mut connection) = server().await;
    for body in [&b"{"[..], b"", b"[]", b"nonsense", b"{\"TableName\": 1}", b"\xff\xfe", &[b'['; 100_000]] {
        connection.post("DescribeTable", &[], body).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.error().0.as_str()), (400, "SerializationException"), "{body:.20?}");
    }
    assert_eq!(connection.call("ListTables", json!({})).await.status, 200);
}

#[tokio::test]
async fn content_types_of_the_api_are_tolerated_and_others_refused() {
    let (_server, mut connection) = server().await;
    for (kind, status) in [
        ("application/x-amz-json-1.0", 200),
        ("application/x-amz-json-1.1", 404),
        ("application/x-amz-json-1.0; charset=utf-8", 200),
        ("application/json", 200),
        ("text/plain", 404),
        ("application/x-www-form-urlencoded", 404),
    ] {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n\
             X-Amz-Date: 20260101T000000Z\r\nAuthorization: {AUTHORIZATION}\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        connection.send(head.as_bytes()).await;
        assert_eq!(connection.answer().await.status, status, "{kind}");
    }
}

#[tokio::test]
async fn packed_requests_are_unpacked_and_garbage_is_a_500() {
    let (_server, mut connection) = server().await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"{\"Limit\": 1}").unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(b"{\"Limit\": 1}").unwrap();
    let (gzip, zlib) = (gzip.finish().unwrap(), zlib.finish().unwrap());
    let cut = |packed: &[u8], by: usize| packed[..packed.len() - by].to_vec();
    for (encoding, body, status) in [
        ("gzip", gzip.clone(), 200),
        ("GZIP", gzip.clone(), 200),
        ("gzip", [&gzip[..], &cut(&gzip, 0)].concat(), 400),
        ("gzip", cut(&gzip, 5), 500),
        ("gzip", cut(&gzip, gzip.len() - 12), 500),
        ("gzip", [&gzip[..], b"\0\0"].concat(), 500),
        ("gzip, gzip", gzip.clone(), 500),
        ("deflate", zlib.clone(), 200),
        ("deflate", cut(&zlib, 1), 500),
        ("deflate", cut(&zlib, 6), 500),
        ("deflate", [&zlib[..], b"\0"].concat(), 500),
        ("deflate", gzip.clone(), 500),
        ("deflate", b"{}".to_vec(), 500),
        ("deflate", Vec::new(), 500),
        ("gzip", b"garbage".to_vec(), 500),
        ("deflate", b"garbage".to_vec(), 500),
        ("gzip", Vec::new(), 500),
        ("garbage", b"{}".to_vec(), 500),
    ] {
        connection.post("ListTables", &[("Content-Encoding", encoding)], &body).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, status, "{encoding} {body:?}");
        let (kind, message) = answer.error();
        assert!(status != 500 || kind == "InternalServerError" && message.contains("Content-Encoding"), "{message}");
    }
}

#[tokio::test]
async fn long_replies_are_packed_for_those_who_ask() {
    let (_server, mut connection) = server().await;
    for name in 0..120 {
        let body = json!({
            "TableName": format!("a-table-with-a-name-that-is-rather-long-as-names-go-{name:03}"), "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        });
        assert_eq!(connection.call("CreateTable", body).await.status, 200);
    }
    connection.post("ListTables", &[("Accept-Encoding", "gzip")], b"{}").await;
    let answer = connection.answer().await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
    assert_eq!(answer.headers["x-amz-crc32"], crc32fast::hash(&answer.body).to_string());
    let mut text = String::new();
    GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains("a-table-with-a-name-that-is-rather-long-as-names-go-099"));
    connection.post("ListTables", &[], b"{}").await;
    assert!(!connection.answer().await.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn oversized_bodies_are_refused_and_the_connection_goes_on() {
    let (_server, mut connection) = server().await;
    let body = vec![b' '; 17 * 1024 * 1024];
    connection.post("ListTables", &[], &body).await;
    assert_eq!(connection.answer().await.status, 413);
    assert_eq!(connection.call("ListTables", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (server, mut connection) = server().await;
    connection.post("ListTables", &[("X-Filling", &"x".repeat(20_000))], b"{}").await;
    assert_eq!(connection.answer().await.status, 400);
    assert_eq!(connection.call("ListTables", json!({})).await.status, 200, "the connection goes on");
    connection.send(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(20_000)).as_bytes()).await;
    assert_eq!(connection.answer().await.status, 400);
    // Far beyond that the connection is closed, whether the head could be read at once or not.
    let mut closing = Connection::open(server.address()).await;
    closing.post("ListTables", &[("X-Filling", &"x".repeat(70_000))], b"{}").await;
    let answer = closing.answer().await;
    assert_eq!((answer.status, answer.headers["connection"].as_str()), (431, "close"));
    connection.post("ListTables", &[("X-Filling", &"x".repeat(300_000))], b"{}").await;
    assert_eq!(connection.answer().await.status, 431);
    let mut fresh = Connection::open(server.address()).await;
    assert_eq!(fresh.call("ListTables", json!({})).await.status, 200);
}

#[tokio::test]
async fn chunked_and_expected_bodies_are_accepted() {
    let (_server, mut connection) = server().await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.ListTables\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: {AUTHORIZATION}\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    );
    connection.send(head.as_bytes()).await;
    assert_eq!(connection.answer().await.status, 100);
    connection.send(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n").await;
    assert_eq!(connection.answer().await.status, 200);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (_server, mut connection) = server().await;
    for limit in ["1", "\"x\"", "2"] {
        connection.post("ListTables", &[], format!("{{\"Limit\": {limit}}}").as_bytes()).await;
    }
    let statuses =
        [connection.answer().await.status, connection.answer().await.status, connection.answer().await.status];
    assert_eq!(statuses, [200, 400, 200]);
}

#[tokio::test]
async fn browsers_may_call() {
    let (_server, mut connection) = server().await;
    connection
        .send(
            b"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost:3000\r\n\
              Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-amz-target\r\n\r\n",
        )
        .await;
    let answer = connection.answer().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-amzn-requestid"].len(), 52);
    assert_eq!((&*answer.headers["content-length"], answer.body.len()), ("0", 0));
    assert_eq!(answer.headers["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(answer.headers["access-control-max-age"], "172800");
    assert_eq!(answer.headers["access-control-allow-methods"], "POST");
    assert_eq!(answer.headers["access-control-allow-headers"], "x-amz-target");
    connection.post("ListTables", &[("Origin", "http://localhost:3000")], b"{}").await;
    assert_eq!(connection.answer().await.headers["access-control-allow-origin"], "http://localhost:3000");
}
