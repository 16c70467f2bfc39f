//! Key schemas: of tables, local indexes and global indexes.

use std::collections::{BTreeMap, BTreeSet};

use dynamo_protocol::error::ApiError;

use super::{first_repeat, invalid};
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

/// The attribute definitions of a request, by name.
pub(crate) struct Definitions<'a> {
    /// In the order of the request.
    list: &'a [KeyAttribute],
    /// The same by their names, each once.
    by_name: BTreeMap<&'a str, &'a KeyAttribute>,
}

impl<'a> Definitions<'a> {
    /// The definitions, none of an attribute that is defined already.
    pub(crate) fn new(list: &'a [KeyAttribute]) -> Result<Self, ApiError> {
        let mut by_name = BTreeMap::new();
        for definition in list {
            if by_name.insert(definition.name.as_str(), definition).is_some() {
                return Err(ApiError::validation(format!("Attribute Name is duplicated: {}", definition.name)));
            }
        }
        Ok(Definitions { list, by_name })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Their names as the service lists them.
    fn names(&self) -> String {
        list(self.list.iter().map(|definition| definition.name.as_str()))
    }
}

/// The key of a table or of a local index: one partition attribute, then at most one sort attribute.
pub(crate) fn pair(elements: &[KeyElement], definitions: &Definitions<'_>) -> Result<KeySchema, ApiError> {
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
pub(crate) fn of_table(elements: &[KeyElement], definitions: &Definitions<'_>) -> Result<KeySchema, ApiError> {
    if elements.len() > 2 {
        return Err(too_long(elements));
    }
    let is_defined = |name: &str| definitions.list.iter().any(|definition| definition.name == name);
    let is_repeated = matches!(elements, [first, second] if first.name == second.name && is_defined(&first.name));
    if elements.len() > definitions.list.len() && !is_repeated {
        return Err(ApiError::validation("Invalid KeySchema: Some index key attribute have no definition"));
    }
    pair(elements, definitions)
}

/// The key of a global index: partition attributes, then sort attributes, up to four of each.
pub(crate) fn of_global_index(elements: &[KeyElement], definitions: &Definitions<'_>) -> Result<KeySchema, ApiError> {
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
    let repeated = first_repeat(elements.iter().map(|element| element.name.as_str()));
    match (repeated.is_some(), elements.len()) {
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
pub(crate) fn check_defined(elements: &[KeyElement], definitions: &Definitions<'_>) -> Result<(), ApiError> {
    if elements.iter().all(|element| definitions.by_name.contains_key(element.name.as_str())) {
        return Ok(());
    }
    let keys = list(elements.iter().map(|element| element.name.as_str()));
    let definitions = definitions.names();
    Err(invalid(format_args!(
        "Some index key attributes are not defined in AttributeDefinitions. \
         Keys: [{keys}], AttributeDefinitions: [{definitions}]"
    )))
}

fn resolve(elements: &[KeyElement], definitions: &Definitions<'_>) -> KeySchema {
    let part = |hash: bool| {
        let wanted = elements.iter().filter(move |element| element.hash == hash);
        wanted.filter_map(|element| definitions.by_name.get(element.name.as_str()).copied().cloned()).collect()
    };
    KeySchema { partition: part(true), sort: part(false) }
}

/// Every definition is a key of the table or of one of its indexes.
pub(crate) fn check_all_used(
    definitions: &Definitions<'_>,
    table: &KeySchema,
    indexes: &[Vec<KeyElement>],
) -> Result<(), ApiError> {
    let mut used: Vec<&str> = table.attributes().map(|attribute| attribute.name.as_str()).collect();
    let mut seen: BTreeSet<&str> = used.iter().copied().collect();
    used.extend(indexes.iter().flatten().map(|element| element.name.as_str()).filter(|name| seen.insert(name)));
    if definitions.list.len() <= used.len() {
        return Ok(());
    }
    if indexes.is_empty() {
        return Err(invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in \
             AttributeDefinitions",
        ));
    }
    let definitions = definitions.names();
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
            ("a a-", "a", "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
            ("a b-", "b", "Invalid KeySchema: Some index key attribute have no definition"),
            (
                "a",
                "b",
                "One or more parameter values were invalid: Some index key attributes are not defined in \
                 AttributeDefinitions. Keys: [a], AttributeDefinitions: [b]",
            ),
            ("a a", "a", "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
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
            let defined = definitions(defined);
            let of_table = of_table(&elements(keys), &Definitions::new(&defined).unwrap());
            assert_eq!(message(of_table), expected, "{keys} of {defined:?}");
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
            let defined = definitions("a b c d e f g h i");
            let of_index = of_global_index(&elements(keys), &Definitions::new(&defined).unwrap());
            assert_eq!(message(of_index), expected, "{keys}");
        }
    }

    #[test]
    fn every_definition_is_used() {
        let table = fixture::keys(("a", KeyType::S), None);
        let index = elements("b a-");
        let check = |text: &str, indexes: &[Vec<KeyElement>]| {
            let defined = definitions(text);
            let result = check_all_used(&Definitions::new(&defined).unwrap(), &table, indexes);
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
        let twice = Definitions::new(&definitions("a b a")).err().map(|error| error.message().to_owned());
        assert_eq!(twice.as_deref(), Some("Attribute Name is duplicated: a"));
    }
}
