//! Global-index rows on other shards: several shards, a network that loses, repeats and reorders, and crashes.
//!
//! Each shard is a log and a store; a message is an `ApplyOutbox` command made from an outbox as it was at some moment,
//! which may arrive at any later moment, any number of times. In the end everything is delivered, and every index must be
//! what the base rows say: nothing lost, doubled, or come back.

use std::collections::BTreeMap;
use std::sync::Arc;

use dynamo_engine::apply::{Outcome, Rejection, ShardState, apply_entry, index_key_of};
use dynamo_engine::catalog::{
    DdlCommand, IndexDescriptor, IndexId, IndexState, KeyAttribute, KeySchema, KeyType, Projection, Stats,
    TableDescriptor, TableId, Throughput,
};
use dynamo_engine::command::{
    ApplyOutbox, BackfillStep, Change, Command, Entry, ItemWrite, Stamped, Transaction, TrimOutbox,
};
use dynamo_engine::item::{ItemBody, ItemRef};
use dynamo_engine::keyspace::{KeyPart, RowKey, Space, id_prefix, local, row_key};
use dynamo_engine::outbox::{OUTBOX_BYTES_MAX, OutboxPosition, OutboxRow};
use dynamo_protocol::size::item_bytes;
use dynamo_protocol::value::Item;
use hlc::Timestamp;
use ordered_kv::memory::MemoryState;
use ordered_kv::{Direction, KeyRange, Reader, StateStore, WriteBatch};
use proptest::prelude::*;
use shard_router::{ShardId, ShardMap};

use crate::fixture::{item, n, s};

const TABLE: u64 = 1;
const SHARDS: u32 = 3;

fn index(id: u64, attribute: &str, kind: KeyType, projection: Projection, state: IndexState) -> IndexDescriptor {
    let partition = vec![KeyAttribute { name: attribute.to_owned(), kind }];
    IndexDescriptor {
        id: IndexId(id),
        name: format!("by_{attribute}"),
        local: false,
        keys: KeySchema { partition, sort: Vec::new() },
        projection,
        state,
        throughput: Throughput::default(),
        on_demand: None,
        warm: None,
    }
}

fn by_g(state: IndexState) -> IndexDescriptor {
    index(2, "g", KeyType::S, Projection::All, state)
}

fn by_v(state: IndexState) -> IndexDescriptor {
    index(3, "v", KeyType::N, Projection::Include(vec!["w".to_owned()]), state)
}

fn table(schema_version: u32, indexes: Vec<IndexDescriptor>) -> TableDescriptor {
    let partition = vec![KeyAttribute { name: "p".to_owned(), kind: KeyType::S }];
    let mut table = TableDescriptor::new(TableId(TABLE), "t", KeySchema { partition, sort: Vec::new() });
    table.schema_version = schema_version;
    table.indexes = indexes;
    table
}

fn key_of(item: &Item) -> Vec<u8> {
    row_key(TABLE, &[KeyPart::of(&item["p"]).unwrap()], &[])
}

/// One shard: a store that forgets what it has not flushed, and a log that does not.
struct Shard {
    store: MemoryState,
    state: ShardState,
    log: Vec<Vec<u8>>,
    clock: u64,
}

impl Shard {
    fn new(id: u32, map: &Arc<ShardMap>) -> Shard {
        let state = ShardState::new(ShardId(id), Arc::clone(map));
        Shard { store: MemoryState::with_crashes(), state, log: Vec::new(), clock: 10 }
    }

    fn propose(&mut self, command: Command) -> Outcome {
        self.clock += 1;
        let commands = vec![Stamped { ts: Timestamp(self.clock), command }];
        let entry = Entry { stamped_ms: 1, ceiling: Timestamp(self.clock + 1), commands };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        self.log.push(bytes);
        self.apply(self.log.len() - 1).remove(0)
    }

    fn apply(&mut self, position: usize) -> Vec<Outcome> {
        let entry = Entry::decode(&self.log[position]).expect("what was encoded is decoded");
        let mut batch = WriteBatch::new();
        let outcomes = apply_entry(&mut self.state, &self.store, &mut batch, &entry).unwrap();
        batch.put(&local::applied(self.state.id), &(position as u64 + 1).to_be_bytes());
        self.store.write(&batch).unwrap();
        outcomes
    }

    fn crash(&mut self, seed: u64) {
        let before = self.state.clone();
        self.store.crash(seed);
        self.state = ShardState::load(&self.store, before.id, Arc::clone(&before.map)).unwrap();
        let applied = self.store.get(&local::applied(before.id)).unwrap();
        let applied = applied.map_or(0, |bytes| u64::from_be_bytes(bytes[..].try_into().unwrap()));
        for position in applied as usize..self.log.len() {
            self.apply(position);
        }
        assert_eq!(self.state, before, "the log brings everything back");
    }

