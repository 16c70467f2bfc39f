//! The parameters of before there were expressions, as the expression crate takes them.

use std::collections::BTreeMap;

use dynamo_expression::legacy::{self, Comparison, Expected};
use dynamo_expression::{Condition, ExpressionError, KeyCondition};
use dynamo_protocol::parameters::Joined;
use dynamo_protocol::shapes::{self, ConditionalOperator, ExpectedAttributeValue};

/// `KeyConditions`, of an index or of the table.
pub(crate) fn key_condition(
    conditions: &BTreeMap<String, shapes::Condition>,
    of_index: bool,
) -> Result<KeyCondition, ExpressionError> {
    legacy::key_conditions(comparisons(conditions), of_index)
}

/// `QueryFilter` or `ScanFilter`; `None` where there is nothing to filter by.
pub(crate) fn filter(filter: Joined<'_, shapes::Condition>) -> Result<Option<Condition>, ExpressionError> {
    joined(filter, |conditions, operator| legacy::filter(comparisons(conditions), operator))
}

/// `Expected`; `None` where nothing is.
pub(crate) fn expected(expected: Joined<'_, ExpectedAttributeValue>) -> Result<Option<Condition>, ExpressionError> {
    joined(expected, |conditions, operator| {
        legacy::expected(conditions.iter().map(|(name, expected)| (name.as_str(), borrowed(expected))), operator)
    })
}

/// Conditions joined by `ConditionalOperator`; `None` where there are none.
fn joined<'r, C>(
    joined: Joined<'r, C>,
    read: impl FnOnce(&'r BTreeMap<String, C>, Option<&'static str>) -> Result<Condition, ExpressionError>,
) -> Result<Option<Condition>, ExpressionError> {
    let operator = joined.operator.map(ConditionalOperator::as_str);
    legacy::check_conditional_operator(operator, joined.conditions.map(BTreeMap::len))?;
    match joined.conditions {
        Some(conditions) if !conditions.is_empty() => read(conditions, operator).map(Some),
        _ => Ok(None),
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

fn comparisons(conditions: &BTreeMap<String, shapes::Condition>) -> impl Iterator<Item = (&str, Comparison<'_>)> {
    conditions.iter().map(|(name, condition)| {
        let values = condition.attribute_value_list.as_deref().unwrap_or_default();
        (name.as_str(), Comparison { operator: condition.comparison_operator.as_str(), values })
    })
}
