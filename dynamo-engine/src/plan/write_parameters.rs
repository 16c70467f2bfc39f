//! The parameters that PutItem, UpdateItem and DeleteItem share: conditions in both generations.

use std::collections::BTreeMap;

use dynamo_expression::legacy::{self, Expected};
use dynamo_expression::{Condition, ENVELOPE, ExpressionError, ExpressionKind, Placeholders};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::shapes::{
    ConditionalOperator, ExpectedAttributeValue, ExpressionAttributeNames, ExpressionAttributeValues, ReturnValue,
};

/// A condition as the request has it: as an expression, or as `Expected`.
pub(super) struct RequestedCondition<'r> {
    /// `ConditionExpression`; never together with the other two.
    pub expression: Option<&'r str>,
    /// `Expected`.
    pub expected: Option<&'r BTreeMap<String, ExpectedAttributeValue>>,
    /// `ConditionalOperator`, which joins the tests of `Expected`.
    pub operator: Option<ConditionalOperator>,
}

impl RequestedCondition<'_> {
    /// As [`RequestedCondition::parse`], where nothing else of the request uses its placeholders.
    ///
    /// # Errors
    /// The client's mistake in it, and a placeholder that is not used.
    pub fn parse_alone(
        &self,
        names: Option<&ExpressionAttributeNames>,
        values: Option<&ExpressionAttributeValues>,
    ) -> Result<Option<Condition>, ApiError> {
        let placeholders = Placeholders::new(names, values).enveloped();
        let condition = self.parse(&placeholders)?;
        placeholders.finish()?;
        Ok(condition)
    }

    /// Parses whichever there is; `None` where there is no condition.
    ///
    /// # Errors
    /// The client's mistake in it.
    pub fn parse(&self, placeholders: &Placeholders<'_>) -> Result<Option<Condition>, ApiError> {
        if let Some(text) = self.expression {
            return Ok(Some(placeholders.condition(ExpressionKind::Condition, text)?));
        }
        Ok(self.legacy().map_err(ExpressionError::enveloped)?)
    }

    fn legacy(&self) -> Result<Option<Condition>, ExpressionError> {
        let operator = self.operator.map(ConditionalOperator::as_str);
        legacy::check_conditional_operator(operator, self.expected.map(BTreeMap::len))?;
        let Some(expected) = self.expected.filter(|expected| !expected.is_empty()) else { return Ok(None) };
        let expected = expected.iter().map(|(name, expected)| (name.as_str(), borrowed(expected)));
        legacy::expected(expected, operator).map(Some)
    }
}

fn borrowed(expected: &ExpectedAttributeValue) -> Expected<'_> {
    Expected {
        exists: expected.exists,
        value: expected.value.as_ref(),
        operator: expected.comparison_operator.map(|operator| operator.as_str()),
        values: expected.attribute_value_list.as_deref(),
    }
}

/// PutItem and DeleteItem have only an old item to give back.
///
/// # Errors
/// Any other mode.
pub(super) fn check_old_values_only(mode: Option<ReturnValue>) -> Result<(), ApiError> {
    match mode {
        None | Some(ReturnValue::None | ReturnValue::AllOld) => Ok(()),
        Some(_) => Err(ApiError::validation(format!("{ENVELOPE}ReturnValues can only be ALL_OLD or NONE"))),
    }
}
