//! A command that takes longer than others may wait: it is applied on another thread.
//!
//! Most commands take microseconds, and to hand one to another thread and back takes longer than that. So each is tried where the
//! group's ticks and heartbeats, and on small machines connections too, are served; one that turns out to take more than a
//! turn may ([`Fault::TooLong`]) has changed nothing, and is begun again here, without that limit. What comes of it
//! is the same.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dynamo_engine::apply::{Applier, Fault, Outcome, ShardState, Suspended, UNLIMITED};
use dynamo_engine::command::Stamped;
use ordered_kv::{StateStore, StoreError};

use super::quarantine::panic_text;
use crate::env::Env;
use crate::raft::payload::Payload;

/// Why an entry was not applied.
pub(in crate::raft) enum Failure {
    /// The node's disk: the node stops.
    Node(String),
    /// The store cannot read back what it has of the shard: the shard stops, whatever the entry.
    Damage(String),
    /// The entry, or what it met: the shard stops.
    Entry { command: &'static str, reason: String },
}

impl Failure {
    pub(in crate::raft) fn of_entry(command: &'static str, reason: String) -> Failure {
        Failure::Entry { command, reason }
    }
}

/// What is taken to the other thread, and comes back.
pub(in crate::raft) struct LongCommand {
    /// What it reads.
    pub(in crate::raft) store: Arc<dyn StateStore>,
    /// The machine has none meanwhile.
    pub(in crate::raft) shard: ShardState,
    /// The entry as far as it is applied.
    pub(in crate::raft) entry: Suspended,
    /// The whole entry.
    pub(in crate::raft) payload: Payload,
    /// The place of the command in it.
    pub(in crate::raft) at: usize,
}

impl LongCommand {
    /// Applies it. The shard and the entry come back whatever becomes of it.
    pub(in crate::raft) async fn apply<E: Env>(self) -> (ShardState, Option<Suspended>, Result<Outcome, Failure>) {
        E::blocking(move || {
            let LongCommand { store, mut shard, entry, payload, at } = self;
            let Some(stamped) = payload.entry().ok().and_then(|entry| entry.commands.get(at)) else {
                return (shard, None, Err(Failure::of_entry("commands", "they have changed".to_owned())));
            };
            let mut applier = entry.resume(&mut shard, &*store);
            let outcome =
                attempt::<E, _>(&payload, stamped, &mut applier, |applier, stamped| applier.apply(stamped, UNLIMITED));
            // What it did is no work of a turn.
            applier.take_work();
            let entry = applier.suspend();
            (shard, Some(entry), outcome)
        })
        .await
    }
}

/// Applies a command in this way, and says whose fault it is where that fails.
pub(in crate::raft) fn attempt<'a, E: Env, T>(
    payload: &Payload,
    stamped: &Stamped,
    applier: &mut Applier<'a>,
    apply: impl FnOnce(&mut Applier<'a>, &Stamped) -> Result<T, Fault>,
) -> Result<T, Failure> {
    // After a panic or fault the shard's state is of no use any more, and is not used any more.
    let applied = catch_unwind(AssertUnwindSafe(|| {
        E::before_apply(payload.bytes());
        apply(applier, stamped)
    }));
    let command = stamped.command.name();
    match applied {
        Ok(Ok(applied)) => Ok(applied),
        Ok(Err(Fault::Store(StoreError::Corruption(reason)))) => Err(Failure::Damage(reason)),
        Ok(Err(Fault::Store(error))) => {
            Err(Failure::Node(format!("applying an entry failed: the store failed: {error}")))
        }
        Ok(Err(fault)) => Err(Failure::of_entry(command, format!("applying it failed: {fault}"))),
        Err(panic) => Err(Failure::of_entry(command, format!("applying it panicked: {}", panic_text(&*panic)))),
    }
}
