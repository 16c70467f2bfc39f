//! A stream while machines, disks and the network do harm: what a consumer sees, replayed, is the table.
//!
//! Writers on every machine put, change and delete a few items, alone, in transactions over several shards and by PartiQL; some
//! of the items have expired, and time to live deletes them; stream shards roll over every two seconds. A consumer goes from machine to machine, reads parents before children, a few records at a
//! time, some pages twice. In the end:
//!
//! - every record fits the one before it of the same item: its old image is the item as it was, so no change is lost, seen
//!   twice, or out of order;
//! - what all records come to is the table;
//! - what was acknowledged stands in exactly one record;
//! - the stream read once more from its beginning is what the consumer has seen;
//! - what time to live has deleted is said to be so, and had expired;
//! - all replicas hold the same bytes, stream records among them, also those that a snapshot brought.
//!
//! A stream that is switched on and off meanwhile has what was written while it was on, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::apply::Outcome;
use dynamo_engine::catalog::{Catalog, StreamStatus, StreamView, TableDescriptor};
use dynamo_engine::command::{Change, Command, ItemWrite, Transaction};
use dynamo_engine::item::{ItemBody, ItemRef};
use dynamo_engine::keyspace::{KeyPart, Space, id_prefix, row_key, token_of};
use dynamo_engine::stream::{
    EventName, SequenceNumber, StreamId, StreamPolicy, StreamRecord, StreamRequest, StreamResponse, StreamShard,
    StreamShardId,
};
use dynamo_protocol::error::ErrorKind;
use dynamo_protocol::number::Number;
use dynamo_protocol::ops::Operation;
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::{Direction, KeyRange, Reader};
use parking_lot::Mutex;
use shard_router::ShardId;

use super::tables::{ask, harm, insist};
use crate::env::Env;
use crate::env::sim::{SimEnv, chance_below, run};
use crate::guard::Handler;
use crate::node::Node;
use crate::node::tests::cluster::clients::Record;
use crate::node::tests::cluster::scenarios::Scenario;
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::fixture::{TABLE, proposed};

/// Items that the writers share.
const KEYS: u64 = 5;

/// A writer and the consumer think for less than this many milliseconds.
const THINK_MS: u64 = 60;

/// Seeds of each scenario in the normal check; `SIM_SEEDS` for more. A seed takes 3.4 seconds of one core in profile
/// `checked`.
const SEEDS: u64 = 2;

/// How long everything may take to come to its end once all is mended.
const SETTLE_MAX: Duration = Duration::from_secs(120);

const POLICY: StreamPolicy = StreamPolicy { roll_ms: 2_000, roll_bytes: 2_000, retention_ms: 3_600_000 };

/// What the writers have done.
#[derive(Default)]
struct Writes {
    last_value: Mutex<u64>,
    /// Values whose puts were acknowledged.
    acknowledged: Mutex<BTreeSet<u64>>,
    /// Of them, by PartiQL.
    by_statement: AtomicU64,
    stopped: AtomicBool,
}

impl Writes {
    fn next_value(&self) -> u64 {
        let mut last = self.last_value.lock();
        *last += 1;
        *last
    }
}

fn item(id: &str, value: u64) -> Item {
    let value = AttributeValue::S(value.to_string());
    Item::from([("id".to_owned(), AttributeValue::S(id.to_owned())), ("value".to_owned(), value)])
}

fn write(table: &TableDescriptor, id: &str, change: Change) -> ItemWrite {
    let key = row_key(table.id.0, &[KeyPart::S(id)], &[]);
    ItemWrite { table: table.id, schema_version: table.schema_version, key, condition: None, change }
}

