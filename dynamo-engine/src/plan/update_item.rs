//! UpdateItem.

use dynamo_expression::legacy::{AttributeUpdate, attribute_updates};
use dynamo_expression::{ExpressionError, Placeholders, Update};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateItemInput;
use dynamo_protocol::shapes::ReturnValue;

use crate::catalog::Catalog;
use crate::command::Change;
use crate::reply::SingleReply;

use super::paths::check_scalars;
use super::update_charge::check_charge;
use super::update_target::check_update;
use super::write::{WritePlan, collection_key, item_write};
use super::write_parameters::RequestedCondition;
use super::{ItemKey, PlanError, lookup};

/// Plans an UpdateItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: UpdateItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    let (names, values) = (input.expression_attribute_names.as_ref(), input.expression_attribute_values.as_ref());
    let placeholders = Placeholders::new(names, values).enveloped();
    let requested = RequestedCondition {
        expression: input.condition_expression.as_deref(),
        expected: input.expected.as_ref(),
        operator: input.conditional_operator,
    };
    // The service reads the condition before the update, but sees an empty update first (captured, October 2026);
    // of the legacy parameters it reads the updates first.
    let condition_first = input.update_expression.as_deref().is_some_and(|text| !text.is_empty());
    let (update, condition) = if condition_first {
        let condition = requested.parse(&placeholders)?;
        (parse_update(&input, &placeholders).map_err(ApiError::from)?, condition)
    } else {
        (parse_update(&input, &placeholders).map_err(ApiError::from)?, requested.parse(&placeholders)?)
    };
    placeholders.finish().map_err(ApiError::from)?;

    let table = lookup::table(catalog, &input.table_name)?;
    let key = ItemKey::of(&table, &input.key)?;
    check_update(&table, &update)?;
    check_charge(&update)?;
    if let Some(condition) = &condition {
        check_scalars(condition.paths(), &table)?;
    }

    let partly = matches!(input.return_values, Some(ReturnValue::UpdatedOld | ReturnValue::UpdatedNew));
    let reply = SingleReply::new(&input.table_name)
        .returning(input.return_values, input.return_values_on_condition_check_failure)
        .touching(partly.then(|| update.clone()))
        .consumed(&table, input.return_consumed_capacity)
        .metrics(&table, input.return_item_collection_metrics, || collection_key(&table, &input.key));
    let write = item_write(&table, &key, condition, Change::Update(update));
    Ok(WritePlan::single(key.token, write, reply))
}

/// The update in either generation; none at all is an update without actions, which still creates the item.
fn parse_update(input: &UpdateItemInput, placeholders: &Placeholders<'_>) -> Result<Update, ExpressionError> {
    if let Some(text) = &input.update_expression {
        return placeholders.update(text);
    }
    let updates = input.attribute_updates.iter().flatten().map(|(name, update)| {
        let action = update.action.map(|action| action.as_str());
        (name.as_str(), AttributeUpdate { action, value: update.value.as_ref() })
    });
    attribute_updates(updates).map_err(ExpressionError::enveloped)
}
