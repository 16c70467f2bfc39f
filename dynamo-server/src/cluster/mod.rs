//! The cluster as its operator sees it: where everything stands, and the changes that are made by hand.
//!
//! Any node answers. It asks the other members how they see themselves ([`status`]) and puts what they say together;
//! and it carries a change to the leader of each shard, one shard after the other ([`change`]). Every change may be asked
//! for again: what is done already stays done, what stopped half way goes on. A node that joins ([`join`]) asks for its
//! own addition in the same way.
//!
//! Over HTTP these are pages below `/cluster/` on the port for clients; `dynamo-server cluster …` ([`command`]) is a
//! thin client of them. Only what is left when a majority is gone works offline, on a data directory ([`recover`]).

pub mod change;
pub mod command;
pub mod join;
mod json;
pub mod recover;
pub mod status;
mod text;

pub use change::{ClusterChange, ClusterChangeError};
pub use status::{ClusterStatus, NodeReport};

use bytes::Bytes;
use shard_router::ShardId;

use crate::env::Env;
use crate::node::{Attempt, Node};
use crate::raft::types::Member;
use crate::shard::Deadline;

/// Asks a node something that is about no shard.
async fn question<E: Env>(
    node: &Node<E>,
    peer: u64,
    member: Member,
    kind: u8,
    body: &[u8],
    deadline: Deadline,
) -> Result<Bytes, String> {
    match node.ask_at(peer, member, ShardId(0), kind, body, deadline).await {
        Attempt::Answer(answer) => Ok(answer),
        Attempt::Lost => Err("it did not answer in time".to_owned()),
        Attempt::NotSent => Err("it cannot be reached".to_owned()),
    }
}
