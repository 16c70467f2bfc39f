//! `QueryFilter` and `ScanFilter`.

use crate::condition::Condition;
use crate::error::ExpressionError;
use crate::legacy::comparison::Comparison;
use crate::legacy::join;

/// The condition that a filter stands for; `operator` is `ConditionalOperator`.
///
/// # Errors
/// The first malformed comparison in DynamoDB's words.
pub fn filter<'a>(
    attributes: impl IntoIterator<Item = (&'a str, Comparison<'a>)>,
    operator: Option<&str>,
) -> Result<Condition, ExpressionError> {
    let conditions: Result<Vec<_>, ExpressionError> = attributes
        .into_iter()
        .map(|(name, comparison)| {
            comparison.check()?;
            Ok(comparison.condition(name))
        })
        .collect();
    Ok(join(conditions?, operator))
}
