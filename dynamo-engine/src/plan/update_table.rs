//! UpdateTable.
//!
//! First what the request says by itself, then what it says of the table: so a contradiction in the request is
//! answered before a missing table, as the service does. The result is a list of steps for one command.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTableInput;
use dynamo_protocol::shapes::{self, GlobalTableSettingsReplicationMode};

use super::ddl::throughput::{self, Subject};
use super::ddl::{in_use, invalid, settings, unsupported};
use super::update_index::{self, IndexUpdate};
use super::{PlanError, lookup};
use crate::catalog::{BillingMode, Catalog, DdlCommand, IndexState, SseSettings, TableDescriptor, TableStep};
use crate::context::kms_key_resource;
use crate::reply::timestamp;

/// The command that changes the table as requested.
///
/// # Errors
///
/// The client's mistakes, in the service's order; [`PlanError::UnknownTable`].
pub fn plan(input: UpdateTableInput, catalog: &dyn Catalog) -> Result<DdlCommand, PlanError> {
    check_something(&input)?;
    refuse_unsupported(&input)?;
    check_billing(&input)?;
    let index_updates = update_index::read(input.global_secondary_index_updates.as_deref())?;
    check_combination(&input, &index_updates)?;
    let stream = input.stream_specification.as_ref().map(settings::stream_of_update).transpose()?;
    let sse = input.sse_specification.as_ref().map(settings::sse).transpose()?;

    let table = lookup::changed_table(catalog, &input.table_name)?;
    check_pending(&input, &table, &index_updates)?;
    check_work(&input, &table)?;
    let mut steps = Vec::new();
    let mode = billing_steps(&input, &table, &index_updates, &mut steps)?;
    limit_steps(&input, &table, mode, &mut steps)?;
    update_index::steps(&index_updates, &input, &table, mode, &mut steps)?;
    if let Some(view) = stream {
        steps.push(stream_step(&table, view)?);
    }
    if let Some(sse) = sse {
        steps.push(sse_step(&table, sse)?);
    }
    steps.extend(input.table_class.map(|class| TableStep::Class(settings::table_class(class))));
    steps.extend(input.deletion_protection_enabled.map(TableStep::DeletionProtection));
    let steps = steps.into_iter().map(TableStep::as_requested).collect();
    Ok(DdlCommand::ChangeTable { table: table.id, schema_version: table.schema_version, steps })
}

/// The warm throughput of the request, where it asks for anything.
fn warm_of(input: &UpdateTableInput) -> Option<&shapes::WarmThroughput> {
    input.warm_throughput.as_ref().filter(|warm| **warm != shapes::WarmThroughput::default())
}

/// The on-demand limits of the request, where it sets any.
fn on_demand_of(input: &UpdateTableInput) -> Option<&shapes::OnDemandThroughput> {
    input.on_demand_throughput.as_ref().filter(|limits| **limits != shapes::OnDemandThroughput::default())
}

fn check_something(input: &UpdateTableInput) -> Result<(), ApiError> {
    let anything = input.provisioned_throughput.is_some()
        || input.billing_mode.is_some()
        || input.stream_specification.is_some()
        || input.global_secondary_index_updates.as_ref().is_some_and(|updates| !updates.is_empty())
        || input.sse_specification.is_some()
        || input.replica_updates.is_some()
        || input.deletion_protection_enabled.is_some()
        || input.multi_region_consistency.is_some()
        || input.global_table_witness_updates.is_some()
        || input.global_table_settings_replication_mode.is_some()
        || input.disassociation_protection_enabled.is_some()
        || input.vector_index_updates.is_some()
        || on_demand_of(input).is_some()
        || warm_of(input).is_some()
        || input.table_class.is_some();
    if anything {
        return Ok(());
    }
    Err(ApiError::validation(
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, \
         SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, \
         DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required",
    ))
}

