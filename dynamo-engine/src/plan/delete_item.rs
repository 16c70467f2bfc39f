//! DeleteItem.

use dynamo_protocol::ops::DeleteItemInput;

use crate::catalog::Catalog;
use crate::command::Change;
use crate::reply::SingleReply;

use super::paths::check_scalars;
use super::write::{WritePlan, collection_key, item_write};
use super::write_parameters::{RequestedCondition, check_old_values_only};
use super::{ItemKey, PlanError, lookup};

/// Plans a DeleteItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: DeleteItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    check_old_values_only(input.return_values)?;
    let condition = RequestedCondition {
        expression: input.condition_expression.as_deref(),
        expected: input.expected.as_ref(),
        operator: input.conditional_operator,
    }
    .parse_alone(input.expression_attribute_names.as_ref(), input.expression_attribute_values.as_ref())?;

    let table = lookup::table(catalog, &input.table_name)?;
    let key = ItemKey::of(&table, &input.key)?;
    if let Some(condition) = &condition {
        check_scalars(condition.paths(), &table)?;
    }

    let reply = SingleReply::new(&input.table_name)
        .returning(input.return_values, input.return_values_on_condition_check_failure)
        .consumed(&table, input.return_consumed_capacity)
        .metrics(&table, input.return_item_collection_metrics, || collection_key(&table, &input.key));
    let write = item_write(&table, &key, condition, Change::Delete);
    Ok(WritePlan::single(key.token, write, reply))
}
