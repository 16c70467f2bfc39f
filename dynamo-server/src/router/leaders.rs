//! Who leads a shard: the one loop that looks for a leader.
//!
//! The shard's own group says who leads it. What this node leads it does itself; anything else goes to the leader by one
//! call ([`super::calls`]). Leaders change: a refusal that names another one is followed at once, and where none is
//! known this waits a little, always within the request's one deadline. Only what certainly did not happen, or may
//! happen twice, is tried again.

use std::future::Future;
use std::time::Duration;

use super::Router;
use crate::env::Env;
use crate::guard::ReadFailure;
use crate::shard::{Deadline, Shard, ShardError};

/// How long a request that finds no leader waits before it looks again. An election takes a hundred times as long.
const LEADER_PAUSE: Duration = Duration::from_millis(10);

/// How long one attempt to reach a peer may take where the request itself has longer: a leader that was cut off is
/// replaced after an election timeout, and the request should then still have time for the next one.
pub(crate) const ATTEMPT_MAX: Duration = Duration::from_millis(1_000);

/// Who can act for a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// This node.
    Here,
    /// Another one.
    At(u64),
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

impl<E: Env> Router<E> {
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
            debug_assert_ne!(place, Place::At(self.me()), "a node does not call itself");
            debug_assert!(!self.is_alone || place == Place::Here, "a node that is alone calls nobody");
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
        if self.has_failed() {
            return Err(ShardError::Stopped);
        }
        let left = deadline.remaining::<E>();
        if left.is_zero() {
            return Err(ShardError::NotConfirmed);
        }
        E::sleep(left.min(LEADER_PAUSE)).await;
        Ok(())
    }
}