/// One write, and whether it was acknowledged.
async fn write_one(node: &Node<SimEnv>, values: [u64; 2]) -> bool {
    let Some(table) = node.catalog.installed().table(TABLE) else { return false };
    let ids = [0, 1].map(|place| format!("k{}", (chance_below(KEYS) + place) % KEYS));
    let put =
        |place: usize| write(&table, &ids[place], Change::Put(ItemBody::encode(&item(&ids[place], values[place]))));
    let command = match chance_below(7) {
        6 => {
            let mut expired = item(&ids[0], values[0]);
            let until = AttributeValue::N(Number::from_i64((SimEnv::wall_ms() / 1_000) as i64 - 60));
            expired.insert("ttl".to_owned(), until);
            Command::Write(write(&table, &ids[0], Change::Put(ItemBody::encode(&expired))))
        }
        0 => Command::Write(write(&table, &ids[0], Change::Delete)),
        // What is there already, or is not: no change.
        1 => Command::Write(write(&table, &ids[0], Change::Put(ItemBody::encode(&item(&ids[0], 0))))),
        2 | 3 => {
            let actions = if ids[0] == ids[1] { vec![put(0)] } else { vec![put(0), put(1)] };
            Command::Transact(Transaction { client_token: None, actions })
        }
        _ => Command::Write(put(0)),
    };
    let token = token_of(table.id.0, &[KeyPart::S(&ids[0])]);
    let outcome = proposed(node, token, command).await;
    matches!(outcome, Ok(Outcome::Written(_) | Outcome::Transacted { .. }))
}

/// One write by a statement, and whether it was acknowledged and has put this value.
async fn write_by_statement(world: &World, home: u64, value: u64) -> bool {
    let id = format!("k{}", chance_below(KEYS));
    let (statement, puts) = match chance_below(3) {
        0 => (format!("DELETE FROM \"{TABLE}\" WHERE id = '{id}'"), false),
        1 => (format!("INSERT INTO \"{TABLE}\" VALUE {{'id': '{id}', 'value': '{value}'}}"), true),
        _ => (format!("UPDATE \"{TABLE}\" SET \"value\" = '{value}' WHERE id = '{id}'"), true),
    };
    let body = format!(r#"{{"Statement":"{}"}}"#, statement.replace('"', "\\\""));
    ask(world, home, Operation::ExecuteStatement, &body).await.is_ok() && puts
}

async fn writer(world: Arc<World>, writes: Arc<Writes>, home: u64) {
    while !writes.stopped.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(chance_below(THINK_MS))).await;
        let Some(node) = world.node(home) else { continue };
        let (Some(table), value) = (node.catalog.installed().table(TABLE), writes.next_value()) else { continue };
        // Puts of one item whose outcome is known are what is looked for.
        let id = format!("k{}", chance_below(KEYS));
        if chance_below(4) == 0 {
            if write_by_statement(&world, home, value).await {
                writes.by_statement.fetch_add(1, Ordering::Relaxed);
                writes.acknowledged.lock().insert(value);
            }
            continue;
        }
        let asked = match chance_below(2) {
            0 => {
                let body = ItemBody::encode(&item(&id, value));
                let command = Command::Write(write(&table, &id, Change::Put(body)));
                let token = token_of(table.id.0, &[KeyPart::S(&id)]);
                let asked = world
                    .machine(home)
                    .spawn(async move { matches!(proposed(&node, token, command).await, Ok(Outcome::Written(_))) });
                (asked, true)
            }
            _ => {
                let values = [value, writes.next_value()];
                (world.machine(home).spawn(async move { write_one(&node, values).await }), false)
            }
        };
        if asked.0.await.unwrap_or(false) && asked.1 {
            writes.acknowledged.lock().insert(value);
        }
    }
}

/// Reads a stream, whatever happens to those that it asks.
struct Consumer {
    world: Arc<World>,
    stream: StreamId,
    shards: BTreeMap<StreamShardId, StreamShard>,
    /// Where to read on; `None` behind the end.
    positions: BTreeMap<StreamShardId, Option<SequenceNumber>>,
    seen: BTreeMap<StreamShardId, Vec<(SequenceNumber, Bytes)>>,
    refused: u64,
}

