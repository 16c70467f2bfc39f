//! The primary key of one item, checked against the table's schema.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::value::{AttributeValue, Item};

use crate::catalog::{KeyAttribute, KeySchema, KeyType, TableDescriptor};
use crate::keyspace::{ItemKey, KeyPart, row_key, token_of};

/// What the service says where a key's names or types are not the schema's.
pub(crate) const KEY_MISMATCH: &str = "The provided key element does not match the schema";

/// The most bytes in a partition key value.
const PARTITION_KEY_BYTES_MAX: usize = 2048;
/// The most bytes in a sort key value.
const SORT_KEY_BYTES_MAX: usize = 1024;

impl ItemKey {
    /// The key of a request (`Key`): exactly the schema's attributes, of the schema's types.
    ///
    /// # Errors
    /// DynamoDB's validation errors for keys.
    pub fn of(table: &TableDescriptor, key: &Item) -> Result<ItemKey, ApiError> {
        if key.len() != table.keys.len() {
            return Err(ApiError::validation(KEY_MISMATCH));
        }
        let partition = parts(&table.keys.partition, key)?;
        let sort = parts(&table.keys.sort, key)?;
        check_contents(&table.keys, &partition, &sort)?;
        Ok(ItemKey { token: token_of(table.id.0, &partition), row: row_key(table.id.0, &partition, &sort) })
    }
}

/// No key attribute of `key` is empty; other mistakes are not looked for.
///
/// A transaction is refused as a whole for an empty key value, while a key that does not fit its table cancels it
/// (captured in eu-west-2, 2026-09-20).
///
/// # Errors
/// DynamoDB's message for an empty key value.
pub fn check_no_empty_value(table: &TableDescriptor, key: &Item) -> Result<(), ApiError> {
    for attribute in table.keys.attributes() {
        let part = key.get(&attribute.name).and_then(|value| part_of_kind(value, attribute.kind));
        part.map_or(Ok(()), |part| check_not_empty(&attribute.name, &part))?;
    }
    Ok(())
}

/// The values of `attributes` in `item`, of their declared types.
///
/// # Errors
/// The mismatch error where one is absent or has another type.
pub(crate) fn parts<'a>(attributes: &[KeyAttribute], item: &'a Item) -> Result<Vec<KeyPart<'a>>, ApiError> {
    attributes
        .iter()
        .map(|attribute| {
            item.get(&attribute.name)
                .and_then(|value| part_of_kind(value, attribute.kind))
                .ok_or_else(|| ApiError::validation(KEY_MISMATCH))
        })
        .collect()
}

/// `value` as a key part, if it has this type.
pub(crate) fn part_of_kind(value: &AttributeValue, kind: KeyType) -> Option<KeyPart<'_>> {
    match (value, kind) {
        (AttributeValue::S(_), KeyType::S)
        | (AttributeValue::N(_), KeyType::N)
        | (AttributeValue::B(_), KeyType::B) => KeyPart::of(value),
        _ => None,
    }
}

/// Neither empty nor too long.
pub(crate) fn check_contents(
    keys: &KeySchema,
    partition: &[KeyPart<'_>],
    sort: &[KeyPart<'_>],
) -> Result<(), ApiError> {
    for (attribute, part) in keys.attributes().zip(partition.iter().chain(sort)) {
        check_not_empty(&attribute.name, part)?;
    }
    check_size(partition, sort)
}

/// A key attribute has at least one byte.
pub(crate) fn check_not_empty(name: &str, part: &KeyPart<'_>) -> Result<(), ApiError> {
    let kind = match part {
        KeyPart::S("") => "string",
        KeyPart::B([]) => "binary",
        _ => return Ok(()),
    };
    Err(ApiError::validation(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty \
         {kind} value. Key: {name}"
    )))
}

fn check_size(partition: &[KeyPart<'_>], sort: &[KeyPart<'_>]) -> Result<(), ApiError> {
    if partition.iter().map(bytes).sum::<usize>() > PARTITION_KEY_BYTES_MAX {
        return Err(ApiError::validation(format!(
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of\
             {PARTITION_KEY_BYTES_MAX} bytes"
        )));
    }
    if sort.iter().map(bytes).sum::<usize>() > SORT_KEY_BYTES_MAX {
        return Err(ApiError::validation(format!(
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit \
             of {SORT_KEY_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

fn bytes(part: &KeyPart<'_>) -> usize {
    match part {
        KeyPart::S(text) => text.len(),
        KeyPart::B(bytes) => bytes.len(),
        KeyPart::N(_) => 0,
    }
}
