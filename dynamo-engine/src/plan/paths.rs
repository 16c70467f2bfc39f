//! What expressions may not say about key attributes.

use dynamo_expression::Path;
use dynamo_protocol::error::ApiError;

use crate::catalog::TableDescriptor;

use crate::read::Source;

/// Key attributes are scalars, so no path leads into them.
pub(crate) fn check_scalars<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
    table: &TableDescriptor,
) -> Result<(), ApiError> {
    for path in paths.into_iter().filter(|path| path.is_nested()) {
        let name = path.root();
        let what = if table.keys.contains(name) {
            "Key"
        } else if table.indexes.iter().any(|index| index.keys.contains(name)) {
            "IndexKey"
        } else {
            continue;
        };
        return Err(ApiError::validation(format!(
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: {what}: {name}"
        )));
    }
    Ok(())
}

/// A query's filter looks at rows that its key condition has found already, so it may not name the key's attributes.
/// `parameter` is how the message calls the filter.
pub(crate) fn check_filter_without_keys<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
    source: &Source,
    parameter: &str,
) -> Result<(), ApiError> {
    match paths.into_iter().find(|path| source.keys().contains(path.root())) {
        Some(path) => Err(ApiError::validation(format!(
            "{parameter} can only contain non-primary key attributes: Primary key attribute: {}",
            path.root()
        ))),
        None => Ok(()),
    }
}

/// A query's filter on an index sees the index's rows only.
pub(crate) fn check_filter_projected<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
    source: &Source,
) -> Result<(), ApiError> {
    let Some(index) = source.index() else {
        return Ok(());
    };
    let mut names: Vec<&str> = paths.into_iter().map(Path::root).filter(|name| !source.projects(name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    names.sort_unstable();
    names.dedup();
    Err(ApiError::validation(format!(
        "One or more parameter values were invalid: Secondary index {} does not project one or more filter attributes: \
         [{}]",
        index.name,
        names.join(", ")
    )))
}
