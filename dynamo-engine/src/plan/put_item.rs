//! PutItem.

use dynamo_protocol::ops::PutItemInput;

use crate::catalog::Catalog;
use crate::command::Change;
use crate::reply::SingleReply;

use super::paths::check_scalars;
use super::put_target::{body, check_index_keys, check_key_attributes, put_bytes, put_key};
use super::write::{WritePlan, collection_key, item_write};
use super::write_parameters::RequestedCondition;
use super::{PlanError, lookup};

/// Plans a PutItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: PutItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    let requested = RequestedCondition {
        expression: input.condition_expression.as_deref(),
        expected: input.expected.as_ref(),
        operator: input.conditional_operator,
    };
    let (names, values) = (input.expression_attribute_names.as_ref(), input.expression_attribute_values.as_ref());
    let placeholders = requested.begin_alone(names, values, input.return_values)?;
    let billed_bytes = put_bytes(&input.item)?;
    let condition = requested.parse_alone(&placeholders)?;

    let table = lookup::table(catalog, &input.table_name)?;
    check_key_attributes(&table, &input.item)?;
    let key = put_key(&table, &input.item)?;
    check_index_keys(&table, &input.item)?;
    if let Some(condition) = &condition {
        check_scalars(condition.paths(), &table)?;
    }

    let reply = SingleReply::new(&input.table_name)
        .returning(input.return_values, input.return_values_on_condition_check_failure)
        .consumed(&table, input.return_consumed_capacity)
        .metrics(&table, input.return_item_collection_metrics, || collection_key(&table, &input.item));
    let write = item_write(&table, &key, condition, Change::Put(body(&input.item, billed_bytes)));
    Ok(WritePlan::single(key.token, write, reply))
}
