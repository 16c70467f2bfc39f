//! DescribeTable, DescribeTimeToLive, DescribeContinuousBackups: three looks at one descriptor.
//!
//! The reply functions write what they show of it; only DescribeTable needs the store, for the table's counts.

use std::sync::Arc;

use dynamo_protocol::ops::{DescribeContinuousBackupsInput, DescribeTableInput, DescribeTimeToLiveInput};

use super::{PlanError, lookup};
use crate::catalog::{Catalog, TableDescriptor};

/// The table to describe.
///
/// # Errors
///
/// [`PlanError::UnknownTable`].
pub fn plan(input: DescribeTableInput, catalog: &dyn Catalog) -> Result<Arc<TableDescriptor>, PlanError> {
    lookup::table(catalog, &input.table_name)
}

/// The table whose time to live is asked for.
///
/// # Errors
///
/// [`PlanError::UnknownTable`].
pub fn plan_time_to_live(
    input: DescribeTimeToLiveInput,
    catalog: &dyn Catalog,
) -> Result<Arc<TableDescriptor>, PlanError> {
    lookup::table(catalog, &input.table_name)
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
    lookup::table(catalog, &input.table_name)
}
