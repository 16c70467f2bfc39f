//! BatchExecuteStatement: several PartiQL statements, each on its own.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{BatchStatementRequest, ReturnConsumedCapacity};

use super::decode;

structure! {
    /// The members of the request.
    pub struct BatchExecuteStatementBody {
        /// The statements.
        required statements: Vec<BatchStatementRequest> = "Statements" => rules::elements::<1, 25, _>;
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
    }
}

/// Request of BatchExecuteStatement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchExecuteStatementInput {
    /// The statements.
    pub statements: Vec<BatchStatementRequest>,
    /// How much of the consumed capacity to tell.
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
    /// Statements with a bad parameter, by position, and what is wrong: the answer to that statement, which must not be
    /// carried out, since another value stands in the parameter's place.
    pub bad_values: BTreeMap<usize, ApiError>,
}

impl BatchExecuteStatementInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints. Bad
    /// parameters are left to the caller, see [`BatchExecuteStatementInput::bad_values`].
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (body, mut checks) = decode::<BatchExecuteStatementBody>(body)?;
        checks.constraints(Layer::Classic)?;
        Ok(BatchExecuteStatementInput {
            statements: body.statements,
            return_consumed_capacity: body.return_consumed_capacity,
            bad_values: checks.element_contents(Wording::Statement),
        })
    }
}
