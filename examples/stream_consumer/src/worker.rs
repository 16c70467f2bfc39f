//! Finds shards, takes leases, and lets readers read.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::database::Database;
use crate::leases::{Leases, Row};
use crate::sink::Sink;
use crate::{Arguments, Error, preflight, reader, streams};

/// How long between two looks at shards and leases, at most; a third of a lease where that is less.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the streams of the table until the program is killed, or, where it was asked to, until they are over.
///
/// # Errors
/// What the database refuses, or what cannot be handled.
pub async fn run(arguments: Arguments) -> Result<(), Error> {
    let database = Database::new(&arguments.endpoints());
    preflight::check(&database, &arguments).await?;
    let me = format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one("consumer"));
    let sink = match (&arguments.copy_to, &arguments.run) {
        (Some(table), _) => Sink::Copy(table.clone()),
        (None, Some(program)) => Sink::Run(program.clone()),
        (None, None) => Sink::Print,
    };
    let mut leases = Leases::open(database.clone(), &arguments.checkpoints, &me, arguments.lease()).await?;
    let mut readers = JoinSet::new();
    let mut reading = BTreeSet::new();
    loop {
        let discovered = streams::discover(&database, &arguments.table).await?;
        let rows = leases.all().await?;
        let done = rows.values().map(|row| (row.key.clone(), row.is_done)).collect();
        let ready = streams::ready(&discovered.shards, &done);
        if ready.is_empty() && reading.is_empty() && !discovered.is_live && arguments.until_disabled {
            return Ok(());
        }
        for shard in ready {
            let key = shard.key();
            let row = rows.get(&key);
            if reading.contains(&key) || !leases.is_free(row) {
                continue;
            }
            if let Some(lease) = leases.take(&key, row).await? {
                let read = reader::read(database.clone(), shard.clone(), lease, sink.clone());
                reading.insert(key.clone());
                readers.spawn(async move { (key, read.await) });
                // One in each round, so that several consumers that start together share them.
                if is_shared(&rows, &me) {
                    break;
                }
            }
        }
        // Where a reader comes to an end, there may be children to be read.
        let pause = tokio::time::sleep(LOOK.min(arguments.lease() / 3));
        tokio::select! {
            () = pause => {}
            Some(ended) = readers.join_next() => {
                let (key, result) = ended?;
                result?;
                reading.remove(&key);
            }
        }
    }
}

/// Whether other consumers hold leases.
fn is_shared(rows: &BTreeMap<String, Row>, me: &str) -> bool {
    rows.values().any(|row| row.owner.as_deref().is_some_and(|owner| owner != me))
}
