//! Finds shards, takes leases, and lets readers read.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::balance::{self, Held, Step};
use crate::database::Database;
use crate::leases::Leases;
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
    // Each with a sign that it is to be given back.
    let mut reading = BTreeMap::<String, Arc<AtomicBool>>::new();
    loop {
        let discovered = streams::discover(&database, &arguments.table).await?;
        let rows = leases.all().await?;
        let done = rows.values().map(|row| (row.key.clone(), row.is_done)).collect();
        let ready = streams::ready(&discovered.shards, &done);
        if ready.is_empty() && reading.is_empty() && !discovered.is_live && arguments.until_disabled {
            return Ok(());
        }
        // Who was asked for a shard gives it back behind the page that he reads.
        for (key, gives_back) in &reading {
            let heir = rows.get(key).and_then(|row| row.heir.as_deref());
            gives_back.store(heir.is_some_and(|heir| heir != me), Ordering::Relaxed);
        }
        let held = |shard: &&streams::Shard| leases.held(shard.key(), rows.get(&shard.key()));
        let mut shards: Vec<Held> = ready.iter().map(held).collect();
        let is_shared = shards.iter().flat_map(|shard| [&shard.owner, &shard.heir]).flatten().any(|name| *name != me);
        while let Some(step) = balance::next_step(&shards, &me) {
            let (Step::Take(key) | Step::Ask(key)) = step;
            let at = shards.iter().position(|shard| shard.key == key).ok_or("a step is about one of the shards")?;
            let row = rows.get(key);
            match step {
                Step::Take(_) if reading.contains_key(key) => {}
                Step::Take(key) => {
                    if let Some(lease) = leases.take(key, row).await? {
                        let (key, gives_back) = (key.to_owned(), Arc::new(AtomicBool::new(false)));
                        reading.insert(key.clone(), Arc::clone(&gives_back));
                        let read = reader::read(database.clone(), ready[at].clone(), lease, sink.clone(), gives_back);
                        readers.spawn(async move { (key, read.await) });
                    }
                }
                Step::Ask(_) => {
                    if let Some(row) = row {
                        leases.ask_for(row).await?;
                    }
                }
            }
            // One in each round where there are others, so that several that start together share them.
            if is_shared {
                break;
            }
            // Mine, or somebody else's who was quicker.
            shards[at].owner = Some(me.clone());
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
