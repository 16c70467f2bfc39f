//! Applies the commands that change the catalog.
//!
//! | command | decided by | writes |
//! |---|---|---|
//! | `CreateTable` | catalog row: is the name free? | catalog row, counter, installed descriptor |
//! | `ChangeTable` | installed version | catalog row, counter, installed descriptor; rows of a removed index go, and an expiry queue |
//! | `DeleteTable` | installed version | installed descriptor and every row of the table go; catalog row, era |
//! | `Install` | era, installed version | installed descriptor; rows of removed indexes go, and an expiry queue |
//! | `Uninstall` | | installed descriptor and every row of the table go; era |
//! | `ConfirmInstalled` | version on its way | the rollout goes |
//! | `ConfirmUninstalled` | | the rollout and the catalog row go |
//! | `ForgetStream` | | the record of a stream that is over goes |
//!
//! `Install` and `Uninstall` run on the other shards, the rest in the system group; both use `install` and `uninstall`,
//! so a shard is changed by one piece of code only. The first three leave a [`Rollout`] where there are other shards:
//! then a deleted table's name stays taken until the last shard has confirmed. All are deterministic: time is the
//! command's stamp, ids come from a row, the UUID is a hash of both.

mod outcome;
#[cfg(test)]
mod rollout_laws;
mod store;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;
mod uuid;

use std::sync::Arc;

use crate::catalog::{
    DdlCommand, EndedStream, IndexDescriptor, IndexId, IndexState, Rollout, TableDescriptor, TableId, TablePhase,
    TableStep, shared,
};
use crate::codec::{get_u64, put_u64};
use crate::keyspace::{RowRange, Space, TableIds, id_range, local, system, table_ranges};
use crate::stream::StreamId;

pub use outcome::DdlOutcome;
pub use store::DdlStore;

/// The first id that is handed out; 0 stands for "not yet" in a planned table.
const FIRST_ID: u64 = 1;

/// Applies one command.
///
/// # Errors
///
/// Only the store's faults: whatever a client could have caused is an outcome.
pub fn apply<S: DdlStore>(store: &mut S, command: &DdlCommand) -> Result<DdlOutcome, S::Fault> {
    match command {
        DdlCommand::CreateTable(table) => create(store, table),
        DdlCommand::ChangeTable { table, schema_version, steps } => change(store, *table, *schema_version, steps),
        DdlCommand::DeleteTable { table, schema_version } => delete(store, *table, *schema_version),
        DdlCommand::Install { era, table } => install_told(store, *era, table),
        DdlCommand::Uninstall { era, table } => uninstall_told(store, *era, *table),
        DdlCommand::ConfirmInstalled { table, schema_version } => confirm_installed(store, *table, *schema_version),
        DdlCommand::ConfirmUninstalled { table } => confirm_uninstalled(store, *table),
        DdlCommand::ForgetStream { stream } => forget_stream(store, *stream),
    }
}

fn create<S: DdlStore>(store: &mut S, planned: &TableDescriptor) -> Result<DdlOutcome, S::Fault> {
    let row = system::table(&planned.name);
    if store.get(&row)?.is_some() {
        return Ok(DdlOutcome::TableExists { name: planned.name.clone() });
    }
    let base = next_id(store)?;
    let mut table = complete(planned, base, store.now_ms());
    begin_stream_after(&mut table, store.newest_ended_stream(&planned.name));
    let table = shared(table);
    put_next_id(store, base + 1 + planned.indexes.len() as u64)?;
    store.put(row, table.to_bytes())?;
    install(store, None, Arc::clone(&table))?;
    roll_out(store, TablePhase::Creating, &table)?;
    Ok(DdlOutcome::Created(table))
}

/// Gives a planned table what only the log can give: ids relative to the counter, times, the UUID.
fn complete(planned: &TableDescriptor, base: u64, now_ms: u64) -> TableDescriptor {
    let mut table = planned.clone();
    table.id = TableId(base);
    for (position, index) in (1..).zip(&mut table.indexes) {
        index.id = IndexId(base + position);
    }
    table.schema_version = 1;
    table.created_ms = now_ms;
    if let Some(stream) = &mut table.stream {
        stream.since_ms = now_ms;
    }
    if table.on_demand_since_ms.is_some() {
        table.on_demand_since_ms = Some(now_ms);
    }
    table.uuid = uuid::derive(base, now_ms, &table.name);
    table
}

