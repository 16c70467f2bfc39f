//! Proposals to a shard's leader, wherever it is, and making sure of who leads.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::{Outcome, Rejection};
use dynamo_engine::command::Command;
use futures::future::join_all;

use super::Router;
use super::calls::IfLost;
use super::leaders::Place;
use crate::env::Env;
use crate::guard::Handler;
use crate::memory::{COUNTED_COMMAND_BYTES_MIN, Taken};
use crate::peer::propose::Results;
use crate::peer::{Header, Propose, ReadIndex};
use crate::shard::room::{Reserved, Verdict};
use crate::shard::{Deadline, Permits, Shard, ShardError, Ticket};

/// How long a command waits for a look at the disk: it comes at once where the upkeep has nothing else to do.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// Of the time that a peer has left, one part in so many is for the answer's way back.
const WAY_BACK_PART: u32 = 20;

impl<E: Env> Router<E> {
    /// Proposes a command to a shard, wherever it is led, and waits until its leader has applied it.
    ///
    /// # Errors
    /// [`ShardError`].
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
        let command = &command;
        self.at_leader(shard, deadline, |place| async move {
            match place {
                Place::Here => self.propose_here(shard, command.clone(), deadline).await,
                Place::At(leader) => {
                    let request = std::slice::from_ref(command);
                    let results =
                        self.call_leader::<Propose>(leader, shard.id(), request, IfLost::Unknown, deadline).await??;
                    results.into_iter().next().unwrap_or(Err(ShardError::Unknown))
                }
            }
        })
        .await
    }

    /// Proposes a command to a shard as far as this node leads it.
    ///
    /// # Errors
    /// As [`Router::propose_to`]; [`ShardError::NotLeader`] where another node leads.
    pub(crate) async fn propose_here(
        &self,
        shard: &Arc<Shard<E>>,
        command: Command,
        deadline: Deadline,
    ) -> Result<Outcome, ShardError> {
        let mut ticket = Ticket::new(command);
        loop {
            if self.has_failed() {
                return Err(ShardError::Stopped);
            }
            let mut permits = Permits { memory: self.memory_for(&ticket)?, room: None };
            if self.room.is_tight() {
                permits.room = Box::pin(self.room_for(shard, &ticket, deadline)).await?;
            }
            let admitted = Arc::new(ticket.with(permits));
            // Stamped by a leader that was deposed meanwhile, or in an entry with too much work before it, and therefore
            // not done: propose again.
            match shard.sequencer().propose_ticket::<E>(Arc::clone(&admitted), deadline).await? {
                Outcome::Rejected(Rejection::Timestamp | Rejection::Crowded) if !deadline.is_over::<E>() => {
                    ticket = admitted.again().map_err(|_| ShardError::Stopped)?;
                }
                outcome => {
                    shard.arrivals().wait_for_index::<E>(&outcome, deadline).await;
                    return Ok(outcome);
                }
            }
        }
    }

    /// Proposes commands for another node, all at the same time. Gives up a little before that node does, so that what was
    /// taken back from the queue is known there, too, and the client is throttled instead of being told that nobody knows.
    ///
    /// # Errors
    /// When there is no such shard.
    pub(crate) async fn propose_for_peer(&self, header: Header, commands: Vec<Command>) -> Result<Results, ShardError> {
        let shard = self.shard(header.shard)?;
        let deadline = Deadline::after::<E>(header.remaining - header.remaining / WAY_BACK_PART);
        let mut proposals = Vec::with_capacity(commands.len());
        for command in commands {
            proposals.push(self.propose_here(shard, command, deadline));
        }
        Ok(join_all(proposals).await)
    }

    /// Waits until the state of `shard` on this node shows everything acknowledged before this call, wherever the
    /// shard is led.
    ///
    /// # Errors
    /// When nobody confirms in time.
    pub(crate) async fn catch_up(&self, shard: &Arc<Shard<E>>, deadline: Deadline) -> Result<(), ShardError> {
        self.at_leader(shard, deadline, |place| async move {
            match place {
                Place::Here => self.confirm_leading(shard, deadline).await,
                Place::At(leader) => self.catch_up_with(leader, shard, deadline).await,
            }
        })
        .await
    }

    async fn catch_up_with(&self, leader: u64, shard: &Arc<Shard<E>>, deadline: Deadline) -> Result<(), ShardError> {
        let attempt = self.attempt(deadline);
        let applied_next = self.call_leader::<ReadIndex>(leader, shard.id(), (), IfLost::AskAgain, attempt).await??;
        let Some(last) = applied_next.checked_sub(1) else { return Ok(()) };
        let applied = E::timeout(deadline.remaining::<E>(), shard.group().published().wait_applied(last)).await;
        applied.ok_or(ShardError::NotConfirmed)
    }

    /// How far a replica must have applied to show everything acknowledged by now. Whatever was acknowledged before is
    /// applied here once this node is known to lead, since a leader acknowledges what it has applied.
    ///
    /// # Errors
    /// As [`Router::confirm_leading`].
    pub(crate) async fn read_index(&self, header: Header) -> Result<u64, ShardError> {
        let shard = self.shard(header.shard)?;
        self.confirm_leading(shard, Deadline::after::<E>(header.remaining)).await?;
        Ok(shard.group().published().applied_next())
    }

    /// Makes sure that this node leads `shard` now: by the lease, or by asking a quorum.
    ///
    /// # Errors
    /// When nobody confirms in time; [`ShardError::NotLeader`] where another node leads.
    pub(crate) async fn confirm_leading(&self, shard: &Arc<Shard<E>>, deadline: Deadline) -> Result<(), ShardError> {
        if self.has_failed() {
            return Err(ShardError::Stopped);
        }
        self.guard.pass(Handler::Catalog, std::slice::from_ref(shard), deadline).await
    }

    /// Memory for a command, beside the body that it came in; what ends something that was begun gets it in any case.
    fn memory_for(&self, ticket: &Ticket) -> Result<Option<Taken>, ShardError> {
        if ticket.bytes().len() < COUNTED_COMMAND_BYTES_MIN {
            return Ok(None);
        }
        match ticket.is_new_work() {
            true => self.memory.take(ticket.memory_bytes()).map(Some).ok_or(ShardError::Overloaded),
            false => Ok(Some(self.memory.take_anyway(ticket.memory_bytes()))),
        }
    }

    /// Room for a command where somebody's disk is full or nearly so.
    async fn room_for(
        &self,
        shard: &Shard<E>,
        ticket: &Ticket,
        deadline: Deadline,
    ) -> Result<Option<Reserved>, ShardError> {
        let catalog = shard.group().published().catalog();
        let demand = || ticket.demand(|table| catalog.described_by_id(table).map(|(table, _)| table));
        let voters = || shard.group().members().voters.into_keys().collect();
        let admit = || self.room.admit(self.identity.node_id, demand, voters);
        let verdict = match admit() {
            Verdict::LookFirst => {
                E::timeout(deadline.remaining::<E>().min(LOOK_MAX), self.room.look()).await;
                admit()
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::Taken(reserved) => Ok(reserved),
            Verdict::LookFirst | Verdict::Refused => Err(ShardError::DiskFull),
        }
    }
}
