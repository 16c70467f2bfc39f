//! Records against a model that compares items as values, whatever way they are written in; stream shards from their
//! beginning to their end.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use dynamo_expression::{Condition, ExpressionKind, Placeholders, Update};
use dynamo_protocol::number::Number;
use dynamo_protocol::size::item_bytes;
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::memory::MemoryState;
use ordered_kv::{StateStore, WriteBatch};
use proptest::prelude::*;
use shard_router::{ShardId, ShardMap};

use crate::apply::{Applier, Outcome, ShardState, UNLIMITED, replica};
use crate::catalog::{DdlCommand, KeyType, StreamSettings, StreamView, TableDescriptor, TableId, TtlSettings, fixture};
use crate::command::{
    Change, Command, Entry, Expire, Expiring, ItemWrite, Prepare, Resolve, StreamAction, StreamStep, TendStreams,
    Transaction, TransactionId,
};
use crate::item::{ItemBody, ItemRef};
use crate::keyspace::{KeyPart, Space, id_prefix, local, row_key, stream_record_sequence, token_of};
use crate::stream::{
    EventName, SequenceNumber, StreamId, StreamPolicy, StreamRecord, StreamRequest, StreamResponse, StreamShard,
    StreamShardId, StreamStart, first_written_at,
};

const TABLE: u64 = 1;
const NOW_MS: u64 = 1_700_000_000_000;
const VIEWS: [StreamView; 4] =
    [StreamView::KeysOnly, StreamView::NewImage, StreamView::OldImage, StreamView::NewAndOldImages];

fn table(version: u32, stream: Option<(StreamView, u64)>) -> TableDescriptor {
    let keys = fixture::keys(("p", KeyType::S), Some(("a", KeyType::N)));
    let mut table = TableDescriptor::new(TableId(TABLE), "t", keys);
    table.schema_version = version;
    table.ttl = Some(TtlSettings { attribute: "t".to_owned(), enabled: true, changed_ms: None });
    table.stream = stream.map(|(view, since_ms)| StreamSettings { enabled: true, view, since_ms });
    table
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(text: &str) -> AttributeValue {
    AttributeValue::N(Number::parse(text).unwrap())
}

fn key(number: u8) -> Vec<u8> {
    row_key(TABLE, &[KeyPart::S(&format!("k{number}"))], &[KeyPart::N(&Number::from_i64(number.into()))])
}

fn key_item(number: u8) -> Item {
    Item::from([("p".to_owned(), s(&format!("k{number}"))), ("a".to_owned(), n(&number.to_string()))])
}

/// An item that expired an hour ago, with these attributes beside its key.
fn item(number: u8, more: &[(&str, AttributeValue)]) -> Item {
    let mut item = key_item(number);
    item.insert("t".to_owned(), n(&(NOW_MS / 1000 - 3600).to_string()));
    item.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    item
}

fn update(text: &str, value: Option<AttributeValue>) -> Update {
    let values = BTreeMap::from_iter(value.map(|value| (":v".to_owned(), value)));
    Placeholders::new(None, (!values.is_empty()).then_some(&values)).update(text).unwrap()
}

fn condition(text: &str) -> Condition {
    Placeholders::new(None, None).condition(ExpressionKind::Condition, text).unwrap()
}

/// A record as a consumer sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    event: EventName,
    by_ttl: bool,
    keys: Item,
    new: Option<Item>,
    old: Option<Item>,
}

/// A replica with one table, which remembers its entries.
struct Replica {
    replica: replica::Replica,
    version: u32,
    entries: Vec<Entry>,
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

impl Replica {
    fn new(stream: Option<(StreamView, u64)>) -> Replica {
        let replica = replica::Replica::new(ShardId(0), ShardMap::whole(), NOW_MS);
        let mut replica = Replica { replica, version: 0, entries: Vec::new() };
        replica.set_stream(stream);
        replica
    }

    fn set_stream(&mut self, stream: Option<(StreamView, u64)>) {
        self.version += 1;
        let table = Box::new(table(self.version, stream));
        self.apply(vec![Command::Ddl(DdlCommand::Install { era: 0, table })]);
    }

    fn apply(&mut self, commands: Vec<Command>) -> Vec<Outcome> {
        let entry = self.entry(commands);
        let outcomes = self.replay(&entry);
        self.entries.push(entry);
        outcomes
    }

    fn write(&self, number: u8, condition: Option<Condition>, change: Change) -> ItemWrite {
        ItemWrite { table: TableId(TABLE), schema_version: self.version, key: key(number), condition, change }
    }

