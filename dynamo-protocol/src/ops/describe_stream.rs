//! DescribeStream: one stream and its shards, page by page.

use crate::error::ApiError;
use crate::limits::{
    DESCRIBE_STREAM_PAGE, SHARD_ID_LENGTH_MAX, SHARD_ID_LENGTH_MIN, STREAM_ARN_LENGTH_MAX, STREAM_ARN_LENGTH_MIN,
};
use crate::shapes::ShardFilter;
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;

use super::decode;

structure! {
    /// Request of DescribeStream.
    pub struct DescribeStreamInput {
        /// Which stream.
        required stream_arn: String = "StreamArn" => rules::length::<STREAM_ARN_LENGTH_MIN, STREAM_ARN_LENGTH_MAX>;
        /// How many shards.
        optional limit: i32 = "Limit" => rules::range::<1, { DESCRIBE_STREAM_PAGE as i64 }>;
        /// The shard after which to go on.
        optional exclusive_start_shard_id: String = "ExclusiveStartShardId" => rules::length::<SHARD_ID_LENGTH_MIN, SHARD_ID_LENGTH_MAX>;
        /// Only some of the shards.
        optional shard_filter: ShardFilter = "ShardFilter";
    }
}

impl DescribeStreamInput {
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
