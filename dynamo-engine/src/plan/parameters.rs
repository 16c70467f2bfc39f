//! Which parameters may stand beside each other: the third layer of validation, before any expression is read.

use dynamo_protocol::error::ApiError;

use super::PlanError;

/// One parameter of a request: its name in the API, and whether the request has it.
pub(crate) type Present = (&'static str, bool);

/// Refuses a request that has parameters of both generations.
pub(crate) fn check_generations(legacy: &[Present], expressions: &[Present]) -> Result<(), ApiError> {
    let legacy = names(legacy);
    let expressions = names(expressions);
    if legacy.is_empty() || expressions.is_empty() {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {{{}}} Expression parameters: {{{}}}",
        legacy.join(", "),
        expressions.join(", ")
    )))
}

/// Refuses names or values for which there is no expression to use them.
///
/// `takes_names` are all expressions of the request, `takes_values` those that can hold values.
pub(crate) fn check_placeholders(
    names_given: bool,
    takes_names: &[Present],
    values_given: bool,
    takes_values: &[Present],
) -> Result<(), PlanError> {
    if names_given && names(takes_names).is_empty() {
        return Err(PlanError::validation("ExpressionAttributeNames can only be specified when using expressions"));
    }
    if values_given && names(takes_values).is_empty() {
        let all: Vec<&str> = takes_values.iter().map(|(name, _)| *name).collect();
        let verb = if all.len() == 1 { "is" } else { "are" };
        return Err(PlanError::validation(format!(
            "ExpressionAttributeValues can only be specified when using expressions: {} {verb} null",
            all.join(" and ")
        )));
    }
    Ok(())
}

fn names(parameters: &[Present]) -> Vec<&'static str> {
    parameters.iter().filter(|(_, present)| *present).map(|(name, _)| *name).collect()
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
}
