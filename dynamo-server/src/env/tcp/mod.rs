//! The transport of production: TCP between the nodes of a cluster.
//!
//! One connection per peer and lane, so that a heartbeat never waits behind a megabyte of entries. Each begins with a
//! greeting ([`hello`]) that keeps strangers, other clusters and exchanged disks out; then come numbered frames
//! ([`frame`]). All groups share the connections. One on which nothing comes through is given up ([`silence`]).
//!
//! The traffic is neither encrypted nor authenticated: the port is for a private network, and on the loopback interface
//! unless said otherwise.

mod contacts;
mod frame;
mod hello;
mod inquiry;
mod link;
mod listener;
mod silence;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use self::contacts::Contacts;
use self::hello::Hello;
use self::link::{Answer, Link, Outgoing};
use self::listener::Host;
use super::directory::Identity;
use super::faults;
use super::transport::{Lane, PeerHandler, PeerRequest, Transport, TransportError};

/// The way to the peers over TCP; of a node that is alone, a way to nobody.
#[derive(Clone, Default)]
pub struct TcpTransport {
    /// `None` for a node that is alone.
    port: Option<Arc<Port>>,
}

/// An open port, with everything that hangs on it. Dropped with the last handle, it ends every connection.
struct Port {
    address: SocketAddr,
    /// Taken when listening begins.
    listener: Mutex<Option<TcpListener>>,
    me: OnceLock<Identity>,
    links: Mutex<BTreeMap<(u64, Lane, String), Link>>,
    accepting: Mutex<Option<AbortHandle>>,
    contacts: Arc<Contacts>,
}

impl Drop for Port {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.get_mut() {
            accepting.abort();
        }
    }
}

impl TcpTransport {
    /// Opens a port for peers. They are let in once somebody listens.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn open(address: SocketAddr) -> std::io::Result<TcpTransport> {
        let listener = TcpListener::bind(address).await?;
        let port = Port {
            address: listener.local_addr()?,
            listener: Mutex::new(Some(listener)),
            me: OnceLock::new(),
            links: Mutex::default(),
            accepting: Mutex::default(),
            contacts: Arc::default(),
        };
        Ok(TcpTransport { port: Some(Arc::new(port)) })
    }

    /// Where peers reach this node; `None` where it is alone.
    pub fn address(&self) -> Option<SocketAddr> {
        self.port.as_ref().map(|port| port.address)
    }
}

impl TcpTransport {
    /// Asks the node that listens at `address` who it is, without belonging to its cluster.
    ///
    /// # Errors
    /// Why it did not say.
    pub async fn inquire(address: &str, limit: Duration) -> Result<Identity, String> {
        inquiry::inquire(address, limit).await
    }
}

impl Port {
    /// Sends a request and waits for its response, for ever if need be.
    async fn exchange(&self, request: PeerRequest) -> Result<Bytes, TransportError> {
        let (peer, lane) = (request.to, request.lane);
        let (answer, answered) = oneshot::channel();
        if !faults::leaves(peer, lane).await {
            return std::future::pending().await;
        }
        self.send(request, answer)?;
        let response = answered.await.map_err(|_| TransportError::Unreachable)??;
        if !faults::arrives(peer).await {
            return std::future::pending().await;
        }
        Ok(response)
    }

    /// Takes a request on its way to a peer.
    fn send(&self, request: PeerRequest, answer: oneshot::Sender<Answer>) -> Result<(), TransportError> {
        let me = self.me.get().ok_or(TransportError::NotSent)?;
        let PeerRequest { to, address, lane, body } = request;
        let mut links = self.links.lock();
        let link = links.entry((to, lane, address.clone())).or_insert_with(|| {
            let hello =
                Hello { cluster: me.cluster_id, node: me.node_id, incarnation: me.incarnation, called: to, lane };
            Link::start(address, hello, Arc::clone(&self.contacts))
        });
        if link.send(Outgoing { body, answer }) { Ok(()) } else { Err(TransportError::NotSent) }
    }
}

impl Transport for TcpTransport {
    fn listen(&self, me: &Identity, handler: PeerHandler) {
        let Some(port) = &self.port else { return };
        let Some(listener) = port.listener.lock().take() else { return };
        // Who listens is the one whose identity it is; there is one node on a port.
        let me = port.me.get_or_init(|| me.clone()).clone();
        let host = Arc::new(Host { me, handler, disks: Mutex::default(), refused: Mutex::default() });
        *port.accepting.lock() = Some(tokio::spawn(listener::accept(listener, host)).abort_handle());
    }

    async fn call(&self, request: PeerRequest, limit: Duration) -> Result<Bytes, TransportError> {
        let Some(port) = &self.port else { return Err(TransportError::NotSent) };
        match tokio::time::timeout(limit, port.exchange(request)).await {
            Ok(ended) => ended,
            Err(_) => Err(TransportError::TimedOut),
        }
    }
}

#[cfg(test)]
mod tests;
