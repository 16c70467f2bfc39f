//! DeleteTable.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DeleteTableInput;

use super::ddl::in_use;
use super::{PlanError, lookup};
use crate::catalog::{Catalog, DdlCommand};

/// The command that deletes the table.
///
/// # Errors
///
/// A table that is protected, or an index of which is being built or removed; [`PlanError::UnknownTable`].
pub fn plan(input: DeleteTableInput, catalog: &dyn Catalog) -> Result<DdlCommand, PlanError> {
    let table = lookup::changed_table(catalog, &input.table_name)?;
    if table.index_in_work().is_some() {
        let why = "Cannot delete table while indexes are being created, updated, or deleted.";
        return Err(in_use(why).into());
    }
    if table.deletion_protection {
        return Err(ApiError::validation(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
        )
        .into());
    }
    Ok(DdlCommand::DeleteTable { table: table.id, schema_version: table.schema_version })
}
