//! Tags: how many, and of which characters.
//!
//! Source: AWS, *Developer guide: Tagging restrictions in DynamoDB*; texts as recorded from the service.

use std::collections::{BTreeMap, BTreeSet};

use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::TAGS_MAX;

/// Longest key in characters.
const KEY_CHARACTERS_MAX: usize = 128;
/// Longest value in characters.
const VALUE_CHARACTERS_MAX: usize = 256;

/// Checks the tags of a request: `(key, value)` pairs.
pub(crate) fn check(tags: &[(String, String)]) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for (key, value) in tags {
        check_key(key)?;
        if value.chars().count() > VALUE_CHARACTERS_MAX || !value.chars().all(is_allowed) {
            return Err(ApiError::validation(format!("The Tag Value provided is invalid, Value: {value}")));
        }
        if !seen.insert(key) {
            return Err(ApiError::validation(format!(
                "Duplicate Tag Keys provided as input: Duplicate Tag Key found {key}"
            )));
        }
    }
    check_count(tags.len())
}

/// Checks how many tags a request names.
pub(crate) fn check_count(tags: usize) -> Result<(), ApiError> {
    if tags > TAGS_MAX { Err(too_many()) } else { Ok(()) }
}

/// Checks one key, also one that is to be removed.
pub(crate) fn check_key(key: &str) -> Result<(), ApiError> {
    if key.is_empty() || key.chars().count() > KEY_CHARACTERS_MAX || !key.chars().all(is_allowed) {
        return Err(ApiError::validation(format!("The Tag Key provided is invalid, Key: {key}")));
    }
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        return Err(ApiError::validation(format!("Tag Key cannot be prefixed with aws:, Key: {key}")));
    }
    Ok(())
}

/// Checks that the table's tags, with `added` among them, are not too many.
pub(crate) fn check_sum(current: &BTreeMap<String, String>, added: &[(String, String)]) -> Result<(), ApiError> {
    let new = added.iter().filter(|(key, _)| !current.contains_key(key)).count();
    if current.len() + new > TAGS_MAX { Err(too_many()) } else { Ok(()) }
}

fn too_many() -> ApiError {
    ApiError::validation("Number of Tags exceed the current limit for the provided ResourceArn")
}

/// Letters, white space and numbers of any script, and eight signs.
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "+-=._:/@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tags: &[(&str, &str)]) -> String {
        let tags: Vec<(String, String)> =
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        check(&tags).map_or_else(|error| error.message().to_owned(), |()| "fine".to_owned())
    }

    #[test]
    fn tags_are_bounded_in_letters_and_length() {
        assert_eq!(message(&[("a", ""), ("Größe/@x:y z", "1+1=2"), ("naws:", "v")]), "fine");
        assert_eq!(message(&[("a#", "")]), "The Tag Key provided is invalid, Key: a#");
        assert_eq!(message(&[("", "")]), "The Tag Key provided is invalid, Key: ");
        assert_eq!(message(&[("a", "b*")]), "The Tag Value provided is invalid, Value: b*");
        assert_eq!(message(&[("aws:x", "")]), "Tag Key cannot be prefixed with aws:, Key: aws:x");
        assert_eq!(
            message(&[("a", "1"), ("b", "2"), ("a", "3")]),
            "Duplicate Tag Keys provided as input: Duplicate Tag Key found a"
        );
    }

    #[test]
    fn how_many_there_can_be() {
        let tags: Vec<(String, String)> = (0..TAGS_MAX).map(|n| (format!("k{n}"), String::new())).collect();
        assert!(check(&tags).is_ok());
        let current: BTreeMap<String, String> = tags.iter().cloned().collect();
        assert!(check_sum(&current, &tags).is_ok(), "overwriting adds none");
        let error = check_sum(&current, &[("new".to_owned(), String::new())]).unwrap_err();
        assert_eq!(error.message(), "Number of Tags exceed the current limit for the provided ResourceArn");
    }
}
