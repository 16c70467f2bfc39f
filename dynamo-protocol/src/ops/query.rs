//! Query: reads items of one partition in order.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::parameters::{Joined, Said, check_generations, check_placeholders};
use crate::shapes::checks::{Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{
    Condition, ConditionalOperator, ExpressionAttributeNames, ExpressionAttributeValues, ReturnConsumedCapacity,
    Select, attribute_names, placeholder_names, projected_names,
};
use crate::value::Item;

use super::decode;

structure! {
    /// Request of Query.
    pub struct QueryInput {
        /// What to give back.
        optional select: Select = "Select";
        /// The index to read; the table itself if absent.
        optional index_name: String = "IndexName" => rules::known_name;
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// Legacy filter.
        optional query_filter: BTreeMap<String, Condition> = "QueryFilter" => attribute_names;
        /// Table name or ARN, as the client wrote it.
        required table_name: String = "TableName" => rules::table_name;
        /// How the legacy conditions are joined.
        optional conditional_operator: ConditionalOperator = "ConditionalOperator";
        /// Legacy projection.
        optional attributes_to_get: Vec<String> = "AttributesToGet" => projected_names;
        /// How many items to look at.
        optional limit: i32 = "Limit" => rules::range::<1, { i32::MAX as i64 }>;
        /// Legacy key condition.
        optional key_conditions: BTreeMap<String, Condition> = "KeyConditions" => attribute_names;
        /// Strongly consistent.
        optional consistent_read: bool = "ConsistentRead";
        /// Ascending (the default) or descending.
        optional scan_index_forward: bool = "ScanIndexForward";
        /// Where to go on.
        optional exclusive_start_key: Item = "ExclusiveStartKey" => attribute_names;
        /// Projection.
        optional projection_expression: String = "ProjectionExpression";
        /// Filter.
        optional filter_expression: String = "FilterExpression";
        /// Key condition.
        optional key_condition_expression: String = "KeyConditionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
        /// Placeholders for values.
        optional expression_attribute_values: ExpressionAttributeValues = "ExpressionAttributeValues";
    }
}

impl QueryInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for parameters that exclude each other, then for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.enum_alone(false)?;
        checks.constraints(Layer::Current)?;
        input.check_parameters()?;
        checks.contents(Wording::Bare)?;
        Ok(input)
    }

    /// Which items are read. Every Query needs this.
    pub fn key_condition(&self) -> Option<Said<'_, &BTreeMap<String, Condition>>> {
        Said::of(self.key_conditions.as_ref(), &self.key_condition_expression)
    }

    /// Which of the items read are returned; `None` for all of them.
    pub fn filter(&self) -> Option<Said<'_, Joined<'_, Condition>>> {
        Said::condition(&self.query_filter, self.conditional_operator, &self.filter_expression)
    }

    /// What is returned of each item; `None` for all of it.
    pub fn projection(&self) -> Option<Said<'_, &[String]>> {
        Said::of(self.attributes_to_get.as_deref(), &self.projection_expression)
    }

    /// Whether the parameters go together, as far as this can be told without reading expressions.
    fn check_parameters(&self) -> Result<(), ApiError> {
        let projection = ("ProjectionExpression", self.projection_expression.is_some());
        let filter = ("FilterExpression", self.filter_expression.is_some());
        let key = ("KeyConditionExpression", self.key_condition_expression.is_some());
        let legacy = [
            ("AttributesToGet", self.attributes_to_get.is_some()),
            ("QueryFilter", self.query_filter.is_some()),
            ("ConditionalOperator", self.conditional_operator.is_some()),
            // Alone they may stand beside the other expressions.
            ("KeyConditions", self.key_conditions.is_some() && self.key_condition_expression.is_some()),
        ];
        check_generations(&legacy, &[projection, filter, key])?;
        check_placeholders(
            self.expression_attribute_names.is_some(),
            &[projection, filter, key],
            self.expression_attribute_values.is_some(),
            &[filter, key],
        )
    }
}
