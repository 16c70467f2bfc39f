//! From a token to the node that can act for its shard, and there.
//!
//! The shard map says which shard owns a token; the shard's own group says who leads it. What this node leads it does
//! itself; anything else goes to the leader by one message ([`crate::peer`]). Leaders change: a refusal that names
//! another one is followed at once, and where none is known this waits a little, always within the request's one
//! deadline. Only what certainly did not happen is tried again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::apply::{Outcome, Rejection};
use dynamo_engine::command::Command;
use dynamo_engine::plan::PlannedCommand;
use futures::future::join_all;
use hlc::Timestamp;
use shard_router::{ShardId, Token};

use super::room::Need;
use super::{Node, lanes};
use crate::env::{Env, Lane, PeerRequest, Transport, TransportError};
use crate::guard::Handler;
use crate::peer::{self, Header};
use crate::raft::types::Member;
use crate::shard::{Deadline, Shard, ShardError, weight};

/// How long a request that finds no leader waits before it looks again. An election takes a hundred times as long.
const LEADER_PAUSE: Duration = Duration::from_millis(10);

/// How long a write that waits for a transaction waits before it tries again: about what a transaction takes.
const CONFLICT_PAUSE: Duration = Duration::from_millis(10);

/// How long one attempt to reach a peer may take where the request itself has longer: a leader that was cut off is
/// replaced after an election timeout, and the request should then still have time for the next one.
pub(super) const ATTEMPT_MAX: Duration = Duration::from_millis(1_000);

/// What becomes of a write whose item a transaction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The conflict is its outcome.
    Answer,
    /// It waits until the item is free, or the time is over.
    Wait,
}

/// Who can act for a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// This node.
    Here,
    /// Another one.
    At(u64),
}

/// What an attempt at a peer came to.
pub(crate) enum Attempt {
    /// The bytes behind the answer's header.
    Answer(Bytes),
    /// There is no answer; whether the peer acted is not known.
    Lost,
    /// The message did not leave this node.
    NotSent,
}

impl<E: Env> Node<E> {
    /// The shard that owns `token`.
    pub(crate) fn shard_of(&self, token: Token) -> &Arc<Shard<E>> {
        match &self.shards[..] {
            [only] => only,
            shards => &shards[self.map.locate(token).0.0 as usize],
        }
    }

    /// A shard by its number.
    ///
    /// # Errors
    /// When there is no such shard.
    pub(crate) fn shard(&self, id: ShardId) -> Result<&Arc<Shard<E>>, ShardError> {
        self.shards.get(id.0 as usize).ok_or(ShardError::Stopped)
    }

    /// The hybrid time that goes out with every message.
    pub(crate) fn clock_reading(&self) -> Timestamp {
        self.clock.reading(self.wall_ms())
    }

    /// Takes over the hybrid time of a message. One that is too far ahead belongs to a node whose clock is wrong, and
    /// counts for nothing here.
    pub(crate) fn observe_clock(&self, remote: Timestamp) {
        if let Err(error) = self.clock.observe(remote, self.wall_ms())
            && let Some(left_out) = self.wall_log.permits::<E>()
        {
            tracing::warn!(%error, left_out, "the clock of a peer is too far ahead, or this node's too far behind");
        }
    }

    /// Proposes a command to the shard that owns `token`, and waits until its leader has applied it.
    ///
    /// # Errors
    /// [`ShardError`]; what it leaves open stands there.
    pub async fn propose(&self, token: Token, command: Command, deadline: Deadline) -> Result<Outcome, ShardError> {
        match command {
            Command::Transact(transaction) => self.transact(token, transaction, deadline).await,
            command => self.propose_to(self.shard_of(token), command, deadline).await,
        }
    }

    /// Proposes commands that are independent of each other, all at the same time; what comes of each is in their order.
    pub async fn propose_all(
        &self,
        mut commands: Vec<PlannedCommand>,
        on_conflict: OnConflict,
        deadline: Deadline,
    ) -> Vec<Result<Outcome, ShardError>> {
        if commands.len() == 1
            && let Some(PlannedCommand { token, command }) = commands.pop()
        {
            // The future of a proposal is some kilobytes long, and is moved about where it is one of several.
            return vec![self.propose_with(on_conflict, token, command, deadline).await];
        }
        let mut proposals = Vec::with_capacity(commands.len());
        for PlannedCommand { token, command } in commands {
            proposals.push(self.propose_with(on_conflict, token, command, deadline));
        }
        join_all(proposals).await
    }

