//! Driving a table to where it was asked to be.
//!
//! A change of the catalog is one command, but some changes go on: an index that is added is written, then filled, then
//! active. What is left to do is a pure function of the installed descriptor, so whoever starts, after a change or
//! after a crash, finds the same work; a driver proposes it piece by piece until there is none. Two drivers of one
//! table do no harm, since each step names the version that it is made for.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::catalog::{Catalog, DdlWork, TableId, next_ddl_step};
use dynamo_engine::command::{BackfillStep, Command};
use futures::future::join_all;

use crate::env::Env;
use crate::shard::{Deadline, Shard, ShardError};

/// Base rows that one backfill command visits: a few milliseconds of applying, so that live writes go on in between.
const BACKFILL_ROWS: u32 = 256;

/// How long one step may wait for its outcome.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// How long a driver rests after a step that changed nothing.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// How often a leader that has resumed everything looks whether it still leads.
const LEADING_INTERVAL: Duration = Duration::from_secs(1);

/// Goes on, each time this node begins to lead, with what a crash or another leader has left undone.
pub(super) async fn resume<E: Env>(shard: Arc<Shard<E>>) {
    loop {
        shard.group().lease().wait_leading().await;
        let term = shard.group().lease().leading_term();
        let catalog = shard.group().published().catalog();
        let tables: Vec<_> =
            catalog.table_names(None, usize::MAX).iter().filter_map(|name| catalog.table(name)).collect();
        join_all(tables.into_iter().map(|table| drive(Arc::clone(&shard), table.id))).await;
        while shard.group().lease().leading_term() == term && term.is_some() {
            E::sleep(LEADING_INTERVAL).await;
        }
    }
}

/// Works on `table` until nothing is left to do, or the table, the leadership or the node is gone.
pub(super) async fn drive<E: Env>(shard: Arc<Shard<E>>, table: TableId) {
    while let Some((version, work)) = next(&shard, table) {
        match step(&shard, work).await {
            Ok(()) => {}
            // Another leader does it.
            Err(ShardError::Stopped | ShardError::NotLeader { .. }) => return,
            Err(error) => tracing::warn!(table = table.0, %error, "a step of a table's change has no outcome yet"),
        }
        if next(&shard, table).is_some_and(|(now, _)| now == version) {
            // Nothing came of it: do not fill the log with the same step.
            E::sleep(RETRY_AFTER).await;
        }
    }
}

/// The table's version, and what is left to do about it.
fn next<E: Env>(shard: &Shard<E>, table: TableId) -> Option<(u32, DdlWork)> {
    let table = shard.group().published().catalog().table_by_id(table)?;
    Some((table.schema_version, next_ddl_step(&table)?))
}

async fn step<E: Env>(shard: &Shard<E>, work: DdlWork) -> Result<(), ShardError> {
    match work {
        // There are no other shards yet.
        DdlWork::Install { .. } | DdlWork::Uninstall { .. } => Ok(()),
        DdlWork::Propose(command) => propose(shard, Command::Ddl(command)).await.map(|_| ()),
        DdlWork::Backfill { table, schema_version, index, then } => {
            let step = BackfillStep { table, schema_version, index, rows: BACKFILL_ROWS };
            loop {
                match propose(shard, Command::BackfillStep(step)).await? {
                    Outcome::Backfilled { done: false } => {}
                    Outcome::Backfilled { done: true } => break,
                    // The table changed meanwhile: look again what is to do.
                    _ => return Ok(()),
                }
            }
            propose(shard, Command::Ddl(then)).await.map(|_| ())
        }
    }
}

async fn propose<E: Env>(shard: &Shard<E>, command: Command) -> Result<Outcome, ShardError> {
    shard.propose(command, Deadline::after::<E>(STEP_DEADLINE)).await
}

/// The table that a change leaves with possibly more to do.
pub(super) fn changed_table(outcome: &DdlOutcome) -> Option<TableId> {
    match outcome {
        DdlOutcome::Created(table) | DdlOutcome::Installed(table) => Some(table.id),
        DdlOutcome::Changed { after, .. } => Some(after.id),
        DdlOutcome::Deleted(_)
        | DdlOutcome::Uninstalled(_)
        | DdlOutcome::Confirmed
        | DdlOutcome::TableExists { .. }
        | DdlOutcome::Stale => None,
    }
}