impl Consumer {
    fn new(world: &Arc<World>, stream: StreamId) -> Consumer {
        let (shards, positions, seen) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Consumer { world: Arc::clone(world), stream, shards, positions, seen, refused: 0 }
    }

    /// A running machine, any.
    fn somebody(&self) -> Option<(u64, Arc<Node<SimEnv>>)> {
        let present = self.world.present();
        let home = present[chance_below(present.len() as u64) as usize];
        Some((home, self.world.node(home)?))
    }

    async fn ask(&mut self, data_shard: ShardId, request: StreamRequest) -> Option<StreamResponse> {
        let (home, node) = self.somebody()?;
        let asked = self.world.machine(home).spawn(async move {
            node.reader.ask_stream(Handler::GetRecords, data_shard, request, node.deadline()).await.ok()
        });
        let response = asked.await.ok().flatten();
        self.refused += u64::from(response.is_none());
        response
    }

    async fn discover(&mut self) {
        let Some((home, node)) = self.somebody() else { return };
        let stream = self.stream;
        let asked = self
            .world
            .machine(home)
            .spawn(async move { node.reader.stream_shards(stream, node.deadline()).await.ok() });
        let Ok(Some(shards)) = asked.await else { return self.refused += 1 };
        for shard in shards {
            self.positions.entry(shard.id).or_insert(Some(shard.first));
            self.shards.insert(shard.id, shard);
        }
    }

    /// A page of a shard; a page that is read twice begins alike.
    async fn page(&mut self, id: StreamShardId, from: SequenceNumber) {
        let limit = 1 + chance_below(6) as u32;
        let request = StreamRequest::Records { stream: self.stream, shard: id, from, limit, bytes_max: 1 << 20 };
        let twice = if chance_below(4) == 0 { self.ask(id.data_shard, request.clone()).await } else { None };
        let Some(response) = self.ask(id.data_shard, request).await else { return };
        let StreamResponse::Records { records, next } = response else { panic!("{response:?}") };
        if let Some(StreamResponse::Records { records: before, .. }) = twice {
            assert!(records.starts_with(&before), "a page that is read again has what it had");
        }
        let numbers: Vec<SequenceNumber> = records.iter().map(|(number, _)| *number).collect();
        assert!(numbers.is_sorted_by(|one, other| one < other) && numbers.iter().all(|number| *number >= from));
        if !records.is_empty() {
            self.seen.entry(id).or_default().extend(records);
        }
        self.positions.insert(id, next);
    }

    /// One look at every shard whose parent has been read to its end. Whether anything is left.
    async fn round(&mut self) -> bool {
        self.discover().await;
        let before: usize = self.seen.values().map(Vec::len).sum();
        let open: Vec<(StreamShardId, SequenceNumber)> =
            self.positions.iter().filter_map(|(id, position)| Some((*id, (*position)?))).collect();
        for (id, from) in &open {
            let parent = self.shards[id].parent;
            if parent.is_none_or(|parent| self.positions.get(&parent) == Some(&None)) {
                self.page(*id, *from).await;
            }
        }
        let after: usize = self.seen.values().map(Vec::len).sum();
        let ends = self.positions.iter().filter(|(_, position)| position.is_some());
        after > before || ends.map(|(id, _)| *id).any(|id| !self.shards[&id].is_open())
    }

    async fn run(mut self, writes: Arc<Writes>) -> Consumer {
        while !writes.stopped.load(Ordering::Relaxed) {
            self.round().await;
            tokio::time::sleep(Duration::from_millis(chance_below(THINK_MS))).await;
        }
        self
    }

    /// The numbers of all records.
    fn numbers(&self) -> Vec<(StreamShardId, u64)> {
        let numbers = |(id, records): (&StreamShardId, &Vec<(SequenceNumber, Bytes)>)| {
            records.iter().map(|(number, _)| (*id, number.count())).collect::<Vec<_>>()
        };
        self.seen.iter().flat_map(numbers).collect()
    }