fn change<S: DdlStore>(
    store: &mut S,
    id: TableId,
    schema_version: u32,
    steps: &[TableStep],
) -> Result<DdlOutcome, S::Fault> {
    let Some(before) = store.installed(id).filter(|table| table.schema_version == schema_version) else {
        return Ok(DdlOutcome::Stale);
    };
    let is_waiting = match store.rollout(id).map(|rollout| rollout.phase) {
        None => false,
        Some(TablePhase::Changing) => steps.iter().any(needs_all_shards),
        Some(_) => true,
    };
    if is_waiting {
        return Ok(DdlOutcome::Stale);
    }
    let mut after = (*before).clone();
    let first_free = next_id(store)?;
    let mut next = first_free;
    let now_ms = store.now_ms();
    if !steps.iter().all(|step| after.step(step, now_ms, &mut next)) {
        return Ok(DdlOutcome::Stale);
    }
    after.schema_version += 1;
    if after.stream_id() != before.stream_id() {
        end_stream(store, &before)?;
        begin_stream_after(&mut after, store.newest_ended_stream(&before.name));
    }
    let after = shared(after);
    if next != first_free {
        put_next_id(store, next)?;
    }
    store.put(system::table(&after.name), after.to_bytes())?;
    install(store, Some(Arc::clone(&before)), Arc::clone(&after))?;
    roll_out(store, TablePhase::Changing, &after)?;
    Ok(DdlOutcome::Changed { before, after })
}

/// Remembers the stream of a table, if it is on, as one that is over.
fn end_stream<S: DdlStore>(store: &mut S, table: &TableDescriptor) -> Result<(), S::Fault> {
    match EndedStream::of(table, store.now_ms()) {
        Some(ended) => store.end_stream(ended),
        None => Ok(()),
    }
}

/// Has the stream begin later than all before it under the table's name, whatever the clocks say: its beginning names it.
fn begin_stream_after(table: &mut TableDescriptor, before_ms: Option<u64>) {
    if let Some(stream) = table.stream.as_mut().filter(|stream| stream.enabled) {
        stream.since_ms = stream.since_ms.max(before_ms.map_or(0, |before_ms| before_ms + 1));
    }
}

fn forget_stream<S: DdlStore>(store: &mut S, stream: StreamId) -> Result<DdlOutcome, S::Fault> {
    Ok(if store.forget_stream(stream)? { DdlOutcome::Confirmed } else { DdlOutcome::Stale })
}

/// Whether the step may be made only when every shard has the one before: no shard may fill or read an index that
/// another one does not maintain yet, or remove what another one still writes.
fn needs_all_shards(step: &TableStep) -> bool {
    match step {
        TableStep::AdvanceIndex { to, .. } => *to != IndexState::Dropping,
        TableStep::RemoveIndex { .. } => true,
        _ => false,
    }
}

fn delete<S: DdlStore>(store: &mut S, id: TableId, schema_version: u32) -> Result<DdlOutcome, S::Fault> {
    let Some(table) = store.installed(id).filter(|table| table.schema_version == schema_version) else {
        return Ok(DdlOutcome::Stale);
    };
    end_stream(store, &table)?;
    uninstall(store, &table)?;
    if store.is_alone() {
        store.delete(system::table(&table.name))?;
    } else {
        let era = store.era() + 1;
        store.set_era(era)?;
        roll_out(store, TablePhase::Deleting, &table)?;
    }
    Ok(DdlOutcome::Deleted(table))
}

/// Remembers that the other shards have to hear of it, where there are any.
fn roll_out<S: DdlStore>(store: &mut S, phase: TablePhase, table: &Arc<TableDescriptor>) -> Result<(), S::Fault> {
    if store.is_alone() {
        return Ok(());
    }
    store.put_rollout(Rollout { phase, table: Arc::clone(table) })
}

fn install_told<S: DdlStore>(store: &mut S, era: u64, table: &TableDescriptor) -> Result<DdlOutcome, S::Fault> {
    if era < store.era() {
        return Ok(DdlOutcome::Stale);
    }
    let current = store.installed(table.id);
    if let Some(current) = current.as_ref().filter(|current| current.schema_version >= table.schema_version) {
        return Ok(DdlOutcome::Installed(Arc::clone(current)));
    }
    let table = shared(table.clone());
    install(store, current, Arc::clone(&table))?;
    Ok(DdlOutcome::Installed(table))
}

fn uninstall_told<S: DdlStore>(store: &mut S, era: u64, table: TableId) -> Result<DdlOutcome, S::Fault> {
    let current = store.installed(table);
    if let Some(current) = &current {
        uninstall(store, current)?;
    }
    if era > store.era() {
        store.set_era(era)?;
    }
    Ok(DdlOutcome::Uninstalled(current))
}

