//! The attributes that a point read returns: ProjectionExpression, or AttributesToGet.

use dynamo_expression::legacy::attributes_to_get;
use dynamo_expression::{Placeholders, Projection};
use dynamo_protocol::parameters::Said;
use dynamo_protocol::shapes::ExpressionAttributeNames;

use super::PlanError;

/// The projection that is asked for; `None` returns everything.
///
/// # Errors
/// The client's mistake in it, and a placeholder that is not used.
pub(crate) fn parse(
    projection: Option<Said<'_, &[String]>>,
    names: Option<&ExpressionAttributeNames>,
) -> Result<Option<Projection>, PlanError> {
    let placeholders = Placeholders::new(names, None);
    let projection = match projection {
        Some(Said::Legacy(names)) => return Ok(Some(attributes_to_get(names)?)),
        Some(Said::Expression(text)) => Some(placeholders.projection(text)?),
        None => None,
    };
    placeholders.finish()?;
    Ok(projection)
}
