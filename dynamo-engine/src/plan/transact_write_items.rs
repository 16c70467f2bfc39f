//! TransactWriteItems: up to a hundred actions on different items, all or none.
//!
//! What is wrong is found in three steps, as DynamoDB does (captures of October 2026):
//!
//! 1. each action by itself, in request order: its expressions, the size of an item to put, unused placeholders. The
//!    first mistake is a ValidationException of the whole request;
//! 2. the tables: an unknown one is a ResourceNotFoundException;
//! 3. each action against its table: an empty key or index key is again a ValidationException, but one of the wrong
//!    type cancels the transaction. The first such action says `ValidationError`, all others `None`.
//!
//! Last come two actions on one item. Conditions, and what an update makes of its item, are judged in apply.

use std::collections::BTreeSet;
use std::sync::Arc;

use dynamo_expression::{Condition, ExpressionKind, Placeholders};
use dynamo_protocol::error::{ApiError, CancellationReason};
use dynamo_protocol::limits::TRANSACTION_BYTES_MAX;
use dynamo_protocol::ops::TransactWriteItemsInput;
use dynamo_protocol::shapes::{
    ExpressionAttributeNames, ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use dynamo_protocol::size::item_bytes;
use dynamo_protocol::value::Item;

use shard_router::Token;

use crate::catalog::{Catalog, TableDescriptor};
use crate::command::{Change, ClientToken, Command, ItemWrite, Transaction, request_hash};
use crate::item::ItemBody;
use crate::reply::{ReplySpec, TransactReply};

use super::item_key::check_no_empty_value;
use super::paths::check_scalars;
use super::put_target::{check_index_keys, check_item_bytes, check_key_attributes, keyed, put_key};
use super::update_target::check_update;
use super::write::{PlannedCommand, WritePlan, collection_key, item_write};
use super::{ItemKey, PlanError, lookup, put_target, update_target};

/// One action, checked by itself.
struct Action {
    /// As in the request.
    table_name: String,
    /// The key; of an item to put what its table looks at, once that is known.
    item: Item,
    /// What must be true of the item before.
    condition: Option<Condition>,
    /// What becomes of the item.
    change: Change,
    /// What counts against the size of a transaction.
    billed_bytes: usize,
    /// Whether the item is returned where the condition fails.
    shows_item: bool,
}

/// Plans a TransactWriteItems.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: TransactWriteItemsInput, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
    let bad_value = input.bad_value;
    let checked = |(position, item)| {
        let action = action(item)?;
        match &bad_value {
            Some((at, error)) if *at == position => Err(PlanError::Client(error.clone())),
            _ => Ok(action),
        }
    };
    let mut actions = input.transact_items.into_iter().enumerate().map(checked).collect::<Result<Vec<_>, _>>()?;
    let payload = actions.iter().map(|action| action.billed_bytes).sum::<usize>();
    check_payload(payload)?;
    let tables = actions.iter().map(|action| lookup::table(catalog, &action.table_name));
    let tables: Vec<Arc<TableDescriptor>> = tables.collect::<Result<_, _>>()?;
    for (action, table) in actions.iter_mut().zip(&tables) {
        if let Change::Put(item) = &action.change {
            action.item = keyed(table, item);
        }
        check_no_empty_keys(table, action)?;
    }
    let keys = actions.iter().zip(&tables).map(|(action, table)| target(table, action));
    let keys = all_or_cancelled(keys.collect())?;
    check_distinct(keys.iter().map(|key| &key.row[..]))?;

    let mut reply = TransactReply::new(input.return_consumed_capacity, input.return_item_collection_metrics);
    let token = keys.first().map(|key| key.token).ok_or_else(|| PlanError::Client(ApiError::internal()))?;
    let mut writes = Vec::with_capacity(actions.len());
    for ((action, table), key) in actions.into_iter().zip(&tables).zip(&keys) {
        let collection = matches!(action.change, Change::Check).then(Item::new);
        let collection = collection.unwrap_or_else(|| collection_key(table, &action.item));
        reply.action(table, &action.table_name, action.shows_item, collection);
        writes.push(item_write(table, key, action.condition, action.change));
    }
    Ok(transaction(token, writes, input.client_request_token, reply))
}

/// The plan of a transaction whose first item lies at `token`.
pub(super) fn transaction(
    token: Token,
    writes: Vec<ItemWrite>,
    client_token: Option<String>,
    reply: TransactReply,
) -> WritePlan {
    let table = writes.first().map(|write| write.table).unwrap_or_default();
    let client_token = client_token.map(|token| ClientToken { token, request_hash: request_hash(&writes), table });
    let command = Command::Transact(Transaction { client_token, actions: writes });
    WritePlan { writes: vec![PlannedCommand { token, command }], reply: ReplySpec::Transact(reply) }
}

/// What a transaction carries has a bound.
///
/// # Errors
/// More than 4 MB.
pub(super) fn check_payload(payload: usize) -> Result<(), PlanError> {
    if payload <= TRANSACTION_BYTES_MAX {
        return Ok(());
    }
    let what = "Transaction payload size cannot exceed 4MB. Payload Size: ";
    Err(PlanError::validation(format!("{what}: {what}{payload}")))
}