    async fn propose_with(
        &self,
        on_conflict: OnConflict,
        token: Token,
        command: Command,
        deadline: Deadline,
    ) -> Result<Outcome, ShardError> {
        if on_conflict == OnConflict::Answer {
            return self.propose(token, command, deadline).await;
        }
        loop {
            match self.propose(token, command.clone(), deadline).await? {
                Outcome::Conflict if !deadline.is_over::<E>() => {
                    E::sleep(deadline.remaining::<E>().min(CONFLICT_PAUSE)).await;
                }
                outcome => return Ok(outcome),
            }
        }
    }

    /// Proposes a command to a shard, wherever it is led, and waits until its leader has applied it.
    ///
    /// # Errors
    /// As [`Node::propose`].
    pub(crate) async fn propose_to(
        &self,
        shard: &Arc<Shard<E>>,
        command: Command,
        deadline: Deadline,
    ) -> Result<Outcome, ShardError> {
        if self.is_alone {
            // Nobody else could be asked, so the command need not be kept for another attempt.
            return self.propose_here(shard, command, deadline).await;
        }
        let mut hint = None;
        loop {
            let result = match self.place_of(shard, hint, deadline).await? {
                Place::Here => self.propose_here(shard, command.clone(), deadline).await,
                Place::At(leader) => self.propose_at(leader, shard.id(), &command, deadline).await,
            };
            match result {
                Err(ShardError::NotLeader { leader }) => {
                    hint = self.after_refusal(shard, leader, deadline).await?;
                }
                result => return result,
            }
        }
    }

    /// Proposes a command to a shard as far as this node leads it.
    ///
    /// # Errors
    /// As [`Node::propose`]; [`ShardError::NotLeader`] where another node leads.
    pub(crate) async fn propose_here(
        &self,
        shard: &Arc<Shard<E>>,
        command: Command,
        deadline: Deadline,
    ) -> Result<Outcome, ShardError> {
        loop {
            self.check_writable(shard, &command)?;
            // Stamped by a leader that was deposed meanwhile, or in an entry with too much work before it, and therefore
            // not done: propose again.
            match shard.propose(command.clone(), deadline).await? {
                Outcome::Rejected(Rejection::Timestamp | Rejection::Crowded) if !deadline.is_over::<E>() => {}
                outcome => {
                    lanes::wait_for_index(shard, &outcome, deadline).await;
                    return Ok(outcome);
                }
            }
        }
    }

    async fn propose_at(
        &self,
        leader: u64,
        shard: ShardId,
        command: &Command,
        deadline: Deadline,
    ) -> Result<Outcome, ShardError> {
        let body = peer::propose::encode(std::slice::from_ref(command));
        match self.ask(leader, shard, peer::PROPOSE, &body, deadline).await {
            Attempt::NotSent => Err(ShardError::NotLeader { leader: None }),
            Attempt::Lost => Err(ShardError::Unknown),
            Attempt::Answer(answer) => match peer::propose::decode(&answer) {
                Ok(results) => results?.pop().unwrap_or(Err(ShardError::Unknown)),
                Err(error) => {
                    tracing::warn!(leader, %error, "a peer's answer to a proposal cannot be read");
                    Err(ShardError::Unknown)
                }
            },
        }
    }

    /// Waits until the state of `shard` on this node shows everything acknowledged before this call, wherever the
    /// shard is led.
    ///
    /// # Errors
    /// When nobody confirms in time.
    pub(crate) async fn catch_up(&self, shard: &Arc<Shard<E>>, deadline: Deadline) -> Result<(), ShardError> {
        let mut hint = None;
        loop {
            let result = match self.place_of(shard, hint, deadline).await? {
                Place::Here => self.confirm_leading(shard, deadline).await,
                Place::At(leader) => self.catch_up_with(leader, shard, deadline).await,
            };
            match result {
                Err(ShardError::NotLeader { leader }) => {
                    hint = self.after_refusal(shard, leader, deadline).await?;
                }
                result => return result,
            }
        }
    }

