//! Key schemas: of tables, local indexes and global indexes.

use dynamo_protocol::error::ApiError;

use super::invalid;
use crate::catalog::{KeyAttribute, KeySchema};

/// One element of a key schema as requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyElement {
    /// The attribute's name.
    pub(crate) name: String,
    /// `HASH`, otherwise `RANGE`.
    pub(crate) hash: bool,
}

/// Attributes that a global index's partition key, or its sort key, can have.
const INDEX_KEY_ATTRIBUTES_MAX: usize = 4;

/// No attribute is defined twice.
pub(crate) fn check_definitions(definitions: &[KeyAttribute]) -> Result<(), ApiError> {
    for (position, definition) in definitions.iter().enumerate() {
        if definitions[..position].iter().any(|earlier| earlier.name == definition.name) {
            return Err(ApiError::validation(format!("Attribute Name is duplicated: {}", definition.name)));
        }
    }
    Ok(())
}

/// The key of a table or of a local index: one partition attribute, then at most one sort attribute.
pub(crate) fn pair(elements: &[KeyElement], definitions: &[KeyAttribute]) -> Result<KeySchema, ApiError> {
    if elements.len() > 2 {
        return Err(too_long(elements));
    }
    check_defined(elements, definitions)?;
    check_first(elements)?;
    if let [first, second] = elements {
        if first.name == second.name {
            return Err(ApiError::validation(
                "Both the Hash Key and the Range Key element in the KeySchema have the same name",
            ));
        }
        if second.hash {
            return Err(ApiError::validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"));
        }
    }
    Ok(resolve(elements, definitions))
}

/// The key of a table: as [`pair`], and told apart where there are fewer definitions than keys.
pub(crate) fn of_table(elements: &[KeyElement], definitions: &[KeyAttribute]) -> Result<KeySchema, ApiError> {
    if elements.len() > 2 {
        return Err(too_long(elements));
    }
    if elements.len() > definitions.len() {
        return Err(ApiError::validation("Invalid KeySchema: Some index key attribute have no definition"));
    }
    pair(elements, definitions)
}

/// The key of a global index: partition attributes, then sort attributes, up to four of each.
pub(crate) fn of_global_index(elements: &[KeyElement], definitions: &[KeyAttribute]) -> Result<KeySchema, ApiError> {
    check_defined(elements, definitions)?;
    check_first(elements)?;
    check_distinct(elements)?;
    if elements.windows(2).any(|pair| !pair[0].hash && pair[1].hash) {
        return Err(invalid("All HASH key attributes must precede RANGE key attributes in the KeySchema"));
    }
    for (hash, name) in [(true, "HASH"), (false, "RANGE")] {
        if elements.iter().filter(|element| element.hash == hash).count() > INDEX_KEY_ATTRIBUTES_MAX {
            let what = format!("The KeySchema exceeds the maximum allowed number of {name} key attributes");
            return Err(invalid(what));
        }
    }
    Ok(resolve(elements, definitions))
}

/// No attribute is in a key twice.
pub(crate) fn check_distinct(elements: &[KeyElement]) -> Result<(), ApiError> {
    let repeated = elements
        .iter()
        .enumerate()
        .any(|(position, element)| elements[..position].iter().any(|earlier| earlier.name == element.name));
    match (repeated, elements.len()) {
        (false, _) => Ok(()),
        (true, 2) => {
            Err(ApiError::validation("Both the Hash Key and the Range Key element in the KeySchema have the same name"))
        }
        (true, _) => Err(ApiError::validation("The KeySchema contains multiple key attributes with the same name")),
    }
}

fn check_first(elements: &[KeyElement]) -> Result<(), ApiError> {
    if elements.first().is_some_and(|first| first.hash) {
        return Ok(());
    }
    Err(ApiError::validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"))
}

/// Every element has a definition.
pub(crate) fn check_defined(elements: &[KeyElement], definitions: &[KeyAttribute]) -> Result<(), ApiError> {
    if elements.iter().all(|element| defined(definitions, &element.name).is_some()) {
        return Ok(());
    }
    let keys = list(elements.iter().map(|element| element.name.as_str()));
    let definitions = list(definitions.iter().map(|definition| definition.name.as_str()));
    Err(invalid(format_args!(
        "Some index key attributes are not defined in AttributeDefinitions. \
         Keys: [{keys}], AttributeDefinitions: [{definitions}]"
    )))
}

/// The definition of the attribute `name`.
fn defined<'a>(definitions: &'a [KeyAttribute], name: &str) -> Option<&'a KeyAttribute> {
    definitions.iter().find(|definition| definition.name == name)
}

fn resolve(elements: &[KeyElement], definitions: &[KeyAttribute]) -> KeySchema {
    let part = |hash: bool| {
        let wanted = elements.iter().filter(move |element| element.hash == hash);
        wanted.filter_map(|element| defined(definitions, &element.name).cloned()).collect()
    };
    KeySchema { partition: part(true), sort: part(false) }
}

