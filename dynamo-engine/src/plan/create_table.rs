//! CreateTable.

use std::collections::BTreeMap;

use dynamo_protocol::arn;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::CreateTableInput;
use dynamo_protocol::shapes::{GlobalTableSettingsReplicationMode, Tag};

use super::PlanError;
use super::ddl::index::{self, NewTable};
use super::ddl::key_schema::{self, Definitions};
use super::ddl::throughput::{self, Subject};
use super::ddl::{settings, tags, unsupported};
use crate::catalog::{
    BillingMode, DdlCommand, IndexDescriptor, IndexId, StreamSettings, TableClassSettings, TableDescriptor, TableId,
};

/// The command that creates the table of the request. Whether its name is free is decided when it is applied.
///
/// # Errors
///
/// The client's mistakes, in the service's order.
pub fn plan(input: CreateTableInput) -> Result<DdlCommand, PlanError> {
    let billing_mode = throughput::billing_mode(input.billing_mode.unwrap_or_default());
    let throughput = throughput::of_new_table(billing_mode, input.provisioned_throughput.as_ref())?;
    let on_demand = throughput::on_demand(Subject::Table, billing_mode, input.on_demand_throughput.as_ref(), false)?;
    let definitions = index::definitions(&input.attribute_definitions);
    let by_name = Definitions::new(&definitions)?;
    let keys = key_schema::of_table(&index::elements(&input.key_schema), &by_name)?;
    let indexes = indexes(&input, &NewTable { keys: &keys, definitions: &by_name, billing_mode })?;
    let stream = settings::stream_of_new(input.stream_specification.as_ref())?;
    let sse = input.sse_specification.as_ref().map(settings::sse).transpose()?.flatten();
    let warm = throughput::warm_of_new(Subject::Table, billing_mode, &throughput, input.warm_throughput.as_ref())?;
    let tags = tags_of(input.tags.as_deref())?;
    refuse_unsupported(&input)?;

    let mut table = TableDescriptor::new(TableId(0), arn::table_name(&input.table_name), keys);
    table.attribute_definitions = definitions;
    table.indexes = indexes;
    table.billing_mode = billing_mode;
    table.on_demand_since_ms = (billing_mode == BillingMode::PayPerRequest).then_some(0);
    table.throughput = throughput;
    table.on_demand = on_demand;
    table.warm = warm;
    table.stream = stream.map(|view| StreamSettings { enabled: true, view, since_ms: 0 });
    table.tags = tags;
    table.deletion_protection = input.deletion_protection_enabled.unwrap_or(false);
    let class = input.table_class.map(settings::table_class);
    table.table_class = class.map(|class| TableClassSettings { class, updated_ms: None });
    table.sse = sse;
    Ok(DdlCommand::CreateTable(Box::new(table)))
}

/// The indexes of the request, the local ones first, with ids relative to the counter.
fn indexes(input: &CreateTableInput, table: &NewTable<'_>) -> Result<Vec<IndexDescriptor>, ApiError> {
    let (local, global) = (input.local_secondary_indexes.as_deref(), input.global_secondary_indexes.as_deref());
    table.check_definitions(local, global)?;
    let mut indexes = table.local_indexes(local)?;
    indexes.extend(table.global_indexes(global, &indexes)?);
    index::check_projected(indexes.iter())?;
    for (id, index) in (1..).zip(&mut indexes) {
        index.id = IndexId(id);
    }
    Ok(indexes)
}

/// The tags of the request, checked.
fn tags_of(requested: Option<&[Tag]>) -> Result<BTreeMap<String, String>, ApiError> {
    let pairs = pairs(requested.unwrap_or_default());
    tags::check(&pairs)?;
    Ok(pairs.into_iter().collect())
}

/// The model's tags as pairs.
pub(super) fn pairs(requested: &[Tag]) -> Vec<(String, String)> {
    requested.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

fn refuse_unsupported(input: &CreateTableInput) -> Result<(), ApiError> {
    let mode = input.global_table_settings_replication_mode;
    let refused = [
        (input.resource_policy.is_some(), "ResourcePolicy"),
        (input.global_table_source_arn.is_some(), "GlobalTableSourceArn"),
        (
            mode.is_some_and(|mode| mode != GlobalTableSettingsReplicationMode::Disabled),
            "GlobalTableSettingsReplicationMode",
        ),
        (input.vector_indexes.as_ref().is_some_and(|indexes| !indexes.is_empty()), "VectorIndexes"),
    ];
    match refused.into_iter().find(|(set, _)| *set) {
        Some((_, parameter)) => Err(unsupported(parameter)),
        None => Ok(()),
    }
}
