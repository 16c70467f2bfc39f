//! `AttributesToGet`.

use std::collections::BTreeSet;

use crate::error::ExpressionError;
use crate::path::Path;
use crate::projection::Projection;

/// The projection that `AttributesToGet` stands for.
///
/// # Errors
/// An empty name, or one that is given twice.
pub fn attributes_to_get(names: &[String]) -> Result<Projection, ExpressionError> {
    if names.iter().any(String::is_empty) {
        return Err(ExpressionError::parameters("Empty attribute name"));
    }
    let mut seen = BTreeSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(ExpressionError::parameters(format!("Duplicate value in attribute name: {name}")));
    }
    Ok(Projection::new(names.iter().map(Path::top).collect()))
}
