//! `AttributeUpdates`.

use std::sync::Arc;

use dynamo_protocol::value::AttributeValue;

use crate::error::ExpressionError;
use crate::path::Path;
use crate::update::{Action, Origin, Update, Value};

/// What happens to one attribute.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributeUpdate<'a> {
    /// `Action`, by its wire name; `PUT` where it is absent.
    pub action: Option<&'a str>,
    /// `Value`.
    pub value: Option<&'a AttributeValue>,
}

/// The update that `AttributeUpdates` stands for.
///
/// # Errors
/// The first malformed update in DynamoDB's words.
pub fn attribute_updates<'a>(
    attributes: impl IntoIterator<Item = (&'a str, AttributeUpdate<'a>)>,
) -> Result<Update, ExpressionError> {
    let actions: Result<Vec<_>, _> = attributes.into_iter().map(|(name, update)| one(name, &update)).collect();
    Ok(Update::from_origin(Origin::AttributeUpdates, actions?))
}

fn one(name: &str, update: &AttributeUpdate<'_>) -> Result<Action, ExpressionError> {
    let path = Path::top(name);
    let action = update.action.unwrap_or("PUT");
    let Some(value) = update.value else {
        return match action {
            "DELETE" => Ok(Action::Remove(path)),
            _ => {
                let text = "Only DELETE action is allowed when no attribute value is specified";
                Err(ExpressionError::parameters(text))
            }
        };
    };
    let kind = value.type_name();
    match action {
        "DELETE" if value.is_set() => Ok(Action::Delete(path, Arc::new(value.clone()))),
        "DELETE" => {
            let text = format!("DELETE action with value is not supported for the type {kind}");
            Err(ExpressionError::parameters(text))
        }
        "ADD" if value.is_set() || matches!(value, AttributeValue::N(_) | AttributeValue::L(_)) => {
            Ok(Action::Add(path, Arc::new(value.clone())))
        }
        "ADD" => Err(ExpressionError::parameters(format!("ADD action is not supported for the type {kind}"))),
        _ => Ok(Action::Set(path, Value::Value(Arc::new(value.clone())))),
    }
}