fn action(item: TransactWriteItem) -> Result<Action, PlanError> {
    match (item.condition_check, item.put, item.delete, item.update) {
        (Some(check), None, None, None) => parse(Parts {
            table_name: check.table_name,
            item: check.key,
            condition: Some(check.condition_expression),
            change: Requested::Check,
            names: check.expression_attribute_names,
            values: check.expression_attribute_values,
            on_failure: check.return_values_on_condition_check_failure,
        }),
        (None, Some(put), None, None) => parse(Parts {
            table_name: put.table_name,
            item: Item::new(),
            condition: put.condition_expression,
            change: Requested::Put(put.item),
            names: put.expression_attribute_names,
            values: put.expression_attribute_values,
            on_failure: put.return_values_on_condition_check_failure,
        }),
        (None, None, Some(delete), None) => parse(Parts {
            table_name: delete.table_name,
            item: delete.key,
            condition: delete.condition_expression,
            change: Requested::Delete,
            names: delete.expression_attribute_names,
            values: delete.expression_attribute_values,
            on_failure: delete.return_values_on_condition_check_failure,
        }),
        (None, None, None, Some(update)) => parse(Parts {
            table_name: update.table_name,
            item: update.key,
            condition: update.condition_expression,
            change: Requested::Update(update.update_expression),
            names: update.expression_attribute_names,
            values: update.expression_attribute_values,
            on_failure: update.return_values_on_condition_check_failure,
        }),
        _ => Err(PlanError::validation("TransactItems can only contain one of Check, Put, Update or Delete")),
    }
}

/// What the four kinds of actions have in common.
struct Parts {
    /// As in the request.
    table_name: String,
    /// The item to put, or the key.
    item: Item,
    /// `ConditionExpression`.
    condition: Option<String>,
    /// What is asked for.
    change: Requested,
    /// `ExpressionAttributeNames`.
    names: Option<ExpressionAttributeNames>,
    /// `ExpressionAttributeValues`.
    values: Option<ExpressionAttributeValues>,
    /// `ReturnValuesOnConditionCheckFailure`.
    on_failure: Option<ReturnValuesOnConditionCheckFailure>,
}

enum Requested {
    Check,
    Put(ItemBody),
    Delete,
    Update(String),
}

fn parse(parts: Parts) -> Result<Action, PlanError> {
    let billed_bytes = match &parts.change {
        Requested::Put(item) => item.view().billed_bytes(),
        _ => item_bytes(&parts.item) + parts.values.as_ref().map_or(0, item_bytes),
    };
    if matches!(parts.change, Requested::Put(_)) {
        check_item_bytes(billed_bytes)?;
    }
    let placeholders = Placeholders::new(parts.names.as_ref(), parts.values.as_ref());
    let change = match parts.change {
        Requested::Check => Change::Check,
        Requested::Put(item) => Change::Put(item),
        Requested::Delete => Change::Delete,
        Requested::Update(text) => Change::Update(placeholders.update(&text).map_err(ApiError::from)?),
    };
    let condition = parts.condition.as_deref().map(|text| placeholders.condition(ExpressionKind::Condition, text));
    let condition = condition.transpose().map_err(ApiError::from)?;
    // Unlike the single writes, transactions take names and values for which there is no expression.
    if condition.is_some() || matches!(change, Change::Update(_)) {
        placeholders.finish().map_err(ApiError::from)?;
    }
    let shows_item = parts.on_failure == Some(ReturnValuesOnConditionCheckFailure::AllOld);
    Ok(Action { table_name: parts.table_name, item: parts.item, condition, change, billed_bytes, shows_item })
}

/// Empty key values, of the table and of its indexes, are found up front, as bad input of the whole request.
fn check_no_empty_keys(table: &TableDescriptor, action: &Action) -> Result<(), ApiError> {
    check_no_empty_value(table, &action.item)?;
    match &action.change {
        Change::Put(_) => put_target::check_no_empty_index_key(table, &action.item),
        Change::Update(update) => update_target::check_no_empty_index_key(table, update),
        Change::Delete | Change::Check => Ok(()),
    }
}

/// The key of an action that fits its table.
fn target(table: &TableDescriptor, action: &Action) -> Result<ItemKey, ApiError> {
    let key = match &action.change {
        Change::Put(_) => {
            check_key_attributes(table, &action.item)?;
            check_index_keys(table, &action.item)?;
            put_key(table, &action.item)?
        }
        Change::Update(update) => {
            let key = ItemKey::of(table, &action.item)?;
            check_update(table, update)?;
            key
        }
        Change::Delete | Change::Check => ItemKey::of(table, &action.item)?,
    };
    if let Some(condition) = &action.condition {
        check_scalars(condition.paths(), table)?;
    }
    Ok(key)
}

/// All keys, or the cancellation that names the first action that does not fit.
fn all_or_cancelled(keys: Vec<Result<ItemKey, ApiError>>) -> Result<Vec<ItemKey>, ApiError> {
    let Some(first) = keys.iter().position(Result::is_err) else {
        return keys.into_iter().collect();
    };
    let reason = |(at, key): (usize, Result<ItemKey, ApiError>)| match key {
        Err(error) if at == first => CancellationReason::validation(error.message()),
        _ => CancellationReason::none(),
    };
    Err(ApiError::transaction_canceled(keys.into_iter().enumerate().map(reason).collect()))
}

/// No two actions are on one item.
///
/// # Errors
/// Where two rows are the same.
pub(super) fn check_distinct<'a>(rows: impl Iterator<Item = &'a [u8]>) -> Result<(), PlanError> {
    let mut seen = BTreeSet::new();
    for row in rows {
        if !seen.insert(row) {
            return Err(PlanError::validation("Transaction request cannot include multiple operations on one item"));
        }
    }
    Ok(())
}
