//! From a token to its shard, from a shard to its leader, and calls to other nodes.
//!
//! The shard map says which shard owns a token; the shard's group says who leads it. What has to be done at the leader is
//! done here or asked of another node, by one loop with a stated rule for repeating it ([`leaders`]). Everything above
//! (reads, transactions, the catalog, upkeep, changes of the cluster) reaches a shard through this part only.

mod calls;
mod damage;
mod leaders;
mod propose;

use std::sync::{Arc, OnceLock};

use hlc::NodeClock;
use shard_router::{ShardId, ShardMap, Token};

pub(crate) use self::calls::{Called, IfLost};
pub(crate) use self::leaders::{ATTEMPT_MAX, Place};
use crate::env::{Env, FaultSignal, Identity, Standing};
use crate::guard::LeaseGuard;
use crate::log_limit::LogLimit;
use crate::memory::Budget;
use crate::raft::{Members, WallClocks};
use crate::shard::room::Room;
use crate::shard::{Shard, ShardError};

/// The way to the shards.
pub(crate) struct Router<E: Env> {
    /// Who this node is; never changes while it runs.
    pub(crate) identity: Identity,
    /// By shard id.
    pub(crate) shards: Vec<Arc<Shard<E>>>,
    /// Which shard owns what.
    pub(crate) map: Arc<ShardMap>,
    /// No other node is to be asked for anything.
    pub(crate) is_alone: bool,
    /// To the other nodes.
    pub(crate) transport: E::Transport,
    /// Merged with the hybrid time of every message.
    pub(crate) clock: Arc<NodeClock>,
    /// What the members' wall clocks say about this node's.
    pub(crate) wall_clocks: Arc<WallClocks>,
    /// Lines about clocks that are far apart.
    pub(crate) wall_log: LogLimit,
    /// Makes sure that this node leads.
    pub(crate) guard: LeaseGuard,
    /// What the bodies of requests, and answers, may take together.
    pub(crate) memory: Arc<Budget>,
    /// How much room the disks have, here and elsewhere.
    pub(crate) room: Arc<Room>,
    /// What stops the node.
    pub(crate) fault: FaultSignal,
    /// What cannot be read of the state, and nobody knows of which shard.
    pub(crate) damage: OnceLock<String>,
}

impl<E: Env> Router<E> {
    /// The number of this node.
    pub(crate) fn me(&self) -> u64 {
        self.identity.node_id
    }

    /// The shard that owns `token`.
    pub(crate) fn shard_of(&self, token: Token) -> &Arc<Shard<E>> {
        match &self.shards[..] {
            [only] => only,
            shards => {
                let (id, _) = self.map.locate(token);
                let shard = &shards[id.0 as usize];
                debug_assert_eq!(shard.id(), id, "shards stand in the order of their numbers");
                shard
            }
        }
    }

    /// A shard by its number.
    ///
    /// # Errors
    /// When there is no such shard.
    pub(crate) fn shard(&self, id: ShardId) -> Result<&Arc<Shard<E>>, ShardError> {
        self.shards.get(id.0 as usize).ok_or(ShardError::Stopped)
    }

    /// The system group's shard.
    pub(crate) fn system(&self) -> &Arc<Shard<E>> {
        &self.shards[0]
    }

    /// The shards that this node leads, as far as it knows.
    pub(crate) fn led(&self) -> impl Iterator<Item = &Arc<Shard<E>>> {
        self.shards.iter().filter(|shard| shard.group().lease().leading_term().is_some())
    }

    /// Who leads the shard: this node once it may serve, another one as far as it is known.
    pub(crate) fn leader_of(&self, shard: &Shard<E>) -> Option<u64> {
        match shard.group().lease().leading_term() {
            Some(_) => Some(self.me()),
            None => shard.group().other_leader(),
        }
    }

    /// The members of the system group as this node knows them.
    pub(crate) fn members(&self) -> Members {
        self.system().group().members()
    }

    /// What the node of this number and incarnation is, by the memberships that are known here: a member where it is one of
    /// any group.
    pub(crate) fn standing_of(&self, node: u64, incarnation: u64) -> Standing {
        let rank = |standing: &Standing| match standing {
            Standing::Unknown => 0,
            Standing::Stranger => 1,
            Standing::OtherIncarnation => 2,
            Standing::Member => 3,
        };
        let standings = self.shards.iter().map(|shard| shard.group().standing_of(node, incarnation));
        standings.max_by_key(rank).unwrap_or(Standing::Unknown)
    }

    /// Whether this node has taken part in a group: it holds a vote or an entry.
    pub(crate) fn has_data(&self) -> bool {
        self.shards.iter().any(|shard| shard.group().log().vote().is_some() || shard.group().log().last().is_some())
    }

    /// Whether a fault has stopped this node.
    pub(crate) fn has_failed(&self) -> bool {
        self.fault.reason().is_some()
    }

    /// Wall time in milliseconds since 1970, never far ahead of most members'.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.wall_clocks.believed(E::wall_ms(), E::monotonic_ns())
    }
}
