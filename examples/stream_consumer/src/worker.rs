//! Finds shards, takes leases, and lets readers read.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::database::Database;
use crate::leases::{Leases, Row};
use crate::sink::Sink;
use crate::{Arguments, Error, reader, streams};

/// How long between two looks at shards and leases, at most; a third of a lease where that is less.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the streams of the table until the program is killed, or, where it was asked to, until they are over.
///
/// # Errors
/// What the database refuses, or what cannot be handled.
pub async fn run(arguments: Arguments) -> Result<(), Error> {
    let database = Database::new(&arguments.endpoint);
    let me = format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one("consumer"));
    let sink = match (&arguments.copy_to, &arguments.run) {
        (Some(table), _) => Sink::Copy(table.clone()),
        (None, Some(program)) => Sink::Run(program.clone()),
        (None, None) => Sink::Print,
    };
    let mut leases = Leases::open(database.clone(), &arguments.checkpoints, &me, arguments.lease()).await?;
    let mut readers: HashMap<String, JoinHandle<Result<(), Error>>> = HashMap::new();
    loop {
        let discovered = streams::discover(&database, &arguments.table).await?;
        let rows = leases.all().await?;
        for key in
            readers.iter().filter(|(_, reader)| reader.is_finished()).map(|(key, _)| key.clone()).collect::<Vec<_>>()
        {
            if let Some(reader) = readers.remove(&key) {
                reader.await??;
            }
        }
        let done = rows.values().map(|row| (row.key.clone(), row.is_done)).collect();
        let ready = streams::ready(&discovered.shards, &done);
        if ready.is_empty() && readers.is_empty() && !discovered.is_live && arguments.until_disabled {
            return Ok(());
        }
        for shard in ready {
            let key = shard.key();
            let row = rows.get(&key);
            if readers.contains_key(&key) || !leases.is_free(row) {
                continue;
            }
            if let Some(lease) = leases.take(&key, row).await? {
                let read = reader::read(database.clone(), shard.clone(), lease, sink.clone());
                readers.insert(key, tokio::spawn(read));
                // One in each round, so that several consumers that start together share them.
                if is_shared(&rows, &me) {
                    break;
                }
            }
        }
        tokio::time::sleep(LOOK.min(arguments.lease() / 3)).await;
    }
}

/// Whether other consumers hold leases.
fn is_shared(rows: &std::collections::BTreeMap<String, Row>, me: &str) -> bool {
    rows.values().any(|row| row.owner.as_deref().is_some_and(|owner| owner != me))
}
