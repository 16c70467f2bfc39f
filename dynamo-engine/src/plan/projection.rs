//! The attributes that a point read returns: ProjectionExpression, or AttributesToGet.

use std::collections::BTreeMap;

use dynamo_expression::legacy::attributes_to_get;
use dynamo_expression::{Placeholders, Projection};

use super::PlanError;

/// The parameters that say which attributes to return; they go together.
#[derive(Clone, Copy)]
pub(crate) struct Requested<'a> {
    /// AttributesToGet.
    pub attributes_to_get: Option<&'a [String]>,
    /// ProjectionExpression.
    pub expression: Option<&'a str>,
    /// ExpressionAttributeNames.
    pub names: Option<&'a BTreeMap<String, String>>,
}

/// The projection that is asked for; `None` returns everything.
pub(crate) fn parse(requested: &Requested<'_>) -> Result<Option<Projection>, PlanError> {
    if let Some(names) = requested.attributes_to_get {
        return Ok(Some(attributes_to_get(names)?));
    }
    let placeholders = Placeholders::new(requested.names, None);
    let projection = requested.expression.map(|text| placeholders.projection(text)).transpose()?;
    placeholders.finish()?;
    Ok(projection)
}
