//! The queue against a model, and deletions against what a sweep may have read at any earlier moment.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::{Reader, StateStore, WriteBatch};
use proptest::prelude::*;
use shard_router::{ShardId, ShardMap, Token};

use super::is_ttl_queue_filled;
use crate::apply::{Outcome, Rejection, ShardState, replica};
use crate::catalog::{DdlCommand, KeyType, Projection, TableDescriptor, TableId, TtlSettings, fixture};
use crate::command::{Change, Command, Expire, Expiring, FillTtlQueue, ItemWrite, Prepare, Resolve, TransactionId};
use crate::item::{ItemBody, ItemRef};
use crate::keyspace::{
    KeyPart, RowKey, Space, TableIds, id_prefix, local, parse_ttl_queue, row_key, table_ranges, token_of, ttl_queue_key,
};
use crate::outbox::{OUTBOX_BACKFILL_BYTES_MAX, OutboxChannel};
use crate::ttl;

thread_local! {
    static BROKEN: Cell<bool> = const { Cell::new(false) };
}

/// Whether an item's own expiry is compared; see `the_comparison_keeps_what_was_renewed`.
pub fn is_compared() -> bool {
    !BROKEN.get()
}

const TABLE: u64 = 1;
const INDEX: u64 = 2;
const NOW_MS: u64 = 1_700_000_000_000;

fn table(version: u32, attribute: Option<&str>) -> TableDescriptor {
    let mut table = TableDescriptor::new(TableId(TABLE), "t", fixture::keys(("p", KeyType::S), None));
    let by_ttl = fixture::keys(("p", KeyType::S), Some(("a", KeyType::N)));
    table.indexes = vec![fixture::index(INDEX, "local", true, by_ttl, Projection::All)];
    table.schema_version = version;
    table.ttl =
        attribute.map(|attribute| TtlSettings { attribute: attribute.to_owned(), enabled: true, changed_ms: None });
    table
}

fn key(number: u8) -> Vec<u8> {
    row_key(TABLE, &[KeyPart::S(&format!("item {number}"))], &[])
}

/// An item with these seconds in its attributes a and b.
fn item(number: u8, a: Option<&str>, b: Option<&str>) -> Item {
    let value = |text: &str| AttributeValue::N(Number::parse(text).unwrap());
    let times = [("a", a), ("b", b)].into_iter().filter_map(|(name, text)| Some((name.to_owned(), value(text?))));
    let key = ("p".to_owned(), AttributeValue::S(format!("item {number}")));
    [key].into_iter().chain(times).collect()
}

/// A replica with one table.
struct Replica {
    replica: replica::Replica,
    version: u32,
}

impl Deref for Replica {
    type Target = replica::Replica;

    fn deref(&self) -> &replica::Replica {
        &self.replica
    }
}

impl DerefMut for Replica {
    fn deref_mut(&mut self) -> &mut replica::Replica {
        &mut self.replica
    }
}

type Queue = BTreeSet<(u64, Vec<u8>)>;

impl Replica {
    fn new() -> Replica {
        Replica::in_map(ShardId(0), ShardMap::whole())
    }

    fn in_map(id: ShardId, map: ShardMap) -> Replica {
        let mut replica = Replica { replica: replica::Replica::new(id, map, NOW_MS), version: 0 };
        replica.enable(None);
        replica
    }

    fn apply(&mut self, command: Command) -> Outcome {
        self.one(command)
    }

    /// Enables time to live by an attribute in place of the one before, or disables it.
    fn enable(&mut self, attribute: Option<&str>) {
        self.version += 1;
        let table = Box::new(table(self.version, attribute));
        self.apply(Command::Ddl(DdlCommand::Install { era: 0, table }));
    }

    fn write(&mut self, key: Vec<u8>, change: Change) -> Outcome {
        let (table, schema_version) = (TableId(TABLE), self.version);
        self.apply(Command::Write(ItemWrite { table, schema_version, key, condition: None, change }))
    }

    fn put(&mut self, number: u8, a: Option<&str>) {
        let outcome = self.write(key(number), Change::Put(ItemBody::encode(&item(number, a, None))));
        assert!(matches!(outcome, Outcome::Written(_)), "{outcome:?}");
    }

    fn fill(&mut self, attribute: &str, rows: u32) -> Outcome {
        let attribute = attribute.to_owned();
        self.apply(Command::FillTtlQueue(FillTtlQueue { table: TableId(TABLE), attribute, rows }))
    }

