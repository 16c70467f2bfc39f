//! One piece of work about a table, over all shards.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::apply::{Outcome, Rejection};
use dynamo_engine::catalog::{Catalog, DdlCommand, DdlWork, TableDescriptor};
use dynamo_engine::command::{BackfillStep, Command};
use futures::future::join_all;

use crate::env::Env;
use crate::router::Router;
use crate::shard::{Deadline, Shard, ShardError};

/// Base rows that one backfill command visits: a few milliseconds of applying, so that live writes go on in between.
const BACKFILL_ROWS: u32 = 256;

/// How long one command may wait for its outcome. A shard without a leader gets one within an election.
const STEP_DEADLINE: Duration = Duration::from_secs(5);

/// How long a backfill leaves a shard alone whose entries for other shards have to be delivered first.
const BEHIND_REST: Duration = Duration::from_millis(50);

/// How often it asks such a shard before it looks again what is to do.
const BEHIND_MAX: u32 = 40;

/// Does one piece. That it came to nothing is seen in the catalog, which is as before.
///
/// # Errors
/// That some shard gave no outcome; the others have done their part.
pub(super) async fn run<E: Env>(router: &Router<E>, work: &DdlWork) -> Result<(), ShardError> {
    match work {
        DdlWork::Install { command, table, then } => {
            let mut told = Vec::new();
            for shard in other_shards(router).filter(|shard| !has_installed(shard, table)) {
                told.push(tell(router, shard, command));
            }
            confirm(router, join_all(told).await, then).await
        }
        DdlWork::Uninstall { command, table, era, then } => {
            let mut told = Vec::new();
            for shard in other_shards(router).filter(|shard| !has_uninstalled(shard, table, *era)) {
                told.push(tell(router, shard, command));
            }
            confirm(router, join_all(told).await, then).await
        }
        DdlWork::Propose(command) => decide(router, command).await,
        DdlWork::Backfill { table, schema_version, index, then } => {
            let step =
                BackfillStep { table: *table, schema_version: *schema_version, index: *index, rows: BACKFILL_ROWS };
            let mut filled = Vec::new();
            for shard in &router.shards {
                filled.push(fill(router, shard, step));
            }
            confirm(router, join_all(filled).await, then).await
        }
    }
}

/// Proposes `then` to the system group when every shard has done its part.
async fn confirm<E: Env>(
    router: &Router<E>,
    results: Vec<Result<bool, ShardError>>,
    then: &DdlCommand,
) -> Result<(), ShardError> {
    let mut all = true;
    for result in results {
        all &= result?;
    }
    if all { decide(router, then).await } else { Ok(()) }
}

async fn decide<E: Env>(router: &Router<E>, command: &DdlCommand) -> Result<(), ShardError> {
    propose(router, router.system(), Command::Ddl(command.clone())).await.map(|_| ())
}

/// Has a shard install or uninstall; whether it did. It does not where it has heard of a later era than the command's.
async fn tell<E: Env>(router: &Router<E>, shard: &Arc<Shard<E>>, command: &DdlCommand) -> Result<bool, ShardError> {
    let outcome = propose(router, shard, Command::Ddl(command.clone())).await?;
    Ok(matches!(outcome, Outcome::Ddl(DdlOutcome::Installed(_) | DdlOutcome::Uninstalled(_))))
}

/// Fills an index from the rows of one shard; whether it was filled to the end.
async fn fill<E: Env>(router: &Router<E>, shard: &Arc<Shard<E>>, step: BackfillStep) -> Result<bool, ShardError> {
    let mut behind = 0;
    loop {
        match propose(router, shard, Command::BackfillStep(step)).await? {
            Outcome::Backfilled { done: false } => {}
            Outcome::Backfilled { done: true } => return Ok(true),
            Outcome::Rejected(Rejection::Behind) if behind < BEHIND_MAX => {
                behind += 1;
                E::sleep(BEHIND_REST).await;
            }
            // The table changed meanwhile: look again what is to do.
            _ => return Ok(false),
        }
    }
}

async fn propose<E: Env>(router: &Router<E>, shard: &Arc<Shard<E>>, command: Command) -> Result<Outcome, ShardError> {
    router.propose_to(shard, command, Deadline::after::<E>(STEP_DEADLINE)).await
}

/// Whether this node's replica of the shard shows the table in that version or a later one.
fn has_installed<E: Env>(shard: &Shard<E>, table: &TableDescriptor) -> bool {
    let installed = shard.group().published().catalog().described(&table.name);
    installed.is_some_and(|(installed, _)| installed.id == table.id && installed.schema_version >= table.schema_version)
}

/// Whether this node's replica of the shard shows that the table is gone for good: it is not there, and the shard has
/// heard of an era in which it was deleted, so that it will never install it (again).
fn has_uninstalled<E: Env>(shard: &Shard<E>, table: &TableDescriptor, era: u64) -> bool {
    let catalog = shard.group().published().catalog();
    catalog.era() >= era && catalog.described(&table.name).is_none_or(|(installed, _)| installed.id != table.id)
}

/// The shards besides the system group's own.
fn other_shards<E: Env>(router: &Router<E>) -> impl Iterator<Item = &Arc<Shard<E>>> {
    let system = router.system().id();
    router.shards.iter().filter(move |shard| shard.id() != system)
}
