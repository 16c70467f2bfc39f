//! One statement that writes, as one action on one item.

use std::sync::Arc;

use dynamo_expression::partiql::{Change as Update, Delete, Insert, Naming, PrimaryKey, Returning, Statement, Target};
use dynamo_expression::{Condition, Path};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::shapes::ReturnValue;
use dynamo_protocol::size::item_bytes;
use dynamo_protocol::value::Item;
use shard_router::Token;

use super::super::item_key::KEY_MISMATCH;
use super::super::paths::check_scalars;
use super::super::put_target::{check_index_keys, check_item_bytes, check_key_attributes, put_key};
use super::super::update_target::check_update;
use super::super::write::item_write;
use super::super::{ItemKey, PlanError, lookup};
use super::{check_columns, check_key_types, misplaced_exists, named_item, not_on_index};
use crate::catalog::{Catalog, TableDescriptor};
use crate::command::{Change, ItemWrite};
use crate::item::ItemBody;

/// A planned statement.
pub(in crate::plan) struct StatementWrite {
    /// The table.
    pub table: Arc<TableDescriptor>,
    /// The table as the statement names it.
    pub table_name: String,
    /// Where the item lies.
    pub token: Token,
    /// What is proposed.
    pub write: ItemWrite,
    /// An INSERT, whose failed condition means that the item exists.
    pub is_insert: bool,
    /// What of the item is returned.
    pub returns: ReturnValue,
    /// The update, where only what it touched is returned.
    pub touched: Option<dynamo_expression::Update>,
    /// The bytes that count against a transaction's size.
    pub billed_bytes: usize,
    /// The key of the item written to; empty for a check.
    pub key: Item,
}

/// A planned statement, or what is wrong with the item that it is about: a transaction is cancelled by that, where what is
/// wrong with the statement itself refuses it.
pub(in crate::plan) type Planned = Result<StatementWrite, ApiError>;

/// Plans a statement that writes. EXISTS is one only where `in_transaction`, and RETURNING only elsewhere.
///
/// # Errors
/// What is wrong with the statement, and an unknown table.
pub(in crate::plan) fn write(
    statement: &Statement,
    in_transaction: bool,
    catalog: &dyn Catalog,
) -> Result<Planned, PlanError> {
    match statement {
        Statement::Insert(statement) => insert(statement, catalog),
        Statement::Update(statement) => {
            let table = table(&statement.target, catalog)?;
            refuse_returning(statement.returning, in_transaction)?;
            Ok(update(statement, table, in_transaction))
        }
        Statement::Delete(statement) => {
            let table = table(&statement.target, catalog)?;
            refuse_returning(statement.returning, in_transaction)?;
            Ok(delete(statement, table, in_transaction))
        }
        Statement::Exists(select) if in_transaction => {
            check_columns(select, catalog)?;
            let table = table(&select.target, catalog)?;
            match named_item(&table, select.condition.as_ref(), Naming::Equality) {
                Some(PrimaryKey { key, residual: Some(condition) }) => {
                    Ok(action(table, &select.target.table, key, Some(condition), Change::Check, in_transaction))
                }
                _ => Err(PlanError::validation("EXISTS() must contain a single item read with additional condition")),
            }
        }
        Statement::Exists(_) => Err(misplaced_exists()),
        // The callers have told reads and writes apart.
        Statement::Select(_) => Err(PlanError::Client(ApiError::internal())),
    }
}

fn insert(statement: &Insert, catalog: &dyn Catalog) -> Result<Planned, PlanError> {
    let billed_bytes = item_bytes(&statement.item);
    check_item_bytes(billed_bytes)?;
    let table = lookup::table(catalog, &statement.table)?;
    Ok(inserted(statement, table, billed_bytes))
}

fn inserted(statement: &Insert, table: Arc<TableDescriptor>, billed_bytes: usize) -> Planned {
    check_key_attributes(&table, &statement.item)?;
    let key = put_key(&table, &statement.item)?;
    check_index_keys(&table, &statement.item)?;
    let free = Condition::NotExists(key_path(&table)?);
    let write =
        item_write(&table, &key, Some(free), Change::Put(ItemBody::encode_sized(&statement.item, billed_bytes)));
    Ok(StatementWrite {
        table_name: statement.table.clone(),
        token: key.token,
        write,
        is_insert: true,
        returns: ReturnValue::None,
        touched: None,
        billed_bytes,
        key: statement.item.clone(),
        table,
    })
}

