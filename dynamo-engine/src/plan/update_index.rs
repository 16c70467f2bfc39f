//! The part of UpdateTable that is about global indexes: at most one index is created or dropped in a request, any
//! number get new settings.

use std::collections::BTreeSet;

use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::GLOBAL_INDEXES_MAX;
use dynamo_protocol::ops::UpdateTableInput;
use dynamo_protocol::shapes::{
    CreateGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate, UpdateGlobalSecondaryIndexAction, WarmThroughput,
};

use super::ddl::key_schema::Definitions;
use super::ddl::throughput::{self, Subject};
use super::ddl::{in_use, index, invalid};
use crate::catalog::{BillingMode, IndexDescriptor, IndexState, KeyAttribute, KeySchema, TableDescriptor, TableStep};

/// One element of `GlobalSecondaryIndexUpdates`.
pub(super) enum IndexUpdate<'a> {
    /// New settings.
    Update(&'a UpdateGlobalSecondaryIndexAction),
    /// A new index.
    Create(&'a CreateGlobalSecondaryIndexAction),
    /// No index of this name any more.
    Delete(&'a str),
}

impl<'a> IndexUpdate<'a> {
    fn name(&self) -> &'a str {
        match self {
            IndexUpdate::Update(action) => &action.index_name,
            IndexUpdate::Create(action) => &action.index_name,
            IndexUpdate::Delete(name) => name,
        }
    }

    /// Does it change which indexes there are?
    pub(super) fn builds_or_drops(&self) -> bool {
        !matches!(self, IndexUpdate::Update(_))
    }
}

/// Reads the list: one action in each element, one element for each index.
pub(super) fn read(requested: Option<&[GlobalSecondaryIndexUpdate]>) -> Result<Vec<IndexUpdate<'_>>, ApiError> {
    let Some(requested) = requested else { return Ok(Vec::new()) };
    if requested.is_empty() {
        return Err(invalid("List of GlobalSecondaryIndexUpdates is empty"));
    }
    let mut updates: Vec<IndexUpdate<'_>> = Vec::with_capacity(requested.len());
    let mut names = BTreeSet::new();
    for element in requested {
        let update = read_one(element)?;
        if !names.insert(update.name()) {
            return Err(invalid(format_args!(
                "Only one global secondary index update per index is allowed simultaneously. Index: {}",
                update.name()
            )));
        }
        updates.push(update);
    }
    for update in &updates {
        check_alone(update)?;
    }
    Ok(updates)
}

fn read_one(element: &GlobalSecondaryIndexUpdate) -> Result<IndexUpdate<'_>, ApiError> {
    match (&element.update, &element.create, &element.delete) {
        (Some(action), None, None) => Ok(IndexUpdate::Update(action)),
        (None, Some(action), None) => Ok(IndexUpdate::Create(action)),
        (None, None, Some(action)) => Ok(IndexUpdate::Delete(&action.index_name)),
        (None, None, None) => Err(invalid(
            "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, \
             GlobalSecondaryIndexUpdate.Delete must not be null",
        )),
        _ => Err(invalid("Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object")),
    }
}

/// What an update says by itself, whatever the table is.
fn check_alone(update: &IndexUpdate<'_>) -> Result<(), ApiError> {
    let IndexUpdate::Update(action) = update else { return Ok(()) };
    if action.warm_throughput.as_ref() == Some(&WarmThroughput::default()) {
        return Err(invalid(format_args!(
            "WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: {}",
            action.index_name
        )));
    }
    Ok(())
}