    fn put(&mut self, number: u8, more: &[(&str, AttributeValue)]) {
        let put = self.write(number, None, Change::Put(ItemBody::encode(&item(number, more))));
        let outcomes = self.apply(vec![Command::Write(put)]);
        assert!(matches!(outcomes[0], Outcome::Written(_)), "{outcomes:?}");
    }

    fn tend(&mut self, shard: StreamShardId, action: StreamAction) {
        let stream = self.stream();
        let steps = vec![StreamStep { stream, shard, action }];
        assert_eq!(self.apply(vec![Command::TendStreams(TendStreams { steps })]), [Outcome::Done]);
        let loaded = ShardState::load(&self.store, self.shard.id, Arc::clone(&self.shard.map)).unwrap();
        assert_eq!(loaded, self.shard, "memory is what the rows say");
    }

    /// The newest stream.
    fn stream(&self) -> StreamId {
        self.shard.streams.all().last().unwrap().stream
    }

    fn shards(&self) -> Vec<StreamShard> {
        self.shard.streams.of(self.stream()).to_vec()
    }

    fn items(&self) -> BTreeMap<Vec<u8>, Item> {
        self.replica.items(Space::Rows, TABLE)
    }

    /// All records, in the order of their keys, which must be that of their numbers.
    fn seen(&self) -> Vec<Seen> {
        let tree = |item: ItemRef<'_>| item.to_item().unwrap();
        let (mut seen, mut last) = (Vec::new(), SequenceNumber::MIN);
        for (key, row) in self.rows(&id_prefix(Space::Stream, TABLE)) {
            let sequence = stream_record_sequence(&key).unwrap();
            assert!(sequence > last, "numbers rise");
            last = sequence;
            let record = StreamRecord::parse(sequence, &row).unwrap();
            let sizes = [Some(record.keys), record.new, record.old];
            let size: usize = sizes.into_iter().flatten().map(|item| item_bytes(&tree(item))).sum();
            assert_eq!(record.size_bytes(), size);
            let StreamRecord { event, by_ttl, .. } = record;
            let (new, old) = (record.new.map(tree), record.old.map(tree));
            seen.push(Seen { event, by_ttl, keys: tree(record.keys), new, old });
        }
        seen
    }

    fn ask(&self, request: StreamRequest) -> StreamResponse {
        request.serve(ShardId(0), &self.store, usize::MAX).unwrap()
    }

    /// Numbers from a place on, and where to go on.
    fn read(&self, shard: StreamShardId, from: SequenceNumber, limit: u32) -> (Vec<u64>, Option<u64>) {
        let stream = self.stream();
        match self.ask(StreamRequest::Records { stream, shard, from, limit, bytes_max: u64::MAX }) {
            StreamResponse::Records { records, next } => {
                (records.iter().map(|(number, _)| number.count()).collect(), next.map(SequenceNumber::count))
            }
            other => panic!("{other:?}"),
        }
    }

