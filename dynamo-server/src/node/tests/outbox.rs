//! Index entries on other shards, on virtual time: an acknowledged write is in its index, and whatever dies meanwhile,
//! in the end every index is what the items say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::{Outcome, index_key_of};
use dynamo_engine::catalog::{
    Catalog, DdlCommand, IndexDescriptor, IndexId, IndexState, KeyAttribute, KeySchema, KeyType, Projection,
    TableDescriptor, TableId, TableStep, Throughput,
};
use dynamo_engine::command::{Change, Command, ItemWrite};
use dynamo_engine::item::{ItemBody, ItemRef};
use dynamo_engine::keyspace::{KeyPart, RowKey, Space, id_prefix, row_key, token_of};
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::{Direction, KeyRange, Reader};

use super::fixture::proposed;
use crate::env::sim::{SimEnv, SimNetwork, SimNode, chance_below, run};
use crate::env::{Env, Storage};
use crate::node::{ClusterOptions, Node, NodeOptions};
use crate::shard::{INDEX_WAIT_MAX, ShardError};

pub const TABLE: &str = "things";
pub const SHARDS: u32 = 4;
const NODES: u64 = 3;
const KEYS: u64 = 12;
const GROUPS: u64 = 5;

fn key_schema(name: &str) -> KeySchema {
    KeySchema { partition: vec![KeyAttribute { name: name.to_owned(), kind: KeyType::S }], sort: Vec::new() }
}

/// Whole items by `g`.
pub fn by_g() -> IndexDescriptor {
    IndexDescriptor {
        id: IndexId(1),
        name: "by_g".to_owned(),
        local: false,
        keys: key_schema("g"),
        projection: Projection::All,
        state: IndexState::Active,
        throughput: Throughput::default(),
        on_demand: None,
        warm: None,
    }
}

/// Creates the table of items by `id`, and waits until it serves.
pub async fn create_table(node: &Node<SimEnv>, indexes: Vec<IndexDescriptor>) {
    let mut table = TableDescriptor::new(TableId(0), TABLE, key_schema("id"));
    table.indexes = indexes;
    let create = DdlCommand::CreateTable(Box::new(table));
    while node.catalog.change(create.clone(), node.deadline()).await.is_err() {
        SimEnv::sleep(Duration::from_millis(50)).await;
    }
    while node.catalog.installed().table(TABLE).is_none() {
        SimEnv::sleep(Duration::from_millis(10)).await;
    }
}

pub fn item(id: &str, group: Option<u64>, value: u64) -> Item {
    let mut item = BTreeMap::from([
        ("id".to_owned(), AttributeValue::S(id.to_owned())),
        ("value".to_owned(), AttributeValue::S(value.to_string())),
    ]);
    item.extend(group.map(|group| ("g".to_owned(), AttributeValue::S(format!("g{group}")))));
    item
}

async fn write(node: &Node<SimEnv>, id: &str, change: Change) -> Result<Outcome, ShardError> {
    let Some(table) = node.catalog.installed().table(TABLE) else { return Err(ShardError::NotConfirmed) };
    let parts = [KeyPart::S(id)];
    let write = ItemWrite {
        table: table.id,
        schema_version: table.schema_version,
        key: row_key(table.id.0, &parts, &[]),
        condition: None,
        change,
    };
    proposed(node, token_of(table.id.0, &parts), Command::Write(write)).await
}

async fn put(node: &Node<SimEnv>, id: &str, group: Option<u64>, value: u64) -> Result<Outcome, ShardError> {
    write(node, id, Change::Put(ItemBody::encode(&item(id, group, value)))).await
}

/// All rows of a table or index on this node, as applied.
fn rows(node: &Node<SimEnv>, space: Space, id: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let reader: &dyn Reader = &*node.stores.state;
    let prefix = id_prefix(space, id);
    let mut cursor = reader.cursor(KeyRange::prefix(&prefix), Direction::Forward).unwrap();
    let mut rows = BTreeMap::new();
    while let Some((key, row)) = cursor.next().unwrap() {
        rows.insert(key.to_vec(), row.to_vec());
    }
    rows
}

