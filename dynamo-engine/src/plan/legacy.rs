//! The parameters of before there were expressions, as the expression crate takes them.

use std::collections::BTreeMap;

use dynamo_expression::legacy::{self, Comparison};
use dynamo_expression::{Condition, ExpressionError, KeyCondition};
use dynamo_protocol::shapes::{self, ConditionalOperator};

/// `KeyConditions`, of an index or of the table.
pub(crate) fn key_condition(
    conditions: &BTreeMap<String, shapes::Condition>,
    of_index: bool,
) -> Result<KeyCondition, ExpressionError> {
    legacy::key_conditions(comparisons(conditions), of_index)
}

/// `QueryFilter` or `ScanFilter`, joined by `ConditionalOperator`; `None` where there is nothing to filter by.
pub(crate) fn filter(
    conditions: Option<&BTreeMap<String, shapes::Condition>>,
    operator: Option<ConditionalOperator>,
) -> Result<Option<Condition>, ExpressionError> {
    let operator = operator.map(ConditionalOperator::as_str);
    legacy::check_conditional_operator(operator, conditions.map(BTreeMap::len))?;
    match conditions {
        Some(conditions) if !conditions.is_empty() => legacy::filter(comparisons(conditions), operator).map(Some),
        _ => Ok(None),
    }
}

fn comparisons(conditions: &BTreeMap<String, shapes::Condition>) -> impl Iterator<Item = (&str, Comparison<'_>)> {
    conditions.iter().map(|(name, condition)| {
        let values = condition.attribute_value_list.as_deref().unwrap_or_default();
        (name.as_str(), Comparison { operator: condition.comparison_operator.as_str(), values })
    })
}
