//! DeleteItem.

use dynamo_protocol::ops::DeleteItemInput;

use crate::catalog::Catalog;
use crate::command::Change;

use super::write::WritePlan;
use super::write_request::WriteRequest;
use super::{ItemKey, PlanError};

/// Plans a DeleteItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: DeleteItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    let request = WriteRequest::from(&input);
    request.check_old_values_only()?;
    let condition = request.condition_alone()?;

    let table = request.table(catalog)?;
    let key = ItemKey::of(&table, &input.key)?;
    let reply = request.reply(&table, condition.as_ref(), &input.key)?;
    Ok(WritePlan::single(&table, &key, condition, Change::Delete, reply))
}