/// The rows that the index should have, and those that it has.
pub fn index_rows(node: &Node<SimEnv>) -> [BTreeMap<Vec<u8>, Vec<u8>>; 2] {
    let table = node.catalog.installed().table(TABLE).expect("the table was created");
    let index = &table.indexes[0];
    let mut expected = BTreeMap::new();
    for (key, row) in rows(node, Space::Rows, table.id.0) {
        let item = ItemRef::parse(&row).unwrap();
        if let Some(key) = index_key_of(&table, index, RowKey::parse(&key).unwrap(), &item).unwrap() {
            expected.insert(key, row);
        }
    }
    [expected, rows(node, Space::GlobalIndex, index.id.0)]
}

/// What is wrong with an index, in few words.
fn difference(expected: &BTreeMap<Vec<u8>, Vec<u8>>, found: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    let name = |key: &Vec<u8>| String::from_utf8_lossy(&key[17..]).into_owned();
    let missing = expected.keys().filter(|key| !found.contains_key(*key)).map(|key| format!("no {}", name(key)));
    let stale = expected.iter().filter(|(key, row)| found.get(*key).is_some_and(|found| found != *row));
    let stale = stale.map(|(key, _)| format!("another {}", name(key)));
    let excess = found.keys().filter(|key| !expected.contains_key(*key)).map(|key| format!("still {}", name(key)));
    missing.chain(stale).chain(excess).collect()
}

/// Waits until nothing is under way any more, then compares.
async fn settle_and_compare(node: &Arc<Node<SimEnv>>, what: &str) {
    for _ in 0..200 {
        let [expected, found] = index_rows(node);
        if node.counters().index_lag_bytes == 0 && expected == found {
            return;
        }
        SimEnv::sleep(Duration::from_millis(50)).await;
    }
    let [expected, found] = index_rows(node);
    assert!(expected == found, "{what}: the index is not what the items say: {:?}", difference(&expected, &found));
    assert_eq!(node.counters().index_lag_bytes, 0, "{what}: an outbox never gets empty");
}

pub async fn start_alone(machine: &Arc<SimNode>) -> Arc<Node<SimEnv>> {
    let options = NodeOptions { storage: Storage::Memory, shards: SHARDS, ..NodeOptions::default() };
    let start = Node::start(options, SimEnv::new(machine));
    machine.scope(start).await.expect("a node starts on what a crash left")
}

#[test]
fn an_acknowledged_write_is_in_its_index() {
    run(41, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start_alone(&machine).await;
        machine
            .scope(async {
                create_table(&node, vec![by_g()]).await;
                for round in 0..60 {
                    let id = format!("k{}", round % KEYS);
                    let outcome = match round % 5 {
                        4 => write(&node, &id, Change::Delete).await,
                        _ => put(&node, &id, Some(chance_below(GROUPS)), round).await,
                    };
                    assert!(matches!(outcome, Ok(Outcome::Written(_))), "{outcome:?}");
                    let [expected, found] = index_rows(&node);
                    assert_eq!(expected, found, "after write {round}");
                }
                let counters = node.counters();
                assert!(counters.index_delivered >= 20, "most entries lie elsewhere: {counters:?}");
                assert_eq!(counters.index_ahead, 0);
                let before = (counters.commands, SimEnv::monotonic_ns());
                settle_and_compare(&node, "in the end").await;
                SimEnv::sleep(Duration::from_secs(5)).await;
                let trims = node.counters().commands - before.0;
                assert!(trims <= u64::from(SHARDS * (SHARDS - 1)), "{trims} commands after the last write");
            })
            .await;
    });
}

/// Writes and deletes items of its own for ever.
async fn writer(node: Arc<Node<SimEnv>>, writer: u64) {
    for value in 0.. {
        let id = format!("w{writer}-{}", chance_below(3));
        let group = Some(chance_below(GROUPS + 1)).filter(|group| *group < GROUPS);
        let _ = match chance_below(4) {
            0 => write(&node, &id, Change::Delete).await,
            _ => put(&node, &id, group, value).await,
        };
        SimEnv::sleep(Duration::from_micros(chance_below(700))).await;
    }
}

