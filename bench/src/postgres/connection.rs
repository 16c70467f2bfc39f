//! One connection in PostgreSQL's protocol 3.0, as much of it as prepared statements need.
//!
//! Written for this bench so that asking costs the client as little as asking over HTTP does ([`crate::client`]): one
//! buffer, one write and mostly one read a request. The messages are described in PostgreSQL's manual, *Frontend/Backend
//! Protocol*; values are in binary, and the server trusts every client.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::USER;
use crate::error::{Error, Result};

/// Protocol 3.0.
const VERSION: i32 = 3 << 16;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// A connection with the last reply.
pub struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    reply: Vec<u8>,
    /// Key of the row that was written last.
    pub last_key: u64,
}

impl Connection {
    /// Connects to a server on this machine.
    pub async fn open(port: u16) -> Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Connection { stream, request: Vec::new(), reply: Vec::new(), last_key: 0 };
        let mut start = VERSION.to_be_bytes().to_vec();
        for text in ["user", USER, "database", "postgres", ""] {
            push_text(&mut start, text);
        }
        connection.request.extend_from_slice(&length(start.len()));
        connection.request.extend_from_slice(&start);
        connection.exchange().await?;
        Ok(connection)
    }

    /// Carries out one statement without values.
    pub async fn execute(&mut self, statement: &str) -> Result<()> {
        let mut body = Vec::new();
        push_text(&mut body, statement);
        self.push(b'Q', &body);
        self.exchange().await
    }

    /// Gives a statement a name.
    pub async fn prepare(&mut self, name: &str, statement: &str) -> Result<()> {
        let mut body = Vec::new();
        push_text(&mut body, name);
        push_text(&mut body, statement);
        body.extend_from_slice(&0_i16.to_be_bytes());
        self.push(b'P', &body);
        self.push(b'S', &[]);
        self.exchange().await
    }

    /// Carries out a prepared statement with these values, each in its binary form. What came is in [`Self::reply`].
    pub async fn call(&mut self, name: &str, values: &[&[u8]]) -> Result<()> {
        let mut body = vec![0];
        push_text(&mut body, name);
        let all_binary = [1_i16.to_be_bytes(), 1_i16.to_be_bytes()].concat();
        body.extend_from_slice(&all_binary);
        body.extend_from_slice(&(values.len() as i16).to_be_bytes());
        for value in values {
            body.extend_from_slice(&(value.len() as i32).to_be_bytes());
            body.extend_from_slice(value);
        }
        body.extend_from_slice(&all_binary);
        self.push(b'B', &body);
        self.push(b'E', &[0, 0, 0, 0, 0]);
        self.push(b'S', &[]);
        self.exchange().await
    }

    /// All messages of the last reply.
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }

    fn push(&mut self, kind: u8, body: &[u8]) {
        self.request.push(kind);
        self.request.extend_from_slice(&length(body.len()));
        self.request.extend_from_slice(body);
    }

    /// Sends what was pushed, and reads until the server is ready for more.
    ///
    /// # Errors
    /// What the server complains about.
    async fn exchange(&mut self) -> Result<()> {
        self.stream.write_all(&self.request).await?;
        self.request.clear();
        self.reply.clear();
        let mut read_to = 0;
        loop {
            self.reply.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.reply).await? == 0 {
                return Err(Error::new("PostgreSQL closed the connection"));
            }
            while let Some(message) = message(&self.reply[read_to..]) {
                let (kind, body, bytes) = message?;
                read_to += bytes;
                match kind {
                    b'E' => return Err(Error::new(format!("PostgreSQL: {}", String::from_utf8_lossy(body)))),
                    b'Z' => return Ok(()),
                    _ => {}
                }
            }
        }
    }
}

/// The first message of what was read: its kind, its body, and its bytes altogether; `None` while it is not whole.
fn message(read: &[u8]) -> Option<Result<(u8, &[u8], usize)>> {
    let length = read.get(1..5)?;
    let length = i32::from_be_bytes(length.try_into().expect("four bytes"));
    let Some(end) = usize::try_from(length).ok().filter(|length| *length >= 4).map(|length| 1 + length) else {
        return Some(Err(Error::new("that is not PostgreSQL's protocol")));
    };
    Some(Ok((read[0], read.get(5..end)?, end)))
}

/// The length of a message with so many bytes behind it: it counts itself.
fn length(bytes: usize) -> [u8; 4] {
    (bytes as i32 + 4).to_be_bytes()
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_where_they_end() {
        let read = b"C\0\0\0\x0fINSERT 0 1\0Z\0\0\0\x05I";
        let (kind, body, bytes) = message(read).expect("whole").expect("valid");
        assert_eq!((kind, body, bytes), (b'C', &b"INSERT 0 1\0"[..], 16));
        let (kind, body, _) = message(&read[16..]).expect("whole").expect("valid");
        assert_eq!((kind, body), (b'Z', &b"I"[..]));
        assert!(message(&read[..15]).is_none() && message(&read[..3]).is_none());
        assert!(message(b"HTTP/1.1 400").is_none_or(|message| message.is_ok()), "it would wait for more");
        assert!(message(b"X\0\0\0\x01").is_some_and(|message| message.is_err()));
    }
}
