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
pub(crate) use text::counted;

use shard_router::ShardId;

use crate::env::{ANY_INCARNATION, Env};
use crate::node::{Called, Node};
use crate::peer::Rpc;
use crate::raft::types::Member;
use crate::shard::Deadline;

/// Asks whatever runs at `address` under the number of a node something that is about no shard.
async fn question<E: Env, R: Rpc>(
    node: &Node<E>,
    peer: u64,
    address: &str,
    request: R::Request<'_>,
    deadline: Deadline,
) -> Result<R::Response, String> {
    let anybody_there = Member::new(address, ANY_INCARNATION);
    match node.call_at::<R>(peer, anybody_there, ShardId(0), request, deadline).await {
        Called::Answer(answer) => Ok(answer),
        Called::Lost => Err("it did not answer in time".to_owned()),
        Called::NotSent => Err("it cannot be reached".to_owned()),
    }
}