/// Power cuts between the write of an item and that of its index row. Gives how many of them did hit in between.
fn lives(seed: u64) -> u64 {
    run(seed, async move {
        let machine = SimNode::new(1, SHARDS);
        let node = start_alone(&machine).await;
        machine.scope(create_table(&node, vec![by_g()])).await;
        drop(node);
        machine.kill().await;
        let mut hits = 0;
        for _ in 0..4 {
            let node = start_alone(&machine).await;
            hits += u64::from(node.counters().index_lag_bytes > 0);
            for number in 0..6 {
                machine.spawn(writer(Arc::clone(&node), number));
            }
            tokio::time::sleep(Duration::from_micros(4_000 + chance_below(40_000))).await;
            drop(node);
            machine.kill().await;
        }
        let node = start_alone(&machine).await;
        machine.scope(settle_and_compare(&node, &format!("seed {seed}"))).await;
        hits
    })
}

#[test]
fn a_power_cut_between_item_and_index_loses_and_revives_nothing() {
    let hits: u64 = (0..8).map(lives).sum();
    assert!(hits >= 8, "only {hits} power cuts left entries on their way");
}

/// An index is added to a table with items, and every shard fills it; the power fails again and again meanwhile.
#[test]
fn an_index_is_filled_through_power_cuts_while_items_are_written() {
    for seed in 70..74 {
        run(seed, async move {
            let machine = SimNode::new(1, SHARDS);
            let mut node = start_alone(&machine).await;
            machine
                .scope(async {
                    create_table(&node, Vec::new()).await;
                    for id in 0..100 {
                        put(&node, &format!("old{id}"), Some(id % GROUPS), id).await.unwrap();
                    }
                    let table = node.catalog.installed().table(TABLE).unwrap();
                    let steps = vec![TableStep::CreateIndex(by_g())];
                    let schema_version = table.schema_version;
                    let change = DdlCommand::ChangeTable { table: table.id, schema_version, steps };
                    let writes = (0..4).map(|number| SimEnv::spawn(writer(Arc::clone(&node), number)));
                    let _writes: Vec<_> = writes.collect();
                    node.catalog.change(change, node.deadline()).await.unwrap();
                })
                .await;
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_micros(chance_below(30_000))).await;
                drop(node);
                machine.kill().await;
                node = start_alone(&machine).await;
                (0..4).for_each(|number| drop(machine.spawn(writer(Arc::clone(&node), number))));
            }
            let is_filled = || {
                let table = node.catalog.installed().table(TABLE);
                table.is_some_and(|table| table.index("by_g").is_some_and(|index| index.state == IndexState::Active))
            };
            for _ in 0..500 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if is_filled() {
                    break;
                }
            }
            assert!(is_filled(), "seed {seed}: the index is never filled");
            drop(node);
            machine.kill().await;
            let node = start_alone(&machine).await;
            machine.scope(settle_and_compare(&node, &format!("seed {seed}"))).await;
        });
    }
}

struct Cluster {
    network: Arc<SimNetwork>,
    machines: Vec<Arc<SimNode>>,
    nodes: Vec<Option<Arc<Node<SimEnv>>>>,
}

impl Cluster {
    async fn found() -> Cluster {
        let machine = |id| SimNode::in_cluster(id, SHARDS, 1_000, Cluster::options(id).founding_id());
        let machines = (1..=NODES).map(machine).collect();
        let mut cluster = Cluster { network: SimNetwork::new(), machines, nodes: vec![None; NODES as usize] };
        for place in 0..NODES as usize {
            cluster.start(place).await;
        }
        let first = cluster.node(0);
        cluster.machines[0].scope(create_table(&first, vec![by_g()])).await;
        cluster
    }

