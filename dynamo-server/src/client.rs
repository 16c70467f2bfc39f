//! The HTTP client of this program's own subcommands: one request, one connection, nothing but the standard library, so
//! that a health check needs only the binary.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
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
///
/// # Errors
/// What is wrong with the URL.
pub(crate) fn authority(url: Option<&str>, settings: &Settings) -> Result<String, String> {
    let Some(url) = url else {
        let host = match settings.host {
            Some(host) if !host.is_unspecified() => host,
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        return Ok(SocketAddr::new(host, settings.port.unwrap_or(DEFAULT_PORT)).to_string());
    };
    if url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
        return Err(format!(
            "{url}: the server has no TLS, so this command talks HTTP: begin the URL with http://, and where a proxy adds TLS, ask the \
             server behind it"
        ));
    }
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let is_number = |port: &str| port.parse::<u16>().is_ok();
    match authority.rsplit_once(':') {
        Some((host, port)) if is_number(port) && !host.is_empty() && !host.contains('/') => Ok(authority.to_owned()),
        _ => Err(format!("{url} is no URL of a server: one looks like http://127.0.0.1:{DEFAULT_PORT}, with the port")),
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
    let talk = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        stream.set_read_timeout(Some(patience))?;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut bytes = Vec::new();
        match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes) {
            // What came before the other side broke off says more than that it did.
            Err(error) if !bytes.is_empty() || error.kind() == ErrorKind::ConnectionReset => Ok(bytes),
            read => read.map(|_| bytes),
        }
    };
    let bytes = talk().map_err(|error| format!("{authority}: {error}{}", remedy(&error)))?;
    parse(&bytes).ok_or_else(|| format!("{authority}: {}", what_else(&bytes)))
}

fn parse(bytes: &[u8]) -> Option<HttpAnswer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some(HttpAnswer { status, body: body.to_owned() })
}

/// What to check where there is no answer.
fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => ". Is the server running, and is this its port for clients (--port)?",
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            ". Is this the server's host, and the port for clients (--port)?"
        }
        _ => "",
    }
}

/// What it is that has answered, in place of a server's port for clients, and what to check.
fn what_else(bytes: &[u8]) -> String {
    const CHECK: &str =
        "check host and port (--url http://HOST:PORT; the port for clients is that of --port, 8000 by default)";
    match bytes {
        [] => format!(
            "the connection was closed without an answer: the server ends, or another program listens there; {CHECK}"
        ),
        // The refusal of a greeting, see `env/tcp/hello.rs`.
        [1, _] => format!("this is where nodes listen for each other (--peers), not for clients; {CHECK}"),
        // An alert, or a greeting, of TLS (RFC 8446, section 5.1).
        [0x15 | 0x16, 3, ..] => format!("a proxy or another program answers there, in TLS; {CHECK}"),
        bytes => {
            let shown: String = String::from_utf8_lossy(bytes).chars().take(SHOWN_MAX).collect();
            format!("another program answers there, not in HTTP ({shown:?}); {CHECK}")
        }
    }
}

/// Letters of a foreign answer that are shown.
const SHOWN_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What is said where this is answered.
    fn said(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            let mut request = [0; 512];
            let mut read = 0;
            while !request[..read].ends_with(b"\r\n\r\n") {
                read += stream.read(&mut request[read..]).expect("a request");
            }
            stream.write_all(answer).expect("written");
        });
        let said = exchange("GET", &address, "/cluster/status", Duration::from_secs(20)).map(|answer| answer.body);
        answering.join().expect("it answered");
        let said = said.unwrap_or_else(|reason| reason);
        said.strip_prefix(&format!("{address}: ")).map(str::to_owned).unwrap_or(said)
    }

    #[test]
    fn answers_of_other_programs_are_recognised() {
        for (answer, what) in [
            (&b""[..], "closed without an answer"),
            (b"\x01\x03", "where nodes listen for each other (--peers)"),
            (b"\x15\x03\x03\x00\x02\x02\x28", "in TLS"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "not in HTTP (\"SSH-2.0-OpenSSH_9.6\\r\\n\")"),
            (b"\xff\xfe", "not in HTTP"),
        ] {
            let said = said(answer);
            assert!(said.contains(what) && said.contains("--url http://HOST:PORT"), "{answer:?}: {said}");
        }
        assert_eq!(said(b"HTTP/1.1 200 OK\r\n\r\nfine"), "fine");
        assert_eq!(said(b"HTTP/1.0 200 OK\r\n\r\nfine"), "fine", "a proxy's");
    }

    #[test]
    fn a_url_is_host_and_port() {
        let settings = Settings { port: Some(9), host: Some("::1".parse().unwrap()), ..Settings::default() };
        assert_eq!(authority(None, &settings).unwrap(), "[::1]:9");
        assert_eq!(authority(None, &Settings::default()).unwrap(), "127.0.0.1:8000");
        for (url, expected) in
            [("http://db-0:8000/", "db-0:8000"), ("10.0.0.1:1", "10.0.0.1:1"), ("http://[::1]:2", "[::1]:2")]
        {
            assert_eq!(authority(Some(url), &settings).as_deref(), Ok(expected));
        }
        for url in ["http://db-0", "https://db-0:8000", "http://db-0:8000/cluster", "db-0:port", ":8000"] {
            let refused = authority(Some(url), &settings).expect_err(url);
            assert!(refused.contains(url) && refused.contains("http://"), "{refused}");
        }
    }
}
