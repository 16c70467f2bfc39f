//! BatchGetItem.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dynamo_expression::Projection;
use dynamo_protocol::ops::BatchGetItemInput;
use dynamo_protocol::shapes::KeysAndAttributes;

use crate::catalog::{Catalog, TableDescriptor};
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
    let names = input.request_items.keys();
    let tables = names.map(|name| lookup::table(catalog, name)).collect::<Result<Vec<_>, _>>()?;
    let mut reads = Vec::with_capacity(tables.len());
    for (((name, request), projection), table) in input.request_items.into_iter().zip(projections).zip(tables) {
        let keys = keys(&table, &request)?;
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

/// The rows of one table, each once.
fn keys(table: &Arc<TableDescriptor>, request: &KeysAndAttributes) -> Result<Vec<ItemKey>, PlanError> {
    let keys = request.keys.iter().map(|key| ItemKey::of(table, key)).collect::<Result<Vec<_>, _>>()?;
    let distinct: BTreeSet<&[u8]> = keys.iter().map(|key| &key.row[..]).collect();
    if distinct.len() < keys.len() {
        return Err(PlanError::validation("Provided list of item keys contains duplicates"));
    }
    Ok(keys)
}
