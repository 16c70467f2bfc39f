//! BatchGetItem.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dynamo_expression::Projection;
use dynamo_protocol::ops::BatchGetItemInput;
use dynamo_protocol::shapes::KeysAndAttributes;
use dynamo_protocol::value::Item;

use crate::catalog::{Catalog, TableDescriptor};
use crate::item::ItemBody;
use crate::read::{BatchRead, CapacityReport, ReadPlan, Shape, TableRead};

use super::parameters::check_generations;
use super::{ItemKey, PlanError, lookup, paths, projection};

/// The most keys in one batch, over all tables.
const KEYS_MAX: usize = 100;

/// Plans a BatchGetItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: BatchGetItemInput, catalog: &dyn Catalog) -> Result<ReadPlan, PlanError> {
    check_request(&input.request_items)?;
    let projections = input.request_items.values().map(parse_projection).collect::<Result<Vec<_>, _>>()?;
    let found = rows(&input.request_items, catalog);
    let found = found.map_err(|error| repeated_key(&input.request_items).unwrap_or(error))?;
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
    check_generations(
        &[("AttributesToGet", requests.values().any(|request| request.attributes_to_get.is_some()))],
        &[("ProjectionExpression", requests.values().any(|request| request.projection_expression.is_some()))],
    )?;
    if requests.values().map(|request| request.keys.len()).sum::<usize>() > KEYS_MAX {
        return Err(PlanError::validation("Too many items requested for the BatchGetItem call"));
    }
    Ok(())
}

fn parse_projection(request: &KeysAndAttributes) -> Result<Option<Projection>, PlanError> {
    projection::parse(&projection::Requested {
        attributes_to_get: request.attributes_to_get.as_deref(),
        expression: request.projection_expression.as_deref(),
        names: request.expression_attribute_names.as_ref(),
    })
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

/// The service compares the keys of a request before it looks for the table. Comparing rows costs less, so this slow
/// comparison is only made where there is another mistake that it must come before.
fn repeated_key(requests: &BTreeMap<String, KeysAndAttributes>) -> Option<PlanError> {
    let repeats = |keys: &[Item]| {
        let distinct: BTreeSet<ItemBody> = keys.iter().map(ItemBody::encode).collect();
        distinct.len() < keys.len()
    };
    requests.values().any(|request| repeats(&request.keys)).then(duplicates)
}

fn duplicates() -> PlanError {
    PlanError::validation("Provided list of item keys contains duplicates")
}

/// The rows of one table, each once.
fn keys(table: &Arc<TableDescriptor>, request: &KeysAndAttributes) -> Result<Vec<ItemKey>, PlanError> {
    let keys = request.keys.iter().map(|key| ItemKey::of(table, key)).collect::<Result<Vec<_>, _>>()?;
    let distinct: BTreeSet<&[u8]> = keys.iter().map(|key| &key.row[..]).collect();
    if distinct.len() < keys.len() {
        return Err(duplicates());
    }
    Ok(keys)
}