    /// Reads on until nothing comes any more.
    async fn finish(&mut self) {
        let to_the_end = async {
            let mut quiet = 0;
            while quiet < 5 {
                let refused = self.refused;
                let has_more = self.round().await || self.refused > refused;
                quiet = if has_more { 0 } else { quiet + 1 };
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(SETTLE_MAX, to_the_end).await.expect("a stream that nobody writes to comes to an end");
    }
}

fn id_of(item: &Item) -> String {
    match &item["id"] {
        AttributeValue::S(id) => id.clone(),
        other => panic!("not an id: {other:?}"),
    }
}

/// What all records come to, each of which must fit the one before; how often each value was put; how many items expired.
fn replay(consumer: &Consumer) -> (BTreeMap<String, Item>, BTreeMap<u64, u32>, u64) {
    let (mut items, mut puts, mut expired) = (BTreeMap::new(), BTreeMap::new(), 0);
    // In the order of their opening, which is that of each data shard's chain.
    for (number, bytes) in consumer.seen.values().flatten() {
        let record = StreamRecord::parse(*number, bytes).expect("records are whole");
        let tree = |item: ItemRef<'_>| item.to_item().expect("images are whole");
        let (id, old, new) = (id_of(&tree(record.keys)), record.old.map(tree), record.new.map(tree));
        let event = match (&old, &new) {
            (None, Some(_)) => EventName::Insert,
            (Some(_), Some(_)) => EventName::Modify,
            (Some(_), None) => EventName::Remove,
            (None, None) => panic!("a record of nothing"),
        };
        assert_eq!(record.event, event);
        let has_expired = || old.as_ref().is_some_and(|old| old.contains_key("ttl"));
        assert!(!record.by_ttl || (event == EventName::Remove && has_expired()), "{id}: {old:?}");
        expired += u64::from(record.by_ttl);
        assert_ne!(old, new, "a record of no change");
        assert_eq!(old.as_ref(), items.get(&id), "{id}: a change was lost, repeated or out of order at {number}");
        match new {
            None => drop(items.remove(&id)),
            Some(new) => {
                if let AttributeValue::S(value) = &new["value"] {
                    *puts.entry(value.parse().expect("a number")).or_insert(0) += 1;
                }
                items.insert(id, new);
            }
        }
    }
    (items, puts, expired)
}

fn items_of(node: &Node<SimEnv>, table: &TableDescriptor) -> BTreeMap<String, Item> {
    let reader: &dyn Reader = &*node.stores.state;
    let prefix = id_prefix(Space::Rows, table.id.0);
    let mut rows = reader.cursor(KeyRange::prefix(&prefix), Direction::Forward).unwrap();
    let mut items = BTreeMap::new();
    while let Some((_, row)) = rows.next().unwrap() {
        let item = ItemRef::parse(row).unwrap().to_item().unwrap();
        items.insert(id_of(&item), item);
    }
    items
}

/// Waits until all replicas hold the same bytes.
async fn equal_replicas(world: &World) {
    let equal = async {
        loop {
            let replicas = world.replicas();
            if replicas.iter().all(|replica| *replica == replicas[0]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(SETTLE_MAX, equal).await.expect("all replicas hold the same bytes in the end");
}

/// Switches time to live on or off.
async fn set_expiry(world: &World, enabled: bool) {
    let specification = format!(r#"{{"AttributeName":"ttl","Enabled":{enabled}}}"#);
    let body = format!(r#"{{"TableName":"{TABLE}","TimeToLiveSpecification":{specification}}}"#);
    let set = insist(world, 1, (Operation::UpdateTimeToLive, body), ErrorKind::Validation).await;
    set.expect("time to live is set in the end");
}

/// Records, stream shards, acknowledged puts, those by statements, expired items, refused questions, snapshots.
async fn live(scenario: Scenario) -> [u64; 7] {
    let stream = Some(StreamView::NewAndOldImages);
    let ttl_interval = Some(Duration::from_millis(300));
    let world = World::found(Plan { stream, streams: POLICY, ttl_interval, ..scenario.plan() }).await;
    set_expiry(&world, true).await;
    let node = world.node(world.some_leader().await).expect("it leads");
    let stream = node.catalog.installed().table(TABLE).and_then(|table| table.stream_id()).expect("the stream is on");
    drop(node);
    let (writes, record) = (Arc::new(Writes::default()), Record::default());
    let start = |home| tokio::spawn(writer(Arc::clone(&world), Arc::clone(&writes), home));
    let writers: Vec<_> = world.machines().into_iter().map(start).collect();
    let consumer = tokio::spawn(Consumer::new(&world, stream).run(Arc::clone(&writes)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    scenario.harm(&world, &record).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    writes.stopped.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("writers do not panic");
    }
    let mut consumer = consumer.await.expect("the consumer does not panic");
    // So that the table stands still; what has expired may stay.
    set_expiry(&world, false).await;
    equal_replicas(&world).await;
    consumer.finish().await;
    let mut again = Consumer::new(&world, stream);
    again.finish().await;
    assert_eq!(again.numbers(), consumer.numbers());
    assert!(again.seen == consumer.seen, "the stream is what it was");
    let (items, puts, expired) = replay(&consumer);
    let node = world.node(world.some_leader().await).expect("it leads");
    let table = node.catalog.installed().table(TABLE).expect("the table is there");
    assert_eq!(items, items_of(&node, &table), "what the stream comes to is the table");
    let acknowledged = writes.acknowledged.lock();
    let lost: Vec<&u64> = acknowledged.iter().filter(|value| !puts.contains_key(*value)).collect();
    assert!(lost.is_empty(), "acknowledged and not in the stream: {lost:?}");
    assert!(puts.iter().all(|(value, count)| *value == 0 || *count == 1), "a put was seen twice: {puts:?}");
    let records = consumer.seen.values().map(Vec::len).sum::<usize>() as u64;
    let snapshots = world.snapshots() + record.snapshots.load(Ordering::Relaxed);
    let by_statement = writes.by_statement.load(Ordering::Relaxed);
    let shards = consumer.shards.len() as u64;
    [records, shards, acknowledged.len() as u64, by_statement, expired, consumer.refused, snapshots]
}

fn survives(scenario: Scenario) {
    let mut sums = [0; 7];
    let seeds = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        let figures = run(seed, live(scenario));
        sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        assert!(figures[0] > 100 && figures[1] > 4, "seed {seed}: {figures:?}");
    }
    let [records, shards, acknowledged, by_statement, expired, refused, snapshots] = sums;
    let needs_snapshots = matches!(scenario, Scenario::AwayForLong | Scenario::SnapshotUnderFire);
    assert!(snapshots > 0 || !needs_snapshots, "no snapshot was installed");
    assert!(by_statement > 0 && expired > 0, "{by_statement} by statements, {expired} expired");
    println!(
        "{scenario:?}: {seeds} seeds, {records} records in {shards} stream shards, {acknowledged} acknowledged puts, \
         {by_statement} of them by PartiQL, {expired} expired, {refused} questions without an answer, {snapshots} snapshots; 0 lost, 0 repeated"
    );
}

#[test]
fn everything() {
    survives(Scenario::Everything);
}

#[test]
fn many_transfers() {
    survives(Scenario::ManyTransfers);
}

#[test]
fn suspended_leader() {
    survives(Scenario::SuspendedLeader);
}

#[test]
fn away_for_long() {
    survives(Scenario::AwayForLong);
}

#[test]
fn exchanged_disks() {
    survives(Scenario::ExchangedDisks);
}

/// Puts an item with a value of its own until one is acknowledged, and gives that value.
async fn put_acknowledged(world: &World, home: u64, writes: &Writes) -> u64 {
    loop {
        let value = writes.next_value();
        if let Some(node) = world.node(home) {
            let asked = world.machine(home).spawn(async move {
                let table = node.catalog.installed().table(TABLE)?;
                let id = format!("k{}", chance_below(KEYS));
                let command = Command::Write(write(&table, &id, Change::Put(ItemBody::encode(&item(&id, value)))));
                let token = token_of(table.id.0, &[KeyPart::S(&id)]);
                let outcome = proposed(&node, token, command).await;
                matches!(outcome, Ok(Outcome::Written(_))).then_some(())
            });
            if asked.await.ok().flatten().is_some() {
                return value;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Switches the table's stream on or off, and waits until every shard has it so.
async fn switch(world: &World, home: u64, specification: &str) {
    let body = format!(r#"{{"TableName":"{TABLE}","StreamSpecification":{specification}}}"#);
    let switched = insist(world, home, (Operation::UpdateTable, body), ErrorKind::Validation).await;
    switched.expect("the stream is switched in the end");
    let is_settled = || {
        let leader = world.leader().and_then(|leader| world.node(leader));
        leader.is_some_and(|node| node.catalog.installed().unfinished().is_empty())
    };
    while !is_settled() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn switched_on_and_off() {
    const ROUNDS: usize = 4;
    let world = World::found(Plan { shards: 3, streams: POLICY, ..Plan::default() }).await;
    let (writes, stopped) = (Writes::default(), AtomicBool::new(false));
    let client = async {
        let (mut recorded, mut unrecorded) = (Vec::new(), BTreeSet::new());
        for round in 0..ROUNDS {
            let home = 1 + chance_below(3);
            switch(&world, home, r#"{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}"#).await;
            let mut values = BTreeSet::new();
            for _ in 0..6 {
                values.insert(put_acknowledged(&world, 1 + chance_below(3), &writes).await);
            }
            recorded.push(values);
            switch(&world, home, r#"{"StreamEnabled":false}"#).await;
            for _ in 0..3 {
                unrecorded.insert(put_acknowledged(&world, 1 + (round as u64 + home) % 3, &writes).await);
            }
        }
        stopped.store(true, Ordering::Relaxed);
        (recorded, unrecorded)
    };
    let ((recorded, unrecorded), ()) = futures::join!(client, harm(&world, &stopped));
    equal_replicas(&world).await;
    let node = world.node(world.some_leader().await).expect("it leads");
    let streams = node.catalog.installed().streams(Some(TABLE));
    assert_eq!(streams.len(), ROUNDS, "{streams:?}");
    assert!(streams.is_sorted_by(|one, other| one.id.since_ms < other.id.since_ms));
    for (stream, acknowledged) in streams.iter().zip(&recorded) {
        assert_eq!(stream.status, StreamStatus::Disabled);
        let mut consumer = Consumer::new(&world, stream.id);
        consumer.finish().await;
        assert!(consumer.shards.values().all(|shard| !shard.is_open()), "what is over takes no records");
        let values: BTreeSet<u64> = consumer
            .seen
            .values()
            .flatten()
            .filter_map(|(number, bytes)| {
                let new = StreamRecord::parse(*number, bytes).expect("records are whole").new?;
                match new.attribute("value").expect("images are whole")? {
                    AttributeValue::S(value) => value.parse().ok(),
                    other => panic!("not a value: {other:?}"),
                }
            })
            .collect();
        assert!(values.is_superset(acknowledged), "{acknowledged:?} were acknowledged, {values:?} recorded");
        assert!(values.is_disjoint(&unrecorded), "{values:?} while it was off");
    }
}

#[test]
fn switched_on_and_off_while_leaders_come_and_go() {
    for seed in 0..3 {
        run(seed, switched_on_and_off());
    }
}
