//! BatchGetItem.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dynamo_expression::Projection;
use dynamo_protocol::ops::BatchGetItemInput;
use dynamo_protocol::parameters::check_placeholders;
use dynamo_protocol::shapes::KeysAndAttributes;

use crate::catalog::{Catalog, TableDescriptor};
use crate::read::{BatchRead, CapacityReport, ReadPlan, Shape, TableRead};

use super::{ItemKey, PlanError, lookup, paths, projection};

/// The most keys in one batch, over all tables.
const KEYS_MAX: usize = 100;

/// Plans a BatchGetItem. `repeats_a_key` says whether the request has a key twice, spelled alike
/// ([`BatchGetItemInput::repeats_a_key`]): the service compares keys so, before it looks for their table. That costs a
/// second look at the request, so it is only asked where an item is asked for twice, or there is another mistake.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(
    mut input: BatchGetItemInput,
    catalog: &dyn Catalog,
    repeats_a_key: impl Fn() -> bool,
) -> Result<ReadPlan, PlanError> {
    check_request(&input.request_items)?;
    let projections = input.request_items.values().map(parse_projection).collect::<Result<Vec<_>, _>>()?;
    let found = rows(&input.request_items, catalog);
    let repeated = found.as_ref().map_or(true, |found| found.iter().any(|(_, keys)| has_repeats(keys)));
    if repeated && repeats_a_key() {
        return Err(PlanError::validation("Provided list of item keys contains duplicates"));
    }
    let mut found = found?;
    if repeated {
        input.request_items.values_mut().zip(&mut found).for_each(|(request, (_, keys))| keep_first(request, keys));
    }
    let mut reads = Vec::with_capacity(found.len());
    for (((name, request), projection), (table, keys)) in input.request_items.into_iter().zip(projections).zip(found) {
        paths::check_scalars(projection.iter().flat_map(|projection| projection.paths()), &table)?;
        reads.push(TableRead {
            keys,
            shape: Shape::of(projection),
            consistent: request.consistent_read.unwrap_or(false),
            report: CapacityReport::new(input.return_consumed_capacity, name),
            table,
            request,
        });
    }
    Ok(BatchRead { tables: reads }.into())
}

/// What concerns all tables of the request together.
fn check_request(requests: &BTreeMap<String, KeysAndAttributes>) -> Result<(), PlanError> {
    if requests.values().map(|request| request.keys.len()).sum::<usize>() > KEYS_MAX {
        return Err(PlanError::validation("Too many items requested for the BatchGetItem call"));
    }
    Ok(())
}

fn parse_projection(request: &KeysAndAttributes) -> Result<Option<Projection>, PlanError> {
    let expressions = [("ProjectionExpression", request.projection_expression.is_some())];
    check_placeholders(request.expression_attribute_names.is_some(), &expressions, false, &[])?;
    projection::parse(request.projection(), request.expression_attribute_names.as_ref())
}

/// A table and its rows to read.
type TableKeys = (Arc<TableDescriptor>, Vec<ItemKey>);

/// The tables and rows of the request.
fn rows(requests: &BTreeMap<String, KeysAndAttributes>, catalog: &dyn Catalog) -> Result<Vec<TableKeys>, PlanError> {
    let tables = requests.keys().map(|name| lookup::table(catalog, name)).collect::<Result<Vec<_>, _>>()?;
    tables
        .into_iter()
        .zip(requests.values())
        .map(|(table, request)| {
            let keys = keys(&table, request)?;
            Ok((table, keys))
        })
        .collect()
}

/// The rows of one table, in the order of the request.
fn keys(table: &Arc<TableDescriptor>, request: &KeysAndAttributes) -> Result<Vec<ItemKey>, PlanError> {
    Ok(request.keys.iter().map(|key| ItemKey::of(table, key)).collect::<Result<Vec<_>, _>>()?)
}

fn has_repeats(keys: &[ItemKey]) -> bool {
    let distinct: BTreeSet<&[u8]> = keys.iter().map(|key| &key.row[..]).collect();
    distinct.len() < keys.len()
}

/// An item that is asked for twice, its key spelled in two ways, comes once.
fn keep_first(request: &mut KeysAndAttributes, keys: &mut Vec<ItemKey>) {
    let mut seen = BTreeSet::new();
    let is_first: Vec<bool> = keys.iter().map(|key| seen.insert(key.row.clone())).collect();
    let mut kept = is_first.iter();
    keys.retain(|_| kept.next() == Some(&true));
    let mut kept = is_first.iter();
    request.keys.retain(|_| kept.next() == Some(&true));
}
