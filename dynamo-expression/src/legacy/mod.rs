//! The parameters of before there were expressions: `Expected`, `QueryFilter`, `ScanFilter`, `KeyConditions`,
//! `AttributeUpdates`, `AttributesToGet`.
//!
//! They become the same [`Condition`], [`KeyCondition`], [`Update`] and [`Projection`] that expressions become, so
//! that nothing behind this module knows of them. Attribute names are taken literally: `a.b` is one top-level
//! attribute with a dot in its name.
//!
//! The input types here borrow from the request and name operators and actions as the wire does; a request's own
//! types convert into them. All errors are made bare, see [`crate::ExpressionError::enveloped`].
//!
//! Source: AWS, *Developer guide: Legacy conditional parameters*; the texts as the service answered them (the recorded
//! expectations of dynalite's test suite, and captures of October 2026).
//!
//! [`KeyCondition`]: crate::KeyCondition
//! [`Update`]: crate::Update
//! [`Projection`]: crate::Projection

mod comparison;
mod expected;
mod filter;
mod key_conditions;
mod projection;
mod updates;

use crate::condition::Condition;
use crate::error::ExpressionError;

pub use comparison::Comparison;
pub use expected::{Expected, expected};
pub use filter::filter;
pub use key_conditions::key_conditions;
pub use projection::attributes_to_get;
pub use updates::{AttributeUpdate, attribute_updates};

/// Checks `ConditionalOperator` against the number of conditions it would join (`None`: no such member given).
///
/// # Errors
/// A `ConditionalOperator` with nothing, or only one condition, to join.
pub fn check_conditional_operator(operator: Option<&str>, conditions: Option<usize>) -> Result<(), ExpressionError> {
    let text = match (operator, conditions) {
        (Some(_), None | Some(0)) => "ConditionalOperator cannot be used without Filter or Expected",
        (Some(_), Some(1)) => "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        _ => return Ok(()),
    };
    Err(ExpressionError::bare(text))
}

/// Joins conditions by `AND` (the default) or `OR`.
fn join(mut conditions: Vec<Condition>, operator: Option<&str>) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            if operator == Some("OR") { Condition::Or(conditions) } else { Condition::And(conditions) }
        }
        None => Condition::always(),
    }
}
