//! Rules about key attributes in expressions.

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

/// A query's filter on an index sees the index's rows only; `names` are those of the attributes that it looks at, in the
/// order of the text.
pub(crate) fn check_filter_projected<'a>(
    names: impl IntoIterator<Item = &'a str>,
    source: &Source,
) -> Result<(), ApiError> {
    let Some(index) = source.index() else {
        return Ok(());
    };
    let mut missing: Vec<&str> = Vec::new();
    for name in names {
        if !source.projects(name) && !missing.contains(&name) {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    sort_as_java_set(&mut missing);
    Err(ApiError::validation(format!(
        "One or more parameter values were invalid: Secondary index {} does not project one or more filter attributes: \
         [{}]",
        index.name,
        missing.join(", ")
    )))
}

/// The order in which the service lists a set of names (recorded): that of a hash set of Java, into which they were put
/// in the given order.
fn sort_as_java_set(names: &mut [&str]) {
    let mut buckets = 16_usize;
    while names.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    names.sort_by_key(|name| {
        let hash = name.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_recorded() {
        for (given, listed) in [
            (["b", "a"].as_slice(), ["a", "b"].as_slice()),
            (&["zz", "aa", "mm"], &["zz", "aa", "mm"]),
            (&["b", "nonproj"], &["nonproj", "b"]),
        ] {
            let mut names = given.to_vec();
            sort_as_java_set(&mut names);
            assert_eq!(names, listed);
        }
    }
}