    fn expire(&mut self, attribute: &str, queue: &Queue) -> Outcome {
        let items = queue.iter().map(|(expiry_ms, key)| Expiring { expiry_ms: *expiry_ms, key: key.clone() }).collect();
        self.apply(Command::Expire(Expire { table: TableId(TABLE), attribute: attribute.to_owned(), items }))
    }

    fn queue(&self) -> Queue {
        let rows = self.rows(&id_prefix(Space::TtlQueue, TABLE));
        rows.keys().map(|key| parse_ttl_queue(key).unwrap()).collect()
    }

    /// The keys of the items.
    fn items(&self) -> BTreeSet<Vec<u8>> {
        self.rows(&id_prefix(Space::Rows, TABLE)).into_keys().collect()
    }

    /// The queue that the items call for.
    fn wanted(&self, attribute: &str) -> Queue {
        let rows = self.rows(&id_prefix(Space::Rows, TABLE));
        let expiry = |row: &[u8]| ttl::expiry_ms(&ItemRef::parse(row).unwrap(), attribute).unwrap();
        rows.into_iter().filter_map(|(key, row)| Some((expiry(&row)?, key))).collect()
    }

    fn is_filled(&self) -> bool {
        is_ttl_queue_filled(self.store.get(&local::ttl_fill(self.shard.id, TABLE)).unwrap().as_deref())
    }
}