    fn locate(&self, shard: StreamShardId, start: StreamStart) -> Result<u64, StreamResponse> {
        match self.ask(StreamRequest::Locate { stream: self.stream(), shard, start }) {
            StreamResponse::Located(number) => Ok(number.count()),
            other => Err(other),
        }
    }
}

/// What a change must leave in a stream of that view; nothing where the values are the same.
fn expected(view: StreamView, number: u8, by_ttl: bool, old: Option<&Item>, new: Option<&Item>) -> Option<Seen> {
    let event = match (old, new) {
        (None, Some(_)) => EventName::Insert,
        (Some(old), Some(new)) if old != new => EventName::Modify,
        (Some(_), None) => EventName::Remove,
        _ => return None,
    };
    let carries = |one| [one, StreamView::NewAndOldImages].contains(&view);
    Some(Seen {
        event,
        by_ttl,
        keys: key_item(number),
        new: new.filter(|_| carries(StreamView::NewImage)).cloned(),
        old: old.filter(|_| carries(StreamView::OldImage)).cloned(),
    })
}

/// One action on one item.
#[derive(Clone, Debug)]
enum Act {
    /// Puts an item whose set and number are written in one of several ways.
    Put(u8),
    Set(u8),
    RemoveAttribute,
    Create,
    Delete,
    Check,
    Refused,
}

/// How actions reach apply.
#[derive(Clone, Debug)]
enum Way {
    Alone,
    Transaction,
    TwoPhase,
    Expiry,
    /// The whole entry once more: replicas must not differ, whatever is in it.
    TwoPhaseAborted,
}

impl Act {
    fn write(&self, replica: &Replica, number: u8) -> ItemWrite {
        let set = |ways: [&str; 2]| AttributeValue::Ss(ways.map(str::to_owned).to_vec());
        let (condition, change) = match self {
            Act::Put(value) => {
                let (number_text, members) = match value % 4 {
                    0 => ("1", ["x", "y"]),
                    1 => ("1.0", ["y", "x"]),
                    2 => ("10E-1", ["x", "y"]),
                    _ => ("2", ["x", "y"]),
                };
                let more = [("n", n(number_text)), ("m", set(members))];
                // As it comes from a request: sets are sorted where they are parsed, in whatever order they are written.
                let mut item = item(number, &more);
                if let Some(AttributeValue::Ss(members)) = item.get_mut("m") {
                    members.sort();
                }
                (None, Change::Put(ItemBody::encode(&item)))
            }
            Act::Set(value) => (None, Change::Update(update("SET v = :v", Some(n(&(value % 2).to_string()))))),
            Act::RemoveAttribute => (None, Change::Update(update("REMOVE v", None))),
            Act::Create => (None, Change::Update(update("SET t = if_not_exists(t, :v)", Some(n("1"))))),
            Act::Delete => (None, Change::Delete),
            Act::Check => (Some(condition("attribute_exists(p) OR attribute_not_exists(p)")), Change::Check),
            Act::Refused => (Some(condition("attribute_exists(p) AND attribute_not_exists(p)")), Change::Delete),
        };
        replica.write(number, condition, change)
    }
}

fn acts() -> impl Strategy<Value = Vec<(u8, Act)>> {
    let act = prop_oneof![
        any::<u8>().prop_map(Act::Put),
        any::<u8>().prop_map(Act::Set),
        Just(Act::RemoveAttribute),
        Just(Act::Create),
        Just(Act::Delete),
        Just(Act::Check),
        Just(Act::Refused),
    ];
    proptest::collection::btree_map(0..4u8, act, 1..4).prop_map(|acts| acts.into_iter().collect())
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        3 => Just(Way::Alone),
        2 => Just(Way::Transaction),
        2 => Just(Way::TwoPhase),
        1 => Just(Way::TwoPhaseAborted),
        1 => Just(Way::Expiry),
    ]
}

