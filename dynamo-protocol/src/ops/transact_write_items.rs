//! TransactWriteItems: several writes, all or none.

use crate::error::ApiError;
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::rules;
use crate::shapes::wire::structure;
use crate::shapes::{ReturnConsumedCapacity, ReturnItemCollectionMetrics, TransactWriteItem};

use super::decode;

structure! {
    /// Request of TransactWriteItems.
    pub struct TransactWriteItemsInput {
        /// Makes the call idempotent for ten minutes.
        optional client_request_token: String = "ClientRequestToken" => rules::length::<1, 36>;
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// Whether to tell the item collection's size.
        optional return_item_collection_metrics: ReturnItemCollectionMetrics = "ReturnItemCollectionMetrics";
        /// The actions.
        required transact_items: Vec<TransactWriteItem> = "TransactItems" => rules::elements::<1, 100, _>;
    }
}

impl TransactWriteItemsInput {
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
