//! Apply against a naive model: a map of items, with index contents worked out by brute force.

use std::collections::BTreeMap;
use std::sync::Arc;

use dynamo_expression::{Condition, ExpressionKind, Placeholders, Update};
use dynamo_protocol::number::Number;
use dynamo_protocol::size::item_bytes;
use dynamo_protocol::value::{AttributeValue, Item};
use hlc::Timestamp;
use ordered_kv::memory::MemoryState;
use ordered_kv::{Direction, KeyRange, Reader, StateStore, WriteBatch};
use proptest::prelude::*;
use shard_router::{ShardId, ShardMap, Token};

use super::replica::Replica;
use super::*;
use crate::catalog::{IndexId, IndexState, KeyType, Projection, Stats, TableDescriptor, TableId, fixture};
use crate::command::{BackfillStep, Change, ClientToken, Command, ItemWrite, Stamped, Transaction, request_hash};
use crate::item::ItemBody;
use crate::keyspace::{KeyPart, RowKey, Space, global_index_key, id_prefix, local_index_key, row_key, token_of};

const TABLE: u64 = 1;
const LOCAL: u64 = 2;
const GLOBAL: u64 = 3;

/// Partition key p (S), sort key s (N); local index on l (S) with everything; global index on g (S) and v (N) with w.
fn table() -> TableDescriptor {
    let keys = fixture::keys(("p", KeyType::S), Some(("s", KeyType::N)));
    let mut table = TableDescriptor::new(TableId(TABLE), "t", keys);
    let local = fixture::keys(("p", KeyType::S), Some(("l", KeyType::S)));
    let global = fixture::keys(("g", KeyType::S), Some(("v", KeyType::N)));
    table.indexes = vec![
        fixture::index(LOCAL, "local", true, local, Projection::All),
        fixture::index(GLOBAL, "global", false, global, Projection::Include(vec!["w".into()])),
    ];
    table
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(value: i64) -> AttributeValue {
    AttributeValue::N(Number::from_i64(value))
}

fn key_of(item: &Item) -> Vec<u8> {
    let part = |name: &str| KeyPart::of(&item[name]).unwrap();
    row_key(TABLE, &[part("p")], &[part("s")])
}

/// A replica with this table.
fn replica_of(table: &TableDescriptor) -> Replica {
    let mut replica = Replica::new(ShardId(0), ShardMap::whole(), 1_000_000);
    install(&mut replica, table.clone());
    replica
}

fn install(replica: &mut Replica, table: TableDescriptor) {
    let mut batch = WriteBatch::new();
    batch.put(&crate::keyspace::local::installed(ShardId(0), table.id.0), &table.to_bytes());
    replica.store.write(&batch).unwrap();
    replica.shard.tables.insert(table.id, Arc::new(table));
}

fn write(key: Vec<u8>, condition: Option<Condition>, change: Change) -> ItemWrite {
    ItemWrite { table: TableId(TABLE), schema_version: 1, key, condition, change }
}

fn put(item: &Item) -> Command {
    Command::Write(write(key_of(item), None, Change::Put(ItemBody::encode(item))))
}

fn condition(text: &str, values: &[(&str, AttributeValue)]) -> Condition {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let values: BTreeMap<String, AttributeValue> = values;
    let placeholders = Placeholders::new(None, (!values.is_empty()).then_some(&values));
    placeholders.condition(ExpressionKind::Condition, text).unwrap()
}

fn update(text: &str, values: &[(&str, AttributeValue)]) -> Update {
    let values: BTreeMap<String, AttributeValue> =
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let placeholders = Placeholders::new(None, (!values.is_empty()).then_some(&values));
    placeholders.update(text).unwrap()
}

fn item(p: &str, sort: i64, more: &[(&str, AttributeValue)]) -> Item {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    [("p".to_owned(), s(p)), ("s".to_owned(), n(sort))].into_iter().chain(more).collect()
}

/// The rows that an index must have for these items.
fn expected_index(items: &BTreeMap<Vec<u8>, Item>, id: u64) -> BTreeMap<Vec<u8>, Item> {
    let mut rows = BTreeMap::new();
    for (key, item) in items {
        let base = RowKey::parse(key).unwrap();
        let part = |name: &str| KeyPart::of(&item[name]).unwrap();
        if id == LOCAL && matches!(item.get("l"), Some(AttributeValue::S(_))) {
            rows.insert(local_index_key(id, base.token(), &[part("p")], &[part("l")], &[part("s")]), item.clone());
        }
        if id == GLOBAL
            && matches!(item.get("g"), Some(AttributeValue::S(_)))
            && matches!(item.get("v"), Some(AttributeValue::N(_)))
        {
            let carried = ["g", "p", "s", "v", "w"];
            let projected = item.iter().filter(|(name, _)| carried.contains(&name.as_str()));
            let projected = projected.map(|(name, value)| (name.clone(), value.clone())).collect();
            rows.insert(global_index_key(id, &[part("g")], &[part("v")], base.parts()), projected);
        }
    }
    rows
}

fn counted(items: &BTreeMap<Vec<u8>, Item>) -> Stats {
    Stats { items: items.len() as u64, bytes: items.values().map(item_bytes).sum::<usize>() as u64 }
}

/// What the tests do to one item.
#[derive(Clone, Debug)]
enum Act {
    Put(Item),
    Update(Item, usize, i64),
    Delete(Item),
    Check(Item),
}

#[derive(Clone, Debug)]
enum Step {
    One(Act, Option<i64>),
    Transact(Vec<(Act, Option<i64>)>),
}

const UPDATES: [&str; 6] = [
    "SET v = :v",
    "ADD v :v",
    "REMOVE g, w",
    "SET g = :g, l = :g",
    "SET w = if_not_exists(w, :v)",
    "SET v = v + :v REMOVE l",
];

impl Act {
    fn key(&self) -> Vec<u8> {
        match self {
            Act::Put(item) | Act::Update(item, ..) | Act::Delete(item) | Act::Check(item) => key_of(item),
        }
    }

    fn update(which: usize, value: i64) -> Update {
        let text = UPDATES[which];
        let both = [(":v", n(value)), (":g", s(["a", "b"][value.rem_euclid(2) as usize]))];
        let used: Vec<_> = both.into_iter().filter(|(name, _)| text.contains(name)).collect();
        update(text, &used)
    }

    fn write(&self, expected: Option<i64>) -> ItemWrite {
        let change = match self {
            Act::Put(item) => Change::Put(ItemBody::encode(item)),
            Act::Update(_, which, value) => Change::Update(Act::update(*which, *value)),
            Act::Delete(_) => Change::Delete,
            Act::Check(_) => Change::Check,
        };
        write(self.key(), expected.map(|v| condition("v = :v", &[(":v", n(v))])), change)
    }

    /// The model's verdict: the item after, or a refusal.
    fn model(&self, items: &BTreeMap<Vec<u8>, Item>, expected: Option<i64>) -> Result<Option<Item>, &'static str> {
        let old = items.get(&self.key());
        if expected.is_some_and(|v| old.and_then(|old| old.get("v")) != Some(&n(v))) {
            return Err("condition");
        }
        match self {
            Act::Put(item) => Ok(Some(item.clone())),
            Act::Delete(_) => Ok(None),
            Act::Check(_) => Ok(old.cloned()),
            Act::Update(_, 2, _) if old.is_none() => Ok(None),
            Act::Update(key, which, value) => {
                let mut item = old.cloned().unwrap_or_else(|| item_key(key));
                Act::update(*which, *value).apply(&mut item).map_err(|_| "invalid")?;
                Ok(Some(item))
            }
        }
    }
}

