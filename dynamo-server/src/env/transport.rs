//! The way to other nodes: frames of bytes there and back.
//!
//! What the bytes mean is known to `raft/` and to the forwarding of requests; a transport only carries them. One call
//! is one request with its one response, so that every acknowledgement is paired with exactly its own request (a
//! lease depends on it). Calls of one lane to one peer arrive in the order in which they were begun.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

/// Messages that must not wait behind each other travel on connections of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Log entries and forwarded requests.
    Data,
    /// Heartbeats and votes: small, never behind a megabyte of entries.
    Heartbeat,
    /// Chunks of snapshots.
    Snapshot,
}

/// A request to a peer.
#[derive(Clone, Debug)]
pub struct PeerRequest {
    /// The peer's node id.
    pub to: u64,
    /// Where the membership says it listens.
    pub address: String,
    /// Which connection carries it.
    pub lane: Lane,
    /// The encoded message.
    pub body: Bytes,
}

/// Why a call gave no answer. The request may have been processed all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection to the peer.
    #[error("the peer cannot be reached")]
    Unreachable,
    /// The time given to the call is over.
    #[error("the peer did not answer in time")]
    TimedOut,
}

/// Carries requests to peers.
pub trait Transport: Clone + Send + Sync + 'static {
    /// Sends `request` and waits at most `limit` for its response.
    ///
    /// # Errors
    /// When no response came; whether the peer acted is unknown then.
    fn call(&self, request: PeerRequest, limit: Duration)
    -> impl Future<Output = Result<Bytes, TransportError>> + Send;
}

/// The transport of a node that has no peers: nobody is ever reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeers;

impl Transport for NoPeers {
    async fn call(&self, _request: PeerRequest, _limit: Duration) -> Result<Bytes, TransportError> {
        Err(TransportError::Unreachable)
    }
}
