//! GetShardIterator: where to read a shard of a stream from.

use crate::error::ApiError;
use crate::limits::{
    SEQUENCE_NUMBER_LENGTH_MAX, SEQUENCE_NUMBER_LENGTH_MIN, SHARD_ID_LENGTH_MAX, SHARD_ID_LENGTH_MIN,
    STREAM_ARN_LENGTH_MAX, STREAM_ARN_LENGTH_MIN,
};
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{ShardIteratorType, Timestamp};

use super::decode;

structure! {
    /// Request of GetShardIterator.
    pub struct GetShardIteratorInput {
        /// Which stream.
        required stream_arn: String = "StreamArn" => rules::length::<STREAM_ARN_LENGTH_MIN, STREAM_ARN_LENGTH_MAX>;
        /// Which of its shards.
        required shard_id: String = "ShardId" => rules::length::<SHARD_ID_LENGTH_MIN, SHARD_ID_LENGTH_MAX>;
        /// From which place in it.
        required shard_iterator_type: ShardIteratorType = "ShardIteratorType";
        /// The place, where the type asks for a number.
        optional sequence_number: String = "SequenceNumber" => rules::length::<SEQUENCE_NUMBER_LENGTH_MIN, SEQUENCE_NUMBER_LENGTH_MAX>;
        /// The place, where the type asks for a moment.
        optional timestamp: Timestamp = "Timestamp";
    }
}

impl GetShardIteratorInput {
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
