//! DescribeLimits.

use crate::error::ApiError;
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;

use super::decode;

structure! {
    /// Request of DescribeLimits: has no members.
    pub struct DescribeLimitsInput {
    }
}

impl DescribeLimitsInput {
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
