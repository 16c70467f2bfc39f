//! The way to other nodes: frames of bytes there and back.
//!
//! What the bytes mean is known to `raft/` and to the forwarding of requests; a transport only carries them. One call
//! is one request with its one response, so that every acknowledgement is paired with exactly its own request (a
//! lease depends on it). Nothing is promised about the order in which calls arrive, nor that a call whose caller has given
//! up does not arrive later: Raft's terms and log ids bear both.
//!
//! A transport vouches for who is at the other end, by number *and incarnation*: every request comes with its caller's,
//! every answer with its answerer's. Whether that is who was meant is decided above, in one place for all transports.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::directory::Identity;
use super::settings::AgreedSettings;

/// The incarnation that stands for any: of a node of which only the address is known.
pub const ANY_INCARNATION: u64 = 0;

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
    /// The incarnation that is meant, as the membership says; [`ANY_INCARNATION`] for whoever has the number.
    pub incarnation: u64,
    /// Where the membership says it listens.
    pub address: String,
    /// Which connection carries it.
    pub lane: Lane,
    /// The encoded message.
    pub body: Bytes,
}

/// The answer of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAnswer {
    /// The incarnation of who answered.
    pub incarnation: u64,
    /// What it said.
    pub body: Bytes,
}

/// Who makes a call, and whom it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its node id.
    pub node: u64,
    /// Its incarnation.
    pub incarnation: u64,
    /// The incarnation that it means to call; [`ANY_INCARNATION`] where it does not care.
    pub means: u64,
}

/// What a node is to another one that knows the members of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing can be said: whoever was asked knows no members itself.
    Unknown = 0,
    /// A member, voter or learner, with this incarnation.
    Member = 1,
    /// Its number belongs to another incarnation: it has lost its data, or runs beside the member.
    OtherIncarnation = 2,
    /// No member.
    Stranger = 3,
}

/// What a node says to one that asks who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Who it is.
    pub identity: Identity,
    /// Whether it has taken part in a group of the cluster: it holds a vote or an entry.
    pub has_data: bool,
    /// What the asker is to it.
    pub standing: Standing,
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

/// Answers what peers ask.
pub trait PeerHost: Send + Sync + 'static {
    /// Who this is, and what the node of this number and incarnation is to it.
    fn introduce(&self, node: u64, incarnation: u64) -> Introduction;

    /// The answer to a request; `None` leaves it without one, as if the message had been lost.
    fn answer(&self, caller: Caller, request: Bytes) -> BoxFuture<'static, Option<Bytes>>;

    /// A node has greeted and named the settings that all nodes should have alike.
    fn hear_settings(&self, node: u64, settings: &AgreedSettings);
}

/// Carries requests to peers, and theirs to this node.
pub trait Transport: Clone + Send + Sync + 'static {
    /// Hands every request to the node `me` that arrives from now on to `host`. Before, nobody can be called either.
    fn listen(&self, me: &Identity, host: Arc<dyn PeerHost>);

    /// Where peers reach this node, as far as this node can tell; `None` where it is alone.
    fn listens_at(&self) -> Option<SocketAddr> {
        None
    }

    /// Sends `request` and waits at most `limit` for its response.
    ///
    /// # Errors
    /// When no response came; whether the peer acted is unknown then.
    fn call(
        &self,
        request: PeerRequest,
        limit: Duration,
    ) -> impl Future<Output = Result<PeerAnswer, TransportError>> + Send;

    /// Asks the node with this number at `address` who it is, without belonging to its cluster. Waits at most `limit`.
    ///
    /// # Errors
    /// Why it did not say, for people.
    fn inquire(
        &self,
        peer: u64,
        address: &str,
        limit: Duration,
    ) -> impl Future<Output = Result<Introduction, String>> + Send;
}
