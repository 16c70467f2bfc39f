//! BatchExecuteStatement: several PartiQL statements, each on its own.

use crate::error::ApiError;
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{BatchStatementRequest, ReturnConsumedCapacity};

use super::decode;

structure! {
    /// Request of BatchExecuteStatement.
    pub struct BatchExecuteStatementInput {
        /// The statements.
        required statements: Vec<BatchStatementRequest> = "Statements" => rules::elements::<1, 25, _>;
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
    }
}

impl BatchExecuteStatementInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Classic)?;
        checks.contents(Wording::Bare)?;
        Ok(input)
    }
}
