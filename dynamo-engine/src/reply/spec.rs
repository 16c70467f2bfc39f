//! How outcomes become a reply, decided by the plan, where the request is still at hand.

use dynamo_protocol::error::ApiError;

use crate::apply::{Outcome, Rejection};

use super::{BatchReply, SingleReply, StatementBatchReply, StatementReply, TransactReply};

/// What a write's reply says.
#[derive(Clone, Debug)]
pub enum ReplySpec {
    /// PutItem, UpdateItem, DeleteItem.
    Single(SingleReply),
    /// BatchWriteItem.
    Batch(BatchReply),
    /// TransactWriteItems, and ExecuteTransaction that writes.
    Transact(TransactReply),
    /// ExecuteStatement.
    Statement(StatementReply),
    /// BatchExecuteStatement.
    StatementBatch(StatementBatchReply),
}

impl ReplySpec {
    /// Whether the reply may show items, whatever comes of the writes.
    pub fn shows_items(&self) -> bool {
        match self {
            ReplySpec::Single(reply) => reply.shows_items(),
            ReplySpec::Batch(_) => false,
            ReplySpec::Transact(reply) => reply.shows_items(),
            ReplySpec::Statement(reply) => reply.shows_items(),
            ReplySpec::StatementBatch(reply) => reply.shows_items(),
        }
    }

    /// Bytes of the stored rows that [`ReplySpec::render`] may have to show: its work is in proportion.
    pub fn bytes_to_show(&self, outcomes: &[Result<Outcome, ApiError>]) -> usize {
        if self.shows_items() { outcomes.iter().flatten().map(Outcome::row_bytes).sum() } else { 0 }
    }

    /// The reply's body from what came of the plan's commands, in their order: an outcome, or why a command was refused
    /// and certainly not done.
    ///
    /// A caller plans and proposes again on [`Outcome::Rejected`]; of these only [`Rejection::Behind`] and
    /// [`Rejection::Crowded`] have an answer of their own, others that reach this point are internal errors.
    ///
    /// # Errors
    /// What the client gets instead of a body: a failed condition, a cancelled transaction, an invalid update, a refusal
    /// (of a batch: of all of it).
    pub fn render(&self, outcomes: Vec<Result<Outcome, ApiError>>) -> Result<Vec<u8>, ApiError> {
        match self {
            ReplySpec::Single(reply) => reply.render(only(outcomes)?),
            ReplySpec::Batch(reply) => reply.render(outcomes),
            ReplySpec::Transact(reply) => reply.render(only(outcomes)?),
            ReplySpec::Statement(reply) => reply.render(only(outcomes)?),
            ReplySpec::StatementBatch(reply) => reply.render(outcomes),
        }
    }
}

fn only(outcomes: Vec<Result<Outcome, ApiError>>) -> Result<Outcome, ApiError> {
    match outcomes.into_iter().next() {
        Some(Ok(Outcome::Rejected(Rejection::Behind | Rejection::Crowded))) => Err(ApiError::throughput_exceeded()),
        Some(outcome) => outcome,
        None => Err(ApiError::internal()),
    }
}