fn carry_out(replica: &mut Replica, way: &Way, acts: &[(u8, Act)]) {
    let writes: Vec<ItemWrite> = acts.iter().map(|(number, act)| act.write(replica, *number)).collect();
    match way {
        Way::Alone => drop(replica.apply(writes.into_iter().map(Command::Write).collect())),
        Way::Transaction => {
            drop(replica.apply(vec![Command::Transact(Transaction { client_token: None, actions: writes })]));
        }
        Way::Expiry => {
            let due = (NOW_MS / 1000 - 3600) * 1000;
            let items = acts.iter().map(|(number, _)| Expiring { expiry_ms: due, key: key(*number) }).collect();
            let expire = Expire { table: TableId(TABLE), attribute: "t".to_owned(), items };
            drop(replica.apply(vec![Command::Expire(expire)]));
        }
        Way::TwoPhase | Way::TwoPhaseAborted => {
            let id = TransactionId(replica.clock.into());
            let record_token = token_of(TABLE, &[KeyPart::S("k0")]);
            let deadline_ms = replica.now_ms + 1_000;
            let prepare = Prepare { id, record_token, deadline_ms, client_token: None, actions: writes };
            let outcome = replica.apply(vec![Command::Prepare(prepare)]).remove(0);
            let Outcome::Prepared { ts, .. } = outcome else { return };
            let commit = matches!(way, Way::TwoPhase).then_some(ts);
            drop(replica.apply(vec![Command::Resolve(Resolve { id, prepared: Some(ts), commit })]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Every way of writing, in every view: one record for each item that is another value than before, in order, with
    /// the images that the view carries; the rows are a function of the entries; memory is what the rows say.
    #[test]
    fn records_are_what_has_changed(view in 0..4usize, steps in proptest::collection::vec((way(), acts()), 1..12)) {
        let view = VIEWS[view];
        let mut replica = Replica::new(Some((view, 5)));
        let mut wanted = Vec::new();
        for (way, acts) in &steps {
            let before = replica.items();
            carry_out(&mut replica, way, acts);
            let after = replica.items();
            let by_ttl = matches!(way, Way::Expiry);
            for (number, _) in acts {
                let (old, new) = (before.get(&key(*number)), after.get(&key(*number)));
                wanted.extend(expected(view, *number, by_ttl, old, new));
            }
            replica.now_ms += 7;
        }
        prop_assert_eq!(replica.seen(), wanted);
        let loaded = ShardState::load(&replica.store, ShardId(0), Arc::clone(&replica.shard.map)).unwrap();
        prop_assert_eq!(&loaded, &replica.shard);
        let mut again = Replica::new(None);
        again.shard = ShardState::new(ShardId(0), Arc::new(ShardMap::whole()));
        again.store = MemoryState::new();
        replica.entries.iter().for_each(|entry| drop(again.replay(entry)));
        prop_assert_eq!(again.rows(&[]), replica.rows(&[]));
        prop_assert_eq!(&again.shard, &replica.shard);
    }

    /// The search for a time finds what a walk would.
    #[test]
    fn a_time_is_found(gaps in proptest::collection::vec(0..3u64, 0..20), trim in 0..22u64, ms in 0..70u64) {
        let mut replica = Replica::new(Some((StreamView::KeysOnly, 5)));
        let shard = replica.shards()[0].id;
        for (at, gap) in gaps.iter().enumerate() {
            replica.now_ms += gap;
            replica.put(1, &[("v", n(&at.to_string()))]);
        }
        replica.tend(shard, StreamAction::Trim { through: SequenceNumber::new(trim) });
        let (shard, ms) = (replica.shards().remove(0), NOW_MS + ms);
        let from = first_written_at(&replica.store, &shard, ms, replica.shard.streams.next()).unwrap();
        let rows = replica.rows(&id_prefix(Space::Stream, TABLE));
        for (key, row) in rows {
            let is_late = StreamRecord::created_ms(&row).unwrap() >= ms;
            prop_assert_eq!(stream_record_sequence(&key).unwrap() >= from, is_late);
        }
        prop_assert!(from >= shard.horizon);
    }
}

#[test]
fn a_table_without_a_stream_leaves_nothing_and_counts_nothing() {
    let mut replica = Replica::new(None);
    replica.put(1, &[]);
    replica.put(1, &[("v", n("1"))]);
    assert!(replica.rows(&id_prefix(Space::Stream, TABLE)).is_empty());
    assert!(replica.rows(&local::streams_prefix(ShardId(0))).is_empty());
    assert!(replica.rows(&local::stream_sequence(ShardId(0))).is_empty());
    assert_eq!(replica.shard.streams, crate::stream::Streams::default());
}

#[test]
fn a_stream_from_its_beginning_to_its_end_and_the_next_one() {
    let mut replica = Replica::new(None);
    replica.put(1, &[]);
    replica.set_stream(Some((StreamView::NewImage, 5)));
    let first = replica.stream();
    assert_eq!(replica.shards().len(), 1, "it can be read from before the first record on");
    replica.put(2, &[]);
    replica.set_stream(None);
    replica.put(3, &[]);
    let sealed = replica.shards().remove(0);
    assert!(sealed.last > Some(sealed.first) && sealed.sealed_ms == Some(NOW_MS));
    replica.set_stream(Some((StreamView::KeysOnly, 6)));
    replica.put(4, &[]);
    let second = replica.stream();
    assert_ne!(first, second);
    let open = replica.shards().remove(0);
    assert_eq!((open.parent, open.first), (None, sealed.last.unwrap().next()));
    let seen: Vec<Item> = replica.seen().into_iter().map(|seen| seen.keys).collect();
    assert_eq!(seen, [key_item(2), key_item(4)]);
    // One that is replaced without the descriptor in between having come here.
    replica.set_stream(Some((StreamView::KeysOnly, 7)));
    assert!(replica.shard.streams.of(second)[0].last.is_some());
    assert_eq!(replica.shard.streams.totals().shards, 3);
    // Its table goes, and the records stay.
    let rows = replica.rows(&id_prefix(Space::Stream, TABLE));
    replica.apply(vec![Command::Ddl(DdlCommand::Uninstall { era: 1, table: TableId(TABLE) })]);
    assert!(replica.rows(&id_prefix(Space::Rows, TABLE)).is_empty());
    assert_eq!(replica.rows(&id_prefix(Space::Stream, TABLE)), rows);
    assert!(replica.shard.streams.all().all(|shard| shard.last.is_some()));
    assert_eq!(replica.shard.streams.tables(), [TableId(TABLE)]);
    let loaded = ShardState::load(&replica.store, ShardId(0), Arc::clone(&replica.shard.map)).unwrap();
    assert_eq!(loaded, replica.shard);
}

#[test]
fn a_shard_rolls_over_to_its_child_and_each_is_read_to_its_end() {
    let mut replica = Replica::new(Some((StreamView::KeysOnly, 5)));
    let parent = replica.shards()[0].id;
    (1..=3).for_each(|number| replica.put(number, &[]));
    replica.tend(parent, StreamAction::Roll);
    replica.tend(parent, StreamAction::Roll);
    replica.put(4, &[]);
    let shards = replica.shards();
    assert_eq!(shards.len(), 2, "a roll-over that comes twice is made once");
    let child = shards[1].id;
    assert_eq!((shards[1].parent, shards[0].last.map(SequenceNumber::next)), (Some(parent), Some(shards[1].first)));
    assert!(parent < child && parent.to_string() < child.to_string(), "in the same millisecond too");
    // Numbers 1 to 3 are records, 4 the end of the parent, 5 the first of the child.
    let number = SequenceNumber::new;
    assert_eq!(replica.read(parent, number(1), 2), (vec![1, 2], Some(3)));
    assert_eq!(replica.read(parent, number(3), 2), (vec![3], None));
    assert_eq!(replica.read(parent, number(2), 2), (vec![2, 3], Some(4)), "a full page does not know of its end");
    assert_eq!(replica.read(parent, number(4), 2), (vec![], None));
    assert_eq!(replica.read(child, number(5), 2), (vec![5], Some(6)));
    assert_eq!(replica.read(child, number(6), 2), (vec![], Some(6)));
    let request = StreamRequest::Shards { stream: replica.stream() };
    assert_eq!(replica.ask(request), StreamResponse::Shards(shards));
    let nowhere = StreamShardId { created_ms: 1, ..parent };
    assert_eq!(replica.locate(nowhere, StreamStart::Latest), Err(StreamResponse::NoShard));
}

#[test]
fn every_start_is_found_and_what_is_trimmed_is_said_to_be() {
    let mut replica = Replica::new(Some((StreamView::KeysOnly, 5)));
    let shard = replica.shards()[0].id;
    for number in 1..=4 {
        replica.now_ms += 10;
        replica.put(number, &[]);
    }
    let at = |number| StreamStart::At(SequenceNumber::new(number));
    let after = |number| StreamStart::After(SequenceNumber::new(number));
    assert_eq!(replica.locate(shard, StreamStart::TrimHorizon), Ok(1));
    assert_eq!(replica.locate(shard, StreamStart::Latest), Ok(5));
    assert_eq!((replica.locate(shard, at(2)), replica.locate(shard, after(2))), (Ok(2), Ok(3)));
    assert_eq!(replica.locate(shard, at(9)), Err(StreamResponse::OutOfRange));
    assert_eq!(replica.locate(shard, StreamStart::AtTime(NOW_MS + 20)), Ok(2));
    assert_eq!(replica.locate(shard, StreamStart::AtTime(NOW_MS + 21)), Ok(3));
    assert_eq!(replica.locate(shard, StreamStart::AtTime(0)), Ok(1));
    assert_eq!(replica.locate(shard, StreamStart::AtTime(NOW_MS + 99)), Ok(5));
    replica.tend(shard, StreamAction::Trim { through: SequenceNumber::new(2) });
    replica.tend(shard, StreamAction::Trim { through: SequenceNumber::new(1) });
    assert_eq!(replica.locate(shard, StreamStart::TrimHorizon), Ok(3));
    assert_eq!(replica.locate(shard, StreamStart::AtTime(0)), Ok(3));
    assert_eq!(replica.locate(shard, at(2)), Err(StreamResponse::Trimmed));
    assert_eq!(replica.locate(shard, after(2)), Ok(3));
    assert_eq!(replica.seen().len(), 2);
    let stream = replica.stream();
    let records =
        |from| StreamRequest::Records { stream, shard, from: SequenceNumber::new(from), limit: 9, bytes_max: 1 };
    assert_eq!(replica.ask(records(2)), StreamResponse::Trimmed);
    let StreamResponse::Records { records: found, next } = replica.ask(records(3)) else { panic!("not trimmed") };
    assert_eq!((found.len(), next), (1, Some(SequenceNumber::new(4))), "one record at least, whatever its size");
    // An open shard is not dropped, and not trimmed beyond what there is.
    replica.tend(shard, StreamAction::Drop);
    replica.tend(shard, StreamAction::Trim { through: SequenceNumber::MAX });
    assert_eq!(replica.shards()[0].horizon, SequenceNumber::new(5));
    replica.put(5, &[]);
    assert_eq!(replica.read(shard, SequenceNumber::new(5), 9), (vec![5], Some(6)));
}

/// What an entry empties for good is what a store is asked to give back, however often there was trimming before.
#[test]
fn a_stream_shard_that_goes_leaves_one_range_and_trimming_none() {
    let mut replica = Replica::new(Some((StreamView::NewImage, 5)));
    (1..=4).for_each(|number| replica.put(number, &[]));
    let (shard, rows) = (replica.shards()[0].id, replica.rows(&id_prefix(Space::Stream, TABLE)));
    replica.tend(shard, StreamAction::Roll);
    let emptied = |replica: &mut Replica, action| {
        let step = StreamStep { stream: replica.stream(), shard, action };
        let entry = replica.entry(vec![Command::TendStreams(TendStreams { steps: vec![step] })]);
        let (mut batch, twin) = (WriteBatch::new(), &mut replica.replica);
        let mut applier = Applier::new(&mut twin.shard, &twin.store, &entry);
        applier.apply(&entry.commands[0], UNLIMITED).unwrap();
        let emptied = applier.finish(&mut batch);
        twin.store.write(&batch).unwrap();
        emptied
    };
    assert_eq!(emptied(&mut replica, StreamAction::Trim { through: SequenceNumber::new(2) }), []);
    assert_eq!(emptied(&mut replica, StreamAction::Trim { through: SequenceNumber::new(3) }), []);
    let ranges = emptied(&mut replica, StreamAction::Drop);
    assert_eq!(ranges.len(), 1);
    assert_eq!(rows.len(), 4);
    assert!(rows.keys().all(|key| ranges[0].start <= *key && *key < ranges[0].end), "trimmed ones, too");
    assert!(replica.rows(&id_prefix(Space::Stream, TABLE)).is_empty());
}

#[test]
fn the_time_of_records_never_falls() {
    let mut replica = Replica::new(Some((StreamView::KeysOnly, 5)));
    replica.put(1, &[]);
    replica.now_ms -= 5_000;
    replica.put(2, &[]);
    let shard = replica.shards()[0].id;
    replica.tend(shard, StreamAction::Roll);
    let shards = replica.shards();
    assert_eq!(shards[0].sealed_ms, Some(NOW_MS));
    assert!(shards[1].id.created_ms > shards[0].id.created_ms);
    assert_eq!(replica.locate(shard, StreamStart::AtTime(NOW_MS)), Ok(1));
}

/// Looked after by the policy until all is over, with a record every second; in the end nothing is left but the number.
#[test]
fn retention_leaves_nothing_in_the_end() {
    let policy = StreamPolicy { roll_ms: 10_000, roll_bytes: u64::MAX, retention_ms: 30_000 };
    let mut replica = Replica::new(Some((StreamView::NewAndOldImages, 5)));
    let look = |replica: &mut Replica| {
        while let Some(due) = policy.look(&replica.store, ShardId(0), replica.now_ms).unwrap() {
            replica.apply(vec![Command::TendStreams(due)]);
            let loaded = ShardState::load(&replica.store, ShardId(0), Arc::clone(&replica.shard.map)).unwrap();
            assert_eq!(loaded, replica.shard);
        }
    };
    for second in 0..120 {
        replica.now_ms += 1_000;
        replica.put(1, &[("v", n(&second.to_string()))]);
        look(&mut replica);
        let kept_since = policy.kept_since(replica.now_ms);
        let times: Vec<u64> = replica
            .rows(&id_prefix(Space::Stream, TABLE))
            .values()
            .map(|row| StreamRecord::created_ms(row).unwrap())
            .collect();
        assert!(times.iter().all(|ms| *ms >= kept_since));
        assert_eq!(times.len() as u64, (second + 1).min(31), "nothing goes before its time");
        assert!(replica.shards().len() <= 5);
    }
    replica.set_stream(None);
    replica.now_ms += 31_000;
    look(&mut replica);
    assert!(replica.rows(&id_prefix(Space::Stream, TABLE)).is_empty());
    assert!(replica.rows(&local::streams_prefix(ShardId(0))).is_empty());
    assert_eq!(replica.shard.streams.totals(), crate::stream::StreamTotals::default());
}
