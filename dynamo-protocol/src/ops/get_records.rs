//! GetRecords: the records of a shard behind an iterator.

use crate::error::ApiError;
use crate::limits::{GET_RECORDS_PAGE, SHARD_ITERATOR_LENGTH_MAX};
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;

use super::decode;

structure! {
    /// Request of GetRecords.
    pub struct GetRecordsInput {
        /// Where to read.
        required shard_iterator: String = "ShardIterator" => rules::length::<1, SHARD_ITERATOR_LENGTH_MAX>;
        /// How many records.
        optional limit: i32 = "Limit" => rules::range::<1, { GET_RECORDS_PAGE as i64 }>;
    }
}

impl GetRecordsInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Classic)?;
        Ok(input)
    }
}
