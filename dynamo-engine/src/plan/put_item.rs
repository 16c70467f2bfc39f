//! PutItem.

use dynamo_protocol::ops::PutItemInput;

use crate::catalog::Catalog;
use crate::command::Change;
use crate::reply::SingleReply;

use super::paths::check_scalars;
use super::put_target::{check_index_keys, check_item_bytes, check_key_attributes, keyed, put_key};
use super::write::{WritePlan, collection_key, item_write};
use super::write_parameters::{RequestedCondition, check_old_values_only};
use super::{PlanError, lookup};

/// Plans a PutItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: PutItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    check_old_values_only(input.return_values)?;
    check_item_bytes(input.item.view().billed_bytes())?;
    let condition = RequestedCondition {
        expression: input.condition_expression.as_deref(),
        expected: input.expected.as_ref(),
        operator: input.conditional_operator,
    }
    .parse_alone(input.expression_attribute_names.as_ref(), input.expression_attribute_values.as_ref())?;

    let table = lookup::table(catalog, &input.table_name)?;
    let item = keyed(&table, &input.item);
    check_key_attributes(&table, &item)?;
    let key = put_key(&table, &item)?;
    check_index_keys(&table, &item)?;
    if let Some(condition) = &condition {
        check_scalars(condition.paths(), &table)?;
    }

    let reply = SingleReply::new(&input.table_name)
        .returning(input.return_values, input.return_values_on_condition_check_failure)
        .consumed(&table, input.return_consumed_capacity)
        .metrics(&table, input.return_item_collection_metrics, || collection_key(&table, &item));
    let write = item_write(&table, &key, condition, Change::Put(input.item));
    Ok(WritePlan::single(key.token, write, reply))
}
