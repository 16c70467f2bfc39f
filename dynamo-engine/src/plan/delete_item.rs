//! DeleteItem.

use dynamo_expression::Placeholders;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DeleteItemInput;

use crate::catalog::Catalog;
use crate::command::{Change, Command};
use crate::reply::{ReplySpec, SingleReply};

use super::parameters::check_generations;
use super::paths::check_scalars;
use super::write::{PlannedCommand, WritePlan, collection_key, item_write};
use super::write_parameters::{RequestedCondition, check_old_values_only, enveloped};
use super::{ItemKey, PlanError, lookup};

/// Plans a DeleteItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: DeleteItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    check_generations(
        &[("Expected", input.expected.is_some()), ("ConditionalOperator", input.conditional_operator.is_some())],
        &[("ConditionExpression", input.condition_expression.is_some())],
    )
    .map_err(enveloped)?;
    let (names, values) = (input.expression_attribute_names.as_ref(), input.expression_attribute_values.as_ref());
    let placeholders = Placeholders::new(names, values).enveloped();
    if input.condition_expression.is_none() {
        placeholders.refuse_without_expressions("ConditionExpression is null").map_err(ApiError::from)?;
    }
    check_old_values_only(input.return_values)?;
    let condition = RequestedCondition {
        expression: input.condition_expression.as_deref(),
        expected: input.expected.as_ref(),
        operator: input.conditional_operator,
    }
    .parse(&placeholders)?;
    if input.condition_expression.is_some() {
        placeholders.finish().map_err(ApiError::from)?;
    }

    let table = lookup::table(catalog, &input.table_name)?;
    let key = ItemKey::of(&table, &input.key)?;
    if let Some(condition) = &condition {
        check_scalars(condition.paths(), &table)?;
    }

    let reply = SingleReply::new(&table, &input.table_name)
        .returning(input.return_values, input.return_values_on_condition_check_failure)
        .consumed(&table, input.return_consumed_capacity)
        .metrics(&table, input.return_item_collection_metrics, || collection_key(&table, &input.key));
    let write = item_write(&table, &key, condition, Change::Delete);
    Ok(WritePlan {
        writes: vec![PlannedCommand { token: key.token, command: Command::Write(write) }],
        reply: ReplySpec::Single(reply),
    })
}
