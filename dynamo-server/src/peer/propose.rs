//! Proposing commands to a shard that another node leads.
//!
//! ```text
//! request   n commands
//! response  00 · n results: 00 · outcome, or a refusal   |   the shard's refusal of all of them
//! ```
//!
//! The commands are independent of each other: the leader proposes them at the same time, and each has a result of its
//! own. It gives up a little before the asking node does, so that what it took back from the queue is known there, too,
//! and the client is throttled instead of being told that nobody knows.

use bytes::Bytes;
use dynamo_engine::apply::Outcome;
use dynamo_engine::codec::{DecodeError, finish, get_list, put_list};
use dynamo_engine::command::Command;
use futures::future::join_all;

use super::failure::{get_result, put_result};
use super::{Header, response};
use crate::env::Env;
use crate::node::Node;
use crate::shard::{Deadline, ShardError};

/// Of the time that is left, one part in so many is for the answer's way back.
const WAY_BACK_PART: u32 = 20;

/// What came of each command.
pub type Results = Vec<Result<Outcome, ShardError>>;

/// The body of a request.
pub fn encode(commands: &[Command]) -> Vec<u8> {
    let mut out = Vec::new();
    put_list(&mut out, commands, |out, command| command.encode(out));
    out
}

/// Reads the answer of a request.
///
/// # Errors
/// When this program does not understand it.
pub fn decode(mut body: &[u8]) -> Result<Result<Results, ShardError>, DecodeError> {
    let input = &mut body;
    let results = get_result(input, |input| get_list(input, |input| get_result(input, Outcome::decode)))?;
    finish(input)?;
    Ok(results)
}

/// Does what a peer asks.
///
/// # Errors
/// When this program does not understand it.
pub async fn serve<E: Env>(node: &Node<E>, header: Header, mut body: &[u8]) -> Result<Bytes, DecodeError> {
    let input = &mut body;
    let commands = get_list(input, Command::decode)?;
    finish(input)?;
    let results = propose(node, header, commands).await;
    Ok(response(node.clock_reading(), |out| {
        put_result(out, &results, |out, results| {
            put_list(out, results, |out, result| put_result(out, result, |out, outcome| outcome.encode(out)));
        });
    }))
}

async fn propose<E: Env>(node: &Node<E>, header: Header, commands: Vec<Command>) -> Result<Results, ShardError> {
    let shard = node.shard(header.shard)?;
    let deadline = Deadline::after::<E>(header.remaining - header.remaining / WAY_BACK_PART);
    let mut proposals = Vec::with_capacity(commands.len());
    for command in commands {
        proposals.push(node.propose_here(shard, command, deadline));
    }
    Ok(join_all(proposals).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_back() {
        let results: Results = vec![Ok(Outcome::Done), Err(ShardError::Overloaded)];
        for answer in [Ok(results), Err(ShardError::NotLeader { leader: Some(2) })] {
            let mut out = Vec::new();
            put_result(&mut out, &answer, |out, results: &Results| {
                put_list(out, results, |out, result| put_result(out, result, |out, outcome| outcome.encode(out)));
            });
            assert_eq!(decode(&out), Ok(answer));
            for cut in 0..out.len() {
                assert!(decode(&out[..cut]).is_err());
            }
        }
    }
}
