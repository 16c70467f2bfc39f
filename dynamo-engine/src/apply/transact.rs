//! A transaction of which every item lies on this shard: one command, all or nothing.
//!
//! All actions are evaluated before any is committed, so the verdicts are complete and in order. Two actions never
//! meet on one item (the plan refuses that), so evaluating them against the state before the transaction is right.

use super::evaluate::{Evaluated, Refusal};
use super::{ActionOutcome, Applier, Fault, Outcome, Rejection, WriteOutcome};
use crate::catalog::TableDescriptor;
use crate::command::{ItemWrite, Transaction};
use std::sync::Arc;

impl Applier<'_> {
    /// Applies a transaction.
    pub(super) fn transact(&mut self, transaction: &Transaction) -> Result<Outcome, Fault> {
        let actions = &transaction.actions;
        let tables = match self.planned_all(actions) {
            Ok(tables) => tables,
            Err(rejection) => return Ok(Outcome::Rejected(rejection)),
        };
        let token = transaction.client_token.as_ref();
        if let Some(outcome) = self.known_token(token)? {
            return Ok(outcome);
        }
        let verdicts = self.evaluate_all(&tables, actions)?;
        if verdicts.iter().any(Result::is_err) {
            return Ok(Outcome::Cancelled(cancelled(verdicts)));
        }
        if self.is_any_behind(&tables, actions, &verdicts)? {
            return Ok(Outcome::Rejected(Rejection::Behind));
        }
        let mut outcomes = Vec::with_capacity(actions.len());
        for ((table, action), evaluated) in tables.iter().zip(actions).zip(verdicts.into_iter().flatten()) {
            outcomes.push(self.commit(table, &action.key, evaluated)?);
        }
        if let Some(token) = token {
            let reads = outcomes.iter().map(WriteOutcome::replay_units).collect::<Result<Vec<u32>, _>>()?;
            self.remember_token(token, &reads)?;
        }
        Ok(Outcome::Transacted { actions: outcomes })
    }

    /// The installed descriptors of all actions, if each is the one that its action was planned with.
    pub(super) fn planned_all(&self, actions: &[ItemWrite]) -> Result<Vec<Arc<TableDescriptor>>, Rejection> {
        actions.iter().map(|action| self.planned(action.table, action.schema_version)).collect()
    }
}

/// DynamoDB reports only the first invalid action as such; those behind it count as not looked at.
pub(super) fn cancelled(verdicts: Vec<Result<Evaluated<'_>, Refusal>>) -> Vec<ActionOutcome> {
    let mut invalid_seen = false;
    let verdict = |verdict: Result<Evaluated<'_>, Refusal>| match verdict {
        Ok(_) => ActionOutcome::Passed,
        Err(Refusal::Conflict) => ActionOutcome::Conflict,
        Err(Refusal::Condition(item)) => ActionOutcome::ConditionFailed { item },
        Err(Refusal::Invalid(_)) if invalid_seen => ActionOutcome::Passed,
        Err(Refusal::Invalid(text)) => {
            invalid_seen = true;
            ActionOutcome::Invalid(text)
        }
    };
    verdicts.into_iter().map(verdict).collect()
}
