//! ListStreams: the streams that can be read, of one table or of all.

use crate::error::ApiError;
use crate::limits::{LIST_STREAMS_PAGE, STREAM_ARN_LENGTH_MAX, STREAM_ARN_LENGTH_MIN};
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;

use super::decode;

structure! {
    /// Request of ListStreams.
    pub struct ListStreamsInput {
        /// How many streams.
        optional limit: i32 = "Limit" => rules::range::<1, { LIST_STREAMS_PAGE as i64 }>;
        /// The stream after which to go on.
        optional exclusive_start_stream_arn: String = "ExclusiveStartStreamArn" => rules::length::<STREAM_ARN_LENGTH_MIN, STREAM_ARN_LENGTH_MAX>;
        /// Only those of tables of this name.
        optional table_name: String = "TableName" => rules::known_name;
    }
}

impl ListStreamsInput {
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
