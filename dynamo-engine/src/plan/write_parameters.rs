//! The parameters that PutItem, UpdateItem and DeleteItem share: conditions in both generations.

use std::collections::BTreeMap;

use dynamo_expression::legacy::{self, Expected};
use dynamo_expression::{Condition, ENVELOPE, ExpressionError, ExpressionKind, Placeholders};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::shapes::{
    ConditionalOperator, ExpectedAttributeValue, ExpressionAttributeNames, ExpressionAttributeValues, ReturnValue,
};

use super::parameters::check_generations;

/// A condition as the request has it: as an expression, or as `Expected`.
pub(super) struct RequestedCondition<'r> {
    /// `ConditionExpression`; never together with the other two.
    pub expression: Option<&'r str>,
    /// `Expected`.
    pub expected: Option<&'r BTreeMap<String, ExpectedAttributeValue>>,
    /// `ConditionalOperator`, which joins the tests of `Expected`.
    pub operator: Option<ConditionalOperator>,
}

impl<'r> RequestedCondition<'r> {
    /// What PutItem and DeleteItem look at first: parameters of two generations, placeholders without the one expression
    /// that they have, and what is to be returned.
    ///
    /// # Errors
    /// The client's mistake.
    pub fn begin_alone(
        &self,
        names: Option<&'r ExpressionAttributeNames>,
        values: Option<&'r ExpressionAttributeValues>,
        returns: Option<ReturnValue>,
    ) -> Result<Placeholders<'r>, ApiError> {
        let legacy = [("Expected", self.expected.is_some()), ("ConditionalOperator", self.operator.is_some())];
        check_generations(&legacy, &[("ConditionExpression", self.expression.is_some())]).map_err(enveloped)?;
        let placeholders = Placeholders::new(names, values).enveloped();
        if self.expression.is_none() {
            placeholders.refuse_without_expressions("ConditionExpression is null")?;
        }
        match returns {
            None | Some(ReturnValue::None | ReturnValue::AllOld) => Ok(placeholders),
            Some(_) => Err(enveloped(ApiError::validation("ReturnValues can only be ALL_OLD or NONE"))),
        }
    }

    /// Parses the condition where no other expression has placeholders: those that are not used are a mistake.
    ///
    /// # Errors
    /// The client's mistake in it.
    pub fn parse_alone(&self, placeholders: &Placeholders<'_>) -> Result<Option<Condition>, ApiError> {
        let condition = self.parse(placeholders)?;
        if self.expression.is_some() {
            placeholders.finish()?;
        }
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

/// The error as the newer validation layer has it, which PutItem, UpdateItem and DeleteItem run for their parameters.
pub(super) fn enveloped(error: ApiError) -> ApiError {
    ApiError::validation(format!("{ENVELOPE}{}", error.message()))
}