/// What has to wait while settings change in the background.
fn check_pending(
    input: &UpdateTableInput,
    table: &TableDescriptor,
    index_updates: &[IndexUpdate<'_>],
) -> Result<(), ApiError> {
    let name = &table.name;
    let iops = input.provisioned_throughput.is_some() || input.billing_mode.is_some();
    let (stream, class) = (input.stream_specification.is_some(), input.table_class.is_some());
    let limits = on_demand_of(input).is_some();
    let builds = index_updates.iter().any(IndexUpdate::builds_or_drops);
    for step in &table.pending {
        let rules = match step {
            step if step.is_iops() => vec![
                (iops, format!("Table IOPS are currently being updated. Table: {name}")),
                (stream, format!("Can't enable or disable stream while table IOPS are being updated. Table: {name}")),
                (builds, format!("Can't create or delete indexes while table IOPS are being updated. Table: {name}")),
                (limits, "OnDemandThroughput cannot be updated while BillingMode update is in progress".to_owned()),
            ],
            TableStep::Class(pending) => {
                let which = format!("TableClassUpdateInProgress: {}", pending.name());
                let what = format!("when a table class update is in progress. Table: {name} {which}");
                let beside = "OnDemandThroughput cannot be updated while TableClass update is in progress.";
                let build = "Can't create or delete an index when a table class update is in progress.";
                vec![
                    (class, format!("Can't update table class {what}")),
                    (stream, format!("Can't change stream status {what}")),
                    (builds, build.to_owned()),
                    (limits, format!("{beside} {which}")),
                ]
            }
            TableStep::Stream(view) => {
                let label = table.stream.map(|stream| timestamp::label(stream.since_ms)).unwrap_or_default();
                let verb = if view.is_some() { "ENABLE" } else { "DISABLE" };
                let which = format!("Table: {name} Stream: {label} Operation: {verb}");
                let beside = "OnDemandThroughput cannot be updated while stream status update is in progress.";
                vec![
                    (stream, format!("A stream status change is currently in progress. {which}")),
                    (class, format!("Can't update table class when stream status is being updated. {which}")),
                    (limits, beside.to_owned()),
                ]
            }
            TableStep::Sse(_) => {
                vec![(input.sse_specification.is_some(), "Server-Side Encryption is still being updated".to_owned())]
            }
            _ => continue,
        };
        if let Some((_, why)) = rules.into_iter().find(|(meets, _)| *meets) {
            return Err(in_use(format_args!("{why}")));
        }
    }
    Ok(())
}

/// While an index is being built or removed, some changes have to wait. Those of the index itself are checked with the
/// index updates.
fn check_work(input: &UpdateTableInput, table: &TableDescriptor) -> Result<(), ApiError> {
    let Some(index) = table.index_in_work() else { return Ok(()) };
    let doing = match index.state {
        IndexState::Writing => "created",
        IndexState::Dropping => "deleted",
        IndexState::Backfilling | IndexState::Active => return Ok(()),
    };
    let mode = input.billing_mode.map(throughput::billing_mode);
    if input.provisioned_throughput.is_some() || mode.is_some_and(|mode| mode != table.billing_mode) {
        return Err(in_use(format_args!(
            "Can't change table IOPS when an index is being {doing}. Table: {} Indexes: [{}]",
            table.name, index.name
        )));
    }
    if input.stream_specification.is_some() {
        return Err(in_use(format_args!("Can't change stream status when an index is being {doing}")));
    }
    if on_demand_of(input).is_some() {
        let noun = if doing == "created" { "creation" } else { "deletion" };
        return Err(in_use(format_args!(
            "OnDemandThroughput cannot be updated while index {noun} is in progress for indexes: [{}]",
            index.name
        )));
    }
    Ok(())
}

fn refuse_unsupported(input: &UpdateTableInput) -> Result<(), ApiError> {
    let mode = input.global_table_settings_replication_mode;
    let refused = [
        (input.replica_updates.is_some(), "ReplicaUpdates"),
        (input.multi_region_consistency.is_some(), "MultiRegionConsistency"),
        (input.global_table_witness_updates.is_some(), "GlobalTableWitnessUpdates"),
        (
            mode.is_some_and(|mode| mode != GlobalTableSettingsReplicationMode::Disabled),
            "GlobalTableSettingsReplicationMode",
        ),
        (input.disassociation_protection_enabled == Some(true), "DisassociationProtectionEnabled"),
        (input.vector_index_updates.as_ref().is_some_and(|updates| !updates.is_empty()), "VectorIndexUpdates"),
    ];
    match refused.into_iter().find(|(set, _)| *set) {
        Some((_, parameter)) => Err(unsupported(parameter)),
        None => Ok(()),
    }
}

fn check_billing(input: &UpdateTableInput) -> Result<(), ApiError> {
    match (input.billing_mode, &input.provisioned_throughput) {
        (Some(shapes::BillingMode::PayPerRequest), Some(_)) => {
            Err(invalid("ProvisionedThroughput cannot be specified when BillingMode is PAY_PER_REQUEST"))
        }
        (Some(shapes::BillingMode::Provisioned), None) => {
            Err(invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED"))
        }
        (_, Some(requested)) => throughput::units(requested).map(|_| ()),
        (_, None) => Ok(()),
    }
}

/// What cannot be changed together.
fn check_combination(input: &UpdateTableInput, index_updates: &[IndexUpdate<'_>]) -> Result<(), ApiError> {
    let iops = input.provisioned_throughput.is_some() || input.billing_mode.is_some();
    let changes = [
        iops,
        input.stream_specification.is_some(),
        !index_updates.is_empty(),
        input.sse_specification.is_some(),
        input.table_class.is_some(),
        input.deletion_protection_enabled.is_some(),
        on_demand_of(input).is_some(),
        warm_of(input).is_some(),
    ];
    let others = changes.into_iter().filter(|set| *set).count() > 1;
    let builds = index_updates.iter().any(IndexUpdate::builds_or_drops);
    let only_in = |what: &str| Err(invalid(format_args!("{what} must be the only operation in the request")));
    if input.sse_specification.is_some() && others {
        return only_in("Server-Side Encryption modification");
    }
    if input.table_class.is_some() && others {
        return only_in("TableClass modification");
    }
    if input.deletion_protection_enabled.is_some() && others {
        return only_in("DeletionProtection modification");
    }
    let beside_billing = input.provisioned_throughput.is_some() || !index_updates.is_empty();
    let beside_limits = beside_billing || input.stream_specification.is_some() || warm_of(input).is_some();
    if on_demand_of(input).is_some() && beside_limits {
        return Err(invalid("OnDemandThroughput can only be combined with BillingMode in an UpdateTable request"));
    }
    if warm_of(input).is_some() && index_updates.iter().any(|update| matches!(update, IndexUpdate::Create(_))) {
        return Err(invalid("Create global secondary index cannot be specified when updating WarmThroughput"));
    }
    if warm_of(input).is_some() && (others && index_updates.is_empty()) {
        return only_in("WarmThroughput");
    }
    if input.stream_specification.is_some() && input.provisioned_throughput.is_some() {
        return Err(invalid("You cannot modify stream status while updating table IOPS"));
    }
    if builds && input.provisioned_throughput.is_some() {
        return Err(invalid("You cannot create or delete index while updating table IOPS"));
    }
    if builds && input.stream_specification.is_some() {
        return Err(invalid("You cannot create or delete index while changing stream status"));
    }
    Ok(())
}

/// The steps of billing mode and provisioned units; answers the mode that the table will have.
fn billing_steps(
    input: &UpdateTableInput,
    table: &TableDescriptor,
    index_updates: &[IndexUpdate<'_>],
    steps: &mut Vec<TableStep>,
) -> Result<BillingMode, ApiError> {
    let mode = input.billing_mode.map_or(table.billing_mode, throughput::billing_mode);
    if mode != table.billing_mode {
        steps.push(TableStep::Billing(mode));
    } else if input.billing_mode.is_some() && mode == BillingMode::PayPerRequest {
        steps.push(TableStep::BillingAgain);
    }
    let Some(requested) = &input.provisioned_throughput else { return Ok(mode) };
    if mode == BillingMode::PayPerRequest {
        return Err(throughput::not_on_demand());
    }
    let (read_units, write_units) = throughput::units(requested)?;
    if mode != table.billing_mode {
        update_index::check_all_have_throughput(index_updates, table)?;
    } else if (read_units, write_units) == (table.throughput.read_units, table.throughput.write_units) {
        if index_updates.is_empty() {
            return Err(throughput::unchanged(Subject::Table, &table.throughput));
        }
        return Ok(mode);
    }
    steps.push(TableStep::Throughput { read_units, write_units });
    Ok(mode)
}

/// The steps of on-demand limits and warm throughput.
fn limit_steps(
    input: &UpdateTableInput,
    table: &TableDescriptor,
    mode: BillingMode,
    steps: &mut Vec<TableStep>,
) -> Result<(), ApiError> {
    if let Some(limits) = throughput::on_demand(Subject::Table, mode, on_demand_of(input), true)? {
        steps.push(TableStep::OnDemand(throughput::merge_on_demand(table.on_demand.as_ref(), limits)));
    }
    let warm =
        throughput::warm_of_update(Subject::Table, mode, &table.throughput, table.warm.as_ref(), warm_of(input))?;
    steps.extend(warm.map(TableStep::Warm));
    Ok(())
}

fn stream_step(table: &TableDescriptor, view: Option<crate::catalog::StreamView>) -> Result<TableStep, ApiError> {
    match (view, table.live_stream()) {
        (Some(_), Some(_)) => {
            Err(ApiError::validation(format!("Table already has an enabled stream: TableName: {}", table.name)))
        }
        (None, None) => Err(ApiError::validation(format!("Table has no stream to disable: TableName: {}", table.name))),
        (view, _) => Ok(TableStep::Stream(view)),
    }
}

fn sse_step(table: &TableDescriptor, sse: Option<SseSettings>) -> Result<TableStep, ApiError> {
    match (&sse, &table.sse) {
        (None, None) => Err(invalid("Table is already encrypted by default")),
        (Some(new), Some(current)) if names_key_of(new, current) => Err(invalid(
            "Table is already encrypted with given KMSMasterKeyId. \
             Use KMSMasterKeyId parameter if you want to change Master Key",
        )),
        _ => Ok(TableStep::Sse(sse)),
    }
}

/// Whether `new` names, by its ARN, the key that there is.
fn names_key_of(new: &SseSettings, current: &SseSettings) -> bool {
    let Some(arn) = new.key.as_deref().filter(|key| key.starts_with("arn:")) else { return false };
    kms_key_resource(Some(arn)) == kms_key_resource(current.key.as_deref())
}
