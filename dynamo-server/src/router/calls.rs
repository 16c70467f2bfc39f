//! Calls to other nodes: one message, one answer, hybrid time with both.

use std::time::Duration;

use hlc::Timestamp;
use shard_router::ShardId;

use super::Router;
use crate::env::{Env, Introduction, Lane, PeerRequest, Transport, TransportError};
use crate::peer::{self, Header, Rpc};
use crate::raft::types::Member;
use crate::shard::{Deadline, ShardError};

/// What a call to a peer came to.
pub(crate) enum Called<R> {
    /// What the peer answered.
    Answer(R),
    /// There is no answer that can be read; whether the peer acted is not known.
    Lost,
    /// The message did not leave this node.
    NotSent,
}

/// What becomes of a call whose answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfLost {
    /// Whoever leads now is asked again: to do it twice does no harm.
    AskAgain,
    /// It is not repeated, and its outcome is unknown.
    Unknown,
}

impl<E: Env> Router<E> {
    /// Calls the leader of a shard.
    ///
    /// # Errors
    /// [`ShardError::NotLeader`] where it may be asked again, [`ShardError::Unknown`] where nobody knows whether it acted.
    pub(crate) async fn call_leader<R: Rpc>(
        &self,
        leader: u64,
        shard: ShardId,
        request: R::Request<'_>,
        if_lost: IfLost,
        deadline: Deadline,
    ) -> Result<R::Response, ShardError> {
        match (self.call::<R>(leader, shard, request, deadline).await, if_lost) {
            (Called::Answer(answer), _) => Ok(answer),
            (Called::Lost, IfLost::Unknown) => Err(ShardError::Unknown),
            (Called::Lost | Called::NotSent, _) => Err(ShardError::NotLeader { leader: None }),
        }
    }

    /// Calls a member for `shard`.
    pub(crate) async fn call<R: Rpc>(
        &self,
        peer: u64,
        shard: ShardId,
        request: R::Request<'_>,
        deadline: Deadline,
    ) -> Called<R::Response> {
        // A node that is being removed is a member of some groups and not of others, and may still lead this one.
        let own = self.shards.get(shard.0 as usize).and_then(|own| own.group().member(peer));
        let Some(member) = own.or_else(|| self.system().group().member(peer)) else { return Called::NotSent };
        self.call_at::<R>(peer, member, shard, request, deadline).await
    }

    /// As [`Router::call`], of a peer that may be no member, or not yet, or not with these data. Takes over its hybrid time.
    pub(crate) async fn call_at<R: Rpc>(
        &self,
        peer: u64,
        member: Member,
        shard: ShardId,
        request: R::Request<'_>,
        deadline: Deadline,
    ) -> Called<R::Response> {
        let remaining = deadline.remaining::<E>();
        if remaining.is_zero() {
            return Called::NotSent;
        }
        let Member { address, incarnation } = member;
        let header = Header { kind: R::KIND, shard, remaining, clock: self.clock_reading() };
        let body = peer::request::<R>(&header, &request);
        let request = PeerRequest { to: peer, incarnation, address, lane: Lane::Requests, body };
        let message = match self.transport.call(request, remaining).await {
            Ok(answer) => self.memory.count(answer.body),
            Err(TransportError::NotSent) => return Called::NotSent,
            Err(TransportError::Unreachable | TransportError::TimedOut) => return Called::Lost,
        };
        match peer::read_response(&message) {
            Ok((clock, answer)) => {
                self.observe_clock(clock);
                Called::Answer(answer)
            }
            Err(error) => {
                tracing::warn!(peer, kind = R::KIND, %error, "a peer's answer cannot be read");
                Called::Lost
            }
        }
    }

    /// Asks who listens at `address`, where `node` should.
    ///
    /// # Errors
    /// Why nobody said, for people.
    pub(crate) async fn inquire(&self, node: u64, address: &str, limit: Duration) -> Result<Introduction, String> {
        self.transport.inquire(node, address, limit).await
    }

    /// The hybrid time that goes out with every message.
    pub(crate) fn clock_reading(&self) -> Timestamp {
        self.clock.reading(self.wall_ms())
    }

    /// Where hybrid time stands, in milliseconds since the Unix epoch: at least where the shards have got to, as far as they
    /// have been applied here. Wall clocks that were all ahead, and have been set, leave it ahead of every wall clock.
    pub(crate) fn hybrid_ms(&self) -> u64 {
        let shards = self.shards.iter().map(|shard| shard.group().published().ceiling().physical_ms());
        shards.max().unwrap_or(0).max(self.clock_reading().physical_ms())
    }

    /// Takes over the hybrid time of a message. One that is too far ahead of wall time and of all shards belongs to a node
    /// whose clock is wrong, and counts for nothing here.
    pub(crate) fn observe_clock(&self, remote: Timestamp) {
        let taken = self.clock.observe(remote, self.wall_ms());
        if let Err(error) = taken.or_else(|_| self.clock.observe(remote, self.hybrid_ms()))
            && let Some(left_out) = self.wall_log.permits::<E>()
        {
            tracing::warn!(%error, left_out, "the clock of a peer is too far ahead, or this node's too far behind");
        }
    }
}
