//! One call at a time, for set-up and checks outside the measured stretches.

use tokio::runtime::Runtime;

use super::{Body, Connection, Endpoint, Template};
use crate::error::{Context, Error, Result};

/// A connection with a runtime of its own.
pub struct Caller {
    endpoint: Endpoint,
    runtime: Runtime,
    connection: Option<Connection>,
}

impl Caller {
    /// A caller that connects when it is first used.
    pub fn new(endpoint: &Endpoint) -> Result<Caller> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Caller { endpoint: endpoint.clone(), runtime, connection: None })
    }

    /// The server that it calls.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Status and body of one operation's reply.
    ///
    /// # Errors
    /// When there is no reply.
    pub fn post(&mut self, operation: &str, body: &str) -> Result<(u16, Vec<u8>)> {
        let mut template = Template::new(&self.endpoint, operation, &Body::new(body));
        self.send(template.fill(&[])).context(|| operation.to_owned())
    }

    /// Status and body of the reply to a whole request.
    ///
    /// # Errors
    /// When there is no reply.
    pub fn send(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        let authority = self.endpoint.authority.clone();
        self.exchange(request).context(|| authority)
    }

    /// The body of one operation's reply.
    ///
    /// # Errors
    /// When the status is not 200.
    pub fn expect(&mut self, operation: &str, body: &str) -> Result<Vec<u8>> {
        match self.post(operation, body)? {
            (200, reply) => Ok(reply),
            (status, reply) => {
                let reply = String::from_utf8_lossy(&reply).into_owned();
                Err(Error::new(format!("{operation} on {}: {status} {reply}", self.endpoint.authority)))
            }
        }
    }

    /// The body at a path; `None` when there is none.
    pub fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.endpoint.authority);
        self.exchange(request.as_bytes()).ok().filter(|reply| reply.0 == 200).map(|reply| reply.1)
    }

    fn exchange(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        // A connection that idled through a slice may have been closed: then, and only then, a second one is tried.
        let kept = self.connection.take();
        let reused = kept.is_some();
        match self.exchange_on(kept, request) {
            Err(_) if reused => self.exchange_on(None, request),
            result => result,
        }
    }

    fn exchange_on(&mut self, connection: Option<Connection>, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        let endpoint = &self.endpoint;
        let (connection, reply) = self.runtime.block_on(async {
            let mut connection = match connection {
                Some(connection) => connection,
                None => Connection::open(endpoint).await?,
            };
            let reply = connection.exchange(request).await?;
            let reply = (reply.status, reply.body.to_vec());
            std::io::Result::Ok((connection, reply))
        })?;
        self.connection = Some(connection);
        Ok(reply)
    }
}
