//! Asking the leader of a shard how far a replica must have applied to show everything acknowledged by now.
//!
//! ```text
//! request   nothing
//! response  00 · the index behind the last entry that must be applied   |   a refusal
//! ```
//!
//! The leader answers at once while it holds its lease, and asks a quorum otherwise.

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, finish, get_u64, put_u64};

use super::failure::{get_result, put_result};
use super::{Header, response};
use crate::env::Env;
use crate::node::Node;
use crate::shard::{Deadline, ShardError};

/// Reads the answer.
///
/// # Errors
/// When this program does not understand it.
pub fn decode(mut body: &[u8]) -> Result<Result<u64, ShardError>, DecodeError> {
    let input = &mut body;
    let result = get_result(input, get_u64)?;
    finish(input)?;
    Ok(result)
}

/// Does what a peer asks.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, header: Header, body: &[u8]) -> Result<Bytes, DecodeError> {
    finish(body)?;
    let index = read_index(node, header).await;
    Ok(response(node.clock_reading(), |out| put_result(out, &index, |out, index| put_u64(out, *index))))
}

/// Whatever was acknowledged before is applied here once this node is known to lead, since a leader acknowledges what
/// it has applied.
async fn read_index<E: Env>(node: &Node<E>, header: Header) -> Result<u64, ShardError> {
    let shard = node.shard(header.shard)?;
    node.confirm_leading(shard, Deadline::after::<E>(header.remaining)).await?;
    Ok(shard.group().published().applied_next())
}
