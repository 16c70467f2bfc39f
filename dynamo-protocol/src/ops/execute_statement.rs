//! ExecuteStatement: one PartiQL statement.

use crate::error::ApiError;
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, statement_text};
use crate::value::AttributeValue;

use super::decode;

structure! {
    /// Request of ExecuteStatement.
    pub struct ExecuteStatementInput {
        /// The statement.
        required statement: String = "Statement" => statement_text;
        /// What its question marks stand for, in their order.
        optional parameters: Vec<AttributeValue> = "Parameters" => rules::not_empty;
        /// Strongly consistent.
        optional consistent_read: bool = "ConsistentRead";
        /// Where to go on.
        optional next_token: String = "NextToken" => rules::length::<1, 32768>;
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// How many items to look at.
        optional limit: i32 = "Limit" => rules::range::<1, { i32::MAX as i64 }>;
        /// Whether a failed condition gives the item back.
        optional return_values_on_condition_check_failure: ReturnValuesOnConditionCheckFailure = "ReturnValuesOnConditionCheckFailure";
    }
}

impl ExecuteStatementInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Classic)?;
        checks.contents(Wording::Statement)?;
        Ok(input)
    }
}