/// What happens to a shard.
#[derive(Clone, Debug)]
enum Step {
    Put(u8, Option<&'static str>, Option<&'static str>),
    Delete(u8),
    Enable(Option<&'static str>),
    Fill(u32),
    /// A sweep reads the queue.
    Read,
    /// What some sweep has read arrives as a command, now or again, by the attribute that it was read for.
    Arrive(usize),
    /// The leader's clock shows this much more, or less.
    Clock(i64),
    Restart,
}

const TIMES: [&str; 9] = [
    "1699999990",
    "1699999990.5",
    "1.7e9",
    "1700000060",
    "1500000000",
    "162777600",
    "0",
    "99999999999999999999",
    "1700000000000",
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let time = || proptest::option::of(proptest::sample::select(&TIMES[..]));
    let attribute = proptest::option::weighted(0.8, prop_oneof![Just("a"), Just("b")]);
    let step = prop_oneof![
        6 => (0..6u8, time(), time()).prop_map(|(number, a, b)| Step::Put(number, a, b)),
        1 => (0..6u8).prop_map(Step::Delete),
        2 => attribute.prop_map(Step::Enable),
        3 => (1..4u32).prop_map(Step::Fill),
        3 => Just(Step::Read),
        4 => (0..8usize).prop_map(Step::Arrive),
        2 => (-90_000i64..90_000).prop_map(Step::Clock),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Runs the steps, and says at which one something happened that must not.
fn run(steps: &[Step]) -> Result<(), String> {
    let mut replica = Replica::new();
    let mut attribute = None;
    let mut sweeps: Vec<(&str, Queue)> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let fault = |what: &str| Err(format!("step {at}, {step:?}: {what}"));
        let before = replica.items();
        let mut gone = BTreeSet::new();
        match step {
            Step::Put(number, a, b) => {
                let item = item(*number, *a, *b);
                replica.write(key(*number), Change::Put(ItemBody::encode(&item)));
            }
            Step::Delete(number) => {
                replica.write(key(*number), Change::Delete);
                gone.insert(key(*number));
            }
            Step::Enable(to) => {
                replica.enable(*to);
                attribute = *to;
            }
            Step::Fill(rows) => {
                let outcome = replica.fill(attribute.unwrap_or("a"), *rows);
                if attribute.is_none() && outcome != Outcome::Rejected(Rejection::Stale) {
                    return fault("filled although disabled");
                }
                if (outcome == Outcome::Backfilled { done: true }) != replica.is_filled() {
                    return fault("does not say whether it is filled");
                }
            }
            Step::Read => sweeps.extend(attribute.map(|attribute| (attribute, replica.queue()))),
            Step::Arrive(which) => {
                let Some((by, read)) = sweeps.get(*which).cloned() else { continue };
                let due = ttl::due(replica.now_ms);
                if attribute == Some(by) {
                    let wanted = replica.wanted(by);
                    let meant = read.intersection(&wanted).filter(|(expiry_ms, _)| due.contains(expiry_ms));
                    gone.extend(meant.map(|(_, key)| key.clone()));
                }
                let outcome = replica.expire(by, &read);
                let expected = match attribute == Some(by) {
                    true => Outcome::Expired { deleted: gone.len() as u32, put_off: 0 },
                    false => Outcome::Rejected(Rejection::Stale),
                };
                if outcome != expected {
                    return fault(&format!("{outcome:?} instead of {expected:?}"));
                }
            }
            Step::Clock(by_ms) => replica.now_ms = replica.now_ms.saturating_add_signed(*by_ms),
            Step::Restart => {
                let loaded = ShardState::load(&replica.store, ShardId(0), Arc::clone(&replica.shard.map)).unwrap();
                if loaded != replica.shard {
                    return fault("the state is not what its rows say");
                }
                replica.shard = loaded;
            }
        }
        let left = before.difference(&gone).cloned().collect::<BTreeSet<_>>();
        if !left.is_subset(&replica.items()) || replica.items().intersection(&gone).next().is_some() {
            return fault("other items are gone than should be");
        }
        let (queue, wanted) =
            (replica.queue(), attribute.map(|attribute| replica.wanted(attribute)).unwrap_or_default());
        if !queue.is_subset(&wanted) || (replica.is_filled() && queue != wanted) {
            return fault(&format!("the queue is {queue:?}, not {wanted:?}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is enabled, written, restarted and swept in whatever order: the queue is what the items call for, and only
    /// items go that are due when the command arrives and expire when it was read that they do.
    #[test]
    fn the_queue_follows_the_items_and_only_what_is_due_goes(steps in steps()) {
        prop_assert_eq!(run(&steps), Ok(()));
    }
}

/// A hundred due items are read by a sweep; every other one is renewed before its command arrives.
fn race() -> Replica {
    let mut replica = Replica::new();
    replica.enable(Some("a"));
    (0..100).for_each(|number| replica.put(number, Some("1699999990")));
    let read = replica.queue();
    assert_eq!(read.len(), 100);
    (0..100).step_by(2).for_each(|number| replica.put(number, Some("1700003600")));
    let outcome = replica.expire("a", &read);
    assert!(matches!(outcome, Outcome::Expired { put_off: 0, .. }), "{outcome:?}");
    replica
}

#[test]
fn the_comparison_keeps_what_was_renewed() {
    let renewed: BTreeSet<_> = (0..100).step_by(2).map(key).collect();
    let replica = race();
    assert_eq!(replica.items(), renewed, "the renewed ones, and no other");
    assert_eq!(replica.queue().len(), 50);
    assert_eq!(replica.rows(&id_prefix(Space::LocalIndex, INDEX)).len(), 50, "index rows go with their items");
    assert_eq!((replica.shard.stats(TABLE).items, replica.shard.stats(INDEX).items), (50, 50));
    // The rule is what keeps them.
    BROKEN.set(true);
    let (replica, verdict) = (race(), {
        let steps = [Step::Enable(Some("a")), Step::Put(1, Some(TIMES[0]), None), Step::Read];
        let renewal = [Step::Put(1, Some(TIMES[3]), None), Step::Arrive(0)];
        run(&[&steps[..], &renewal].concat())
    });
    BROKEN.set(false);
    assert!(replica.items().is_empty(), "renewed in vain");
    assert!(verdict.is_err(), "the model does not miss it");
}

#[test]
fn a_locked_item_waits() {
    let mut replica = Replica::new();
    replica.enable(Some("a"));
    replica.put(1, Some("1699999990"));
    let check = ItemWrite {
        table: TableId(TABLE),
        schema_version: replica.version,
        key: key(1),
        condition: None,
        change: Change::Check,
    };
    let record_token = token_of(TABLE, &[KeyPart::S("item 1")]);
    let id = TransactionId(7);
    let deadline_ms = NOW_MS + 5_000;
    let outcome = replica.apply(Command::Prepare(Prepare {
        id,
        record_token,
        deadline_ms,
        client_token: None,
        actions: vec![check],
    }));
    let Outcome::Prepared { ts, .. } = outcome else { panic!("{outcome:?}") };
    let read = replica.queue();
    assert_eq!(replica.expire("a", &read), Outcome::Expired { deleted: 0, put_off: 1 });
    replica.apply(Command::Resolve(Resolve { id, prepared: Some(ts), commit: None }));
    assert_eq!(replica.expire("a", &read), Outcome::Expired { deleted: 1, put_off: 0 });
    assert_eq!(replica.expire("a", &read), Outcome::Expired { deleted: 0, put_off: 0 }, "once");
}

/// A sweep must not take the room in the outbox that clients' writes need.
#[test]
fn where_the_outbox_is_well_filled_only_items_without_global_indexes_go() {
    for (has_global, put_off) in [(false, 0), (true, 1)] {
        let map = ShardMap::even(2).unwrap();
        let own = |number: &u8| map.locate(RowKey::parse(&key(*number)).unwrap().token()).0 == ShardId(0);
        let number = (0..20).find(own).expect("some item lies here");
        let mut replica = Replica::in_map(ShardId(0), map.clone());
        let mut described = table(replica.version + 1, Some("a"));
        if has_global {
            let by_g = fixture::keys(("g", KeyType::S), None);
            described.indexes.push(fixture::index(INDEX + 1, "global", false, by_g, Projection::All));
        }
        replica.version += 1;
        replica.apply(Command::Ddl(DdlCommand::Install { era: 0, table: Box::new(described) }));
        replica.put(number, Some("1699999990"));
        let read = replica.queue();
        let channel = OutboxChannel { last: 1, bytes: OUTBOX_BACKFILL_BYTES_MAX, ..OutboxChannel::default() };
        replica.shard.channels.out.insert(ShardId(1), channel);
        assert_eq!(replica.expire("a", &read), Outcome::Expired { deleted: 1 - put_off, put_off });
        replica.shard.channels.out.clear();
        assert_eq!(replica.expire("a", &read), Outcome::Expired { deleted: put_off, put_off: 0 });
    }
}

#[test]
fn a_row_of_no_item_is_tidied_away() {
    let mut replica = Replica::new();
    replica.enable(Some("a"));
    let mut batch = WriteBatch::new();
    batch.put(&ttl_queue_key(Token(0), NOW_MS - 1, &key(1)).unwrap(), b"");
    replica.store.write(&batch).unwrap();
    let read = replica.queue();
    assert_eq!((read.len(), replica.expire("a", &read)), (1, Outcome::Expired { deleted: 0, put_off: 0 }));
    assert!(replica.queue().is_empty());
}

#[test]
fn without_time_to_live_nothing_is_kept() {
    let (mut with, mut without) = (Replica::new(), Replica::new());
    for replica in [&mut with, &mut without] {
        replica.enable(Some("a"));
        replica.put(1, Some("1700000060"));
        replica.fill("a", 10);
        replica.enable(None);
    }
    without.put(2, Some("1700000060"));
    assert_eq!(without.queue(), Queue::new());
    let local = |replica: &Replica| replica.rows(&local::ttl_fill(ShardId(0), TABLE));
    assert!(local(&with).is_empty() && local(&without).is_empty());
    // And what it had is not there any more when it is enabled again: it is filled anew.
    without.enable(Some("a"));
    assert_eq!((without.queue().len(), without.is_filled()), (0, false));
    while without.fill("a", 1) != (Outcome::Backfilled { done: true }) {}
    assert_eq!(without.queue(), without.wanted("a"));
    assert_eq!(without.queue().len(), 2);
}

#[test]
fn a_shards_queue_lies_within_its_ranges() {
    let map = ShardMap::even(3).unwrap();
    let mut replica = Replica::in_map(ShardId(1), map.clone());
    replica.enable(Some("a"));
    let own: Vec<u8> =
        (0..60).filter(|number| map.locate(RowKey::parse(&key(*number)).unwrap().token()).0 == ShardId(1)).collect();
    own.iter().for_each(|number| replica.put(*number, Some("1700000060")));
    assert!(own.len() > 5);
    let tokens = map.ranges(ShardId(1))[0];
    let ids = TableIds { table: TABLE, local_indexes: vec![INDEX], global_indexes: Vec::new() };
    let ranges = table_ranges(&ids, tokens.first(), tokens.last());
    let queued = replica.rows(&id_prefix(Space::TtlQueue, TABLE));
    assert_eq!(queued.len(), own.len());
    for key in queued.keys() {
        assert_eq!(RowKey::parse(key).unwrap().token(), tokens.first());
        assert_eq!(ranges.iter().filter(|range| range.start <= *key && *key < range.end).count(), 1);
    }
    replica.apply(Command::Ddl(DdlCommand::Uninstall { era: 1, table: TableId(TABLE) }));
    assert!(replica.queue().is_empty(), "dropped with the table");
}
