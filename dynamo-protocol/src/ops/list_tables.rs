//! ListTables.

use crate::error::ApiError;
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;

use super::decode;

structure! {
    /// Request of ListTables.
    pub struct ListTablesInput {
        /// How many names.
        optional limit: i32 = "Limit" => rules::range::<1, 100>;
        /// The name after which to go on.
        optional exclusive_start_table_name: String = "ExclusiveStartTableName" => rules::known_name;
    }
}

impl ListTablesInput {
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
