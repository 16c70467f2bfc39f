//! UpdateTimeToLive.
//!
//! The service refuses two changes within about half an hour; here, where it is asked for. What is wrong with the change
//! itself is said first, also within that time, and a refusal does not prolong it.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTimeToLiveInput;

use super::{PlanError, lookup};
use crate::catalog::{Catalog, DdlCommand, TableStep};

const TOO_SOON: &str = "Time to live has been modified multiple times within a fixed interval";

/// The command that sets time to live. Refused where the last change came after `too_recent_ms`, in milliseconds since
/// the epoch; `None` refuses none.
///
/// # Errors
///
/// What is on or off already, or on for another attribute; a change that comes too soon; [`PlanError::UnknownTable`].
pub fn plan(
    input: UpdateTimeToLiveInput,
    catalog: &dyn Catalog,
    too_recent_ms: Option<u64>,
) -> Result<DdlCommand, PlanError> {
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
    let changed_ms = table.ttl.as_ref().and_then(|ttl| ttl.changed_ms);
    let is_too_soon =
        too_recent_ms.zip(changed_ms).is_some_and(|(too_recent_ms, changed_ms)| changed_ms > too_recent_ms);
    if let Some(refusal) = refusal.or_else(|| is_too_soon.then(|| TOO_SOON.to_owned())) {
        return Err(ApiError::validation(refusal).into());
    }
    let step = TableStep::Ttl { attribute: requested.attribute_name, enabled: requested.enabled };
    Ok(DdlCommand::ChangeTable { table: table.id, schema_version: table.schema_version, steps: vec![step] })
}
