//! UpdateItem: changes attributes of one item, or makes it.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::parameters::{Joined, Said, check_write};
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{
    AttributeValueUpdate, ConditionalOperator, ExpectedAttributeValue, ExpressionAttributeNames,
    ExpressionAttributeValues, ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnValue,
    ReturnValuesOnConditionCheckFailure, attribute_names, placeholder_names,
};
use crate::value::Item;

use super::decode;

structure! {
    /// Request of UpdateItem.
    pub struct UpdateItemInput {
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// Table name or ARN, as the client wrote it.
        required table_name: String = "TableName" => rules::table_name;
        /// Whether to tell the item collection's size.
        optional return_item_collection_metrics: ReturnItemCollectionMetrics = "ReturnItemCollectionMetrics";
        /// What to give back.
        optional return_values: ReturnValue = "ReturnValues";
        /// How the legacy conditions are joined.
        optional conditional_operator: ConditionalOperator = "ConditionalOperator";
        /// The item's key.
        required key: Item = "Key" => attribute_names;
        /// Legacy updates.
        optional attribute_updates: BTreeMap<String, AttributeValueUpdate> = "AttributeUpdates" => attribute_names;
        /// Legacy conditions.
        optional expected: BTreeMap<String, ExpectedAttributeValue> = "Expected" => attribute_names;
        /// Update.
        optional update_expression: String = "UpdateExpression";
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

impl UpdateItemInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for parameters that exclude each other, then for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.enum_alone(true)?;
        checks.constraints(Layer::Current)?;
        input.check_parameters()?;
        checks.contents(Wording::Enveloped)?;
        Ok(input)
    }

    /// The update; `None` where there is none, which still makes an item.
    pub fn update(&self) -> Option<Said<'_, &BTreeMap<String, AttributeValueUpdate>>> {
        Said::of(self.attribute_updates.as_ref(), &self.update_expression)
    }

    /// The condition; `None` where there is none.
    pub fn condition(&self) -> Option<Said<'_, Joined<'_, ExpectedAttributeValue>>> {
        Said::condition(&self.expected, self.conditional_operator, &self.condition_expression)
    }

    /// Whether the parameters go together, as far as this can be told without reading expressions.
    fn check_parameters(&self) -> Result<(), ApiError> {
        check_write(
            &[
                ("AttributeUpdates", self.attribute_updates.is_some()),
                ("Expected", self.expected.is_some()),
                ("ConditionalOperator", self.conditional_operator.is_some()),
            ],
            &[
                ("UpdateExpression", self.update_expression.is_some()),
                ("ConditionExpression", self.condition_expression.is_some()),
            ],
            self.expression_attribute_names.is_some(),
            self.expression_attribute_values.is_some(),
        )
    }
}
