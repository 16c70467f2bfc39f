//! Many transactions at once: is there one serial order that explains what all clients saw?
//!
//! Every item is a list and every write appends its own number, so a list tells the order of all versions before it
//! (`checker::serial`). Clients append to and look at several items on several shards in one TransactWriteItems, append
//! to one item, read one item, and read several in one TransactGetItems; now and then a coordinator goes no further, and others have to finish. Real time
//! counts, too: on one node, with reads that wait for locks, whoever is answered first comes first.
//!
//! With reads that overlook locks the same clients must find a history that no order explains; else this would prove
//! nothing.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use checker::serial::{Anomaly, RealTime, Step as Seen, Transaction as History1, check};
use checker::{History, Outcome as End};
use dynamo_engine::apply::{Outcome, WriteOutcome};
use dynamo_engine::catalog::Catalog;
use dynamo_engine::command::{Change, ClientToken, Command, ItemWrite, Transaction, request_hash};
use dynamo_engine::item::ItemRef;
use dynamo_engine::keyspace::{KeyPart, row_key, token_of};
use dynamo_expression::{Placeholders, Update};
use dynamo_protocol::number::Number;
use dynamo_protocol::ops::TransactGetItemsInput;
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::Value;
use parking_lot::Mutex;
use shard_router::Token;

use super::super::fixture::{TABLE, get, proposed};
use super::{SETTLED_AFTER, SHARDS, create_table, left_behind, start};
use crate::env::Env;
use crate::env::sim::{SimEnv, SimNode, chance_below, run};
use crate::node::Node;
use crate::transaction::{ignore_locks, set_trap};

const KEYS: u64 = 8;
const CLIENTS: usize = 8;
const REQUESTS: u64 = 60;

/// One coordinator in this many goes no further, at some step.
const LOST_IN: u64 = 20;

/// What all clients wrote down.
#[derive(Default)]
struct Record {
    history: Mutex<History<History1>>,
    last_element: Cell64,
}

#[derive(Default)]
struct Cell64(std::sync::atomic::AtomicU64);

impl Cell64 {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
    }
}

/// What one run came to.
struct Verdict {
    anomaly: Option<Anomaly>,
    /// Answered, refused, unknown.
    ends: BTreeMap<End, usize>,
}

fn simulate(seed: u64, locks_are_ignored: bool) -> Verdict {
    ignore_locks(locks_are_ignored);
    let verdict = run(seed, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        machine.scope(create_table(&node)).await;
        set_trap(Some(Rc::new(|_| chance_below(LOST_IN * 7) == 0)));
        let record = Arc::new(Record::default());
        let clients = (0..CLIENTS).map(|_| machine.spawn(client(Arc::clone(&node), Arc::clone(&record))));
        futures::future::join_all(clients.collect::<Vec<_>>()).await;
        set_trap(None);
        machine.scope(SimEnv::sleep(SETTLED_AFTER)).await;
        assert_eq!(left_behind(&node), (0, 0), "seed {seed}: nothing is left behind");
        for key in 0..KEYS {
            machine.scope(read(&node, &record, key)).await;
        }
        let history = record.history.lock();
        let mut ends = BTreeMap::new();
        for entry in history.entries() {
            *ends.entry(entry.outcome).or_default() += 1;
        }
        Verdict { anomaly: check(&history, RealTime::Respected).err(), ends }
    });
    ignore_locks(false);
    verdict
}

async fn client(node: Arc<Node<SimEnv>>, record: Arc<Record>) {
    for _ in 0..REQUESTS {
        match chance_below(5) {
            0 | 1 => transact(&node, &record).await,
            2 => append_one(&node, &record).await,
            3 => read_several(&node, &record).await,
            _ => read(&node, &record, chance_below(KEYS)).await,
        }
        SimEnv::sleep(Duration::from_micros(chance_below(3_000))).await;
    }
}

fn id_of(key: u64) -> String {
    format!("k{key}")
}

