//! One HTTP connection of a client that must know how each request ended: answered, refused, lost, or never sent.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw::AUTHORIZATION;

/// How long connecting to a node of this machine may take.
const CONNECT_MAX: Duration = Duration::from_millis(500);

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Status 200.
    Done(Value),
    /// The server says that nothing was done: the error's name without its namespace, its message, the whole body.
    Refused {
        /// Such as `ConditionalCheckFailedException`.
        kind: String,
        /// The message.
        message: String,
        /// The whole body.
        body: Value,
    },
    /// No connection: nothing was sent.
    NotSent,
    /// Status 500, a broken connection, or no answer in time: it may have happened, or may happen yet.
    Lost,
}

impl Reply {
    /// The body of a success.
    pub fn done(self) -> Option<Value> {
        match self {
            Reply::Done(body) => Some(body),
            _ => None,
        }
    }
}

/// A client of one node. It connects when it has something to say, and again after a connection broke.
pub struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    /// A client of the server at `address`.
    pub fn new(address: SocketAddr) -> Client {
        Client { address, stream: None, buffer: Vec::new() }
    }

    /// One operation of the API, given up after `limit`.
    pub async fn call(&mut self, operation: &str, body: &Value, limit: Duration) -> Reply {
        let body = body.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: DynamoDB_20120810.{operation}\r\nX-Amz-Date: 20260101T000000Z\r\n\
             Authorization: {AUTHORIZATION}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        match self.exchange(format!("{head}{body}").as_bytes(), limit).await {
            Ok((status, body)) => classify(status, &body),
            Err(NoAnswer::NotSent) => Reply::NotSent,
            Err(NoAnswer::Lost) => Reply::Lost,
        }
    }

    /// Any request without headers of its own: status and body; `None` without an answer.
    pub async fn plain(&mut self, method: &str, path: &str, body: &str, limit: Duration) -> Option<(u16, String)> {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (status, body) = self.exchange(request.as_bytes(), limit).await.ok()?;
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }

    async fn exchange(&mut self, request: &[u8], limit: Duration) -> Result<(u16, Vec<u8>), NoAnswer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => match timeout(CONNECT_MAX, TcpStream::connect(self.address)).await {
                Ok(Ok(stream)) => stream,
                _ => return Err(NoAnswer::NotSent),
            },
        };
        // A small request in two packets would wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        self.buffer.clear();
        let answered = timeout(limit, async {
            stream.write_all(request).await.ok()?;
            read_answer(&mut stream, &mut self.buffer).await
        });
        match answered.await {
            Ok(Some(answer)) => {
                self.stream = Some(stream);
                Ok(answer)
            }
            // The connection is dropped: a late answer must not be taken for that to the next request.
            _ => Err(NoAnswer::Lost),
        }
    }
}

enum NoAnswer {
    NotSent,
    Lost,
}

fn classify(status: u16, body: &[u8]) -> Reply {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Reply::Lost };
    match status {
        200 => Reply::Done(body),
        // 503 is a queue or a disk that is full: refused before anything was proposed.
        400..=499 | 503 => {
            let kind = body["__type"].as_str().unwrap_or_default();
            let kind = kind.rsplit('#').next().unwrap_or_default().to_owned();
            let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default().to_owned();
            Reply::Refused { kind, message, body }
        }
        _ => Reply::Lost,
    }
}

/// Status and body of one answer; `None` when the connection ends in the middle of it.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(u16, Vec<u8>)> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, buffer).await?;
    };
    let head = std::str::from_utf8(&buffer[..head_end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let end = head_end + length.unwrap_or(0);
    while buffer.len() < end {
        more(stream, buffer).await?;
    }
    Some((status, buffer[head_end..end].to_vec()))
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let count = stream.read_buf(buffer).await.ok()?;
    (count > 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_tell_done_refused_and_unknown_apart() {
        assert_eq!(classify(200, b"{}"), Reply::Done(serde_json::json!({})));
        let refused =
            br#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}"#;
        assert!(matches!(classify(400, refused), Reply::Refused { kind, message, .. }
            if kind == "ConditionalCheckFailedException" && message == "no"));
        assert!(matches!(classify(503, b"{}"), Reply::Refused { .. }));
        assert_eq!(classify(500, b"{}"), Reply::Lost);
        assert_eq!(classify(200, b"{"), Reply::Lost);
    }
}