/// A table that comes to provisioned billing needs units for all its global indexes.
pub(super) fn check_all_have_throughput(updates: &[IndexUpdate<'_>], table: &TableDescriptor) -> Result<(), ApiError> {
    let has_units = |index: &IndexDescriptor| {
        updates.iter().any(|update| match update {
            IndexUpdate::Update(action) => action.index_name == index.name && action.provisioned_throughput.is_some(),
            _ => false,
        })
    };
    let missing: Vec<&str> =
        table.global_indexes().filter(|index| !has_units(index)).map(|index| index.name.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(invalid(format_args!("ProvisionedThroughput must be specified for index: {}", missing.join(","))))
}

/// The steps of the updates on `table`, which will be billed by `mode`.
pub(super) fn steps(
    updates: &[IndexUpdate<'_>],
    input: &UpdateTableInput,
    table: &TableDescriptor,
    mode: BillingMode,
    steps: &mut Vec<TableStep>,
) -> Result<(), ApiError> {
    if updates.iter().filter(|update| update.builds_or_drops()).count() > 1 {
        return Err(one_at_a_time());
    }
    updates.iter().try_for_each(|update| check_work(update, table))?;
    for update in updates {
        match update {
            IndexUpdate::Create(action) => create(action, input, table, mode, steps)?,
            IndexUpdate::Delete(name) => {
                let index = existing(table, name, "delete")?.id;
                steps.push(TableStep::AdvanceIndex { index, to: IndexState::Dropping });
            }
            IndexUpdate::Update(action) => change(action, table, mode, steps)?,
        }
    }
    Ok(())
}

fn one_at_a_time() -> ApiError {
    ApiError::limit_exceeded(
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    )
}

/// One index is built or removed at a time; the one that is being filled may be given up, the one that is being removed
/// takes no change.
fn check_work(update: &IndexUpdate<'_>, table: &TableDescriptor) -> Result<(), ApiError> {
    let pending = table.pending.iter().filter_map(TableStep::holds_index).filter_map(|id| table.index_by_id(id));
    if pending.into_iter().any(|index| index.name == update.name()) {
        let (table, name) = (&table.name, update.name());
        return Err(in_use(format_args!("Index is being updated. Table: {table} Index: {name}")));
    }
    let Some(working) = table.index_in_work() else { return Ok(()) };
    let (table, name) = (&table.name, &working.name);
    match (update.name() == name, working.state, update) {
        (true, IndexState::Writing, IndexUpdate::Delete(_)) => Err(in_use(format_args!(
            "Index creation is in resource allocation phase. Retry deletion during backfilling phase or when the index \
             is active. Table: {table} Index: {name}"
        ))),
        (true, IndexState::Writing, IndexUpdate::Create(_)) => {
            Err(in_use(format_args!("Index is being created. Table: {table} Index: {name}")))
        }
        (true, IndexState::Writing, IndexUpdate::Update(_)) => {
            let what = "Index is being created but is not backfilling yet.";
            Err(in_use(format_args!("{what} Table: {table} Index: {name}")))
        }
        (true, IndexState::Dropping, _) => {
            Err(in_use(format_args!("Index is being deleted. Table: {table} Index: {name}")))
        }
        (true, _, _) | (false, _, IndexUpdate::Update(_)) => Ok(()),
        (false, _, IndexUpdate::Create(_) | IndexUpdate::Delete(_)) => Err(one_at_a_time()),
    }
}

fn create(
    action: &CreateGlobalSecondaryIndexAction,
    input: &UpdateTableInput,
    table: &TableDescriptor,
    mode: BillingMode,
    steps: &mut Vec<TableStep>,
) -> Result<(), ApiError> {
    if table.index(&action.index_name).is_some() {
        return Err(ApiError::validation("Attempting to create an index which already exists"));
    }
    check_index_count(table)?;
    let definitions = index::definitions(input.attribute_definitions.as_deref().unwrap_or_default());
    let new = index::added(action, &Definitions::new(&definitions)?, mode)?;
    let definitions = with_keys(&table.attribute_definitions, &new.keys, table)?;
    index::check_projected(table.indexes.iter().chain([&new]))?;
    steps.push(TableStep::AttributeDefinitions(definitions));
    steps.push(TableStep::CreateIndex(new));
    Ok(())
}

/// The table's definitions and those of the new keys; an attribute has one type in all keys.
fn with_keys(
    current: &[KeyAttribute],
    keys: &KeySchema,
    table: &TableDescriptor,
) -> Result<Vec<KeyAttribute>, ApiError> {
    let mut definitions = current.to_vec();
    for attribute in keys.attributes() {
        match current.iter().find(|definition| definition.name == attribute.name) {
            Some(definition) if definition.kind != attribute.kind => {
                return Err(invalid(format_args!(
                    "Attributes cannot be redefined. Please check that your attribute has the same type as previously \
                     defined. Existing schema: {} New schema: {}",
                    schema_text(&table.keys),
                    schema_text(keys)
                )));
            }
            Some(_) => {}
            None => definitions.push(attribute.clone()),
        }
    }
    Ok(definitions)
}

/// A key schema as the service prints it: `Schema:[SchemaElement: key{pk:S:HASH}]`.
fn schema_text(keys: &KeySchema) -> String {
    let part = |attributes: &[KeyAttribute], role: &str| -> Vec<String> {
        let text = |key: &KeyAttribute| format!("SchemaElement: key{{{}:{}:{role}}}", key.name, key.kind.name());
        attributes.iter().map(text).collect()
    };
    let elements = [part(&keys.partition, "HASH"), part(&keys.sort, "RANGE")].concat();
    format!("Schema:[{}]", elements.join(", "))
}

/// The global index named `name`, to `verb` it.
fn existing<'a>(table: &'a TableDescriptor, name: &str, verb: &str) -> Result<&'a IndexDescriptor, ApiError> {
    match table.index(name) {
        Some(index) if index.local => {
            Err(ApiError::validation(format!("Cannot {verb} an index that is not a GlobalSecondaryIndex: {name}")))
        }
        Some(index) => Ok(index),
        None => Err(ApiError::resource_not_found(format!(
            "Requested resource not found: Index {name} for table {}",
            table.name
        ))),
    }
}

/// What can be changed about an index of a table that is billed by request.
fn only_limits(name: &str) -> ApiError {
    invalid(format_args!(
        "The only Updates for index: {name} when TableThroughputMode is PAY_PER_REQUEST can be to \
         OnDemandThroughput, WarmThroughput"
    ))
}

fn change(
    action: &UpdateGlobalSecondaryIndexAction,
    table: &TableDescriptor,
    mode: BillingMode,
    steps: &mut Vec<TableStep>,
) -> Result<(), ApiError> {
    let name = &action.index_name;
    let subject = Subject::Index(name);
    if mode == BillingMode::PayPerRequest && action.provisioned_throughput.is_some() {
        return Err(only_limits(name));
    }
    let index = existing(table, name, "update")?;
    let before = steps.len();
    if let Some(requested) = &action.provisioned_throughput {
        let (read_units, write_units) = throughput::units(requested)?;
        let current = &index.throughput;
        if table.billing_mode == mode && (read_units, write_units) == (current.read_units, current.write_units) {
            return Err(throughput::unchanged(subject, current));
        }
        steps.push(TableStep::IndexThroughput { index: index.id, read_units, write_units });
    }
    if let Some(limits) = throughput::on_demand(subject, mode, action.on_demand_throughput.as_ref(), true)? {
        let limits = throughput::merge_on_demand(index.on_demand.as_ref(), limits);
        steps.push(TableStep::IndexOnDemand { index: index.id, limits });
    }
    let (current, asked) = (index.warm.as_ref(), action.warm_throughput.as_ref());
    if let Some(warm) = throughput::warm_of_update(subject, mode, &index.throughput, current, asked)? {
        steps.push(TableStep::IndexWarm { index: index.id, warm });
    }
    if steps.len() > before {
        return Ok(());
    }
    Err(match mode {
        BillingMode::PayPerRequest => only_limits(name),
        BillingMode::Provisioned => {
            invalid(format_args!("Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {name}"))
        }
    })
}

/// As many global indexes as a table can have.
fn check_index_count(table: &TableDescriptor) -> Result<(), ApiError> {
    if table.global_indexes().count() < GLOBAL_INDEXES_MAX {
        return Ok(());
    }
    Err(ApiError::limit_exceeded(format!(
        "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of {GLOBAL_INDEXES_MAX}"
    )))
}
