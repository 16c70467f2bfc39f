//! Proposing commands to a shard that another node leads.
//!
//! ```text
//! request   n commands
//! response  00 · n results: 00 · outcome, or a refusal   |   the shard's refusal of all of them
//! ```
//!
//! The commands are independent of each other: the leader proposes them at the same time, and each has a result of its
//! own. Where the answer is lost nobody knows whether they were carried out, so a proposal is not repeated.

use dynamo_engine::apply::Outcome;
use dynamo_engine::command::Command;

use super::Rpc;
use crate::shard::ShardError;

/// The service.
pub struct Propose;

/// What came of each command.
pub type Results = Vec<Result<Outcome, ShardError>>;

impl Rpc for Propose {
    const KIND: u8 = 32;
    type Request<'a> = &'a [Command];
    type Received = Vec<Command>;
    type Response = Result<Results, ShardError>;
}

#[cfg(test)]
mod tests {
    use super::super::rpc::assert_read_back;
    use super::*;

    #[test]
    fn answers_are_read_back() {
        let results: Results = vec![Ok(Outcome::Done), Err(ShardError::Overloaded)];
        for answer in [Ok(results), Err(ShardError::NotLeader { leader: Some(2) })] {
            assert_read_back(&answer);
        }
    }
}
