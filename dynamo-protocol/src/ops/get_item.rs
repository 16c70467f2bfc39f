//! GetItem: reads one item.

use crate::error::ApiError;
use crate::parameters::{Said, check_generations, check_placeholders};
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{
    ExpressionAttributeNames, ReturnConsumedCapacity, attribute_names, placeholder_names, projected_names,
};
use crate::value::Item;

use super::decode;

structure! {
    /// Request of GetItem.
    pub struct GetItemInput {
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// Legacy projection.
        optional attributes_to_get: Vec<String> = "AttributesToGet" => projected_names;
        /// Table name or ARN, as the client wrote it.
        required table_name: String = "TableName" => rules::table_name;
        /// The item's key.
        required key: Item = "Key" => attribute_names;
        /// Strongly consistent.
        optional consistent_read: bool = "ConsistentRead";
        /// Projection.
        optional projection_expression: String = "ProjectionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
    }
}

impl GetItemInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for parameters that exclude each other, then for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Current)?;
        input.check_parameters()?;
        checks.contents(Wording::Bare)?;
        Ok(input)
    }

    /// What is returned of the item; `None` for all of it.
    pub fn projection(&self) -> Option<Said<'_, &[String]>> {
        Said::of(self.attributes_to_get.as_deref(), &self.projection_expression)
    }

    /// Whether the parameters go together, as far as this can be told without reading expressions.
    fn check_parameters(&self) -> Result<(), ApiError> {
        let expressions = [("ProjectionExpression", self.projection_expression.is_some())];
        check_generations(&[("AttributesToGet", self.attributes_to_get.is_some())], &expressions)?;
        check_placeholders(self.expression_attribute_names.is_some(), &expressions, false, &[])
    }
}
