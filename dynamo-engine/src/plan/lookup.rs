//! From the table name of a request to its descriptor.

use std::sync::Arc;

use dynamo_protocol::arn::{self, TableArn};
use dynamo_protocol::error::ApiError;

use crate::catalog::{Catalog, TableDescriptor, TablePhase};

use super::PlanError;
use super::ddl::in_use;

/// The table that `name`, a name or an ARN, stands for.
///
/// # Errors
/// [`PlanError::UnknownTable`] with the bare name where no such table serves data.
pub fn table(catalog: &dyn Catalog, name: &str) -> Result<Arc<TableDescriptor>, PlanError> {
    let name = bare(name)?;
    catalog.table(name).ok_or_else(|| PlanError::unknown_table(name, ApiError::requested_resource_not_found()))
}

/// The bare name in a name or a table's ARN; the ARN of something in a table names no table.
fn bare(name: &str) -> Result<&str, ApiError> {
    if TableArn::parse(name).is_some_and(|arn| !arn.rest.is_empty()) {
        return Err(ApiError::validation(format!("1 validation error detected: Invalid resource type in '{name}'")));
    }
    Ok(arn::table_name(name))
}

/// As [`table`], for the operations that describe tables: in whatever phase, and the missing table is named.
///
/// # Errors
/// [`PlanError::UnknownTable`].
pub(super) fn described_table(
    catalog: &dyn Catalog,
    name: &str,
) -> Result<(Arc<TableDescriptor>, TablePhase), PlanError> {
    let name = bare(name)?;
    catalog.described(name).ok_or_else(|| PlanError::unknown_table(name, ApiError::table_not_found(name)))
}

/// As [`described_table`], for the operations that change tables: not while one is created or deleted.
///
/// # Errors
/// [`PlanError::UnknownTable`], also for a table that is created or deleted: the catalog here may be behind.
pub(super) fn changed_table(catalog: &dyn Catalog, name: &str) -> Result<Arc<TableDescriptor>, PlanError> {
    let (table, phase) = described_table(catalog, name)?;
    let doing = match phase {
        TablePhase::Creating => "created",
        TablePhase::Deleting => "deleted",
        TablePhase::Changing | TablePhase::Active => return Ok(table),
    };
    let why = in_use(format_args!("Table is being {doing}: {}", table.name));
    Err(PlanError::unknown_table(&table.name, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{MemoryCatalog, fixture};

    #[test]
    fn phases_allow_different_requests() {
        let answer = |result: Result<Arc<TableDescriptor>, PlanError>| {
            result.err().map(|error| error.into_api_error().message().to_owned())
        };
        let not_found = Some("Requested resource not found".to_owned());
        let in_use =
            |doing| Some(format!("Attempt to change a resource which is still in use: Table is being {doing}: orders"));
        for (phase, data, change) in [
            (TablePhase::Creating, not_found.clone(), in_use("created")),
            (TablePhase::Changing, None, None),
            (TablePhase::Active, None, None),
            (TablePhase::Deleting, not_found, in_use("deleted")),
        ] {
            let mut catalog = MemoryCatalog::default();
            catalog.insert(Arc::new(fixture::orders()), phase);
            assert_eq!(answer(table(&catalog, "orders")), data, "{phase:?}");
            assert_eq!(answer(changed_table(&catalog, "orders")), change, "{phase:?}");
            assert_eq!(described_table(&catalog, "orders").unwrap().1, phase);
        }
    }

    #[test]
    fn arns_of_indexes_and_streams_name_no_table() {
        let mut catalog = MemoryCatalog::default();
        catalog.insert(Arc::new(fixture::orders()), TablePhase::Active);
        let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/orders";
        assert!(table(&catalog, arn).is_ok());
        for rest in ["index/by_state", "stream/2026-01-01T00:00:00.000"] {
            let arn = format!("{arn}/{rest}");
            for error in [table(&catalog, &arn).err(), described_table(&catalog, &arn).err()] {
                let error = error.expect("it is no table").into_api_error();
                assert_eq!(error.kind(), dynamo_protocol::error::ErrorKind::Validation, "{rest}");
            }
        }
    }
}
