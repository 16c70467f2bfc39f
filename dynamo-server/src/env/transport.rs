//! The way to other nodes: frames of bytes there and back.
//!
//! What the bytes mean is known to `raft/` and to the forwarding of requests; a transport only carries them. One call
//! is one request with its one response, so that every acknowledgement is paired with exactly its own request (a
//! lease depends on it). Nothing is promised about the order in which calls arrive, nor that a call whose caller has given
//! up does not arrive later: Raft's terms and log ids bear both.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::directory::Identity;

/// Messages that must not wait behind each other travel on connections of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Log entries.
    Data,
    /// Heartbeats and votes: small, never behind a megabyte of entries.
    Heartbeat,
    /// Chunks of snapshots.
    Snapshot,
    /// What one node asks another to do for a client. It may wait for a quorum, which must never keep the log's own
    /// messages from arriving.
    Requests,
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

/// Why a call gave no answer. But for [`TransportError::NotSent`] the request may have been processed all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection to the peer: the request has not left this node.
    #[error("the peer cannot be reached")]
    NotSent,
    /// The connection ended, or the peer has no answer.
    #[error("the peer does not answer")]
    Unreachable,
    /// The time given to the call is over.
    #[error("the peer did not answer in time")]
    TimedOut,
}

/// Answers what a peer asks; `None` leaves it without an answer, as if the message had been lost.
pub type PeerHandler = Arc<dyn Fn(Bytes) -> BoxFuture<'static, Option<Bytes>> + Send + Sync>;

/// Carries requests to peers, and theirs to this node.
pub trait Transport: Clone + Send + Sync + 'static {
    /// Hands every request to the node `me` that arrives from now on to `handler`. Before, nobody can be called either.
    fn listen(&self, me: &Identity, handler: PeerHandler);

    /// Sends `request` and waits at most `limit` for its response.
    ///
    /// # Errors
    /// When no response came; whether the peer acted is unknown then.
    fn call(&self, request: PeerRequest, limit: Duration)
    -> impl Future<Output = Result<Bytes, TransportError>> + Send;
}
