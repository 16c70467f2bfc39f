//! HTTP by hand: what an SDK would never send, and answers as they arrive.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use dynamo_protocol::ops::Operation;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A credential as SDKs send it; nobody checks it, but DynamoDB refuses a request without one.
pub const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/dynamodb/aws4_request, \
     SignedHeaders=host;x-amz-date;x-amz-target, Signature=0000";

/// How long a server may be silent that owes something: more than any of its own time-outs.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// One connection.
pub struct Connection {
    stream: TcpStream,
    rest: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The error's name without its namespace, and its message.
    pub fn error(&self) -> (String, String) {
        let json = self.json();
        let kind = json["__type"].as_str().unwrap_or_default();
        let message = json["message"].as_str().or(json["Message"].as_str()).unwrap_or_default();
        (kind.rsplit('#').next().unwrap_or_default().to_owned(), message.to_owned())
    }
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Connection {
        Connection { stream: TcpStream::connect(address).await.expect("the server listens"), rest: Vec::new() }
    }

    /// Connects as a client that has little room for answers it has not read yet.
    pub async fn open_with_little_room(address: SocketAddr) -> Connection {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.expect("a socket");
        socket.set_recv_buffer_size(16 << 10).expect("a smaller buffer");
        Connection { stream: socket.connect(address).await.expect("the server listens"), rest: Vec::new() }
    }

    /// Reads until the server closes the connection, in whatever way, and gives the number of bytes.
    pub async fn read_until_closed(mut self) -> usize {
        let mut chunk = vec![0u8; 64 * 1024];
        let mut bytes = self.rest.len();
        while let Ok(count @ 1..) = heard(self.stream.read(&mut chunk)).await {
            bytes += count;
        }
        bytes
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
    }

    /// Closes this half of the connection; answers can still be read.
    pub async fn finish_sending(&mut self) {
        self.stream.shutdown().await.expect("the connection is open");
    }

    /// Sends a request with the usual headers, `extra` ones, and `body`.
    pub async fn post(&mut self, operation: &str, extra: &[(&str, &str)], body: &[u8]) {
        let mut head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: {}\r\nX-Amz-Date: 20260101T000000Z\r\n\
             Authorization: {AUTHORIZATION}\r\nContent-Length: {}\r\n",
            target(operation),
            body.len()
        );
        for (name, value) in extra {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send(head.as_bytes()).await;
        self.send(body).await;
    }

    /// The next answer on this connection.
    pub async fn answer(&mut self) -> Answer {
        let head_end = loop {
            if let Some(at) = self.rest.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            self.more().await;
        };
        let head = String::from_utf8(self.rest[..head_end].to_vec()).expect("ASCII");
        self.rest.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        while self.rest.len() < length {
            self.more().await;
        }
        let body = self.rest.drain(..length).collect();
        Answer { status: status.expect("a status line"), headers, body }
    }

    /// One call with a JSON body on this connection.
    pub async fn call(&mut self, operation: &str, body: Value) -> Answer {
        self.post(operation, &[], body.to_string().as_bytes()).await;
        self.answer().await
    }

    async fn more(&mut self) {
        self.rest.reserve(64 * 1024);
        let count = heard(self.stream.read_buf(&mut self.rest)).await.expect("readable");
        assert!(count > 0, "the server closed the connection; so far: {}", String::from_utf8_lossy(&self.rest));
    }
}

/// What is read, if the server says anything.
async fn heard(read: impl Future<Output = io::Result<usize>>) -> io::Result<usize> {
    let read = tokio::time::timeout(SILENCE_MAX, read).await;
    read.unwrap_or_else(|_| panic!("the server says nothing for {SILENCE_MAX:?}"))
}

/// The header that names an operation.
fn target(operation: &str) -> String {
    let of_streams = format!("DynamoDBStreams_20120810.{operation}");
    match Operation::from_target(&of_streams) {
        Some(_) => of_streams,
        None => format!("DynamoDB_20120810.{operation}"),
    }
}