    /// The message that carries outbox rows from `first` on.
    fn message(&self, target: ShardId, first: u64, rows_max: u64) -> Option<ApplyOutbox> {
        let row = |sequence| {
            let key = local::outbox(self.state.id, OutboxPosition { target, sequence });
            Some(OutboxRow::from_bytes(&self.store.get(&key).unwrap()?).unwrap().mutation)
        };
        let mutations: Vec<_> = (first..first + rows_max).map_while(row).collect();
        (!mutations.is_empty()).then_some(ApplyOutbox { source: self.state.id, first, mutations })
    }

    fn items(&self, space: Space, id: u64) -> BTreeMap<Vec<u8>, Item> {
        let prefix = id_prefix(space, id);
        let mut cursor = self.store.cursor(KeyRange::prefix(&prefix), Direction::Forward).unwrap();
        let mut items = BTreeMap::new();
        while let Some((key, row)) = cursor.next().unwrap() {
            assert!(self.state.owns(RowKey::parse(key).unwrap().token()), "a row on a shard that does not own it");
            items.insert(key.to_vec(), ItemRef::parse(row).unwrap().to_item().unwrap());
        }
        items
    }
}

struct World {
    map: Arc<ShardMap>,
    shards: Vec<Shard>,
    /// Everything that was ever sent, and to whom.
    messages: Vec<(ShardId, ApplyOutbox)>,
    /// What the sources know of how far their channels were applied.
    acknowledged: BTreeMap<(ShardId, ShardId), u64>,
}

impl World {
    fn new(table: &TableDescriptor) -> World {
        let map = Arc::new(ShardMap::even(SHARDS as usize).unwrap());
        let shards = (0..SHARDS).map(|id| Shard::new(id, &map)).collect();
        let mut world = World { map, shards, messages: Vec::new(), acknowledged: BTreeMap::new() };
        (0..SHARDS).for_each(|id| world.install(id, table));
        world
    }

    fn install(&mut self, shard: u32, table: &TableDescriptor) {
        self.shards[shard as usize]
            .propose(Command::Ddl(DdlCommand::Install { era: 0, table: Box::new(table.clone()) }));
    }

    fn shard_of(&mut self, item: &Item) -> &mut Shard {
        let owner = self.map.locate(RowKey::parse(&key_of(item)).unwrap().token()).0;
        &mut self.shards[owner.0 as usize]
    }

    /// The version that a proposer would plan with: the one installed where the item is.
    fn write(&mut self, item: &Item, change: Change) -> Outcome {
        let shard = self.shard_of(item);
        let schema_version = shard.state.tables[&TableId(TABLE)].schema_version;
        let write = ItemWrite { table: TableId(TABLE), schema_version, key: key_of(item), condition: None, change };
        shard.propose(Command::Write(write))
    }

    fn put(&mut self, item: &Item) -> Outcome {
        self.write(item, Change::Put(ItemBody::encode(item)))
    }

    fn send(&mut self, channel: (u32, u32), skip: u64, rows_max: u64) {
        let (source, target) = (&self.shards[channel.0 as usize], ShardId(channel.1));
        let trimmed = source.state.channels.out().get(&target).map_or(0, |channel| channel.trimmed);
        let message = source.message(target, trimmed + 1 + skip, rows_max);
        self.messages.extend(message.map(|message| (target, message)));
    }

    fn arrive(&mut self, message: usize) {
        let Some((target, message)) = self.messages.get(message % self.messages.len().max(1)).cloned() else { return };
        let outcome = self.shards[target.0 as usize].propose(Command::ApplyOutbox(message.clone()));
        let Outcome::OutboxApplied { through } = outcome else { panic!("{outcome:?}") };
        let known = self.acknowledged.entry((message.source, target)).or_default();
        *known = through.max(*known);
    }

    /// Removes what is known to be delivered, but for the last few.
    fn trim(&mut self, channel: (u32, u32), keep: u64) {
        let (source, target) = (ShardId(channel.0), ShardId(channel.1));
        let known = self.acknowledged.get(&(source, target)).copied().unwrap_or(0);
        let trim = TrimOutbox { target, through: known.saturating_sub(keep) };
        self.shards[channel.0 as usize].propose(Command::TrimOutbox(trim));
    }

