//! DynamoDB's texts about items, keys and index keys, each made in one place.
//!
//! Facts, word for word; those that depend on data are bare. Texts about expressions live with the expressions, texts
//! about the shape of requests with the protocol.

use dynamo_protocol::limits::{PARTITION_KEY_BYTES_MAX, SORT_KEY_BYTES_MAX};
use dynamo_protocol::value::AttributeValue;

use crate::catalog::{IndexDescriptor, KeyAttribute};

/// A put of more than 400 KB.
pub const ITEM_TOO_LARGE: &str = "Item size has exceeded the maximum allowed size";

/// An update that would make an item of more than 400 KB.
pub use dynamo_expression::ITEM_TO_UPDATE_TOO_LARGE;

/// A value with its leaves below level 32.
pub const NESTED_TOO_DEEP: &str =
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit";

const INVALID: &str = "One or more parameter values were invalid: ";
const NOT_VALID: &str = "One or more parameter values are not valid. ";

/// An item to put without one of its key attributes.
pub fn missing_key(name: &str) -> String {
    format!("{INVALID}Missing the key {name} in the item")
}

/// An item to put with a key attribute of another type.
pub fn key_type_mismatch(attribute: &KeyAttribute, actual: &AttributeValue) -> String {
    let (name, expected) = (&attribute.name, attribute.kind.name());
    format!("{INVALID}Type mismatch for key {name} expected: {expected} actual: {}", actual.type_name())
}

/// An update whose target is a key attribute.
pub fn key_update(name: &str) -> String {
    format!("{INVALID}Cannot update attribute {name}. This attribute is part of the key")
}

/// A partition key that is too long.
pub fn partition_key_too_long() -> String {
    format!("{INVALID}Size of hashkey has exceeded the maximum size limit of{PARTITION_KEY_BYTES_MAX} bytes")
}

/// A sort key that is too long.
pub fn sort_key_too_long() -> String {
    format!("{INVALID}Aggregated size of all range keys has exceeded the size limit of {SORT_KEY_BYTES_MAX} bytes")
}

/// An index key attribute of another type.
pub fn index_key_type_mismatch(index: &IndexDescriptor, attribute: &KeyAttribute, actual: &str) -> String {
    format!(
        "{INVALID}Type mismatch for Index Key {} Expected: {} Actual: {actual} IndexName: {}",
        attribute.name,
        attribute.kind.name(),
        index.name
    )
}

/// An item to put with an empty key attribute of `index`; `None` where it is not empty.
pub fn empty_index_key(index: &IndexDescriptor, attribute: &KeyAttribute, value: &AttributeValue) -> Option<String> {
    let kind = empty_kind(value)?;
    Some(format!(
        "{NOT_VALID}A value specified for a secondary index key is not supported. The AttributeValue for a key \
         attribute cannot contain an empty {kind} value. IndexName: {}, IndexKey: {}",
        index.name, attribute.name
    ))
}

/// An update that would leave a key attribute of an index empty; `None` where the value is not empty.
pub fn empty_index_key_after_update(value: &AttributeValue) -> Option<String> {
    let kind = empty_kind(value)?;
    Some(format!(
        "{NOT_VALID}The update expression attempted to update a secondary index key to a value that is not \
         supported. The AttributeValue for a key attribute cannot contain an empty {kind} value."
    ))
}

/// An item to put with a key attribute of `index` that is too long; `None` where it is not.
pub fn long_index_key(index: &IndexDescriptor, attribute: &KeyAttribute, value: &AttributeValue) -> Option<String> {
    let length = match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.len(),
        _ => 0,
    };
    if index.keys.partition.contains(attribute) && length > PARTITION_KEY_BYTES_MAX {
        return Some(partition_key_too_long());
    }
    if index.keys.sort.contains(attribute) && length > SORT_KEY_BYTES_MAX {
        return Some(sort_key_too_long());
    }
    None
}

/// Whether an update may leave `value` as a key attribute of `index`. A wrong type that can be seen in the request is
/// refused before; this one came out of the item.
pub fn index_key_after_update(
    index: &IndexDescriptor,
    attribute: &KeyAttribute,
    value: &AttributeValue,
) -> Result<(), String> {
    if value.type_name() != attribute.kind.name() {
        return Err("The update expression attempted to update the secondary index key to unsupported type".to_owned());
    }
    if let Some(text) = empty_index_key_after_update(value) {
        return Err(text);
    }
    if long_index_key(index, attribute, value).is_some() {
        let text = "The update expression attempted to update the secondary index key beyond allowed size limits";
        return Err(text.to_owned());
    }
    Ok(())
}

fn empty_kind(value: &AttributeValue) -> Option<&'static str> {
    match value {
        AttributeValue::S(text) if text.is_empty() => Some("string"),
        AttributeValue::B(bytes) if bytes.is_empty() => Some("binary"),
        _ => None,
    }
}
