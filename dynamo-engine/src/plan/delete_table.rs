//! DeleteTable.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DeleteTableInput;

use super::ddl::in_use;
use super::{PlanError, lookup};
use crate::catalog::{Catalog, DdlCommand, TableStep};

/// The command that deletes the table.
///
/// # Errors
///
/// A table that is protected, or an index of which is being built or removed; [`PlanError::UnknownTable`].
pub fn plan(input: DeleteTableInput, catalog: &dyn Catalog) -> Result<DdlCommand, PlanError> {
    let table = lookup::changed_table(catalog, &input.table_name)?;
    if table.index_in_work().is_some() || table.pending.iter().any(|step| step.holds_index().is_some()) {
        let why = "Cannot delete table while indexes are being created, updated, or deleted.";
        return Err(in_use(why).into());
    }
    if table.pending.iter().any(|step| matches!(step, TableStep::Stream(_))) {
        return Err(in_use("Cannot delete table while stream is being enabled/disabled.").into());
    }
    if !table.pending.is_empty() {
        return Err(in_use(format_args!("Table: {} is in the process of being updated.", table.name)).into());
    }
    if table.deletion_protection {
        return Err(ApiError::validation(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
        )
        .into());
    }
    Ok(DdlCommand::DeleteTable { table: table.id, schema_version: table.schema_version })
}