    /// A healed network: everything arrives, everything is trimmed.
    fn settle(&mut self) {
        for _ in 0..100 {
            if self.shards.iter().all(|shard| shard.state.channels.outbox_bytes() == 0) {
                return;
            }
            for channel in channels() {
                self.send(channel, 0, 3);
                self.arrive(self.messages.len().wrapping_sub(1));
                self.trim(channel, 0);
            }
        }
        panic!("an outbox never gets empty");
    }

    fn items(&self, space: Space, id: u64) -> BTreeMap<Vec<u8>, Item> {
        self.shards.iter().flat_map(|shard| shard.items(space, id)).collect()
    }

    fn stats(&self, id: u64) -> Stats {
        let mut sum = Stats::default();
        self.shards.iter().for_each(|shard| sum.add(shard.state.stats(id)));
        sum
    }

    /// What an index must hold, by brute force.
    fn expected(&self, table: &TableDescriptor, index: &IndexDescriptor) -> BTreeMap<Vec<u8>, Item> {
        let mut rows = BTreeMap::new();
        for (key, item) in self.items(Space::Rows, TABLE) {
            let stored = dynamo_engine::item::stored(&ItemBody::encode(&item), Timestamp(1));
            let base = RowKey::parse(&key).unwrap();
            if let Some(key) = index_key_of(table, index, base, &ItemRef::parse(&stored).unwrap()).unwrap() {
                let carried = item.into_iter().filter(|(name, _)| index.projects(&table.keys, name));
                rows.insert(key, carried.collect());
            }
        }
        rows
    }

    fn check(&self, table: &TableDescriptor) {
        for index in &table.indexes {
            let expected = self.expected(table, index);
            assert_eq!(self.items(Space::GlobalIndex, index.id.0), expected, "{}", index.name);
            let bytes = expected.values().map(item_bytes).sum::<usize>() as u64;
            assert_eq!(self.stats(index.id.0), Stats { items: expected.len() as u64, bytes }, "{}", index.name);
        }
        for shard in &self.shards {
            let loaded = ShardState::load(&shard.store, shard.state.id, Arc::clone(&self.map)).unwrap();
            assert_eq!(loaded, shard.state);
            let outbox = local::outbox(shard.state.id, OutboxPosition { target: ShardId(0), sequence: 0 });
            let mut rows = shard.store.cursor(KeyRange::prefix(&outbox[..6]), Direction::Forward).unwrap();
            assert!(rows.next().unwrap().is_none(), "a delivered row is left");
        }
    }

    /// Whatever is still somewhere in the network arrives after all, and changes nothing.
    fn check_late_messages(&mut self, table: &TableDescriptor) {
        (0..self.messages.len()).rev().for_each(|message| self.arrive(message));
        self.check(table);
    }
}

fn channels() -> Vec<(u32, u32)> {
    (0..SHARDS).flat_map(|from| (0..SHARDS).map(move |to| (from, to))).filter(|(from, to)| from != to).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Put(Item),
    Delete(Item),
    /// Two puts, or a put and a delete, of one shard; one after the other where they are of two.
    Both(Item, Item, bool),
    Send(usize, u64, u64),
    Arrive(usize),
    Trim(usize, u64),
    Crash(u32, u64),
}

