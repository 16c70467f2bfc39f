//! TransactWriteItems: several writes, all or none.

use crate::error::ApiError;
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{ReturnConsumedCapacity, ReturnItemCollectionMetrics, TransactWriteItem};

use super::decode;

structure! {
    /// The members as they are read.
    pub struct TransactWriteItemsBody {
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

/// Request of TransactWriteItems.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransactWriteItemsInput {
    /// Makes the call idempotent for ten minutes.
    pub client_request_token: Option<String>,
    /// How much of the consumed capacity to tell.
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
    /// Whether to tell the item collection's size.
    pub return_item_collection_metrics: Option<ReturnItemCollectionMetrics>,
    /// The actions.
    pub transact_items: Vec<TransactWriteItem>,
    /// The first action with a bad attribute value, and the error. DynamoDB looks at one action after the other, at its
    /// expressions before its values, so the error is due when all actions before this one and this one's expressions
    /// have been found right. A request with such an error must not be carried out: another value stands in its place.
    pub bad_value: Option<(usize, ApiError)>,
}

impl TransactWriteItemsInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints. Bad
    /// attribute values are left to the caller, see [`TransactWriteItemsInput::bad_value`].
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (body, mut checks) = decode::<TransactWriteItemsBody>(body)?;
        checks.constraints(Layer::Classic)?;
        Ok(TransactWriteItemsInput {
            client_request_token: body.client_request_token,
            return_consumed_capacity: body.return_consumed_capacity,
            return_item_collection_metrics: body.return_item_collection_metrics,
            transact_items: body.transact_items,
            bad_value: checks.first_element_content(Wording::Older),
        })
    }
}
