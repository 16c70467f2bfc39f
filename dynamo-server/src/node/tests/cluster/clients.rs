//! Clients: each stays with one machine, whatever becomes of it, and writes down what it asked and was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use checker::register::Action;
use checker::{History, Outcome};
use dynamo_engine::apply::Outcome as Applied;
use dynamo_engine::catalog::Catalog;
use dynamo_engine::command::{Change, Command, ItemWrite};
use dynamo_engine::item::ItemBody;
use dynamo_engine::keyspace::{KeyPart, row_key, token_of};
use dynamo_protocol::value::{AttributeValue, Item};
use parking_lot::Mutex;

use super::super::fixture::{TABLE, get, proposed};
use super::world::{World, true_ns};
use crate::env::sim::{SimEnv, chance_below};
use crate::node::Node;
use crate::shard::ShardError;

/// Registers that the clients share.
const KEYS: u64 = 3;

/// Clients of each machine.
const CLIENTS_PER_NODE: u64 = 2;

/// A client thinks for less than this many milliseconds between two requests.
const THINK_MS: u64 = 40;

/// A client that got nothing waits a little.
const REFUSED_PAUSE: Duration = Duration::from_millis(25);

/// What all clients have seen.
#[derive(Default)]
pub struct Record {
    histories: Mutex<BTreeMap<u64, History<Action>>>,
    /// The last value that was given to a write.
    last_value: AtomicU64,
    /// Clients read only while this is set.
    no_writes: AtomicBool,
    /// Clients stop when this is set.
    stopped: AtomicBool,
    pub reads: AtomicU64,
    pub writes: AtomicU64,
    pub unknown: AtomicU64,
    /// Snapshots that were installed.
    pub snapshots: AtomicU64,
    /// When the last write was acknowledged.
    pub last_write_ns: AtomicU64,
    /// What a scenario found wrong itself.
    blamed: Mutex<Option<String>>,
}

impl Record {
    /// Lets clients write or keeps them from it.
    pub fn allow_writes(&self, allowed: bool) {
        self.no_writes.store(!allowed, Ordering::Relaxed);
    }

    /// Says what a scenario found wrong.
    pub fn blame(&self, wrong: String) {
        self.blamed.lock().get_or_insert(wrong);
    }

    /// What a scenario found wrong first.
    pub fn blamed(&self) -> Option<String> {
        self.blamed.lock().clone()
    }

    /// Ends all clients.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The first violation of linearizability.
    pub fn violation(&self) -> Option<String> {
        let histories = self.histories.lock();
        let checked = checker::register::check_each(histories.iter().map(|(key, history)| (*key, history)));
        let (key, violation) = checked.err()?;
        Some(format!("key {key}: {violation}"))
    }

    fn push(&self, key: u64, start: u64, action: Action, outcome: Outcome) {
        let end = true_ns();
        match (action, outcome) {
            (Action::Write(_), Outcome::Ok) => {
                self.writes.fetch_add(1, Ordering::Relaxed);
                self.last_write_ns.store(end, Ordering::Relaxed);
            }
            (_, Outcome::Ok) => drop(self.reads.fetch_add(1, Ordering::Relaxed)),
            (_, Outcome::Unknown) => drop(self.unknown.fetch_add(1, Ordering::Relaxed)),
            (_, Outcome::Failed) => {}
        }
        self.histories.lock().entry(key).or_default().push(start, end, action, outcome);
    }
}

/// Starts the clients of every machine.
pub fn start(world: &Arc<World>, record: &Arc<Record>) -> Vec<tokio::task::JoinHandle<()>> {
    let homes = world.machines().into_iter().flat_map(|home| std::iter::repeat_n(home, CLIENTS_PER_NODE as usize));
    homes.map(|home| tokio::spawn(client(Arc::clone(world), Arc::clone(record), home))).collect()
}

async fn client(world: Arc<World>, record: Arc<Record>, home: u64) {
    while !record.stopped.load(Ordering::Relaxed) {
        let key = chance_below(KEYS);
        let is_write = chance_below(2) == 0 && !record.no_writes.load(Ordering::Relaxed);
        let served = match world.node(home) {
            None => false,
            Some(node) if is_write => write(&world, &record, home, node, key).await,
            Some(node) => read(&world, &record, home, node, key).await,
        };
        if !served {
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
        tokio::time::sleep(Duration::from_millis(chance_below(THINK_MS))).await;
    }
}

/// Whether the write was acknowledged. It runs on the machine and dies with it; its outcome is unknown then.
async fn write(world: &World, record: &Record, home: u64, node: Arc<Node<SimEnv>>, key: u64) -> bool {
    let value = record.last_value.fetch_add(1, Ordering::Relaxed) + 1;
    let start = true_ns();
    let outcome = match world.machine(home).spawn(async move { put(&node, key, value).await }).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Unknown,
    };
    record.push(key, start, Action::Write(value), outcome);
    outcome == Outcome::Ok
}

async fn put(node: &Node<SimEnv>, key: u64, value: u64) -> Outcome {
    let Some(table) = node.catalog.installed().table(TABLE) else { return Outcome::Failed };
    let id = key.to_string();
    let parts = [KeyPart::S(&id)];
    let item: Item = BTreeMap::from([
        ("id".to_owned(), AttributeValue::S(id.clone())),
        ("value".to_owned(), AttributeValue::S(value.to_string())),
    ]);
    let write = ItemWrite {
        table: table.id,
        schema_version: table.schema_version,
        key: row_key(table.id.0, &parts, &[]),
        condition: None,
        change: Change::Put(ItemBody::encode(&item)),
    };
    match proposed(node, token_of(table.id.0, &parts), Command::Write(write)).await {
        Ok(Applied::Written(_)) => Outcome::Ok,
        Ok(_) | Err(ShardError::NotLeader { .. } | ShardError::Overloaded | ShardError::DiskFull) => Outcome::Failed,
        Err(_) => Outcome::Unknown,
    }
}

/// Whether the read was answered.
async fn read(world: &World, record: &Record, home: u64, node: Arc<Node<SimEnv>>, key: u64) -> bool {
    let start = true_ns();
    let answer = world.machine(home).spawn(async move {
        node.catalog.installed().table(TABLE)?;
        get(&node, &key.to_string()).await.ok()
    });
    let Ok(Some(body)) = answer.await else { return false };
    record.push(key, start, Action::Read(value_of(&body)), Outcome::Ok);
    true
}

/// The value in a GetItem's answer, `None` where there is no item.
fn value_of(body: &str) -> Option<u64> {
    let (_, rest) = body.split_once(r#""value":{"S":""#)?;
    let digits = rest.split('"').next()?;
    Some(digits.parse().expect("only numbers were written"))
}
