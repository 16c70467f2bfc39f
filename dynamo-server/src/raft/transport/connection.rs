//! The way from a group to one of its peers, over the environment's transport.

use std::sync::Arc;
use std::time::Duration;

use openraft::AnyError;
use openraft::errors::{RPCError, Unreachable};

use super::message::{self, Message};
use crate::env::{ANY_INCARNATION, Env, Lane, PeerRequest, Transport, TransportError};
use crate::raft::lease::wall_clocks::WallClocks;
use crate::raft::lease::{LeaseFeed, now};
use crate::raft::machine::published::Published;
use crate::raft::rules::{self, Rule};
use crate::raft::snapshot::message::SnapshotMessage;
use crate::raft::types::{Member, NodeId, Types};

/// A group's way to one peer.
pub struct Connection<E> {
    /// Whose transport and clocks.
    pub(in crate::raft) env: E,
    /// The shard's number.
    pub(in crate::raft) group: u32,
    /// Credited with what the peer accepts.
    pub(in crate::raft) lease: Arc<LeaseFeed>,
    /// How far the group has applied here.
    pub(in crate::raft) published: Arc<Published>,
    /// What the peer says of its clock goes here.
    pub(in crate::raft) wall_clocks: Arc<WallClocks>,
    /// The last mark that the peer has sent with an answer.
    pub(in crate::raft) mark: u64,
    /// The index behind the last entry that the peer has acknowledged on this connection.
    pub(in crate::raft) acknowledged_next: u64,
    /// Its number.
    pub(in crate::raft) peer: NodeId,
    /// As the membership names it: only its own data answer.
    pub(in crate::raft) member: Member,
    /// On which messages go that have no lane of their own.
    pub(in crate::raft) lane: Lane,
    /// Bytes of rows in one chunk of a snapshot.
    pub(in crate::raft) chunk_bytes: usize,
}

impl<E: Env> Connection<E> {
    pub(in crate::raft) async fn call(
        &self,
        message: Message<E>,
        limit: Duration,
    ) -> Result<bytes::Bytes, RPCError<Types<E>>> {
        self.call_on(self.lane, message, limit).await
    }

    pub(in crate::raft) async fn call_on(
        &self,
        lane: Lane,
        message: Message<E>,
        limit: Duration,
    ) -> Result<bytes::Bytes, RPCError<Types<E>>> {
        let body = message::encode(self.group, &message);
        // The entries in it are not kept for as long as an answer is waited for.
        drop(message);
        self.ask(lane, body, limit).await.map_err(unreachable)
    }

    /// The answer of the member, of no other incarnation under its number: what that one has stored or promised is not
    /// what this group relies on.
    async fn ask(&self, lane: Lane, body: bytes::Bytes, limit: Duration) -> Result<bytes::Bytes, TransportError> {
        let is_kept = rules::is_kept(Rule::Incarnations);
        let incarnation = if is_kept { self.member.incarnation } else { ANY_INCARNATION };
        let request = PeerRequest { to: self.peer, incarnation, address: self.member.address.clone(), lane, body };
        let answer = self.env.transport().call(request, limit).await?;
        if is_kept && !self.member.is(answer.incarnation) {
            return Err(TransportError::Unreachable);
        }
        Ok(answer.body)
    }

    /// Sends a part of a snapshot.
    pub(in crate::raft) async fn ask_snapshot(
        &self,
        message: &SnapshotMessage,
        limit: Duration,
    ) -> Result<bytes::Bytes, TransportError> {
        let body = message::encode(self.group, &Message::<E>::Snapshot(message.clone()));
        self.ask(Lane::Snapshot, body, limit).await
    }

    /// In place of an append: asks only whether the peer is there. Where a quorum is heard by that, the append may follow.
    pub(in crate::raft) async fn probe(
        &self,
        term: u64,
        is_new: bool,
        limit: Duration,
    ) -> Result<(), RPCError<Types<E>>> {
        if is_new {
            let shard = self.group;
            tracing::warn!(shard, term, "this leader hears no quorum: others may be elected until it hears one again");
        }
        self.call(Message::Probe, limit).await?;
        self.lease.peer_answered(term, self.peer, now::<E>());
        self.lease.may_append(term, now::<E>()).map_err(|_| unreachable(QuorumUnheard))
    }

    pub(in crate::raft) fn acknowledges(&mut self, next: u64) {
        self.acknowledged_next = self.acknowledged_next.max(next);
    }

    /// The peer lacks what it has acknowledged: its disk holds an older state of itself. It is sent everything again
    /// (`allow_log_reversion`); what else it may have forgotten, votes among it, nobody can know.
    pub(in crate::raft) fn has_forgotten(&mut self, next: u64) {
        let (shard, node, acknowledged) = (self.group, self.peer, self.acknowledged_next.saturating_sub(1));
        tracing::error!(
            shard,
            "node {node} has acknowledged entry {acknowledged} and lacks entry {}: its disk was put back to an older copy of \
             itself; replace it with `cluster replace --node {node}`",
            next.saturating_sub(1)
        );
        self.acknowledged_next = 0;
    }
}

/// Why an append is not sent.
#[derive(Debug, thiserror::Error)]
#[error("no quorum is heard")]
struct QuorumUnheard;

pub(in crate::raft) fn unreachable<E: Env>(error: impl std::error::Error + 'static) -> RPCError<Types<E>> {
    RPCError::Unreachable(Unreachable::new(&AnyError::new(&error)))
}