    fn options(node_id: u64) -> ClusterOptions {
        ClusterOptions { node_id, members: (1..=NODES).map(|id| (id, String::new())).collect(), joins: None }
    }

    async fn start(&mut self, place: usize) {
        let options = NodeOptions {
            storage: Storage::Memory,
            cluster: Some(Cluster::options(place as u64 + 1)),
            shards: SHARDS,
            request_deadline: Duration::from_millis(1_500),
            ..NodeOptions::default()
        };
        let env = SimEnv::in_network(&self.machines[place], &self.network);
        let node = self.machines[place].scope(Node::start(options, env)).await.expect("a node starts");
        self.nodes[place] = Some(node);
    }

    async fn kill(&mut self, place: usize) {
        self.nodes[place] = None;
        self.network.leave(place as u64 + 1);
        self.machines[place].kill().await;
    }

    fn node(&self, place: usize) -> Arc<Node<SimEnv>> {
        Arc::clone(self.nodes[place].as_ref().expect("it runs"))
    }

    fn start_writers(&self, place: usize) {
        for number in 0..2 {
            self.machines[place].spawn(writer(self.node(place), place as u64 * 10 + number));
        }
    }

    async fn compare(&self, what: &str) {
        for place in 0..NODES as usize {
            let node = self.node(place);
            self.machines[place].scope(settle_and_compare(&node, &format!("{what}, node {}", place + 1))).await;
        }
    }
}

#[test]
fn nodes_that_die_and_are_cut_off_leave_every_index_as_the_items_say() {
    for seed in 50..52 {
        run(seed, async move {
            let mut cluster = Cluster::found().await;
            (0..NODES as usize).for_each(|place| cluster.start_writers(place));
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(500 + chance_below(2_000))).await;
                let place = chance_below(NODES) as usize;
                if chance_below(2) == 0 {
                    cluster.network.isolate(place as u64 + 1, 1..=NODES);
                    tokio::time::sleep(Duration::from_millis(1_000 + chance_below(4_000))).await;
                    cluster.network.heal();
                } else {
                    cluster.kill(place).await;
                    tokio::time::sleep(Duration::from_millis(chance_below(4_000))).await;
                    cluster.start(place).await;
                    cluster.start_writers(place);
                }
            }
            // The writers die with their machines, in the middle of it.
            for place in 0..NODES as usize {
                cluster.kill(place).await;
                cluster.start(place).await;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            cluster.compare(&format!("seed {seed}")).await;
        });
    }
}

/// Nobody leads the shard of the index row: the write is acknowledged after a while, the entry follows.
#[test]
fn a_write_does_not_wait_for_its_index_for_ever() {
    run(61, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start_alone(&machine).await;
        machine
            .scope(async {
                create_table(&node, vec![by_g()]).await;
                let table = node.catalog.installed().table(TABLE).unwrap();
                let stopped = &node.router.shards[SHARDS as usize - 1];
                let elsewhere =
                    |id: &u64| node.router.shard_of(token_of(table.id.0, &[KeyPart::S(&format!("k{id}"))])).id();
                let group_at = |group: &u64| {
                    let name = format!("g{group}");
                    node.router.shard_of(token_of(table.indexes[0].id.0, &[KeyPart::S(&name)])).id()
                };
                let id = (0..).find(|id| elsewhere(id) != stopped.id()).unwrap();
                let group = (0..).find(|group| group_at(group) == stopped.id()).unwrap();
                stopped.group().shutdown().await;
                let before = SimEnv::monotonic_ns();
                let outcome = put(&node, &format!("k{id}"), Some(group), 1).await;
                assert!(matches!(outcome, Ok(Outcome::Written(_))), "{outcome:?}");
                let waited = Duration::from_nanos(SimEnv::monotonic_ns() - before);
                assert!(waited >= INDEX_WAIT_MAX && waited < 2 * INDEX_WAIT_MAX, "{waited:?}");
                let counters = node.counters();
                assert_eq!(counters.index_ahead, 1);
                assert!(counters.index_lag_bytes > 0);
            })
            .await;
    });
}
