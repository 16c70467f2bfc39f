//! Moving leaderships by hand: to one node, at the leader; and keeping them there, everywhere.
//!
//! ```text
//! transfer  request: node to lead    response: 00 once it leads   |   a refusal
//! pause     request: milliseconds    response: nothing
//! ```
//!
//! A transfer may be asked for again: to move the leadership where it is already is a success.

use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::codec::{DecodeError, finish, get_u64, put_u64};

use super::failure::{get_result, put_result};
use super::{Header, response};
use crate::env::Env;
use crate::node::Node;
use crate::shard::{Deadline, ShardError};

/// The body of a request that node `to` shall lead.
pub fn encode(to: u64) -> Vec<u8> {
    number(to)
}

/// Reads the answer of a transfer.
///
/// # Errors
/// When this program does not understand it.
pub fn decode(mut body: &[u8]) -> Result<Result<(), ShardError>, DecodeError> {
    let input = &mut body;
    let result = get_result(input, |_| Ok(()))?;
    finish(input)?;
    Ok(result)
}

/// Transfers a leadership for a peer.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, header: Header, body: &[u8]) -> Result<Bytes, DecodeError> {
    let to = read_number(body)?;
    let result = node.transfer_here(header.shard, to, Deadline::after::<E>(header.remaining)).await;
    Ok(response(node.clock_reading(), |out| put_result(out, &result, |_, ()| ())))
}

/// The body of a request that leaders stay where they are.
pub fn encode_pause(pause: Duration) -> Vec<u8> {
    number(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX))
}

/// Pauses the balancing of leaders for a peer.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve_pause<E: Env>(node: &Node<E>, _header: Header, body: &[u8]) -> Result<Bytes, DecodeError> {
    node.pause_balancing(Duration::from_millis(read_number(body)?));
    Ok(response(node.clock_reading(), |_| ()))
}

fn number(number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_u64(&mut out, number);
    out
}

fn read_number(mut body: &[u8]) -> Result<u64, DecodeError> {
    let input = &mut body;
    let number = get_u64(input)?;
    finish(input)?;
    Ok(number)
}
