//! DeleteItem: removes one item.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::parameters::{Joined, Said, check_write};
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{
    ConditionalOperator, ExpectedAttributeValue, ExpressionAttributeNames, ExpressionAttributeValues,
    ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnValue, ReturnValuesOnConditionCheckFailure,
    attribute_names, placeholder_names,
};
use crate::value::Item;

use super::decode;

structure! {
    /// Request of DeleteItem.
    pub struct DeleteItemInput {
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// Table name or ARN, as the client wrote it.
        required table_name: String = "TableName" => rules::table_name;
        /// What to give back.
        optional return_values: ReturnValue = "ReturnValues";
        /// Whether to tell the item collection's size.
        optional return_item_collection_metrics: ReturnItemCollectionMetrics = "ReturnItemCollectionMetrics";
        /// The item's key.
        required key: Item = "Key" => attribute_names;
        /// How the legacy conditions are joined.
        optional conditional_operator: ConditionalOperator = "ConditionalOperator";
        /// Legacy conditions.
        optional expected: BTreeMap<String, ExpectedAttributeValue> = "Expected" => attribute_names;
        /// Condition.
        optional condition_expression: String = "ConditionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
        /// Placeholders for values.
        optional expression_attribute_values: ExpressionAttributeValues = "ExpressionAttributeValues";
        /// Whether a failed condition gives the item back.
        optional return_values_on_condition_check_failure: ReturnValuesOnConditionCheckFailure = "ReturnValuesOnConditionCheckFailure";
    }
}

impl DeleteItemInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for parameters that exclude each other, then for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Current)?;
        input.check_parameters()?;
        checks.only_old_values(input.return_values)?;
        checks.contents(Wording::Enveloped)?;
        Ok(input)
    }

    /// The condition; `None` where there is none.
    pub fn condition(&self) -> Option<Said<'_, Joined<'_, ExpectedAttributeValue>>> {
        Said::condition(&self.expected, self.conditional_operator, &self.condition_expression)
    }

    /// Whether the parameters go together, as far as this can be told without reading expressions.
    fn check_parameters(&self) -> Result<(), ApiError> {
        check_write(
            &[("Expected", self.expected.is_some()), ("ConditionalOperator", self.conditional_operator.is_some())],
            &[("ConditionExpression", self.condition_expression.is_some())],
            self.expression_attribute_names.is_some(),
            self.expression_attribute_values.is_some(),
        )
    }
}
