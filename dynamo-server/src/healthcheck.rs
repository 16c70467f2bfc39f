//! `dynamo-server healthcheck`: asks a running server whether it is ready. For container health checks, so it needs
//! nothing but the binary.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use crate::config::{DEFAULT_PORT, Settings};

/// Time for connecting and for each read.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Prints the answer; 0 when the server at `url` (or where `settings` would make it listen) is ready, else 1.
pub fn run(url: Option<&str>, settings: &Settings) -> ExitCode {
    match ask(&authority(url, settings)) {
        Ok(body) => {
            println!("{}", body.trim_end());
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("not ready: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn authority(url: Option<&str>, settings: &Settings) -> String {
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

fn ask(authority: &str) -> Result<String, String> {
    let address = authority
        .to_socket_addrs()
        .map_err(|error| format!("{authority}: {error}"))?
        .next()
        .ok_or_else(|| format!("{authority} has no address"))?;
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(stream, "GET /health/ready HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.take(64 * 1024).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = exchange().map_err(|error| format!("{authority}: {error}"))?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the answer is not HTTP")?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(body.trim_end().to_owned()) }
}