/// Every definition is a key of the table or of one of its indexes.
pub(crate) fn check_all_used(
    definitions: &[KeyAttribute],
    table: &KeySchema,
    indexes: &[Vec<KeyElement>],
) -> Result<(), ApiError> {
    let mut used: Vec<&str> = table.attributes().map(|attribute| attribute.name.as_str()).collect();
    for element in indexes.iter().flatten() {
        if !used.contains(&element.name.as_str()) {
            used.push(&element.name);
        }
    }
    if definitions.len() <= used.len() {
        return Ok(());
    }
    if indexes.is_empty() {
        return Err(invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in \
             AttributeDefinitions",
        ));
    }
    let definitions = list(definitions.iter().map(|definition| definition.name.as_str()));
    let used = list(used.into_iter());
    Err(invalid(format_args!(
        "Some AttributeDefinitions are not used. AttributeDefinitions: [{definitions}], keys used: [{used}]"
    )))
}

/// Names as the service lists them.
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// More than two elements; the service's own text shows how it prints the elements, in one of two ways.
fn too_long(elements: &[KeyElement]) -> ApiError {
    let shown: Vec<String> = elements
        .iter()
        .map(|element| {
            let kind = if element.hash { "HASH" } else { "RANGE" };
            format!("KeySchemaElement(attributeName={}, keyType={kind})", element.name)
        })
        .collect();
    ApiError::validation(format!(
        "1 validation error detected: Value '[{}]' at 'keySchema' failed to satisfy constraint: \
         Member must have length less than or equal to 2",
        shown.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{KeyType, fixture};

    /// `"a b-"`: HASH a, HASH b... a minus marks RANGE.
    fn elements(text: &str) -> Vec<KeyElement> {
        text.split_whitespace()
            .map(|word| KeyElement { name: word.trim_end_matches('-').to_owned(), hash: !word.ends_with('-') })
            .collect()
    }

    fn definitions(text: &str) -> Vec<KeyAttribute> {
        text.split_whitespace().map(|name| fixture::attribute(name, KeyType::S)).collect()
    }

    fn message(result: Result<KeySchema, ApiError>) -> String {
        result.map_or_else(|error| error.message().to_owned(), |_| "fine".to_owned())
    }

    #[test]
    fn keys_of_tables() {
        for (keys, defined, expected) in [
            ("a", "a", "fine"),
            ("a b-", "a b", "fine"),
            ("a a", "", "Invalid KeySchema: Some index key attribute have no definition"),
            ("a a-", "a", "Invalid KeySchema: Some index key attribute have no definition"),
            ("a b-", "b", "Invalid KeySchema: Some index key attribute have no definition"),
            (
                "a",
                "b",
                "One or more parameter values were invalid: Some index key attributes are not defined in \
                 AttributeDefinitions. Keys: [a], AttributeDefinitions: [b]",
            ),
            ("a a", "a b", "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
            ("a b", "a b", "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"),
            ("a- b", "a b", "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
            ("a- b-", "a b", "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
            (
                "a b- c-",
                "a b c",
                "1 validation error detected: Value '[KeySchemaElement(attributeName=a, keyType=HASH), \
                 KeySchemaElement(attributeName=b, keyType=RANGE), KeySchemaElement(attributeName=c, keyType=RANGE)]' \
                 at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2",
            ),
        ] {
            assert_eq!(message(of_table(&elements(keys), &definitions(defined))), expected, "{keys} of {defined}");
        }
    }

    #[test]
    fn keys_of_global_indexes() {
        for (keys, expected) in [
            ("a", "fine"),
            ("a b c d e- f- g- h-", "fine"),
            ("a-", "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
            ("a a-", "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
            ("a b a-", "The KeySchema contains multiple key attributes with the same name"),
            (
                "a b- c",
                "One or more parameter values were invalid: All HASH key attributes must precede RANGE key attributes \
                 in the KeySchema",
            ),
            (
                "a b c d e",
                "One or more parameter values were invalid: The KeySchema exceeds the maximum allowed number of HASH \
                 key attributes",
            ),
        ] {
            assert_eq!(
                message(of_global_index(&elements(keys), &definitions("a b c d e f g h i"))),
                expected,
                "{keys}"
            );
        }
    }

    #[test]
    fn every_definition_is_used() {
        let table = fixture::keys(("a", KeyType::S), None);
        let index = elements("b a-");
        let check = |text: &str, indexes: &[Vec<KeyElement>]| {
            let result = check_all_used(&definitions(text), &table, indexes);
            result.map_or_else(|error| error.message().to_owned(), |()| "fine".to_owned())
        };
        assert_eq!(check("a", &[]), "fine");
        assert_eq!(check("a b", std::slice::from_ref(&index)), "fine");
        assert!(
            check("a b", &[]).ends_with("does not exactly match number of attributes defined in AttributeDefinitions")
        );
        assert_eq!(
            check("a b c", &[index]),
            "One or more parameter values were invalid: Some AttributeDefinitions are not used. \
             AttributeDefinitions: [a, b, c], keys used: [a, b]"
        );
        let twice = check_definitions(&definitions("a b a")).unwrap_err();
        assert_eq!(twice.message(), "Attribute Name is duplicated: a");
    }
}