fn update(statement: &Update, table: Arc<TableDescriptor>, in_transaction: bool) -> Planned {
    let PrimaryKey { key, residual } = mandatory(&table, statement.condition.as_ref(), in_transaction)?;
    check_update(&table, &statement.update)?;
    let there = Condition::Exists(key_path(&table)?);
    let condition = match residual {
        None => there,
        Some(residual) => Condition::And(vec![there, residual]),
    };
    let returns =
        statement.returning.map_or(ReturnValue::None, |returning| match (returning.modified, returning.new) {
            (false, false) => ReturnValue::AllOld,
            (false, true) => ReturnValue::AllNew,
            (true, false) => ReturnValue::UpdatedOld,
            (true, true) => ReturnValue::UpdatedNew,
        });
    let partly = matches!(returns, ReturnValue::UpdatedOld | ReturnValue::UpdatedNew);
    let change = Change::Update(statement.update.clone());
    let write = action(table, &statement.target.table, key, Some(condition), change, in_transaction)?;
    Ok(StatementWrite { returns, touched: partly.then(|| statement.update.clone()), ..write })
}

fn delete(statement: &Delete, table: Arc<TableDescriptor>, in_transaction: bool) -> Planned {
    let PrimaryKey { key, residual } = mandatory(&table, statement.condition.as_ref(), in_transaction)?;
    let gone = Condition::NotExists(key_path(&table)?);
    let condition = residual.map(|residual| Condition::Or(vec![gone, residual]));
    let returns = statement.returning.map_or(ReturnValue::None, |_| ReturnValue::AllOld);
    let write = action(table, &statement.target.table, key, condition, Change::Delete, in_transaction)?;
    Ok(StatementWrite { returns, ..write })
}

/// The action on the item with this key, after the checks that all have in common.
fn action(
    table: Arc<TableDescriptor>,
    table_name: &str,
    key: Item,
    condition: Option<Condition>,
    change: Change,
    in_transaction: bool,
) -> Planned {
    if !in_transaction {
        check_key_types(table.keys.attributes(), &key)?;
    }
    let item_key = ItemKey::of(&table, &key)?;
    if let Some(condition) = &condition {
        check_scalars(condition.paths(), &table)?;
    }
    Ok(StatementWrite {
        table_name: table_name.to_owned(),
        token: item_key.token,
        billed_bytes: item_bytes(&key),
        write: item_write(&table, &item_key, condition, change),
        is_insert: false,
        returns: ReturnValue::None,
        touched: None,
        key,
        table,
    })
}

fn table(target: &Target, catalog: &dyn Catalog) -> Result<Arc<TableDescriptor>, PlanError> {
    let table = lookup::table(catalog, &target.table)?;
    if target.index.is_some() { Err(not_on_index()) } else { Ok(table) }
}

/// The item that is written to. In a transaction, whatever is wrong with its key is said as of the item operations'.
fn mandatory(
    table: &TableDescriptor,
    condition: Option<&Condition>,
    in_transaction: bool,
) -> Result<PrimaryKey, ApiError> {
    let refused = |text: String| ApiError::validation(if in_transaction { KEY_MISMATCH.to_owned() } else { text });
    let named = named_item(table, condition, Naming::Equality).ok_or_else(|| {
        refused("Where clause does not contain a mandatory equality on all key attributes".to_owned())
    })?;
    match named.contradicted() {
        None => Ok(named),
        Some(name) => Err(refused(format!(
            "Multiple conditions on same key {name}. Only single item Update/Insert/Delete are supported"
        ))),
    }
}

fn refuse_returning(returning: Option<Returning>, in_transaction: bool) -> Result<(), PlanError> {
    match returning {
        Some(_) if in_transaction => {
            Err(PlanError::validation("RETURNING clause is not supported in ExecuteTransaction."))
        }
        _ => Ok(()),
    }
}

/// The attribute that every item has: the first of the table's key.
fn key_path(table: &TableDescriptor) -> Result<Path, ApiError> {
    let first = table.keys.attributes().next().ok_or_else(ApiError::internal)?;
    Ok(Path::top(first.name.clone()))
}
