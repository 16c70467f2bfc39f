//! TransactGetItems.
//!
//! A mistake in the request as a whole (an expression, a missing table, an empty key value, an item twice) is a ValidationException or
//! ResourceNotFoundException of its own; a key that does not fit its table cancels the transaction, with the reason at
//! the place of its action.

use std::collections::BTreeSet;

use dynamo_expression::Projection;
use dynamo_protocol::error::{ApiError, CancellationReason};
use dynamo_protocol::ops::TransactGetItemsInput;
use dynamo_protocol::parameters::Said;
use dynamo_protocol::shapes::Get;

use crate::catalog::Catalog;
use crate::read::{CapacityReport, ReadPlan, Shape, TransactItem, TransactRead};

use super::item_key::check_no_empty_value;
use super::{ItemKey, PlanError, lookup, paths, projection};

/// Plans a TransactGetItems.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: TransactGetItemsInput, catalog: &dyn Catalog) -> Result<ReadPlan, PlanError> {
    let level = input.return_consumed_capacity;
    let gets: Vec<Get> = input.transact_items.into_iter().map(|item| item.get).collect();
    let projections = gets.iter().map(parse_projection).collect::<Result<Vec<_>, _>>()?;
    let tables = gets.iter().map(|get| lookup::table(catalog, &get.table_name)).collect::<Result<Vec<_>, _>>()?;
    for (get, table) in gets.iter().zip(&tables) {
        check_no_empty_value(table, &get.key)?;
    }
    let checked: Vec<Result<ItemKey, ApiError>> = gets
        .iter()
        .zip(&projections)
        .zip(&tables)
        .map(|((get, projection), table)| {
            let key = ItemKey::of(table, &get.key)?;
            paths::check_scalars(projection.iter().flat_map(|projection| projection.paths()), table)?;
            Ok(key)
        })
        .collect();
    let keys = all_or_cancelled(checked)?;
    check_distinct(&keys)?;
    let items = gets.into_iter().zip(projections).zip(tables).zip(keys);
    let items = items.map(|(((get, projection), table), key)| TransactItem {
        shows_empty: false,
        table,
        report: CapacityReport::new(level, get.table_name),
        key,
        shape: Shape::of(projection),
    });
    Ok(TransactRead { items: items.collect() }.into())
}

/// Unlike GetItem, a transaction takes names for which there is no expression.
fn parse_projection(get: &Get) -> Result<Option<Projection>, PlanError> {
    let Some(text) = &get.projection_expression else { return Ok(None) };
    projection::parse(Some(Said::Expression(text)), get.expression_attribute_names.as_ref())
}

/// All keys, or the cancellation that names the bad ones.
fn all_or_cancelled(checked: Vec<Result<ItemKey, ApiError>>) -> Result<Vec<ItemKey>, ApiError> {
    if checked.iter().all(Result::is_ok) {
        return checked.into_iter().collect();
    }
    let reasons = checked.into_iter().map(|key| match key {
        Ok(_) => CancellationReason::none(),
        Err(error) => CancellationReason::validation(error.message()),
    });
    Err(ApiError::transaction_canceled(reasons.collect()))
}

fn check_distinct(keys: &[ItemKey]) -> Result<(), PlanError> {
    let distinct: BTreeSet<&[u8]> = keys.iter().map(|key| &key.row[..]).collect();
    if distinct.len() < keys.len() {
        return Err(PlanError::validation("Transaction request cannot include multiple operations on one item"));
    }
    Ok(())
}