fn items() -> impl Strategy<Value = Item> {
    let number = || proptest::option::of(0i64..3);
    (0..6u8, proptest::option::of(0..3u8), number(), number()).prop_map(|(p, g, v, w)| {
        let mut item = item([("p", s(format!("p{p}")))]);
        item.extend(g.map(|g| ("g".to_owned(), s(format!("g{g}")))));
        item.extend(v.map(|v| ("v".to_owned(), n(v))));
        item.extend(w.map(|w| ("w".to_owned(), n(w))));
        item
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => items().prop_map(Step::Put),
        3 => items().prop_map(Step::Delete),
        2 => (items(), items(), any::<bool>()).prop_map(|(one, other, delete)| Step::Both(one, other, delete)),
        8 => (0..6usize, 0..3u64, 1..4u64).prop_map(|(channel, skip, rows)| Step::Send(channel, skip / 2, rows)),
        8 => any::<usize>().prop_map(Step::Arrive),
        3 => (0..6usize, 0..3u64).prop_map(|(channel, keep)| Step::Trim(channel, keep)),
        1 => (0..SHARDS, any::<u64>()).prop_map(|(shard, seed)| Step::Crash(shard, seed)),
    ];
    proptest::collection::vec(step, 1..80)
}

fn run(world: &mut World, step: &Step) {
    match step {
        Step::Put(item) => drop(world.put(item)),
        Step::Delete(item) => drop(world.write(item, Change::Delete)),
        Step::Both(one, other, delete) => both(world, one, other, *delete),
        Step::Send(channel, skip, rows) => world.send(channels()[*channel], *skip, *rows),
        Step::Arrive(message) => world.arrive(*message),
        Step::Trim(channel, keep) => world.trim(channels()[*channel], *keep),
        Step::Crash(shard, seed) => world.shards[*shard as usize].crash(*seed),
    }
}

fn both(world: &mut World, one: &Item, other: &Item, delete: bool) {
    let change = if delete { Change::Delete } else { Change::Put(ItemBody::encode(other)) };
    let (own, other_own) = (world.shard_of(one).state.id, world.shard_of(other).state.id);
    if own != other_own || one["p"] == other["p"] {
        world.put(one);
        world.write(other, change);
        return;
    }
    let shard = world.shard_of(one);
    let schema_version = shard.state.tables[&TableId(TABLE)].schema_version;
    let write =
        |item, change| ItemWrite { table: TableId(TABLE), schema_version, key: key_of(item), condition: None, change };
    let actions = vec![write(one, Change::Put(ItemBody::encode(one))), write(other, change)];
    shard.propose(Command::Transact(Transaction { client_token: None, actions }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_index_ends_as_the_base_rows_say(steps in steps()) {
        let table = table(1, vec![by_g(IndexState::Active), by_v(IndexState::Active)]);
        let mut world = World::new(&table);
        steps.iter().for_each(|step| run(&mut world, step));
        world.settle();
        world.check(&table);
        world.check_late_messages(&table);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// An index is added while writes go on: installed shard by shard, filled by every shard on its own, through the
    /// same channels; then it goes again, in the same way.
    #[test]
    fn an_index_is_filled_and_dropped_through_the_outbox(
        parts in proptest::collection::vec(steps(), 10), rows in 1u32..4, order in Just([0u32, 1, 2]).prop_shuffle(),
    ) {
        let indexes = |state| vec![by_g(IndexState::Active), by_v(state)];
        let mut world = World::new(&table(1, vec![by_g(IndexState::Active)]));
        let mut parts = parts.into_iter();
        let mut go_on = |world: &mut World| parts.next().into_iter().flatten().for_each(|step| run(world, &step));
        go_on(&mut world);
        for (version, state) in [(2, IndexState::Writing), (3, IndexState::Backfilling)] {
            for shard in order {
                world.install(shard, &table(version, indexes(state)));
                if shard == order[1] {
                    go_on(&mut world);
                }
            }
        }
        for shard in order {
            let step = BackfillStep { table: TableId(TABLE), schema_version: 3, index: IndexId(3), rows };
            for tries in 0.. {
                if world.shards[shard as usize].propose(Command::BackfillStep(step)) == (Outcome::Backfilled { done: true }) {
                    break;
                }
                prop_assert!(tries < 100, "a backfill never ends");
                if tries % 2 == 0 {
                    go_on(&mut world);
                } else {
                    world.settle();
                }
            }
        }
        go_on(&mut world);
        world.settle();
        let filled = table(4, indexes(IndexState::Active));
        order.iter().for_each(|shard| world.install(*shard, &filled));
        world.check(&filled);
        go_on(&mut world);
        for (version, left) in [(5, indexes(IndexState::Dropping)), (6, vec![by_g(IndexState::Active)])] {
            for shard in order {
                world.install(shard, &table(version, left.clone()));
                if shard == order[1] {
                    go_on(&mut world);
                }
            }
        }
        world.settle();
        let left = table(6, vec![by_g(IndexState::Active)]);
        world.check(&left);
        world.check_late_messages(&left);
        prop_assert!(world.items(Space::GlobalIndex, 3).is_empty(), "nothing of a dropped index comes back");
        prop_assert_eq!(world.stats(3), Stats::default());
    }
}

/// An item whose row in `by_g` lies on another shard than itself.
fn remote_item(world: &mut World, more: &str) -> (Item, ShardId) {
    let table = table(1, vec![by_g(IndexState::Active)]);
    for number in 0.. {
        let item = item([("p", s("p")), ("g", s(format!("g{number}"))), ("more", s(more))]);
        let stored = dynamo_engine::item::stored(&ItemBody::encode(&item), Timestamp(1));
        let base = key_of(&item);
        let key =
            index_key_of(&table, &table.indexes[0], RowKey::parse(&base).unwrap(), &ItemRef::parse(&stored).unwrap());
        let target = world.map.locate(RowKey::parse(&key.unwrap().unwrap()).unwrap().token()).0;
        if target != world.shard_of(&item).state.id {
            return (item, target);
        }
    }
    unreachable!("some key lies elsewhere")
}

#[test]
fn a_write_says_what_to_wait_for() {
    let mut world = World::new(&table(1, vec![by_g(IndexState::Active)]));
    let (item, target) = remote_item(&mut world, "");
    let channels = |outcome| match outcome {
        Outcome::Written(write) => write.channels,
        other => panic!("{other:?}"),
    };
    assert_eq!(channels(world.put(&item)), [OutboxPosition { target, sequence: 1 }]);
    assert_eq!(channels(world.put(&item)), [], "nothing changed");
    assert_eq!(channels(world.write(&item, Change::Delete)), [OutboxPosition { target, sequence: 2 }]);
}

#[test]
fn a_target_that_has_not_installed_the_index_takes_nothing_until_it_has() {
    let before = table(1, Vec::new());
    let mut world = World::new(&before);
    let (item, target) = remote_item(&mut world, "");
    let own = world.shard_of(&item).state.id;
    let with_index = table(2, vec![by_g(IndexState::Active)]);
    world.install(own.0, &with_index);
    world.put(&item);
    world.send((own.0, target.0), 0, 10);
    world.arrive(0);
    assert_eq!(world.acknowledged[&(own, target)], 0, "it is not there yet");
    world.install(target.0, &with_index);
    world.arrive(0);
    assert_eq!(world.acknowledged[&(own, target)], 1);
    world.trim((own.0, target.0), 0);
    world.check(&with_index);
}

#[test]
fn a_backfill_is_done_only_when_its_rows_have_arrived() {
    let mut world = World::new(&table(1, Vec::new()));
    let (item, target) = remote_item(&mut world, "");
    let own = world.shard_of(&item).state.id;
    world.put(&item);
    let filling = table(2, vec![by_g(IndexState::Backfilling)]);
    (0..SHARDS).for_each(|shard| world.install(shard, &filling));
    let step =
        Command::BackfillStep(BackfillStep { table: TableId(TABLE), schema_version: 2, index: IndexId(2), rows: 10 });
    let step = |world: &mut World| world.shards[own.0 as usize].propose(step.clone());
    assert_eq!(step(&mut world), Outcome::Backfilled { done: false }, "visited, not delivered");
    assert_eq!(step(&mut world), Outcome::Rejected(Rejection::Behind));
    world.shards[own.0 as usize].crash(1);
    world.send((own.0, target.0), 0, 10);
    world.arrive(0);
    assert_eq!(step(&mut world), Outcome::Rejected(Rejection::Behind), "the source has not heard of it");
    world.trim((own.0, target.0), 0);
    assert_eq!(step(&mut world), Outcome::Backfilled { done: true });
    assert_eq!(step(&mut world), Outcome::Backfilled { done: true }, "and stays so");
    world.check(&filling);
}

#[test]
fn a_full_outbox_refuses_what_would_add_to_it_and_nothing_else() {
    let table = table(1, vec![by_g(IndexState::Active)]);
    let mut world = World::new(&table);
    let (remote, target) = remote_item(&mut world, &"x".repeat(390_000));
    let own = world.shard_of(&remote).state.id;
    let mut tries = 0..200;
    let full = |world: &World| world.shards[own.0 as usize].state.channels.outbox_bytes() >= OUTBOX_BYTES_MAX;
    while !full(&world) {
        let mut other = remote.clone();
        other.insert("try".to_owned(), n(tries.next().expect("two hundred large items fill an outbox")));
        assert!(matches!(world.put(&other), Outcome::Written(_)));
    }
    let behind = Outcome::Rejected(Rejection::Behind);
    let before = world.items(Space::Rows, TABLE);
    assert_eq!(world.put(&remote), behind);
    assert_eq!(world.write(&remote, Change::Delete), behind);
    let write =
        |change| ItemWrite { table: TableId(TABLE), schema_version: 1, key: key_of(&remote), condition: None, change };
    let transaction = Transaction { client_token: None, actions: vec![write(Change::Delete)] };
    assert_eq!(world.shard_of(&remote).propose(Command::Transact(transaction)), behind);
    assert_eq!(world.items(Space::Rows, TABLE), before, "nothing was done");
    let mut plain = (0..).map(|number| item([("p", s(format!("q{number}")))]));
    let plain = plain.find(|item| world.shard_of(item).state.id == own).expect("some item lives there");
    assert!(matches!(world.put(&plain), Outcome::Written(_)), "no index row, no channel");
    world.send((own.0, target.0), 0, 1000);
    world.arrive(0);
    world.trim((own.0, target.0), 0);
    assert!(matches!(world.put(&remote), Outcome::Written(_)));
    world.settle();
    world.check(&table);
}
