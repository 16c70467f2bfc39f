//! Scan: reads a whole table or index, or one segment of it.

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
    /// The members as they are read.
    pub struct ScanBody {
        /// What to give back.
        optional select: Select = "Select";
        /// The index to read; the table itself if absent.
        optional index_name: String = "IndexName" => rules::known_name;
        /// Into how many segments the scan is cut.
        optional total_segments: i32 = "TotalSegments" => rules::range::<1, 1_000_000>;
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
        /// Table name or ARN, as the client wrote it.
        required table_name: String = "TableName" => rules::table_name;
        /// How the legacy conditions are joined.
        optional conditional_operator: ConditionalOperator = "ConditionalOperator";
        /// Legacy filter.
        optional scan_filter: BTreeMap<String, Condition> = "ScanFilter" => attribute_names;
        /// Which segment, from 0.
        optional segment: i32 = "Segment" => rules::range::<0, 999_999>;
        /// How many items to look at.
        optional limit: i32 = "Limit" => rules::range::<1, { i32::MAX as i64 }>;
        /// Legacy projection.
        optional attributes_to_get: Vec<String> = "AttributesToGet" => projected_names;
        /// Where to go on.
        optional exclusive_start_key: Item = "ExclusiveStartKey" => attribute_names;
        /// Projection.
        optional projection_expression: String = "ProjectionExpression";
        /// Filter.
        optional filter_expression: String = "FilterExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
        /// Placeholders for values.
        optional expression_attribute_values: ExpressionAttributeValues = "ExpressionAttributeValues";
        /// Strongly consistent.
        optional consistent_read: bool = "ConsistentRead";
    }
}

/// Request of Scan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScanInput {
    /// The members.
    pub body: ScanBody,
    /// What is wrong with the values of ExclusiveStartKey. It is due behind a bad ScanFilter, whose operators are not
    /// looked at here. A request with such an error must not be carried out: another value stands in its place.
    pub bad_start_key: Option<ApiError>,
}

impl ScanInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for parameters that exclude each other, then for bad attribute values, but for those of [`ScanInput::bad_start_key`].
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (body, mut checks) = decode::<ScanBody>(body)?;
        checks.constraints(Layer::Classic)?;
        body.check_parameters()?;
        let bad_start_key = checks.start_key_contents(Wording::Older);
        if bad_start_key.is_none() {
            checks.contents(Wording::Older)?;
        }
        Ok(ScanInput { body, bad_start_key })
    }
}

impl ScanBody {
    /// Which of the items read are returned; `None` for all of them.
    pub fn filter(&self) -> Option<Said<'_, Joined<'_, Condition>>> {
        Said::condition(&self.scan_filter, self.conditional_operator, &self.filter_expression)
    }

    /// What is returned of each item; `None` for all of it.
    pub fn projection(&self) -> Option<Said<'_, &[String]>> {
        Said::of(self.attributes_to_get.as_deref(), &self.projection_expression)
    }

    /// Whether the parameters go together, as far as this can be told without reading expressions.
    fn check_parameters(&self) -> Result<(), ApiError> {
        let projection = ("ProjectionExpression", self.projection_expression.is_some());
        let filter = ("FilterExpression", self.filter_expression.is_some());
        let legacy = [
            ("AttributesToGet", self.attributes_to_get.is_some()),
            ("ScanFilter", self.scan_filter.is_some()),
            ("ConditionalOperator", self.conditional_operator.is_some()),
        ];
        check_generations(&legacy, &[projection, filter])?;
        check_placeholders(
            self.expression_attribute_names.is_some(),
            &[projection, filter],
            self.expression_attribute_values.is_some(),
            &[filter],
        )
    }
}
