//! How outcomes become a reply, decided by the plan, where the request is still at hand.

use dynamo_protocol::error::ApiError;

use crate::apply::{Outcome, Rejection};

use super::{BatchReply, SingleReply, TransactReply};

/// What a write's reply says.
#[derive(Clone, Debug)]
pub enum ReplySpec {
    /// PutItem, UpdateItem, DeleteItem.
    Single(SingleReply),
    /// BatchWriteItem.
    Batch(BatchReply),
    /// TransactWriteItems.
    Transact(TransactReply),
}

impl ReplySpec {
    /// The reply's body from the outcomes of the plan's commands, in their order.
    ///
    /// A caller plans and proposes again on [`Outcome::Rejected`]; of these only [`Rejection::Behind`] has an answer of
    /// its own, others that reach this point are internal errors.
    ///
    /// # Errors
    /// What the client gets instead of a body: a failed condition, a cancelled transaction, an invalid update.
    pub fn render(&self, outcomes: Vec<Outcome>) -> Result<Vec<u8>, ApiError> {
        if outcomes.contains(&Outcome::Rejected(Rejection::Behind)) {
            return Err(ApiError::throughput_exceeded());
        }
        match self {
            ReplySpec::Single(reply) => reply.render(only(outcomes)?),
            ReplySpec::Batch(reply) => reply.render(outcomes),
            ReplySpec::Transact(reply) => reply.render(only(outcomes)?),
        }
    }
}

fn only(outcomes: Vec<Outcome>) -> Result<Outcome, ApiError> {
    outcomes.into_iter().next().ok_or_else(ApiError::internal)
}
