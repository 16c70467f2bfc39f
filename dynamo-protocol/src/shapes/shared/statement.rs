//! The shapes of PartiQL's operations.

use crate::value::AttributeValue;

use super::ReturnValuesOnConditionCheckFailure;
use crate::shapes::checks::Checks;
use crate::shapes::declare::structure;
use crate::shapes::path::Path;
use crate::shapes::rules;

structure! {
    /// One statement of a batch.
    pub struct BatchStatementRequest {
        /// The statement.
        required statement: String = "Statement" => statement_text;
        /// What its question marks stand for, in their order.
        optional parameters: Vec<AttributeValue> = "Parameters" => rules::not_empty;
        /// Strongly consistent.
        optional consistent_read: bool = "ConsistentRead";
        /// Whether a failed condition gives the item back.
        optional return_values_on_condition_check_failure: ReturnValuesOnConditionCheckFailure = "ReturnValuesOnConditionCheckFailure";
    }
}

structure! {
    /// One statement of a transaction.
    pub struct ParameterizedStatement {
        /// The statement.
        required statement: String = "Statement" => statement_text;
        /// What its question marks stand for, in their order.
        optional parameters: Vec<AttributeValue> = "Parameters" => rules::not_empty;
        /// Whether a failed condition gives the item back.
        optional return_values_on_condition_check_failure: ReturnValuesOnConditionCheckFailure = "ReturnValuesOnConditionCheckFailure";
    }
}

/// A statement's text.
pub(crate) fn statement_text(text: &str, path: &Path<'_>, checks: &mut Checks) {
    rules::length::<1, 8192>(text, path, checks);
}
