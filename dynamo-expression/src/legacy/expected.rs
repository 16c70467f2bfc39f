//! `Expected`, with its two generations: `Exists`/`Value`, and `ComparisonOperator`/`AttributeValueList`.

use dynamo_protocol::value::AttributeValue;

use crate::condition::Condition;
use crate::error::ExpressionError;
use crate::legacy::comparison::Comparison;
use crate::legacy::join;
use crate::path::Path;

/// What is expected of one attribute.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// `Exists`.
    pub exists: Option<bool>,
    /// `Value`.
    pub value: Option<&'a AttributeValue>,
    /// `ComparisonOperator`, by its wire name.
    pub operator: Option<&'a str>,
    /// `AttributeValueList`.
    pub values: Option<&'a [AttributeValue]>,
}

/// The condition that `Expected` stands for; `operator` is `ConditionalOperator`.
///
/// # Errors
/// The first malformed expectation in DynamoDB's words.
pub fn expected<'a>(
    attributes: impl IntoIterator<Item = (&'a str, Expected<'a>)>,
    operator: Option<&str>,
) -> Result<Condition, ExpressionError> {
    let conditions: Result<Vec<_>, _> = attributes.into_iter().map(|(name, expected)| one(name, &expected)).collect();
    Ok(join(conditions?, operator))
}

fn one(name: &str, expected: &Expected<'_>) -> Result<Condition, ExpressionError> {
    let invalid = |text: String| Err(ExpressionError::parameters(format!("{text} for Attribute: {name}")));
    if let Some(operator) = expected.operator {
        if expected.exists.is_some() {
            return invalid("Exists and ComparisonOperator cannot be used together".to_owned());
        }
        let values = match (expected.value, expected.values) {
            (Some(_), Some(_)) => return invalid("Value and AttributeValueList cannot be used together".to_owned()),
            (Some(value), None) => std::slice::from_ref(value),
            (None, Some(values)) => values,
            (None, None) if matches!(operator, "NULL" | "NOT_NULL") => &[],
            (None, None) => {
                return invalid(format!(
                    "Value or AttributeValueList must be used with ComparisonOperator: {operator}"
                ));
            }
        };
        let comparison = Comparison { operator, values };
        comparison.check()?;
        return Ok(comparison.condition(name));
    }
    if expected.values.is_some() {
        return invalid("AttributeValueList can only be used with a ComparisonOperator".to_owned());
    }
    match (expected.exists, expected.value) {
        (Some(false), None) => Ok(Condition::NotExists(Path::top(name))),
        (Some(false), Some(_)) => invalid("Value cannot be used when Exists is false".to_owned()),
        (Some(true), None) => invalid("Value must be provided when Exists is true".to_owned()),
        (None, None) => invalid("Value must be provided when Exists is null".to_owned()),
        (_, Some(value)) => Ok(Comparison { operator: "EQ", values: std::slice::from_ref(value) }.condition(name)),
    }
}
