//! An item to put: its key and its index keys, checked against the table.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::ITEM_BYTES_MAX;
use dynamo_protocol::value::{AttributeValue, Item};

use crate::catalog::{IndexDescriptor, KeyAttribute, TableDescriptor};
use crate::item::ItemBody;
use crate::keyspace::{row_key, token_of};
use crate::messages;

use super::ItemKey;
use super::item_key::{check_contents, parts};

/// Whether an item to put may be so large, as billed. Looked at before the table is.
///
/// # Errors
/// More than 400 KB.
pub(super) fn check_item_bytes(billed_bytes: usize) -> Result<(), ApiError> {
    match billed_bytes > ITEM_BYTES_MAX {
        true => Err(ApiError::validation(messages::ITEM_TOO_LARGE)),
        false => Ok(()),
    }
}

/// What the table looks at of an item to put: the attributes of its key, and of the keys of its indexes.
pub(super) fn keyed(table: &TableDescriptor, item: &ItemBody) -> Item {
    let indexed = table.maintained_indexes().flat_map(|index| index.keys.attributes());
    let names: Vec<&str> = table.keys.attributes().chain(indexed).map(|attribute| &*attribute.name).collect();
    item.view().part(&names).expect("what was encoded a moment ago is whole")
}

/// Names what is wrong with the key attributes of an item to put, as PutItem and transactions do (BatchWriteItem says
/// the same of all).
///
/// # Errors
/// A key attribute that is missing or has another type.
pub(super) fn check_key_attributes(table: &TableDescriptor, item: &Item) -> Result<(), ApiError> {
    for attribute in table.keys.attributes() {
        match item.get(&attribute.name) {
            None => return Err(ApiError::validation(messages::missing_key(&attribute.name))),
            Some(value) if value.type_name() != attribute.kind.name() => {
                return Err(ApiError::validation(messages::key_type_mismatch(attribute, value)));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The key of an item to put.
///
/// # Errors
/// Key attributes that do not match the schema, are empty or too long.
pub(super) fn put_key(table: &TableDescriptor, item: &Item) -> Result<ItemKey, ApiError> {
    let partition = parts(&table.keys.partition, item)?;
    let sort = parts(&table.keys.sort, item)?;
    check_contents(&table.keys, &partition, &sort)?;
    Ok(ItemKey { token: token_of(table.id.0, &partition), row: row_key(table.id.0, &partition, &sort) })
}

/// Refuses values that an index of the table cannot have as a key. All types are looked at before any content.
///
/// # Errors
/// The first such value.
pub(super) fn check_index_keys(table: &TableDescriptor, item: &Item) -> Result<(), ApiError> {
    each_index_key(table, item, |index, attribute, value| {
        (value.type_name() != attribute.kind.name())
            .then(|| messages::index_key_type_mismatch(index, attribute, value.type_name()))
    })?;
    check_no_empty_index_key(table, item)?;
    each_index_key(table, item, messages::long_index_key)
}

/// Refuses empty index keys only.
///
/// # Errors
/// The first such value.
pub(super) fn check_no_empty_index_key(table: &TableDescriptor, item: &Item) -> Result<(), ApiError> {
    each_index_key(table, item, messages::empty_index_key)
}

/// The table's indexes in the order in which mistakes about them are reported: by name (captured, 2026).
pub(super) fn indexes_by_name(table: &TableDescriptor) -> Vec<&IndexDescriptor> {
    let mut indexes: Vec<&IndexDescriptor> = table.maintained_indexes().collect();
    indexes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    indexes
}

fn each_index_key(
    table: &TableDescriptor,
    item: &Item,
    mistake: impl Fn(&IndexDescriptor, &KeyAttribute, &AttributeValue) -> Option<String>,
) -> Result<(), ApiError> {
    for index in indexes_by_name(table) {
        for attribute in index.keys.attributes() {
            let text = item.get(&attribute.name).and_then(|value| mistake(index, attribute, value));
            if let Some(text) = text {
                return Err(ApiError::validation(text));
            }
        }
    }
    Ok(())
}
