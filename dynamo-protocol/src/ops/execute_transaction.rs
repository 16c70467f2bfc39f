//! ExecuteTransaction: several PartiQL statements, all or none.

use crate::error::ApiError;
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{ParameterizedStatement, ReturnConsumedCapacity};

use super::decode;

structure! {
    /// Request of ExecuteTransaction.
    pub struct ExecuteTransactionInput {
        /// The statements.
        required transact_statements: Vec<ParameterizedStatement> = "TransactStatements" => rules::elements::<1, 100, _>;
        /// Makes the call idempotent for ten minutes.
        optional client_request_token: String = "ClientRequestToken" => rules::length::<1, 36>;
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
    }
}

impl ExecuteTransactionInput {
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
