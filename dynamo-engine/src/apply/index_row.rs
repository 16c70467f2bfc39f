//! The index rows of an item: which key, which attributes, what changes when the item changes.
//!
//! An item has a row in an index when it has every key attribute of the index, with the declared type, not empty and
//! not too long. Writes refuse wrong types and sizes; a backfill meets items that were written before the index was
//! there, and leaves those out.
//!
//! What a change does to an index is a list of [`IndexMutation`]s: (index, token, key, row). Those whose token this shard
//! owns go into the same batch; one for another shard's token goes to the outbox (see [`crate::outbox`]).

use shard_router::Token;

use crate::capacity::write_units;
use crate::catalog::{IndexDescriptor, KeyAttribute, KeyType, Projection, TableDescriptor};
use crate::item::{Corrupt, ItemBody, ItemRef, committed_at, stored_item};
use crate::keyspace::{KeyPart, KeyValue, RowKey, global_index_key, local_index_key};
use crate::outbox::IndexMutation;
use dynamo_protocol::limits::{PARTITION_KEY_BYTES_MAX, SORT_KEY_BYTES_MAX};

/// The key under which `item` stands in `index`; `None` where it has no row there.
///
/// # Errors
/// [`Corrupt`] where the item is damaged.
pub fn index_key_of(
    table: &TableDescriptor,
    index: &IndexDescriptor,
    base: RowKey<'_>,
    item: &ItemRef<'_>,
) -> Result<Option<Vec<u8>>, Corrupt> {
    let Some(partition) = key_values(&index.keys.partition, PARTITION_KEY_BYTES_MAX, item)? else { return Ok(None) };
    let Some(sort) = key_values(&index.keys.sort, SORT_KEY_BYTES_MAX, item)? else { return Ok(None) };
    let (partition, sort) = (parts(&partition), parts(&sort));
    if !index.local {
        return Ok(Some(global_index_key(index.id.0, &partition, &sort, base.parts())));
    }
    let Some(base_sort) = key_values(&table.keys.sort, SORT_KEY_BYTES_MAX, item)? else {
        return Err(Corrupt("an item lacks its sort key"));
    };
    Ok(Some(local_index_key(index.id.0, base.token(), &partition, &sort, &parts(&base_sort))))
}

fn key_values<'i>(
    attributes: &[KeyAttribute],
    bytes_max: usize,
    item: &ItemRef<'i>,
) -> Result<Option<Vec<KeyValue<'i>>>, Corrupt> {
    let mut values = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        let value = match item.get(&attribute.name)? {
            Some(value) => value.as_scalar()?,
            None => None,
        };
        match value {
            Some(value) if fits(&value, attribute.kind, bytes_max) => values.push(value),
            _ => return Ok(None),
        }
    }
    Ok(Some(values))
}

fn fits(value: &KeyValue<'_>, kind: KeyType, bytes_max: usize) -> bool {
    match (value, kind) {
        (KeyValue::S(text), KeyType::S) => !text.is_empty() && text.len() <= bytes_max,
        (KeyValue::B(bytes), KeyType::B) => !bytes.is_empty() && bytes.len() <= bytes_max,
        (KeyValue::N(_), KeyType::N) => true,
        _ => false,
    }
}

fn parts<'v>(values: &'v [KeyValue<'_>]) -> Vec<KeyPart<'v>> {
    values.iter().map(KeyPart::from).collect()
}

/// The attributes of an item that an index carries: all of them as they are, or some copied.
pub(super) enum Projected<'i> {
    Whole(ItemRef<'i>),
    Part(ItemBody),
}

impl Projected<'_> {
    pub fn view(&self) -> ItemRef<'_> {
        match self {
            Projected::Whole(item) => *item,
            Projected::Part(body) => body.view(),
        }
    }
}

/// The attributes of `item` that `index` carries.
pub(super) fn projected<'i>(
    table: &TableDescriptor,
    index: &IndexDescriptor,
    item: &ItemRef<'i>,
) -> Result<Projected<'i>, Corrupt> {
    if index.projection == Projection::All {
        return Ok(Projected::Whole(*item));
    }
    ItemBody::project(item, &projected_names(table, index)).map(Projected::Part)
}

fn projected_names<'t>(table: &'t TableDescriptor, index: &'t IndexDescriptor) -> Vec<&'t str> {
    let included: &[String] = match &index.projection {
        Projection::Include(names) => names,
        _ => &[],
    };
    let keys = table.keys.attributes().chain(index.keys.attributes()).map(|attribute| attribute.name.as_str());
    let mut names: Vec<&str> = keys.chain(included.iter().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What the change of an item from `old` to `new` does to one index, and its write units.
///
/// Source: AWS, *Developer Guide: Using Global Secondary Indexes, Write capacity units*: a new or removed row is one
/// write, a changed row is one write, a changed index key is two, and nothing is free of charge only where no
/// projected attribute changes.
pub(super) fn mutations(
    table: &TableDescriptor,
    index: &IndexDescriptor,
    base: RowKey<'_>,
    old: Option<&ItemRef<'_>>,
    new: Option<&ItemRef<'_>>,
) -> Result<Vec<IndexMutation>, Corrupt> {
    let key_of = |item: Option<&ItemRef<'_>>| match item {
        Some(item) => index_key_of(table, index, base, item),
        None => Ok(None),
    };
    let old = key_of(old)?.zip(old);
    let new = key_of(new)?.zip(new);
    Ok(match (old, new) {
        (None, None) => Vec::new(),
        (Some((key, old)), None) => vec![removal(index, key, projected(table, index, old)?)],
        (None, Some((key, new))) => vec![insertion(index, key, new, projected(table, index, new)?, None)],
        (Some((old_key, old)), Some((new_key, new))) => {
            let (old_body, new_body) = (projected(table, index, old)?, projected(table, index, new)?);
            if old_key != new_key {
                let insertion = insertion(index, new_key, new, new_body, None);
                vec![removal(index, old_key, old_body), insertion]
            } else if old_body.view().body() == new_body.view().body() {
                Vec::new()
            } else {
                vec![insertion(index, new_key, new, new_body, Some(old_body.view().billed_bytes()))]
            }
        }
    })
}

/// The write units of what `mutations` gave for one index.
pub(super) fn units(mutations: &[IndexMutation]) -> u32 {
    let units = |mutation: &IndexMutation| {
        let (old, new) = mutation.billed;
        write_units(old.unwrap_or(0).max(new.unwrap_or(0)))
    };
    mutations.iter().map(units).sum()
}

fn removal(index: &IndexDescriptor, key: Vec<u8>, old: Projected<'_>) -> IndexMutation {
    let billed = (Some(old.view().billed_bytes()), None);
    IndexMutation { index: index.id, token: token(&key), key, row: None, billed }
}

/// The row of an index carries the timestamp of its item.
fn insertion(
    index: &IndexDescriptor,
    key: Vec<u8>,
    item: &ItemRef<'_>,
    body: Projected<'_>,
    old_bytes: Option<usize>,
) -> IndexMutation {
    let body = body.view();
    let billed = (old_bytes, Some(body.billed_bytes()));
    let row = Some(stored_item(&body, committed_at(item)));
    IndexMutation { index: index.id, token: token(&key), key, row, billed }
}

fn token(key: &[u8]) -> Token {
    RowKey::parse(key).expect("an index key has space, id and token").token()
}
