//! UpdateItem.

use dynamo_expression::legacy::{AttributeUpdate, attribute_updates};
use dynamo_expression::{ExpressionError, Placeholders, Update};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateItemInput;
use dynamo_protocol::parameters::Said;
use dynamo_protocol::shapes::ReturnValue;

use crate::catalog::Catalog;
use crate::command::Change;

use super::update_charge::check_charge;
use super::update_target::check_update;
use super::write::WritePlan;
use super::write_request::WriteRequest;
use super::{ItemKey, PlanError};

/// Plans an UpdateItem.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: UpdateItemInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    let request = WriteRequest::from(&input);
    let placeholders = request.placeholders();
    // The service reads the condition before the update, but sees an empty update first (captured, October 2026);
    // of the legacy parameters it reads the updates first.
    let condition_first = matches!(input.update(), Some(Said::Expression(text)) if !text.is_empty());
    let (update, condition) = if condition_first {
        let condition = request.condition(&placeholders)?;
        (parse_update(&input, &placeholders).map_err(ApiError::from)?, condition)
    } else {
        (parse_update(&input, &placeholders).map_err(ApiError::from)?, request.condition(&placeholders)?)
    };
    placeholders.finish().map_err(ApiError::from)?;

    let table = request.table(catalog)?;
    let key = ItemKey::of(&table, &input.key)?;
    check_update(&table, &update)?;
    check_charge(&update)?;

    let partly = matches!(input.return_values, Some(ReturnValue::UpdatedOld | ReturnValue::UpdatedNew));
    let reply = request.reply(&table, condition.as_ref(), &input.key)?.touching(partly.then(|| update.clone()));
    Ok(WritePlan::single(&table, &key, condition, Change::Update(update), reply))
}

/// The update in either generation; none at all is an update without actions, which still creates the item.
fn parse_update(input: &UpdateItemInput, placeholders: &Placeholders<'_>) -> Result<Update, ExpressionError> {
    let updates = match input.update() {
        Some(Said::Expression(text)) => return placeholders.update(text),
        Some(Said::Legacy(updates)) => Some(updates),
        None => None,
    };
    let updates = updates.into_iter().flatten().map(|(name, update)| {
        let action = update.action.map(|action| action.as_str());
        (name.as_str(), AttributeUpdate { action, value: update.value.as_ref() })
    });
    attribute_updates(updates).map_err(ExpressionError::enveloped)
}
