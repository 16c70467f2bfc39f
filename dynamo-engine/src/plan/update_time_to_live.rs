//! UpdateTimeToLive.
//!
//! The service refuses two changes within about half an hour ("modified multiple times within a fixed interval"); we
//! do not.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTimeToLiveInput;

use super::{PlanError, lookup};
use crate::catalog::{Catalog, DdlCommand, TableStep};

/// The command that sets time to live.
///
/// # Errors
///
/// What is on or off already, or on for another attribute; [`PlanError::UnknownTable`].
pub fn plan(input: UpdateTimeToLiveInput, catalog: &dyn Catalog) -> Result<DdlCommand, PlanError> {
    let requested = input.time_to_live_specification;
    let table = lookup::changed_table(catalog, &input.table_name)?;
    let refusal = match (requested.enabled, table.ttl_attribute()) {
        (true, None) => None,
        (true, Some(current)) if current == requested.attribute_name => {
            Some("TimeToLive is already enabled".to_owned())
        }
        (false, Some(current)) if current == requested.attribute_name => None,
        (_, Some(current)) => {
            Some(format!("TimeToLive is active on a different AttributeName: current AttributeName is {current}"))
        }
        (false, None) => Some("TimeToLive is already disabled".to_owned()),
    };
    if let Some(refusal) = refusal {
        return Err(ApiError::validation(refusal).into());
    }
    let step = TableStep::Ttl { attribute: requested.attribute_name, enabled: requested.enabled };
    Ok(DdlCommand::ChangeTable { table: table.id, schema_version: table.schema_version, steps: vec![step] })
}