fn target(node: &Node<SimEnv>, key: u64) -> (Token, Vec<u8>) {
    let table = node.catalog.installed().table(TABLE).expect("it was created");
    let id = id_of(key);
    let parts = [KeyPart::S(&id)];
    (token_of(table.id.0, &parts), row_key(table.id.0, &parts, &[]))
}

fn write(node: &Node<SimEnv>, key: u64, change: Change) -> ItemWrite {
    let table = node.catalog.installed().table(TABLE).expect("it was created");
    let key = target(node, key).1;
    ItemWrite { table: table.id, schema_version: table.schema_version, key, condition: None, change }
}

fn append(element: u64) -> Change {
    let number = AttributeValue::N(Number::from_i64(element as i64));
    let values: Item = BTreeMap::from([
        (":x".to_owned(), AttributeValue::L(vec![number])),
        (":e".to_owned(), AttributeValue::L(Vec::new())),
    ]);
    let placeholders = Placeholders::new(None, Some(&values));
    let update: Update = placeholders.update("SET l = list_append(if_not_exists(l, :e), :x)").unwrap();
    Change::Update(update)
}

fn list_in(row: Option<&Value>) -> Vec<u64> {
    let Some(row) = row else { return Vec::new() };
    match ItemRef::parse(row).unwrap().attribute("l").unwrap() {
        Some(AttributeValue::L(list)) => list.iter().map(element_in).collect(),
        other => panic!("no list: {other:?}"),
    }
}

fn element_in(value: &AttributeValue) -> u64 {
    match value {
        AttributeValue::N(number) => number.to_string().parse().unwrap(),
        other => panic!("no number: {other:?}"),
    }
}