    async fn catch_up_with(&self, leader: u64, shard: &Arc<Shard<E>>, deadline: Deadline) -> Result<(), ShardError> {
        let answer = match self.ask(leader, shard.id(), peer::READ_INDEX, &[], self.attempt(deadline)).await {
            Attempt::Answer(answer) => answer,
            // Nothing was done, so somebody else may be asked.
            Attempt::Lost | Attempt::NotSent => return Err(ShardError::NotLeader { leader: None }),
        };
        let applied_next = match peer::read_index::decode(&answer) {
            Ok(result) => result?,
            Err(error) => {
                tracing::warn!(leader, %error, "a peer's read index cannot be read");
                return Err(ShardError::NotConfirmed);
            }
        };
        let Some(last) = applied_next.checked_sub(1) else { return Ok(()) };
        let applied = E::timeout(deadline.remaining::<E>(), shard.group().published().wait_applied(last)).await;
        applied.ok_or(ShardError::NotConfirmed)
    }

    /// Makes sure that this node leads `shard` now: by the lease, or by asking a quorum.
    ///
    /// # Errors
    /// When nobody confirms in time; [`ShardError::NotLeader`] where another node leads.
    pub(crate) async fn confirm_leading(&self, shard: &Arc<Shard<E>>, deadline: Deadline) -> Result<(), ShardError> {
        if self.fault.reason().is_some() {
            return Err(ShardError::Stopped);
        }
        self.guard.pass(Handler::Catalog, std::slice::from_ref(shard), deadline).await
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
    pub(crate) async fn after_refusal(
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

    /// Asks a peer to do something for `shard`, and takes over its hybrid time.
    pub(crate) async fn ask(&self, peer: u64, shard: ShardId, kind: u8, body: &[u8], deadline: Deadline) -> Attempt {
        // A node that is being removed is a member of some groups and not of others, and may still lead this one.
        let own = self.shards.get(shard.0 as usize).and_then(|own| own.group().member(peer));
        let Some(member) = own.or_else(|| self.system().group().member(peer)) else { return Attempt::NotSent };
        self.ask_at(peer, member, shard, kind, body, deadline).await
    }

    /// As [`Node::ask`], of a peer that may be no member, or not yet, or not with these data.
    pub(crate) async fn ask_at(
        &self,
        peer: u64,
        member: Member,
        shard: ShardId,
        kind: u8,
        body: &[u8],
        deadline: Deadline,
    ) -> Attempt {
        let remaining = deadline.remaining::<E>();
        if remaining.is_zero() {
            return Attempt::NotSent;
        }
        let Member { address, incarnation } = member;
        let header = Header { kind, shard, remaining, clock: self.clock_reading() };
        let mut message = Vec::with_capacity(32 + body.len());
        header.encode(&mut message);
        message.extend_from_slice(body);
        let request = PeerRequest { to: peer, incarnation, address, lane: Lane::Requests, body: message.into() };
        let answer = match self.transport.call(request, remaining).await {
            Ok(answer) => answer.body,
            Err(TransportError::NotSent) => return Attempt::NotSent,
            Err(TransportError::Unreachable | TransportError::TimedOut) => return Attempt::Lost,
        };
        let mut rest = &answer[..];
        match peer::open_response(&mut rest) {
            Ok(clock) => {
                self.observe_clock(clock);
                Attempt::Answer(self.memory.count(answer.slice_ref(rest)))
            }
            Err(error) => {
                tracing::warn!(peer, %error, "a peer's answer cannot be read");
                Attempt::Lost
            }
        }
    }

    /// Whether the command is taken, as far as the node and the room on the disks are concerned.
    fn check_writable(&self, shard: &Shard<E>, command: &Command) -> Result<(), ShardError> {
        if self.fault.reason().is_some() {
            return Err(ShardError::Stopped);
        }
        let voters = || shard.group().members().voters.into_keys().collect();
        match self.room.refuses(self.identity.node_id, || (Need::of(command), weight(command)), voters) {
            true => Err(ShardError::DiskFull),
            false => Ok(()),
        }
    }
}
