//! TagResource.

use crate::error::ApiError;
use crate::shapes::Tag;
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;

use super::decode;

structure! {
    /// Request of TagResource.
    pub struct TagResourceInput {
        /// The table's ARN.
        required resource_arn: String = "ResourceArn" => rules::length::<1, 1283>;
        /// Tags to set.
        required tags: Vec<Tag> = "Tags";
    }
}

impl TagResourceInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Classic)?;
        Ok(input)
    }
}
