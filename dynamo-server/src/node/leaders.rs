//! Who leads a shard, and asking it: the one loop that looks for a leader, and the one call to another node.
//!
//! The shard's own group says who leads it. What this node leads it does itself; anything else goes to the leader by one
//! message ([`crate::peer`]). Leaders change: a refusal that names another one is followed at once, and where none is
//! known this waits a little, always within the request's one deadline. Only what certainly did not happen, or may
//! happen twice, is tried again.

use std::future::Future;
use std::time::Duration;

use hlc::Timestamp;
use shard_router::ShardId;

use super::Node;
use crate::env::{Env, Lane, PeerRequest, Transport, TransportError};
use crate::guard::ReadFailure;
use crate::peer::{self, Header, Rpc};
use crate::raft::types::Member;
use crate::shard::{Deadline, Shard, ShardError};

/// How long a request that finds no leader waits before it looks again. An election takes a hundred times as long.
const LEADER_PAUSE: Duration = Duration::from_millis(10);

/// How long one attempt to reach a peer may take where the request itself has longer: a leader that was cut off is
/// replaced after an election timeout, and the request should then still have time for the next one.
pub(super) const ATTEMPT_MAX: Duration = Duration::from_millis(1_000);

/// Who can act for a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// This node.
    Here,
    /// Another one.
    At(u64),
}

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

/// An error that may say that somebody else leads.
pub(crate) trait Refusal: From<ShardError> {
    /// `Some` where it does, with the leader that it names.
    fn other_leader(&self) -> Option<Option<u64>>;
}

impl Refusal for ShardError {
    fn other_leader(&self) -> Option<Option<u64>> {
        match self {
            ShardError::NotLeader { leader } => Some(*leader),
            _ => None,
        }
    }
}

impl Refusal for ReadFailure {
    fn other_leader(&self) -> Option<Option<u64>> {
        match self {
            ReadFailure::Shard(error) => error.other_leader(),
            _ => None,
        }
    }
}

impl<E: Env> Node<E> {
    /// Makes attempts at the leader of `shard`, wherever it is, until one is not refused for being made elsewhere.
    ///
    /// # Errors
    /// That of the last attempt; [`ShardError`] where no leader is known until the deadline.
    pub(crate) async fn at_leader<T, R, F, A>(
        &self,
        shard: &Shard<E>,
        deadline: Deadline,
        mut attempt: F,
    ) -> Result<T, R>
    where
        R: Refusal,
        F: FnMut(Place) -> A,
        A: Future<Output = Result<T, R>>,
    {
        let mut hint = None;
        loop {
            let place = self.place_of(shard, hint, deadline).await?;
            let result = attempt(place).await;
            match result.as_ref().err().and_then(Refusal::other_leader) {
                Some(leader) => hint = self.after_refusal(shard, leader, deadline).await?,
                None => return result,
            }
        }
    }

    /// Who can act for `shard`: whoever `hint` names, this node, or the leader that it knows. Waits where nobody is
    /// known.
    ///
    /// The hint comes first: this node goes on holding itself for the leader for a moment after it has handed over, and
    /// asking itself again would end nowhere.
    ///
    /// # Errors
    /// When nobody is known until the deadline.
    pub(crate) async fn place_of(
        &self,
        shard: &Shard<E>,
        hint: Option<u64>,
        deadline: Deadline,
    ) -> Result<Place, ShardError> {
        loop {
            if let Some(leader) = hint {
                return Ok(Place::At(leader));
            }
            if self.is_alone || shard.group().lease().leading_term().is_some() {
                return Ok(Place::Here);
            }
            if let Some(voter) = self.somebody_else(shard) {
                return Ok(Place::At(voter));
            }
            if let Some(leader) = shard.group().other_leader() {
                return Ok(Place::At(leader));
            }
            self.pause(deadline).await?;
        }
    }

    /// Any other voter of a shard that stands still here: its group has left, and no longer knows who leads. Whoever is asked
    /// does.
    fn somebody_else(&self, shard: &Shard<E>) -> Option<u64> {
        shard.group().published().quarantine()?;
        let me = self.identity.node_id;
        let others: Vec<u64> = shard.group().members().voters.into_keys().filter(|voter| *voter != me).collect();
        let chance = usize::try_from(E::random() % others.len().max(1) as u64).unwrap_or(0);
        others.get(chance).copied()
    }

    /// Where to turn after a refusal that named `leader`. Waits unless it names somebody new.
    ///
    /// # Errors
    /// When the time is over; nothing was done then.
    async fn after_refusal(
        &self,
        shard: &Shard<E>,
        leader: Option<u64>,
        deadline: Deadline,
    ) -> Result<Option<u64>, ShardError> {
        if self.is_alone {
            return Err(ShardError::NotLeader { leader: None });
        }
        let is_news = leader
            .is_some_and(|leader| leader != self.identity.node_id && shard.group().other_leader() != Some(leader));
        if !is_news {
            self.pause(deadline).await?;
            return Ok(None);
        }
        Ok(leader)
    }

    /// When to give up one attempt at a peer that may be made again.
    pub(crate) fn attempt(&self, deadline: Deadline) -> Deadline {
        Deadline::after::<E>(ATTEMPT_MAX).min(deadline)
    }

    async fn pause(&self, deadline: Deadline) -> Result<(), ShardError> {
        if self.fault.reason().is_some() {
            return Err(ShardError::Stopped);
        }
        let left = deadline.remaining::<E>();
        if left.is_zero() {
            return Err(ShardError::NotConfirmed);
        }
        E::sleep(left.min(LEADER_PAUSE)).await;
        Ok(())
    }

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

    /// As [`Node::call`], of a peer that may be no member, or not yet, or not with these data. Takes over its hybrid time.
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