/// Up to four keys, as a rule of several shards.
fn some_keys() -> Vec<u64> {
    let mut keys: Vec<u64> = (0..2 + chance_below(3)).map(|_| chance_below(KEYS)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Appends to some items and looks at others, all in one.
async fn transact(node: &Node<SimEnv>, record: &Record) {
    let keys = some_keys();
    let appends: Vec<Option<u64>> =
        keys.iter().map(|_| (chance_below(3) > 0).then(|| record.last_element.next())).collect();
    let change = |element: &Option<u64>| element.map_or(Change::Check, append);
    let actions: Vec<ItemWrite> =
        keys.iter().zip(&appends).map(|(key, element)| write(node, *key, change(element))).collect();
    // Every other one has a client token of its own, which may live where none of the items does.
    let token = appends.iter().flatten().next().filter(|element| *element % 2 == 0);
    let client_token = token.map(|element| ClientToken {
        token: format!("token-{element}"),
        request_hash: request_hash(&actions),
        table: actions[0].table,
    });
    let command = Command::Transact(Transaction { client_token, actions });
    let start = SimEnv::monotonic_ns();
    let outcome = proposed(node, target(node, keys[0]).0, command).await;
    let steps = |found: &[WriteOutcome]| {
        let mut steps = Vec::new();
        for ((key, element), write) in keys.iter().zip(&appends).zip(found) {
            steps.push(Seen::Read { key: *key, list: list_in(write.old.as_ref()) });
            steps.extend(element.map(|element| Seen::Append { key: *key, element }));
        }
        steps
    };
    let appended = || {
        let pairs = keys.iter().zip(&appends);
        pairs.filter_map(|(key, element)| Some(Seen::Append { key: *key, element: (*element)? })).collect()
    };
    let (action, end) = match outcome {
        Ok(Outcome::Transacted { actions, .. }) => (steps(&actions), End::Ok),
        Ok(Outcome::Cancelled(_)) => (appended(), End::Failed),
        Ok(other) => panic!("{other:?}"),
        Err(_) => (appended(), End::Unknown),
    };
    record.history.lock().push(start, SimEnv::monotonic_ns(), action, end);
}

async fn append_one(node: &Node<SimEnv>, record: &Record) {
    let (key, element) = (chance_below(KEYS), record.last_element.next());
    let command = Command::Write(write(node, key, append(element)));
    let start = SimEnv::monotonic_ns();
    let appended = Seen::Append { key, element };
    let (action, end) = match proposed(node, target(node, key).0, command).await {
        Ok(Outcome::Written(write)) => (vec![Seen::Read { key, list: list_in(write.old.as_ref()) }, appended], End::Ok),
        Ok(Outcome::Conflict) => (vec![appended], End::Failed),
        Ok(other) => panic!("{other:?}"),
        Err(_) => (vec![appended], End::Unknown),
    };
    record.history.lock().push(start, SimEnv::monotonic_ns(), action, end);
}

/// A GetItem, through the guard.
async fn read(node: &Node<SimEnv>, record: &Record, key: u64) {
    let start = SimEnv::monotonic_ns();
    let Ok(body) = get(node, &id_of(key)).await else { return };
    let list = list_of(&body);
    record.history.lock().push(start, SimEnv::monotonic_ns(), vec![Seen::Read { key, list }], End::Ok);
}

/// A TransactGetItems over several shards. A conflict says nothing about the items.
async fn read_several(node: &Node<SimEnv>, record: &Record) {
    let keys = some_keys();
    let gets: Vec<String> = keys
        .iter()
        .map(|key| format!(r#"{{"Get":{{"TableName":"{TABLE}","Key":{{"id":{{"S":"{}"}}}}}}}}"#, id_of(*key)))
        .collect();
    let request = format!(r#"{{"TransactItems":[{}]}}"#, gets.join(","));
    let input = TransactGetItemsInput::from_json(request.as_bytes()).unwrap();
    let plan = dynamo_engine::plan::transact_get_items::plan(input, &*node.catalog.installed()).unwrap();
    let start = SimEnv::monotonic_ns();
    let Ok(read) = node.reader.execute(plan, node.deadline()).await else { return };
    let body = read.into_body();
    let body = String::from_utf8(body).unwrap();
    let mut steps = Vec::new();
    for key in keys {
        let wanted = format!(r#"{{"S":"{}"}}"#, id_of(key));
        let item = body.split(r#"{"Item":"#).find(|item| item.contains(&wanted));
        steps.push(Seen::Read { key, list: item.map_or_else(Vec::new, list_of) });
    }
    record.history.lock().push(start, SimEnv::monotonic_ns(), steps, End::Ok);
}

/// The numbers of `"l":{"L":[{"N":"1"},…]}`.
fn list_of(body: &str) -> Vec<u64> {
    let Some((_, rest)) = body.split_once(r#""l":{"L":["#) else { return Vec::new() };
    let list = rest.split(']').next().unwrap_or_default();
    let numbers = list.split(',').filter(|element| !element.is_empty());
    numbers.map(|element| element.trim_start_matches(r#"{"N":""#).trim_end_matches(r#""}"#).parse().unwrap()).collect()
}

#[test]
fn one_serial_order_explains_what_all_clients_saw() {
    let ends: Cell<[usize; 3]> = Cell::default();
    for seed in 131..137 {
        let verdict = simulate(seed, false);
        assert_eq!(verdict.anomaly, None, "seed {seed}");
        let of = |end| verdict.ends.get(&end).copied().unwrap_or(0);
        let [ok, failed, unknown] = ends.get();
        ends.set([ok + of(End::Ok), failed + of(End::Failed), unknown + of(End::Unknown)]);
    }
    let [ok, failed, unknown] = ends.get();
    assert!(ok > 1_200 && failed > 100 && unknown > 10, "too quiet to say anything: {ok} {failed} {unknown}");
}

#[test]
fn without_a_look_at_the_locks_no_order_explains_it() {
    let found = (131..171).find(|seed| simulate(*seed, true).anomaly.is_some());
    assert!(found.is_some(), "reads that overlook locks were not noticed");
}
