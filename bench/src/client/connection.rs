//! One kept-alive HTTP/1.1 connection with one request in flight.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Endpoint;
use super::head::{self, Framing, Head};

/// First size of the reply buffer; it doubles when a reply is longer.
const BUFFER_BYTES_FIRST: usize = 64 * 1024;
/// No reply of the API is longer: pages end at 1 MB of items, BatchGetItem at 16 MB.
const BUFFER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A connection and the buffer that its replies lie in.
pub struct Connection {
    endpoint: Endpoint,
    /// `None` after the server announced that it closes, until the next request.
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// Content of the last reply when it came in chunks.
    dechunked: Vec<u8>,
}

/// A reply, in the connection's buffer until the next request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects.
    pub async fn open(endpoint: &Endpoint) -> io::Result<Connection> {
        let stream = Some(connect(endpoint).await?);
        Ok(Connection {
            endpoint: endpoint.clone(),
            stream,
            buffer: vec![0; BUFFER_BYTES_FIRST],
            dechunked: Vec::new(),
        })
    }

    /// Sends one request and waits for its whole reply.
    ///
    /// # Errors
    /// When the connection fails, or what comes is not HTTP/1.1. The request may have been carried out.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Reply<'_>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.endpoint).await?,
        };
        stream.write_all(request).await?;
        let head = self.receive(&mut stream).await?;
        if !head.close {
            self.stream = Some(stream);
        }
        let body = match head.framing {
            Framing::Length(length) => &self.buffer[head.bytes..head.bytes + length],
            Framing::Chunked => &self.dechunked,
        };
        Ok(Reply { status: head.status, body })
    }

    async fn receive(&mut self, stream: &mut TcpStream) -> io::Result<Head> {
        let mut filled = 0;
        let mut head: Option<Head> = None;
        loop {
            if filled == self.buffer.len() {
                if filled >= BUFFER_BYTES_MAX {
                    return Err(io::Error::other("the reply is too long"));
                }
                self.buffer.resize(filled * 2, 0);
            }
            let read = stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed within a reply"));
            }
            filled += read;
            if head.is_none() {
                head = head::parse(&self.buffer[..filled]).map_err(io::Error::other)?;
            }
            if let Some(found) = head
                && self.is_whole(found, filled)?
            {
                return Ok(found);
            }
        }
    }

    fn is_whole(&mut self, head: Head, filled: usize) -> io::Result<bool> {
        match head.framing {
            Framing::Length(length) => Ok(filled >= head.bytes + length),
            Framing::Chunked => {
                let content = head::dechunk(&self.buffer[head.bytes..filled]).map_err(io::Error::other)?;
                let whole = content.is_some();
                self.dechunked = content.unwrap_or_default();
                Ok(whole)
            }
        }
    }
}

async fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(endpoint.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
