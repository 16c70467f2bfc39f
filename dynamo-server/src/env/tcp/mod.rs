//! The transport of production: TCP between the nodes of a cluster.
//!
//! One connection per peer and lane, so that a heartbeat never waits behind a megabyte of entries. Each begins with a
//! greeting ([`hello`]) in which both sides say which node and incarnation they are, and prove that they know the
//! cluster's secret where there is one ([`secret`]); then come numbered frames ([`frame`]). All groups share the
//! connections. One on which nothing comes through is given up ([`silence`]).
//!
//! The traffic is not encrypted: the port is for a private network, and on the loopback interface unless said otherwise.

mod contacts;
mod frame;
mod hello;
mod link;
mod listener;
mod places;
mod secret;
mod silence;
mod terms;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

pub use self::secret::Secret;
pub use self::terms::Terms;

use self::contacts::Contacts;
use self::hello::Hello;
use self::link::{Body, CallResult, Link, Outgoing, Wanted};
use self::listener::Reception;
use super::directory::Identity;
use super::faults;
use super::transport::{
    ANY_INCARNATION, Introduction, Lane, PeerAnswer, PeerHost, PeerRequest, Transport, TransportError,
};

/// To whom a link leads: node, incarnation, lane, address.
type LinkKey = (u64, u64, Lane, String);

/// The way to the peers over TCP; of a node that is alone, a way to nobody.
#[derive(Clone, Default)]
pub struct TcpTransport {
    /// `None` for a node that is alone.
    port: Option<Arc<Port>>,
}

/// An open port, with everything that hangs on it. Dropped with the last handle, it ends every connection.
struct Port {
    /// Where peers reach it.
    address: SocketAddr,
    /// Taken when listening begins.
    listener: Mutex<Option<TcpListener>>,
    /// Who listens here; known once it does.
    me: OnceLock<Identity>,
    /// What holds between this node and its peers.
    terms: Arc<Terms>,
    /// One for each peer and lane that was ever asked.
    links: Mutex<BTreeMap<LinkKey, Link>>,
    /// The task that takes connections.
    accepting: Mutex<Option<AbortHandle>>,
    /// Which peers are not reached.
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
    /// Opens a port for peers, with nothing taken for granted. They are let in once somebody listens.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn open(address: SocketAddr) -> std::io::Result<TcpTransport> {
        TcpTransport::open_on(address, Terms::default()).await
    }

    /// As [`TcpTransport::open`], on these terms.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn open_on(address: SocketAddr, terms: Terms) -> std::io::Result<TcpTransport> {
        let listener = TcpListener::bind(address).await?;
        let port = Port {
            address: listener.local_addr()?,
            listener: Mutex::new(Some(listener)),
            me: OnceLock::new(),
            terms: Arc::new(terms),
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

impl Port {
    /// Sends a request and waits for its response, for ever if need be.
    async fn exchange(&self, request: PeerRequest) -> CallResult {
        let (peer, lane) = (request.to, request.lane);
        let (answer, answered) = oneshot::channel();
        if !faults::leaves(peer, lane).await {
            return std::future::pending().await;
        }
        let _wanted = self.send(request, answer)?;
        let response = answered.await.map_err(|_| TransportError::Unreachable)??;
        if !faults::arrives(peer).await {
            return std::future::pending().await;
        }
        Ok(response)
    }

    /// Takes a request on its way to a peer; it goes no further once nobody wants it any more.
    fn send(&self, request: PeerRequest, answer: oneshot::Sender<CallResult>) -> Result<Wanted, TransportError> {
        let me = self.me.get().ok_or(TransportError::NotSent)?;
        let PeerRequest { to, incarnation, address, lane, body } = request;
        let body = Body::new(body);
        let wanted = body.while_wanted();
        let mut links = self.links.lock();
        let link = links.entry((to, incarnation, lane, address.clone())).or_insert_with(|| {
            let hello = Hello {
                cluster: me.cluster_id,
                node: me.node_id,
                incarnation: me.incarnation,
                called: to,
                means: incarnation,
                lane: Some(lane),
            };
            Link::start(address, hello, Arc::clone(&self.terms), Arc::clone(&self.contacts))
        });
        if link.send(Outgoing { body, answer }) { Ok(wanted) } else { Err(TransportError::NotSent) }
    }
}

impl Transport for TcpTransport {
    fn listen(&self, me: &Identity, host: Arc<dyn PeerHost>) {
        let Some(port) = &self.port else { return };
        let Some(listener) = port.listener.lock().take() else { return };
        // Who listens is the one whose identity it is; there is one node on a port.
        port.me.get_or_init(|| me.clone());
        let reception = Reception::new(host, Arc::clone(&port.terms));
        *port.accepting.lock() = Some(tokio::spawn(listener::accept(listener, reception)).abort_handle());
    }

    fn listens_at(&self) -> Option<SocketAddr> {
        self.address()
    }

    async fn call(&self, request: PeerRequest, limit: Duration) -> Result<PeerAnswer, TransportError> {
        let Some(port) = &self.port else { return Err(TransportError::NotSent) };
        match tokio::time::timeout(limit, port.exchange(request)).await {
            Ok(ended) => ended,
            Err(_) => Err(TransportError::TimedOut),
        }
    }

    async fn inquire(&self, _peer: u64, address: &str, limit: Duration) -> Result<Introduction, String> {
        let nobody = Arc::default();
        let (me, terms) = match &self.port {
            Some(port) => (port.me.get(), &port.terms),
            None => (None, &nobody),
        };
        let hello = Hello {
            cluster: me.map_or(0, |me| me.cluster_id),
            node: me.map_or(0, |me| me.node_id),
            incarnation: me.map_or(ANY_INCARNATION, |me| me.incarnation),
            called: 0,
            means: ANY_INCARNATION,
            lane: None,
        };
        link::inquire(address, &hello, terms, limit).await
    }
}

#[cfg(test)]
mod tests;
