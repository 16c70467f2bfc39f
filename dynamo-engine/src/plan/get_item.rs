//! GetItem.

use dynamo_protocol::ops::GetItemInput;

use crate::catalog::Catalog;
use crate::read::{CapacityReport, PointRead, ReadPlan, Shape};

use super::{ItemKey, PlanError, lookup, paths, projection};

/// Plans a GetItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: GetItemInput, catalog: &dyn Catalog) -> Result<ReadPlan, PlanError> {
    let projection = projection::parse(input.projection(), input.expression_attribute_names.as_ref())?;
    let table = lookup::table(catalog, &input.table_name)?;
    let key = ItemKey::of(&table, &input.key)?;
    paths::check_scalars(projection.iter().flat_map(|projection| projection.paths()), &table)?;
    Ok(PointRead {
        key,
        shape: Shape::of(projection),
        consistent: input.consistent_read.unwrap_or(false),
        report: CapacityReport::new(input.return_consumed_capacity, input.table_name),
        table,
    }
    .into())
}
