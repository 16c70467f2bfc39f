//! From the table name of a request to its descriptor.

use std::sync::Arc;

use dynamo_protocol::arn;
use dynamo_protocol::error::ApiError;

use crate::catalog::{Catalog, TableDescriptor};

use super::PlanError;

/// The table that `name`, a name or an ARN, stands for.
///
/// # Errors
/// [`PlanError::UnknownTable`] with the bare name where no such table is installed.
pub fn table(catalog: &dyn Catalog, name: &str) -> Result<Arc<TableDescriptor>, PlanError> {
    let name = arn::table_name(name);
    catalog.table(name).ok_or_else(|| PlanError::unknown_table(name, ApiError::requested_resource_not_found()))
}

/// As [`table`], for the operations on tables, which name the table that they miss.
///
/// # Errors
/// [`PlanError::UnknownTable`].
pub(super) fn described_table(catalog: &dyn Catalog, name: &str) -> Result<Arc<TableDescriptor>, PlanError> {
    let name = arn::table_name(name);
    catalog.table(name).ok_or_else(|| PlanError::unknown_table(name, ApiError::table_not_found(name)))
}
