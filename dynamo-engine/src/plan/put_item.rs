//! PutItem.

use dynamo_protocol::ops::PutItemInput;

use crate::catalog::Catalog;
use crate::command::Change;

use super::PlanError;
use super::put_target::{check_index_keys, check_item_bytes, check_key_attributes, keyed, put_key};
use super::write::WritePlan;
use super::write_request::WriteRequest;

/// Plans a PutItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: PutItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    let request = WriteRequest::from(&input);
    request.check_old_values_only()?;
    check_item_bytes(input.item.view().billed_bytes())?;
    let condition = request.condition_alone()?;

    let table = request.table(catalog)?;
    let item = keyed(&table, &input.item);
    check_key_attributes(&table, &item)?;
    let key = put_key(&table, &item)?;
    check_index_keys(&table, &item)?;
    let reply = request.reply(&table, condition.as_ref(), &item)?;
    Ok(WritePlan::single(&table, &key, condition, Change::Put(input.item), reply))
}
