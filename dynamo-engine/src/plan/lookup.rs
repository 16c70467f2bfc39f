//! From the table name of a request to its descriptor.

use std::sync::Arc;

use dynamo_protocol::arn;

use crate::catalog::{Catalog, TableDescriptor};

use super::PlanError;

/// The table that `name`, a name or an ARN, stands for.
///
/// # Errors
/// [`PlanError::UnknownTable`] with the bare name where no such table is installed.
pub fn table(catalog: &dyn Catalog, name: &str) -> Result<Arc<TableDescriptor>, PlanError> {
    let name = arn::table_name(name);
    catalog.table(name).ok_or_else(|| PlanError::UnknownTable(name.to_owned()))
}
