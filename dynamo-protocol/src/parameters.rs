//! Which parameters may stand beside each other: the third layer of validation, after the model's constraints and
//! before anything looks into values or expressions.
//!
//! `from_json` of an operation checks them and no plan does, but for placeholders of BatchGetItem, which are looked at table by
//! table. What may be said in two generations of parameters is then [`Said`] in one.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::shapes::ConditionalOperator;

/// What a request says by the parameters of before there were expressions, or by an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said<'r, L> {
    /// By the older parameters.
    Legacy(L),
    /// By an expression.
    Expression(&'r str),
}

/// Older conditions, and what joins them.
#[derive(Debug, PartialEq)]
pub struct Joined<'r, C> {
    /// By attribute: `Expected`, `QueryFilter` or `ScanFilter`.
    pub conditions: Option<&'r BTreeMap<String, C>>,
    /// `ConditionalOperator`, also where it has nothing to join, which is a mistake.
    pub operator: Option<ConditionalOperator>,
}

impl<C> Clone for Joined<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Joined<'_, C> {}

impl<'r, L> Said<'r, L> {
    /// Whichever the request has; `None` where it has neither.
    pub(crate) fn of(legacy: Option<L>, expression: &'r Option<String>) -> Option<Said<'r, L>> {
        debug_assert!(
            legacy.is_none() || expression.is_none(),
            "a request that says it twice was refused when it was read"
        );
        match expression {
            Some(text) => Some(Said::Expression(text)),
            None => legacy.map(Said::Legacy),
        }
    }
}

impl<'r, L> Said<'r, L> {
    /// Reads what the older parameters say; an expression is left as it is.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn older<T, E>(self, read: impl FnOnce(L) -> Result<T, E>) -> Result<Said<'r, T>, E> {
        match self {
            Said::Legacy(legacy) => read(legacy).map(Said::Legacy),
            Said::Expression(text) => Ok(Said::Expression(text)),
        }
    }

    /// What was said, once an expression is read.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn newer<E>(self, read: impl FnOnce(&'r str) -> Result<L, E>) -> Result<L, E> {
        match self {
            Said::Legacy(legacy) => Ok(legacy),
            Said::Expression(text) => read(text),
        }
    }
}

impl<'r, C> Said<'r, Joined<'r, C>> {
    /// Conditions by either.
    pub(crate) fn condition(
        conditions: &'r Option<BTreeMap<String, C>>,
        operator: Option<ConditionalOperator>,
        expression: &'r Option<String>,
    ) -> Option<Said<'r, Joined<'r, C>>> {
        let is_legacy = conditions.is_some() || operator.is_some();
        Said::of(is_legacy.then_some(Joined { conditions: conditions.as_ref(), operator }), expression)
    }
}

/// One parameter of a request: its name in the API, and whether the request has it.
pub type Present = (&'static str, bool);

/// Refuses a request that has parameters of both generations.
///
/// # Errors
/// ValidationException naming the parameters of both.
pub fn check_generations(legacy: &[Present], expressions: &[Present]) -> Result<(), ApiError> {
    if !is_any_given(legacy) || !is_any_given(expressions) {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {{{}}} Expression parameters: {{{}}}",
        given(legacy),
        given(expressions)
    )))
}

/// Refuses names or values for which there is no expression to use them.
///
/// `takes_names` are all expressions of the request, `takes_values` those that can hold values. The classic layer names
/// the expressions that are missing.
///
/// # Errors
/// ValidationException saying which of the two.
pub fn check_placeholders(
    names_given: bool,
    takes_names: &[Present],
    values_given: bool,
    takes_values: &[Present],
) -> Result<(), ApiError> {
    if names_given && !is_any_given(takes_names) {
        return Err(ApiError::validation(NAMES_UNUSABLE));
    }
    if values_given && !is_any_given(takes_values) {
        let all: Vec<&str> = takes_values.iter().map(|(name, _)| *name).collect();
        let verb = if all.len() == 1 { "is" } else { "are" };
        return Err(ApiError::validation(format!("{VALUES_UNUSABLE}: {} {verb} null", all.join(" and "))));
    }
    Ok(())
}

const NAMES_UNUSABLE: &str = "ExpressionAttributeNames can only be specified when using expressions";
const VALUES_UNUSABLE: &str = "ExpressionAttributeValues can only be specified when using expressions";

/// The combinations of PutItem, UpdateItem and DeleteItem, which run the newer layer: in its envelope, and without
/// naming the expressions that are missing.
pub(crate) fn check_write(
    legacy: &[Present],
    expressions: &[Present],
    names_given: bool,
    values_given: bool,
) -> Result<(), ApiError> {
    let none = !is_any_given(expressions);
    check_generations(legacy, expressions)
        .and(if none && names_given { Err(ApiError::validation(NAMES_UNUSABLE)) } else { Ok(()) })
        .and(if none && values_given { Err(ApiError::validation(VALUES_UNUSABLE)) } else { Ok(()) })
        .map_err(|error| ApiError::validation(format!("1 validation error detected: {}", error.message())))
}

fn is_any_given(parameters: &[Present]) -> bool {
    parameters.iter().any(|(_, present)| *present)
}

fn given(parameters: &[Present]) -> String {
    let names: Vec<&str> = parameters.iter().filter(|(_, present)| *present).map(|(name, _)| *name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_do_not_mix() {
        assert!(check_generations(&[("AttributesToGet", true)], &[("ProjectionExpression", false)]).is_ok());
        let error = check_generations(
            &[("AttributesToGet", true), ("QueryFilter", false), ("KeyConditions", true)],
            &[("ProjectionExpression", true)],
        )
        .unwrap_err();
        assert_eq!(
            error.message(),
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
             {AttributesToGet, KeyConditions} Expression parameters: {ProjectionExpression}"
        );
    }

    #[test]
    fn placeholders_need_an_expression() {
        let absent = [("KeyConditionExpression", false), ("FilterExpression", false)];
        let message = |result: Result<(), ApiError>| result.unwrap_err().message().to_owned();
        assert_eq!(message(check_placeholders(true, &absent, true, &absent)), NAMES_UNUSABLE);
        assert_eq!(
            message(check_placeholders(false, &absent, true, &absent)),
            "ExpressionAttributeValues can only be specified when using expressions: KeyConditionExpression and \
             FilterExpression are null"
        );
        assert!(check_placeholders(true, &[("FilterExpression", true)], false, &[]).is_ok());
    }
}
