//! An update against the table's schema: what it may not touch.

use dynamo_expression::{Action, Path, Update, Value};
use dynamo_protocol::error::ApiError;

use crate::catalog::TableDescriptor;
use crate::messages;

use super::paths::check_scalars;
use super::put_target::indexes_by_name;

/// Checks an update before it meets an item, in DynamoDB's order: key attributes as targets, types of index keys as
/// far as the request shows them, paths that lead into keys.
///
/// # Errors
/// The first mistake.
pub(super) fn check_update(table: &TableDescriptor, update: &Update) -> Result<(), ApiError> {
    if let Some(path) = update.paths().find(|path| table.keys.contains(path.root())) {
        return Err(ApiError::validation(messages::key_update(path.root())));
    }
    check_index_types(table, update)?;
    check_no_empty_index_key(table, update)?;
    let mut paths = Vec::new();
    update.actions().iter().for_each(|action| collect_paths(action, &mut paths));
    check_scalars(paths, table)
}

fn check_index_types(table: &TableDescriptor, update: &Update) -> Result<(), ApiError> {
    let targets = update.actions().iter().filter(|action| !action.path().is_nested());
    let indexes = indexes_by_name(table);
    for (name, actual) in targets.filter_map(|action| Some((action.path().root(), written_type(action)?))) {
        for index in &indexes {
            for attribute in index.keys.attributes().filter(|attribute| attribute.name == name) {
                if attribute.kind.name() != actual {
                    let text = messages::index_key_type_mismatch(index, attribute, actual);
                    return Err(ApiError::validation(text));
                }
            }
        }
    }
    Ok(())
}

/// Refuses an index key that is set to an empty value of the request.
///
/// # Errors
/// The first such value.
pub(super) fn check_no_empty_index_key(table: &TableDescriptor, update: &Update) -> Result<(), ApiError> {
    for action in update.actions() {
        let Action::Set(path, Value::Value(value)) = action else { continue };
        let is_key = || table.maintained_indexes().any(|index| index.keys.contains(path.root()));
        if let Some(text) = messages::empty_index_key_after_update(value).filter(|_| !path.is_nested() && is_key()) {
            return Err(ApiError::validation(text));
        }
    }
    Ok(())
}

/// The type that an action leaves behind, where the request alone tells.
fn written_type(action: &Action) -> Option<&'static str> {
    match action {
        Action::Set(_, value) => value_type(value),
        Action::Add(_, value) => Some(value.type_name()),
        Action::Remove(_) | Action::Delete(..) => None,
    }
}

fn value_type(value: &Value) -> Option<&'static str> {
    match value {
        Value::Path(_) | Value::IfNotExists(..) => None,
        Value::Value(value) => Some(value.type_name()),
        Value::ListAppend(..) => Some("L"),
        Value::Plus(..) | Value::Minus(..) => Some("N"),
    }
}

fn collect_paths<'u>(action: &'u Action, paths: &mut Vec<&'u Path>) {
    paths.push(action.path());
    if let Action::Set(_, value) = action {
        collect_operands(value, paths);
    }
}

fn collect_operands<'u>(value: &'u Value, paths: &mut Vec<&'u Path>) {
    match value {
        Value::Path(path) => paths.push(path),
        Value::Value(_) => {}
        Value::IfNotExists(path, fallback) => {
            paths.push(path);
            collect_operands(fallback, paths);
        }
        Value::ListAppend(left, right) | Value::Plus(left, right) | Value::Minus(left, right) => {
            collect_operands(left, paths);
            collect_operands(right, paths);
        }
    }
}