fn item_key(item: &Item) -> Item {
    ["p", "s"].iter().map(|name| ((*name).to_owned(), item[*name].clone())).collect()
}

fn acts() -> impl Strategy<Value = Act> {
    let text = || proptest::option::of(prop_oneof![Just("a"), Just("b")]);
    let number = || proptest::option::of(0i64..3);
    let items = (0..3usize, 0..2i64, text(), text(), number(), number()).prop_map(|(p, sort, g, l, v, w)| {
        let mut item = item(["x", "y", "z\0"][p], sort, &[]);
        item.extend(g.map(|g| ("g".to_owned(), s(g))));
        item.extend(l.map(|l| ("l".to_owned(), s(l))));
        item.extend(v.map(|v| ("v".to_owned(), n(v))));
        item.extend(w.map(|w| ("w".to_owned(), n(w))));
        item
    });
    (items, 0..8usize, 0..UPDATES.len(), 0i64..3).prop_map(|(item, kind, which, value)| match kind {
        0..=2 => Act::Put(item),
        3..=5 => Act::Update(item_key(&item), which, value),
        6 => Act::Delete(item_key(&item)),
        _ => Act::Check(item_key(&item)),
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = || (acts(), proptest::option::weighted(0.3, 0i64..3));
    let transaction = proptest::collection::vec(act(), 1..4).prop_map(|mut acts| {
        acts.sort_by_key(|(act, _)| act.key());
        acts.dedup_by_key(|(act, _)| act.key());
        Step::Transact(acts)
    });
    let one = act().prop_map(|(act, expected)| Step::One(act, expected));
    proptest::collection::vec(prop_oneof![3 => one, 1 => transaction], 1..40)
}

fn command(step: &Step) -> Command {
    match step {
        Step::One(act, expected) => Command::Write(act.write(*expected)),
        Step::Transact(acts) => Command::Transact(Transaction {
            client_token: None,
            actions: acts.iter().map(|(act, expected)| act.write(*expected)).collect(),
        }),
    }
}

/// Carries a step out on the model and says what the outcome must look like.
fn model_step(items: &mut BTreeMap<Vec<u8>, Item>, step: &Step) -> String {
    let acts = match step {
        Step::One(act, expected) => std::slice::from_ref(&(act.clone(), *expected)).to_vec(),
        Step::Transact(acts) => acts.clone(),
    };
    let verdicts: Vec<_> = acts.iter().map(|(act, expected)| act.model(items, *expected)).collect();
    if verdicts.iter().any(Result::is_err) {
        let mut invalid_seen = false;
        let words = verdicts.iter().map(|verdict| match verdict {
            Err("invalid") if std::mem::replace(&mut invalid_seen, true) => "passed",
            Err(refusal) => refusal,
            Ok(_) => "passed",
        });
        return words.collect::<Vec<_>>().join(" ");
    }
    let mut words = Vec::new();
    for ((act, _), new) in acts.iter().zip(verdicts) {
        let new = new.expect("checked above");
        let old = match new {
            Some(new) => items.insert(act.key(), new),
            None => items.remove(&act.key()),
        };
        words.push(if old.as_ref() == items.get(&act.key()) { "same" } else { "changed" });
    }
    words.join(" ")
}

fn describe(outcome: &Outcome) -> String {
    let word = |write: &WriteOutcome| if write.changed { "changed" } else { "same" };
    match outcome {
        Outcome::Written(write) => word(write).to_owned(),
        Outcome::ConditionFailed { .. } => "condition".to_owned(),
        Outcome::Invalid(_) => "invalid".to_owned(),
        Outcome::Transacted { actions } => actions.iter().map(word).collect::<Vec<_>>().join(" "),
        Outcome::Cancelled(actions) => {
            let words = actions.iter().map(|action| match action {
                ActionOutcome::Passed => "passed",
                ActionOutcome::Conflict => "conflict",
                ActionOutcome::ConditionFailed { .. } => "condition",
                ActionOutcome::Invalid(_) => "invalid",
            });
            words.collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Outcomes, rows, index rows and counters are the model's; a replica that got the same commands in other entries
    /// holds the same bytes; the state in memory is what loading gives.
    #[test]
    fn random_writes_agree_with_the_model(steps in steps(), group in 1..7usize) {
        let (mut replica, mut twin) = (replica_of(&table()), replica_of(&table()));
        let mut items = BTreeMap::new();
        for step in &steps {
            let expected = model_step(&mut items, step);
            prop_assert_eq!(describe(&replica.one(command(step))), expected, "{:?}", step);
        }
        prop_assert_eq!(&replica.items(Space::Rows, TABLE), &items);
        for (space, id) in [(Space::LocalIndex, LOCAL), (Space::GlobalIndex, GLOBAL)] {
            let expected = expected_index(&items, id);
            prop_assert_eq!(&replica.items(space, id), &expected);
            prop_assert_eq!(replica.shard.stats(id), counted(&expected));
        }
        prop_assert_eq!(replica.shard.stats(TABLE), counted(&items));
        for entry in steps.chunks(group) {
            twin.apply(entry.iter().map(command).collect());
        }
        prop_assert_eq!(replica.rows(b""), twin.rows(b""));
        prop_assert_eq!(&ShardState::load(&replica.store, ShardId(0), Arc::new(ShardMap::whole())).unwrap(), &replica.shard);
    }

    /// An index that is filled step by step, with writes in between, ends like one that was there from the start.
    #[test]
    fn a_backfill_between_writes_is_complete(before in steps(), during in steps(), rows in 1u32..4) {
        let mut without = table();
        let global = without.indexes.pop().unwrap();
        let mut replica = replica_of(&without);
        replica.apply(before.iter().map(command).collect());
        let mut filling = table();
        filling.indexes[1] = crate::catalog::IndexDescriptor { state: IndexState::Backfilling, ..global };
        install(&mut replica, filling);
        let step = BackfillStep { table: TableId(TABLE), schema_version: 1, index: IndexId(GLOBAL), rows };
        let mut during = during.iter();
        loop {
            if replica.one(Command::BackfillStep(step)) == (Outcome::Backfilled { done: true }) {
                break;
            }
            during.next().map(|step| replica.one(command(step)));
        }
        let items = replica.items(Space::Rows, TABLE);
        prop_assert_eq!(replica.items(Space::GlobalIndex, GLOBAL), expected_index(&items, GLOBAL));
        prop_assert_eq!(replica.shard.stats(GLOBAL), counted(&expected_index(&items, GLOBAL)));
        prop_assert_eq!(ShardState::load(&replica.store, ShardId(0), Arc::new(ShardMap::whole())).unwrap(), replica.shard);
    }
}

#[test]
fn a_write_that_changes_nothing_writes_nothing() {
    let mut replica = replica_of(&table());
    let a = item("x", 1, &[("v", AttributeValue::N(Number::parse("1.0").unwrap()))]);
    replica.one(put(&a));
    let before = replica.rows(&id_prefix(Space::Rows, TABLE));
    let again = item("x", 1, &[("v", n(1))]);
    let outcomes = replica.apply(vec![
        put(&again),
        Command::Write(write(key_of(&a), None, Change::Update(update("REMOVE absent", &[])))),
        Command::Write(write(key_of(&item("y", 1, &[])), None, Change::Delete)),
        Command::Write(write(key_of(&item("y", 2, &[])), None, Change::Update(update("REMOVE absent", &[])))),
    ]);
    assert_eq!(outcomes.iter().map(describe).collect::<Vec<_>>(), ["same"; 4]);
    assert_eq!(replica.rows(&id_prefix(Space::Rows, TABLE)), before);
}

#[test]
fn an_update_creates_the_item_with_its_key() {
    let mut replica = replica_of(&table());
    let a = item("x", 1, &[]);
    replica.one(Command::Write(write(key_of(&a), None, Change::Update(Update::new(Vec::new())))));
    let b = item("y", 2, &[]);
    replica.one(Command::Write(write(key_of(&b), None, Change::Update(update("SET w = s", &[])))));
    let items: Vec<Item> = replica.items(Space::Rows, TABLE).into_values().collect();
    assert!(items.contains(&a), "an update of nothing creates the bare key");
    assert!(items.contains(&item("y", 2, &[("w", n(2))])), "an update sees the key it creates");
}

#[test]
fn index_costs_are_counted_by_the_row() {
    let mut replica = replica_of(&table());
    let units = |outcome: Outcome| match outcome {
        Outcome::Written(write) => {
            write.index_writes.iter().map(|write| (write.index.0, write.units)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let mut act = |text: &str, values: &[(&str, AttributeValue)]| {
        let change = Change::Update(update(text, values));
        units(replica.one(Command::Write(write(key_of(&item("x", 1, &[])), None, change))))
    };
    assert_eq!(act("SET g = :g, v = :v", &[(":g", s("a")), (":v", n(1))]), [(GLOBAL, 1)], "a row appears");
    assert_eq!(act("SET g = :g", &[(":g", s("b"))]), [(GLOBAL, 2)], "a row moves");
    assert_eq!(act("SET extra = :o", &[(":o", s("c"))]), [], "nothing carried changes");
    assert_eq!(
        act("SET w = :w, l = :l", &[(":w", s(&"c".repeat(1500))), (":l", s("d"))]),
        [(LOCAL, 2), (GLOBAL, 2)],
        "rows appear and grow"
    );
    assert_eq!(act("REMOVE g", &[]), [(LOCAL, 2), (GLOBAL, 2)], "a row goes, another changes");
}

#[test]
fn apply_refuses_updates_that_do_not_fit_the_item() {
    let mut replica = replica_of(&table());
    let key = key_of(&item("x", 1, &[]));
    replica.one(put(&item("x", 1, &[("w", s(&"w".repeat(300_000))), ("m", s("text"))])));
    let mut refused = |text: &str, values: &[(&str, AttributeValue)]| match replica.one(Command::Write(write(
        key.clone(),
        None,
        Change::Update(update(text, values)),
    ))) {
        Outcome::Invalid(text) => text,
        other => panic!("{other:?}"),
    };
    let large = s(&"x".repeat(110_000));
    assert_eq!(refused("SET big = :x", &[(":x", large)]), "Item size to update has exceeded the maximum allowed size");
    assert_eq!(
        refused("SET v = m", &[]),
        "The update expression attempted to update the secondary index key to unsupported type"
    );
    assert_eq!(
        refused("SET g = :e", &[(":e", s(""))]),
        "One or more parameter values are not valid. The update expression attempted to update a secondary index key \
         to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value."
    );
    assert_eq!(
        refused("SET g = :e", &[(":e", s(&"g".repeat(2049)))]),
        "The update expression attempted to update the secondary index key beyond allowed size limits"
    );
}

#[test]
fn stale_and_late_commands_are_rejected_and_leave_no_trace() {
    let mut replica = replica_of(&table());
    let mut stale = write(key_of(&item("x", 1, &[])), None, Change::Put(ItemBody::encode(&item("x", 1, &[]))));
    stale.schema_version = 2;
    let transaction = Transaction { client_token: None, actions: vec![stale.clone()] };
    assert_eq!(replica.one(Command::Write(stale)), Outcome::Rejected(Rejection::Stale));
    assert_eq!(replica.one(Command::Transact(transaction)), Outcome::Rejected(Rejection::Stale));
    let step = BackfillStep { table: TableId(TABLE), schema_version: 1, index: IndexId(GLOBAL), rows: 1 };
    assert_eq!(replica.one(Command::BackfillStep(step)), Outcome::Rejected(Rejection::Stale), "an active index");
    for (ts, ceiling) in [(replica.clock, 99), (99, 99), (100, 99)] {
        let commands = vec![Stamped { ts: Timestamp(ts), command: put(&item("x", 1, &[])) }];
        let entry = Entry { stamped_ms: 0, ceiling: Timestamp(ceiling), commands };
        let outcomes = apply_entry(&mut replica.shard, &replica.store, &mut WriteBatch::new(), &entry).unwrap();
        assert_eq!(outcomes, [Outcome::Rejected(Rejection::Timestamp)]);
    }
    assert!(replica.items(Space::Rows, TABLE).is_empty());
}

fn with_token(token: &str, actions: Vec<ItemWrite>) -> Command {
    let client_token =
        Some(ClientToken { token: token.to_owned(), request_hash: request_hash(&actions), table: TableId(TABLE) });
    Command::Transact(Transaction { client_token, actions })
}

#[test]
fn a_client_token_is_good_for_ten_minutes() {
    let mut replica = replica_of(&table());
    let add = |by: i64| {
        let change = Change::Update(update("ADD v :v", &[(":v", n(by))]));
        vec![write(key_of(&item("x", 1, &[])), None, change)]
    };
    let value = |replica: &Replica| replica.items(Space::Rows, TABLE).into_values().next().unwrap()["v"].clone();
    let age = |replica: &mut Replica, seconds: u64| {
        (0..seconds / 15).for_each(|_| assert_eq!(replica.one(Command::AgeTokens(15_000)), Outcome::Done));
    };
    assert!(matches!(replica.one(with_token("t", add(1))), Outcome::Transacted { .. }));
    // Whatever wall clocks show, and however much one step says: it lets no more than fifteen seconds pass.
    replica.now_ms += 86_400_000;
    replica.one(Command::AgeTokens(u64::MAX));
    age(&mut replica, 600);
    assert!(matches!(replica.one(with_token("t", add(1))), Outcome::Replayed { .. }));
    assert_eq!(replica.one(with_token("t", add(2))), Outcome::TokenMismatch);
    assert!(matches!(replica.one(with_token("other", add(2))), Outcome::Transacted { .. }));
    assert_eq!(value(&replica), n(3));
    age(&mut replica, 15);
    assert!(matches!(replica.one(with_token("t", add(1))), Outcome::Transacted { .. }));
    assert_eq!(value(&replica), n(4));
    let elsewhere = vec![write(key_of(&item("y", 1, &[])), None, Change::Delete)];
    assert_eq!(replica.one(with_token("t", elsewhere.clone())), Outcome::TokenMismatch, "whatever the first item");
    age(&mut replica, 630);
    assert!(matches!(replica.one(with_token("t", elsewhere)), Outcome::Transacted { .. }));
    assert_eq!(replica.one(with_token("t", add(1))), Outcome::TokenMismatch, "it is the other item's now");
    age(&mut replica, 615);
    replica.one(with_token("last", add(1)));
    age(&mut replica, 15);
    let queue = replica.rows(&crate::keyspace::local::token_queue_prefix(ShardId(0)));
    assert_eq!(queue.len(), 1, "what expired was swept up");
    assert_eq!(replica.rows(&id_prefix(Space::Tokens, TABLE)).len(), 1);
    assert_eq!(replica.rows(&crate::keyspace::local::token_name(ShardId(0), "")).len(), 1);
    assert_eq!(ShardState::load(&replica.store, ShardId(0), Arc::new(ShardMap::whole())).unwrap(), replica.shard);
    age(&mut replica, 630);
    assert!(!replica.shard.has_client_tokens() && replica.rows(&id_prefix(Space::Tokens, TABLE)).is_empty());
}

#[test]
fn a_schema_change_does_not_make_a_retry_another_request() {
    let mut actions = vec![write(key_of(&item("x", 1, &[])), None, Change::Delete)];
    let before = request_hash(&actions);
    actions[0].schema_version = 7;
    assert_eq!(request_hash(&actions), before);
    actions[0].change = Change::Check;
    assert_ne!(request_hash(&actions), before);
}

#[test]
fn items_with_wrong_or_oversized_keys_stay_out_of_a_backfilled_index() {
    let mut without = table();
    without.indexes.pop();
    let mut replica = replica_of(&without);
    for (sort, g) in [(1, n(5)), (2, s("")), (3, s(&"g".repeat(2049))), (4, s(&"g".repeat(2048)))] {
        replica.one(put(&item("x", sort, &[("g", g), ("v", n(1))])));
    }
    replica.one(put(&item("x", 5, &[("g", s("fine"))])));
    let mut filling = table();
    filling.indexes[1].state = IndexState::Backfilling;
    install(&mut replica, filling);
    let step = BackfillStep { table: TableId(TABLE), schema_version: 1, index: IndexId(GLOBAL), rows: 100 };
    assert_eq!(replica.one(Command::BackfillStep(step)), Outcome::Backfilled { done: true });
    let rows = replica.items(Space::GlobalIndex, GLOBAL);
    assert_eq!(rows.into_values().map(|row| row["s"].clone()).collect::<Vec<_>>(), [n(4)]);
    let key = key_of(&item("x", 1, &[]));
    let outcome = replica.one(Command::Write(write(key, None, Change::Update(update("SET w = :w", &[(":w", n(1))])))));
    assert_eq!(describe(&outcome), "changed", "an item keeps a value that the index cannot hold");
}

#[test]
fn one_put_is_one_read() {
    struct Counting<'a>(&'a MemoryState, std::sync::atomic::AtomicUsize);
    impl Reader for Counting<'_> {
        fn get(&self, key: &[u8]) -> Result<Option<ordered_kv::Value>, ordered_kv::StoreError> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.0.get(key)
        }

        fn cursor(
            &self,
            _: KeyRange<'_>,
            _: Direction,
        ) -> Result<Box<dyn ordered_kv::Cursor + '_>, ordered_kv::StoreError> {
            panic!("a write opens no cursor")
        }
    }
    let mut replica = replica_of(&table());
    let counting = Counting(&replica.store, Default::default());
    let new = item("x", 1, &[("g", s("a")), ("v", n(1)), ("l", s("b"))]);
    let commands = vec![Stamped { ts: Timestamp(20), command: put(&new) }];
    let entry = Entry { stamped_ms: 0, ceiling: Timestamp(30), commands };
    let mut batch = WriteBatch::new();
    apply_entry(&mut replica.shard, &counting, &mut batch, &entry).unwrap();
    assert_eq!(counting.1.into_inner(), 1);
    assert_eq!(batch.len(), 7, "row, two index rows, three counters, the clock");
}

#[test]
fn the_token_of_a_row_is_that_of_its_partition() {
    let key = key_of(&item("x", 1, &[]));
    assert_eq!(RowKey::parse(&key).unwrap().token(), token_of(TABLE, &[KeyPart::S("x")]));
    assert_ne!(token_of(TABLE, &[KeyPart::S("x")]), Token(0));
}
