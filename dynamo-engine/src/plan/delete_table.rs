//! DeleteTable.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DeleteTableInput;

use super::ddl::being_updated;
use super::{PlanError, lookup};
use crate::catalog::{Catalog, DdlCommand};

/// The command that deletes the table.
///
/// # Errors
///
/// A table that is protected or being updated; [`PlanError::UnknownTable`].
pub fn plan(input: DeleteTableInput, catalog: &dyn Catalog) -> Result<DdlCommand, PlanError> {
    let table = lookup::table(catalog, &input.table_name)?;
    if table.is_updating() {
        return Err(being_updated(&table.name).into());
    }
    if table.deletion_protection {
        return Err(ApiError::validation(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
        )
        .into());
    }
    Ok(DdlCommand::DeleteTable { table: table.id, schema_version: table.schema_version })
}
