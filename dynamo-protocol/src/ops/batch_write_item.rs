//! BatchWriteItem: puts and deletes items of several tables, each on its own.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::limits::BATCH_WRITE_REQUESTS_MAX;
use crate::shapes::checks::{Checks, Layer, REPORTED_MAX, Wording};
use crate::shapes::declare::structure;
use crate::shapes::path::Path;
use crate::shapes::rules::{echoed, table_keys};
use crate::shapes::{ReturnConsumedCapacity, ReturnItemCollectionMetrics, WriteRequest};

use super::decode;

structure! {
    /// Request of BatchWriteItem.
    pub struct BatchWriteItemInput {
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// Whether to tell the item collections' sizes.
        optional return_item_collection_metrics: ReturnItemCollectionMetrics = "ReturnItemCollectionMetrics";
        /// Table name or ARN, as the client wrote it, to what is written there.
        required request_items: BTreeMap<String, Vec<WriteRequest>> = "RequestItems" => check_tables;
    }
}

const MAP_VALUES: &str = "Map value must satisfy constraint: [Member must have length less than or equal to 25, Member \
                          must have length greater than or equal to 1]";

impl BatchWriteItemInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Classic)?;
        if input.request_items.is_empty() {
            return Err(ApiError::validation("The requestItems parameter is required for BatchWriteItem"));
        }
        // Observed 2026-10-09: a table's name gives way to the enums and is then reported alone.
        let path = Path::ROOT.member(0, "RequestItems");
        table_keys(&input.request_items, &path, &mut checks, || echoed(&input.request_items));
        checks.constraints(Layer::Classic)?;
        checks.contents(Wording::Older)?;
        Ok(input)
    }
}

fn check_tables(items: &BTreeMap<String, Vec<WriteRequest>>, path: &Path<'_>, checks: &mut Checks) {
    let allowed = 1..=BATCH_WRITE_REQUESTS_MAX;
    let wrong = items.values().filter(|requests| !allowed.contains(&requests.len())).take(REPORTED_MAX).count();
    let are_too_many = items.len() > BATCH_WRITE_REQUESTS_MAX;
    let echo = if are_too_many || wrong > 0 { echoed(items) } else { String::new() };
    if are_too_many {
        checks.broken(path, &echo, "Member must have length less than or equal to 25");
    }
    checks.broken_alike(path, &echo, MAP_VALUES, wrong);
}
