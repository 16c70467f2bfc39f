//! The HTTP client of this program's own subcommands: one request, one connection, nothing but the standard library, so
//! that a health check needs only the binary.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::config::{DEFAULT_PORT, Settings};

/// Time for connecting.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Bytes of an answer at most: the status of a large cluster has a few hundred for each replica.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// An answer: its status code and its body.
pub(crate) struct HttpAnswer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The whole body, as text.
    pub(crate) body: String,
}

/// Host and port of the server at `url`, or of the one that `settings` would start.
pub(crate) fn authority(url: Option<&str>, settings: &Settings) -> String {
    match url {
        Some(url) => url.trim_start_matches("http://").trim_end_matches('/').to_owned(),
        None => {
            let host = match settings.host {
                Some(host) if !host.is_unspecified() => host.to_string(),
                _ => "127.0.0.1".to_owned(),
            };
            format!("{host}:{}", settings.port.unwrap_or(DEFAULT_PORT))
        }
    }
}

/// Prints an answer. Nothing is to be done where whoever asked has gone.
pub(crate) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Sends a request without a body and waits for its answer, at most `patience` from one byte to the next.
pub(crate) fn exchange(method: &str, authority: &str, path: &str, patience: Duration) -> Result<HttpAnswer, String> {
    let address = authority
        .to_socket_addrs()
        .map_err(|error| format!("{authority}: {error}"))?
        .next()
        .ok_or_else(|| format!("{authority} has no address"))?;
    let talk = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        stream.set_read_timeout(Some(patience))?;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut text = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = talk().map_err(|error| format!("{authority}: {error}"))?;
    parse(&text).ok_or_else(|| format!("{authority}: the answer is not HTTP"))
}

fn parse(text: &str) -> Option<HttpAnswer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(HttpAnswer { status, body: body.to_owned() })
}
