//! DescribeTable, DescribeTimeToLive, DescribeContinuousBackups: three looks at one descriptor.
//!
//! The reply functions write what they show of it; only DescribeTable needs the store, for the table's counts.

use std::sync::Arc;

use dynamo_protocol::arn;
use dynamo_protocol::error::{ApiError, ErrorKind};
use dynamo_protocol::ops::{DescribeContinuousBackupsInput, DescribeTableInput, DescribeTimeToLiveInput};

use super::{PlanError, lookup};
use crate::catalog::{Catalog, TableDescriptor, TablePhase};

/// The table to describe, and where it is in its life.
///
/// # Errors
///
/// [`PlanError::UnknownTable`].
pub fn plan(input: DescribeTableInput, catalog: &dyn Catalog) -> Result<(Arc<TableDescriptor>, TablePhase), PlanError> {
    lookup::described_table(catalog, &input.table_name)
}

/// The table whose time to live is asked for; not while one is created or deleted.
///
/// # Errors
///
/// [`PlanError::UnknownTable`].
pub fn plan_time_to_live(
    input: DescribeTimeToLiveInput,
    catalog: &dyn Catalog,
) -> Result<Arc<TableDescriptor>, PlanError> {
    let (table, phase) = lookup::described_table(catalog, &input.table_name)?;
    let state = match phase {
        TablePhase::Creating => "CREATING",
        TablePhase::Deleting => "DELETING",
        TablePhase::Changing | TablePhase::Active => return Ok(table),
    };
    let why = format!("Cannot describe time to live while table is in {state} state: Current table state is {state}");
    Err(PlanError::unknown_table(&table.name, ApiError::validation(why)))
}

/// The table whose backups are asked for.
///
/// # Errors
///
/// [`PlanError::UnknownTable`].
pub fn plan_continuous_backups(
    input: DescribeContinuousBackupsInput,
    catalog: &dyn Catalog,
) -> Result<Arc<TableDescriptor>, PlanError> {
    let name = arn::table_name(&input.table_name);
    let missing = || ApiError::new(ErrorKind::TableNotFound, format!("Table not found: {name}"));
    catalog.table(name).ok_or_else(|| PlanError::unknown_table(name, missing()))
}
