//! TransactGetItems: reads several items as of one moment.

use crate::error::ApiError;
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{ReturnConsumedCapacity, TransactGetItem};

use super::decode;

structure! {
    /// Request of TransactGetItems.
    pub struct TransactGetItemsInput {
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// The reads.
        required transact_items: Vec<TransactGetItem> = "TransactItems" => rules::elements::<1, 100, _>;
    }
}

impl TransactGetItemsInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Classic)?;
        checks.contents(Wording::Older)?;
        Ok(input)
    }
}
