//! Applies the commands that change the catalog.
//!
//! | command | decided by | writes |
//! |---|---|---|
//! | `CreateTable` | catalog row: is the name free? | catalog row, counter, installed descriptor |
//! | `ChangeTable` | installed version | catalog row, counter, installed descriptor; rows of a removed index go |
//! | `DeleteTable` | installed version | catalog row and installed descriptor go, and every row of the table |
//! | `Install` | installed version | installed descriptor; rows of removed indexes go |
//! | `Uninstall` | | installed descriptor and every row of the table go |
//!
//! The first three run in the system group, the last two on the other shards; both use `install` and `uninstall`,
//! so a shard is changed by one piece of code only. All are deterministic: time is the command's stamp, ids come from a
//! row, the UUID is a hash of both.

mod outcome;
mod store;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;
mod uuid;

use std::sync::Arc;

use crate::catalog::{DdlCommand, IndexDescriptor, IndexId, TableDescriptor, TableId, TableStep};
use crate::codec::{get_u64, put_u64};
use crate::keyspace::{RowRange, Space, TableIds, id_range, local, system, table_ranges};

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
        DdlCommand::Install(table) => {
            let current = store.installed(table.id);
            if let Some(current) = current.as_ref().filter(|current| current.schema_version >= table.schema_version) {
                return Ok(DdlOutcome::Installed(Arc::clone(current)));
            }
            let table = Arc::new((**table).clone());
            install(store, current, Arc::clone(&table))?;
            Ok(DdlOutcome::Installed(table))
        }
        DdlCommand::Uninstall { table } => {
            let current = store.installed(*table);
            if let Some(current) = &current {
                uninstall(store, current)?;
            }
            Ok(DdlOutcome::Uninstalled(current))
        }
    }
}

fn create<S: DdlStore>(store: &mut S, planned: &TableDescriptor) -> Result<DdlOutcome, S::Fault> {
    let row = system::table(&planned.name);
    if store.get(&row)?.is_some() {
        return Ok(DdlOutcome::TableExists { name: planned.name.clone() });
    }
    let base = next_id(store)?;
    let table = Arc::new(complete(planned, base, store.now_ms()));
    put_next_id(store, base + 1 + planned.indexes.len() as u64)?;
    store.put(row, table.to_bytes())?;
    install(store, None, Arc::clone(&table))?;
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
    let mut after = (*before).clone();
    let first_free = next_id(store)?;
    let mut next = first_free;
    let now_ms = store.now_ms();
    if !steps.iter().all(|step| after.step(step, now_ms, &mut next)) {
        return Ok(DdlOutcome::Stale);
    }
    after.schema_version += 1;
    let after = Arc::new(after);
    if next != first_free {
        put_next_id(store, next)?;
    }
    store.put(system::table(&after.name), after.to_bytes())?;
    install(store, Some(Arc::clone(&before)), Arc::clone(&after))?;
    Ok(DdlOutcome::Changed { before, after })
}

fn delete<S: DdlStore>(store: &mut S, id: TableId, schema_version: u32) -> Result<DdlOutcome, S::Fault> {
    let Some(table) = store.installed(id).filter(|table| table.schema_version == schema_version) else {
        return Ok(DdlOutcome::Stale);
    };
    store.delete(system::table(&table.name))?;
    uninstall(store, &table)?;
    Ok(DdlOutcome::Deleted(table))
}

/// Makes `after` the shard's descriptor of a table in place of `before`, and drops the rows of indexes that are gone.
fn install<S: DdlStore>(
    store: &mut S,
    before: Option<Arc<TableDescriptor>>,
    after: Arc<TableDescriptor>,
) -> Result<(), S::Fault> {
    let removed = before.iter().flat_map(|before| &before.indexes);
    for index in removed.filter(|index| after.index_by_id(index.id).is_none()) {
        drop_index_rows(store, index)?;
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