fn confirm_installed<S: DdlStore>(store: &mut S, table: TableId, schema_version: u32) -> Result<DdlOutcome, S::Fault> {
    let is_meant =
        |rollout: &Rollout| rollout.phase != TablePhase::Deleting && rollout.table.schema_version == schema_version;
    if !store.rollout(table).as_ref().is_some_and(is_meant) {
        return Ok(DdlOutcome::Stale);
    }
    store.end_rollout(table)?;
    Ok(DdlOutcome::Confirmed)
}

fn confirm_uninstalled<S: DdlStore>(store: &mut S, table: TableId) -> Result<DdlOutcome, S::Fault> {
    let Some(rollout) = store.rollout(table).filter(|rollout| rollout.phase == TablePhase::Deleting) else {
        return Ok(DdlOutcome::Stale);
    };
    store.delete(system::table(&rollout.table.name))?;
    store.end_rollout(table)?;
    Ok(DdlOutcome::Confirmed)
}

/// Makes `after` the shard's descriptor of a table in place of `before`, and drops the rows of indexes that are gone, the
/// cursors of backfills that are over, and the queue of an attribute of expiry that is none any more.
fn install<S: DdlStore>(
    store: &mut S,
    before: Option<Arc<TableDescriptor>>,
    after: Arc<TableDescriptor>,
) -> Result<(), S::Fault> {
    for index in before.iter().flat_map(|before| &before.indexes) {
        match after.index_by_id(index.id) {
            None => drop_index_rows(store, index)?,
            Some(now) if now.state == IndexState::Active && index.state != IndexState::Active => {
                store.delete(local::backfill(store.shard(), index.id.0))?;
            }
            Some(_) => {}
        }
    }
    let stops =
        |before: &Arc<TableDescriptor>| before.ttl_attribute().is_some_and(|by| after.ttl_attribute() != Some(by));
    if let Some(before) = before.filter(stops) {
        drop_ttl_queue(store, &before)?;
    }
    store.install(after)
}

/// Removes a table from the shard, its rows with it.
fn uninstall<S: DdlStore>(store: &mut S, table: &TableDescriptor) -> Result<(), S::Fault> {
    for tokens in store.ranges() {
        for range in table_ranges(&table_ids(table), tokens.first(), tokens.last()) {
            drop_range(store, range)?;
        }
    }
    store.delete(local::stats(store.shard(), table.id.0))?;
    store.delete(local::ttl_fill(store.shard(), table.id.0))?;
    for index in &table.indexes {
        drop_index_scalars(store, index)?;
    }
    store.uninstall(table)
}

/// The ids under which a table has rows, for the one list of its ranges.
pub fn table_ids(table: &TableDescriptor) -> TableIds {
    TableIds {
        table: table.id.0,
        local_indexes: table.local_indexes().map(|index| index.id.0).collect(),
        global_indexes: table.global_indexes().map(|index| index.id.0).collect(),
    }
}

fn drop_index_rows<S: DdlStore>(store: &mut S, index: &IndexDescriptor) -> Result<(), S::Fault> {
    let space = if index.local { Space::LocalIndex } else { Space::GlobalIndex };
    for tokens in store.ranges() {
        drop_range(store, id_range(space, index.id.0, tokens.first(), tokens.last()))?;
    }
    drop_index_scalars(store, index)
}

/// Empties the expiry queue: enabling time to live again, for any attribute, starts with an unfilled queue.
fn drop_ttl_queue<S: DdlStore>(store: &mut S, table: &TableDescriptor) -> Result<(), S::Fault> {
    for tokens in store.ranges() {
        drop_range(store, id_range(Space::TtlQueue, table.id.0, tokens.first(), tokens.last()))?;
    }
    store.delete(local::ttl_fill(store.shard(), table.id.0))
}

fn drop_index_scalars<S: DdlStore>(store: &mut S, index: &IndexDescriptor) -> Result<(), S::Fault> {
    store.delete(local::stats(store.shard(), index.id.0))?;
    store.delete(local::backfill(store.shard(), index.id.0))
}

fn drop_range<S: DdlStore>(store: &mut S, range: RowRange) -> Result<(), S::Fault> {
    store.delete_range(range.start, range.end)
}

fn next_id<S: DdlStore>(store: &mut S) -> Result<u64, S::Fault> {
    match store.get(&system::next_id())? {
        None => Ok(FIRST_ID),
        Some(bytes) => get_u64(&mut &bytes[..]).map_err(S::corrupt),
    }
}

fn put_next_id<S: DdlStore>(store: &mut S, next: u64) -> Result<(), S::Fault> {
    let mut bytes = Vec::new();
    put_u64(&mut bytes, next);
    store.put(system::next_id(), bytes)
}
