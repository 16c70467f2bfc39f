//! UpdateTimeToLive.

use crate::error::ApiError;
use crate::shapes::TimeToLiveSpecification;
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;

use super::decode;

structure! {
    /// Request of UpdateTimeToLive.
    pub struct UpdateTimeToLiveInput {
        /// Table name or ARN, as the client wrote it.
        required table_name: String = "TableName" => rules::managed_table_name;
        /// What to set.
        required time_to_live_specification: TimeToLiveSpecification = "TimeToLiveSpecification";
    }
}

impl UpdateTimeToLiveInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.table_name_present()?;
        checks.constraints(Layer::Classic)?;
        Ok(input)
    }
}
