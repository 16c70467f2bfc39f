//! Transactions over several shards against a naive model, with every message late, twice or never.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dynamo_expression::{Condition, ExpressionKind, Placeholders, Update};
use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};
use hlc::Timestamp;
use ordered_kv::memory::MemoryState;
use ordered_kv::{Direction, KeyRange, Reader, StateStore, WriteBatch};
use proptest::prelude::*;
use shard_router::{ShardId, ShardMap, Token};

use super::*;
use crate::apply::{ActionOutcome, Outcome, Rejection, ShardState, apply_entry};
use crate::catalog::{DdlCommand, KeyType, TableDescriptor, TableId, fixture};
use crate::command::{
    Change, ClientToken, Command, Decide, Entry, Forget, ItemWrite, Prepare, Prepared, Resolve, Stamped, Transaction,
    TransactionId, Verdict, request_hash,
};
use crate::item::{ItemBody, ItemRef};
use crate::keyspace::{KeyPart, RowKey, intent_key, local, row_key};

const TABLE: u64 = 1;
const SHARDS: usize = 3;
const KEYS: usize = 6;

/// Client tokens that the random transactions share.
const TOKENS: u8 = 4;

/// How long the tests' transactions may take, in milliseconds.
const LIFE_MS: u64 = 1000;

fn map() -> Arc<ShardMap> {
    Arc::new(ShardMap::even(SHARDS).unwrap())
}

fn table() -> TableDescriptor {
    TableDescriptor::new(TableId(TABLE), "t", fixture::keys(("p", KeyType::S), None))
}

fn n(value: i64) -> AttributeValue {
    AttributeValue::N(Number::from_i64(value))
}

/// The partition key of an item: the first of its kind that lies on the item's shard.
fn name(number: usize) -> String {
    let names = (0..).map(|attempt| format!("k{number}.{attempt}"));
    let mut fitting = names.filter(|name| {
        let key = row_key(TABLE, &[KeyPart::S(name)], &[]);
        shard_of_token(token(&key)) == shard_of(number)
    });
    fitting.next().expect("every shard has keys")
}

fn key(number: usize) -> Vec<u8> {
    row_key(TABLE, &[KeyPart::S(&name(number))], &[])
}

fn token(key: &[u8]) -> Token {
    RowKey::parse(key).unwrap().token()
}

/// Items 0 and 3 lie on shard 0, and so on.
fn shard_of(number: usize) -> usize {
    number % SHARDS
}

fn shard_of_token(wanted: Token) -> usize {
    map().locate(wanted).0.0 as usize
}

fn condition(text: &str, value: i64) -> Condition {
    let values = BTreeMap::from([(":v".to_owned(), n(value))]);
    Placeholders::new(None, Some(&values)).condition(ExpressionKind::Condition, text).unwrap()
}

fn add(by: i64) -> Update {
    let values = BTreeMap::from([(":v".to_owned(), n(by))]);
    Placeholders::new(None, Some(&values)).update("ADD v :v").unwrap()
}

/// What is done to one item.
#[derive(Clone, Copy, Debug)]
enum Act {
    Add(i64),
    Put(i64),
    Delete,
    /// Only that its value is this one.
    Check(i64),
    /// Adds one if its value is this one.
    AddIf(i64),
}

impl Act {
    fn write(self, number: usize) -> ItemWrite {
        let (condition, change) = match self {
            Act::Add(by) => (None, Change::Update(add(by))),
            Act::Put(value) => (None, Change::Put(ItemBody::encode(&item(number, value)))),
            Act::Delete => (None, Change::Delete),
            Act::Check(value) => (Some(condition("v = :v", value)), Change::Check),
            Act::AddIf(value) => (Some(condition("v = :v", value)), Change::Update(add(1))),
        };
        ItemWrite { table: TableId(TABLE), schema_version: 1, key: key(number), condition, change }
    }

    /// The value afterwards; an error where the condition is false.
    fn model(self, old: Option<i64>) -> Result<Option<i64>, ()> {
        match self {
            Act::Add(by) => Ok(Some(old.unwrap_or(0) + by)),
            Act::Put(value) => Ok(Some(value)),
            Act::Delete => Ok(None),
            Act::Check(value) if old == Some(value) => Ok(old),
            Act::AddIf(value) if old == Some(value) => Ok(Some(value + 1)),
            Act::Check(_) | Act::AddIf(_) => Err(()),
        }
    }
}

fn item(number: usize, value: i64) -> Item {
    Item::from([("p".to_owned(), AttributeValue::S(name(number))), ("v".to_owned(), n(value))])
}

fn client_token(name: &str, request_hash: u128) -> ClientToken {
    ClientToken { token: name.to_owned(), request_hash, table: TableId(TABLE) }
}

/// One shard: a store and the state beside it.
struct Replica {
    store: MemoryState,
    shard: ShardState,
    clock: Timestamp,
}

impl Replica {
    fn new(id: u32) -> Replica {
        let mut shard = ShardState::new(ShardId(id), map());
        let store = MemoryState::new();
        let mut batch = WriteBatch::new();
        batch.put(&local::installed(ShardId(id), TABLE), &table().to_bytes());
        store.write(&batch).unwrap();
        shard.tables.insert(TableId(TABLE), Arc::new(table()));
        // The shards' clocks differ.
        Replica { store, shard, clock: Timestamp::new(0, id as u16 * 100) }
    }

    fn apply(&mut self, command: Command, wall_ms: u64) -> Outcome {
        self.clock = self.clock.max(self.shard.high_water).next().unwrap().max(Timestamp::new(wall_ms, 0));
        let commands = vec![Stamped { ts: self.clock, command }];
        let entry = Entry { stamped_ms: wall_ms, ceiling: self.clock.next().unwrap(), commands };
        let mut batch = WriteBatch::new();
        let outcome = apply_entry(&mut self.shard, &self.store, &mut batch, &entry).unwrap().remove(0);
        self.store.write(&batch).unwrap();
        outcome
    }

    fn rows(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut cursor = self.store.cursor(KeyRange::prefix(prefix), Direction::Forward).unwrap();
        let mut rows = Vec::new();
        while let Some((key, row)) = cursor.next().unwrap() {
            rows.push((key.to_vec(), row.to_vec()));
        }
        rows
    }

    /// Value and version of an item.
    fn item(&self, number: usize) -> Option<(i64, Timestamp)> {
        let row = self.store.get(&key(number)).unwrap()?;
        let item = ItemRef::parse(&row).unwrap();
        let Some(AttributeValue::N(value)) = item.attribute("v").unwrap() else { panic!("an item without a value") };
        Some((value.to_string().parse().unwrap(), crate::item::committed_at(&item)))
    }
}

/// A transaction with whoever carries it through.
struct Coordinator {
    id: TransactionId,
    /// Decides which shard has the record, whether or not an item lies there.
    client_token: Option<ClientToken>,
    acts: Vec<(usize, Act)>,
    deadline_ms: u64,
    /// Shards still to be asked to prepare; all of them at once in life, in any order here.
    unprepared: Vec<usize>,
    prepares: Vec<(usize, Prepared)>,
    failed: bool,
    /// `Some` once decided: the commit's timestamp, or `None`.
    decided: Option<Option<Timestamp>>,
    unresolved: Vec<usize>,
    finished: bool,
    /// Everything that was sent, to be sent again.
    sent: Vec<(usize, Command)>,
}

impl Coordinator {
    fn new(id: u128, acts: Vec<(usize, Act)>, wall_ms: u64) -> Coordinator {
        Coordinator::with_token(id, acts, None, wall_ms)
    }

    fn with_token(id: u128, acts: Vec<(usize, Act)>, token: Option<String>, wall_ms: u64) -> Coordinator {
        let actions: Vec<ItemWrite> = acts.iter().map(|(number, act)| act.write(*number)).collect();
        let client_token = token.map(|name| client_token(&name, request_hash(&actions)));
        let of_record = client_token.iter().map(|token| shard_of_token(token.ring_token()));
        let shards: BTreeSet<usize> = acts.iter().map(|(number, _)| shard_of(*number)).chain(of_record).collect();
        let shards: Vec<usize> = shards.into_iter().collect();
        Coordinator {
            id: TransactionId(id),
            client_token,
            acts,
            deadline_ms: wall_ms + LIFE_MS,
            unprepared: shards.clone(),
            prepares: Vec::new(),
            failed: false,
            decided: None,
            unresolved: shards,
            finished: false,
            sent: Vec::new(),
        }
    }

    fn record_token(&self) -> Token {
        self.client_token.as_ref().map_or_else(|| token(&key(self.acts[0].0)), ClientToken::ring_token)
    }

    fn prepare(&self, shard: usize) -> Command {
        let actions = self.acts.iter().filter(|(number, _)| shard_of(*number) == shard);
        Command::Prepare(Prepare {
            id: self.id,
            record_token: self.record_token(),
            deadline_ms: self.deadline_ms,
            client_token: self.client_token.clone().filter(|token| shard_of_token(token.ring_token()) == shard),
            actions: actions.map(|(number, act)| act.write(*number)).collect(),
        })
    }

    fn first_token(&self, shard: usize) -> Token {
        let first = self.acts.iter().find(|(number, _)| shard_of(*number) == shard);
        first.map_or_else(|| self.record_token(), |first| token(&key(first.0)))
    }
}

struct World {
    shards: Vec<Replica>,
    wall_ms: u64,
    model: BTreeMap<usize, i64>,
    versions: BTreeMap<usize, Timestamp>,
    coordinators: Vec<Coordinator>,
    /// Transactions that are in the model.
    committed: BTreeSet<TransactionId>,
    /// The client tokens of those; none of them expires within a test.
    tokens: BTreeSet<String>,
}

impl World {
    fn new() -> World {
        World {
            shards: (0..SHARDS as u32).map(Replica::new).collect(),
            wall_ms: 1000,
            model: BTreeMap::new(),
            versions: BTreeMap::new(),
            coordinators: Vec::new(),
            committed: BTreeSet::new(),
            tokens: BTreeSet::new(),
        }
    }

    fn apply(&mut self, shard: usize, command: Command) -> Outcome {
        self.shards[shard].apply(command, self.wall_ms)
    }

    fn send(&mut self, who: usize, shard: usize, command: Command) -> Outcome {
        self.coordinators[who].sent.push((shard, command.clone()));
        self.apply(shard, command)
    }

    /// The coordinator's next step; `choice` is which of several shards comes first.
    fn step(&mut self, who: usize, choice: usize) {
        let coordinator = &mut self.coordinators[who];
        if !coordinator.unprepared.is_empty() {
            let at = choice % coordinator.unprepared.len();
            let shard = coordinator.unprepared.remove(at);
            let (token, command) = (coordinator.first_token(shard), coordinator.prepare(shard));
            match self.send(who, shard, command) {
                Outcome::Prepared { ts, .. } => {
                    self.coordinators[who].prepares.push((shard, Prepared { token, ts }));
                }
                Outcome::Cancelled(_)
                | Outcome::Rejected(Rejection::Late)
                | Outcome::InProgress
                | Outcome::TokenMismatch
                | Outcome::Replayed { .. } => self.coordinators[who].failed = true,
                other => panic!("{other:?}"),
            }
        } else if coordinator.decided.is_none() {
            self.decide(who);
        } else if !coordinator.unresolved.is_empty() {
            let at = choice % coordinator.unresolved.len();
            let shard = coordinator.unresolved.remove(at);
            let prepared = coordinator.prepares.iter().find(|(at, _)| *at == shard).map(|(_, prepared)| prepared.ts);
            let commit = coordinator.decided.flatten();
            let resolve = Resolve { id: coordinator.id, prepared, commit };
            self.send(who, shard, Command::Resolve(resolve));
        } else if !coordinator.finished {
            coordinator.finished = true;
            let (id, record_shard) = (coordinator.id, shard_of_token(coordinator.record_token()));
            self.send(who, record_shard, Command::Forget(Forget { id }));
        }
    }

    /// Steps of the first coordinator, each looked at.
    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step(0, 0);
            self.follow();
        }
    }

    fn decide(&mut self, who: usize) {
        let coordinator = &mut self.coordinators[who];
        if coordinator.failed {
            coordinator.decided = Some(None);
            return;
        }
        let at = coordinator.prepares.iter().map(|(_, prepared)| prepared.ts).max().unwrap();
        let prepares = coordinator.prepares.iter().map(|(_, prepared)| *prepared).collect();
        let (id, record_shard) = (coordinator.id, shard_of_token(coordinator.record_token()));
        let decide = Decide { id, verdict: Verdict::Commit { at, prepares, reads: vec![1] } };
        let Outcome::Decided { decision: Some(decision), .. } = self.send(who, record_shard, Command::Decide(decide))
        else {
            panic!("a coordinator's decision is answered")
        };
        let commit = matches!(decision, Decision::Committed { .. }).then_some(at);
        self.coordinators[who].decided = Some(commit);
    }

    /// After each step: the model takes every transaction for which a COMMIT was recorded, the moment it was. All its
    /// items are locked then, or written.
    fn follow(&mut self) {
        let found: Vec<TransactionId> = self
            .shards
            .iter()
            .flat_map(|replica| replica.shard.locks.decisions())
            .filter(|(_, decision)| matches!(&***decision, Decision::Committed { .. }))
            .map(|(id, _)| id)
            .collect();
        for id in found {
            if self.committed.insert(id) {
                let coordinator = self.coordinators.iter().find(|coordinator| coordinator.id == id).unwrap();
                if let Some(token) = &coordinator.client_token {
                    assert!(self.tokens.insert(token.token.clone()), "done twice under token {}", token.token);
                }
                for (number, act) in &coordinator.acts {
                    let new = act.model(self.model.get(number).copied()).expect("what was prepared may be done");
                    set(&mut self.model, *number, new);
                }
            }
        }
        for number in 0..KEYS {
            let replica = &self.shards[shard_of(number)];
            let stored = replica.item(number);
            if !replica.shard.locks.is_locked(&key(number)) {
                assert_eq!(stored.map(|(value, _)| value), self.model.get(&number).copied(), "item {number}");
            }
            if let Some((_, version)) = stored {
                let before = self.versions.insert(number, version);
                assert!(before.is_none_or(|before| before <= version), "the versions of an item rise");
            }
        }
    }

    fn single(&mut self, number: usize, act: Act) {
        let shard = shard_of(number);
        let locked = self.shards[shard].shard.locks.is_locked(&key(number));
        let outcome = self.apply(shard, Command::Write(act.write(number)));
        let verdict = act.model(self.model.get(&number).copied());
        match outcome {
            Outcome::Conflict => assert!(locked),
            Outcome::Written(_) => set(&mut self.model, number, verdict.expect("done on both sides")),
            Outcome::ConditionFailed { .. } => assert!(!locked && verdict.is_err()),
            other => panic!("{other:?}"),
        }
    }

    /// What any shard's leader does with a prepare that nobody seems to care for.
    fn recover(&mut self, shard: usize) {
        let open: Vec<_> = self.shards[shard].shard.locks.prepared().cloned().collect();
        for prepared in open {
            let record_shard = shard_of_token(prepared.record_token);
            let verdict = Verdict::Abort { deadline_ms: prepared.deadline_ms };
            let decide = Command::Decide(Decide { id: prepared.id, verdict });
            let Outcome::Decided { decision: Some(decision), .. } = self.apply(record_shard, decide) else {
                panic!("an abort is answered with a decision")
            };
            let commit = decision.commit_of(prepared.ts, |token| shard_of_token(token) == shard);
            let resolve = Resolve { id: prepared.id, prepared: Some(prepared.ts), commit };
            self.apply(shard, Command::Resolve(resolve));
        }
    }

    /// What the leader of a record shard does with its records.
    fn collect(&mut self, shard: usize) {
        let records: Vec<_> =
            self.shards[shard].shard.locks.decisions().map(|(id, found)| (id, found.clone())).collect();
        for (id, decision) in records {
            if let Decision::Committed { at, prepares } = &*decision {
                for prepared in prepares {
                    let resolve = Resolve { id, prepared: Some(prepared.ts), commit: Some(*at) };
                    self.apply(shard_of_token(prepared.token), Command::Resolve(resolve));
                }
            }
            self.apply(shard, Command::Forget(Forget { id }));
        }
    }

    /// Faults are over: everything is finished, and nothing is left behind.
    fn settle(&mut self) {
        for _ in 0..2 {
            (0..SHARDS).for_each(|shard| self.collect(shard));
            (0..SHARDS).for_each(|shard| self.recover(shard));
            self.follow();
            self.wall_ms += 10 * LIFE_MS;
        }
        for (id, replica) in self.shards.iter().enumerate() {
            assert_eq!(replica.shard.locks, Locks::default());
            assert_eq!(replica.rows(&[0x14]), [], "no lock is left");
            assert_eq!(ShardState::load(&replica.store, ShardId(id as u32), map()).unwrap(), replica.shard);
        }
        for coordinator in &self.coordinators {
            if let Some(Some(_)) = coordinator.decided {
                assert!(self.committed.contains(&coordinator.id), "what was told to be committed is");
            }
        }
    }
}

fn set(model: &mut BTreeMap<usize, i64>, number: usize, value: Option<i64>) {
    match value {
        Some(value) => drop(model.insert(number, value)),
        None => drop(model.remove(&number)),
    }
}

#[derive(Clone, Debug)]
enum Event {
    /// With or without one of a few client tokens.
    Begin(Vec<(usize, Act)>, Option<u8>),
    Step(usize, usize),
    Again(usize, usize),
    Single(usize, Act),
    Recover(usize),
    Collect(usize),
    Wait(u64),
    Restart(usize),
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1i64..3).prop_map(Act::Add),
        1 => (0i64..3).prop_map(Act::Put),
        1 => Just(Act::Delete),
        1 => (0i64..3).prop_map(Act::Check),
        1 => (0i64..3).prop_map(Act::AddIf),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    // Alone, an item shares the transaction with a token that lives elsewhere, or is prepared on one shard only.
    let transaction = proptest::collection::btree_map(0..KEYS, acts(), 1..5);
    let order = transaction.prop_flat_map(|acts| Just(acts.into_iter().collect::<Vec<_>>()).prop_shuffle());
    let event = prop_oneof![
        4 => (order, proptest::option::of(0..TOKENS)).prop_map(|(acts, token)| Event::Begin(acts, token)),
        20 => (any::<usize>(), any::<usize>()).prop_map(|(who, choice)| Event::Step(who, choice)),
        3 => (any::<usize>(), any::<usize>()).prop_map(|(who, which)| Event::Again(who, which)),
        4 => (0..KEYS, acts()).prop_map(|(number, act)| Event::Single(number, act)),
        1 => (0..SHARDS).prop_map(Event::Recover),
        1 => (0..SHARDS).prop_map(Event::Collect),
        1 => (1..LIFE_MS).prop_map(Event::Wait),
        1 => (0..SHARDS).prop_map(Event::Restart),
    ];
    proptest::collection::vec(event, 1..120)
}

fn run(events: &[Event]) -> World {
    let mut world = World::new();
    for event in events {
        let coordinators = world.coordinators.len();
        match event {
            Event::Begin(acts, token) => {
                let (id, token) = (coordinators as u128 + 1, token.map(|number| format!("token-{number}")));
                world.coordinators.push(Coordinator::with_token(id, acts.clone(), token, world.wall_ms));
            }
            // A coordinator that is never stepped again is one that died.
            Event::Step(who, choice) if coordinators > 0 => {
                world.step(coordinators - 1 - who % coordinators.min(3), *choice)
            }
            Event::Again(who, which) if coordinators > 0 => {
                let sent = &world.coordinators[who % coordinators].sent;
                if let Some((shard, command)) = sent.get(which % sent.len().max(1)).cloned() {
                    world.apply(shard, command);
                }
            }
            Event::Step(..) | Event::Again(..) => {}
            Event::Single(number, act) => world.single(*number, *act),
            Event::Recover(shard) => world.recover(*shard),
            Event::Collect(shard) => world.collect(*shard),
            Event::Wait(ms) => world.wall_ms += ms,
            Event::Restart(shard) => {
                let replica = &mut world.shards[*shard];
                let loaded = ShardState::load(&replica.store, ShardId(*shard as u32), map()).unwrap();
                assert_eq!(loaded, replica.shard, "loading gives what was kept up to date");
                replica.shard = loaded;
            }
        }
        world.follow();
    }
    world.settle();
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Interleaved, repeated and abandoned in any way, transactions happen wholly or not at all, at one moment.
    #[test]
    fn transactions_are_atomic_under_lost_late_and_doubled_messages(events in events()) {
        let (world, twin) = (run(&events), run(&events));
        for (one, other) in world.shards.iter().zip(&twin.shards) {
            prop_assert_eq!(one.rows(b""), other.rows(b""), "the same commands give the same bytes");
        }
    }
}

/// Items 0 and 1 lie on shards 0 and 1.
fn two() -> World {
    let mut world = World::new();
    world.coordinators.push(Coordinator::new(1, vec![(0, Act::Add(1)), (1, Act::Add(1))], world.wall_ms));
    world
}

#[test]
fn a_transaction_goes_through_and_leaves_nothing_behind() {
    let mut world = two();
    world.steps(6);
    assert_eq!(world.model, BTreeMap::from([(0, 1), (1, 1)]));
    let versions: Vec<_> = (0..2).map(|number| world.shards[number].item(number).unwrap().1).collect();
    assert_eq!(versions[0], versions[1], "one commit timestamp");
    assert_eq!(world.shards[0].shard.locks, Locks::default(), "nothing is left, before any recovery");
    world.settle();
}

#[test]
fn locked_item_rejects_other_writers() {
    let mut world = two();
    world.step(0, 0);
    let write = Act::Add(5).write(0);
    assert_eq!(world.apply(0, Command::Write(write.clone())), Outcome::Conflict);
    let free = Act::Add(5).write(3);
    let transaction = Transaction { client_token: None, actions: vec![free.clone(), write.clone()] };
    let verdicts = vec![ActionOutcome::Passed, ActionOutcome::Conflict];
    assert_eq!(world.apply(0, Command::Transact(transaction)), Outcome::Cancelled(verdicts.clone()));
    let other = Prepare {
        id: TransactionId(2),
        record_token: token(&free.key),
        deadline_ms: u64::MAX,
        client_token: None,
        actions: vec![free, write.clone()],
    };
    assert_eq!(world.apply(0, Command::Prepare(other)), Outcome::Cancelled(verdicts));
    let check = ItemWrite { change: Change::Check, ..write };
    let transaction = Transaction { client_token: None, actions: vec![check] };
    assert_eq!(
        world.apply(0, Command::Transact(transaction)),
        Outcome::Cancelled(vec![ActionOutcome::Conflict]),
        "not even a check may look at it"
    );
    assert!(crate::read::intent_at(&world.shards[0].store, &key(0)).unwrap());
    assert!(!crate::read::intent_at(&world.shards[0].store, &key(3)).unwrap());
    world.settle();
}

#[test]
fn a_checked_item_is_held_too() {
    let mut world = World::new();
    world.single(0, Act::Put(7));
    world.coordinators.push(Coordinator::new(1, vec![(0, Act::Check(7)), (1, Act::Add(1))], world.wall_ms));
    world.step(0, 0);
    assert_eq!(world.apply(0, Command::Write(Act::Put(8).write(0))), Outcome::Conflict);
    world.steps(5);
    assert_eq!(world.model, BTreeMap::from([(0, 7), (1, 1)]));
    world.settle();
}

#[test]
fn the_first_decision_on_the_record_shard_stands() {
    let mut world = two();
    world.steps(2);
    let abort = Decide { id: TransactionId(1), verdict: Verdict::Abort { deadline_ms: world.wall_ms + LIFE_MS } };
    let aborted = world.apply(0, Command::Decide(abort.clone()));
    assert!(matches!(aborted, Outcome::Decided { decision: Some(Decision::Aborted { .. }), .. }));
    world.step(0, 0);
    assert_eq!(world.coordinators[0].decided, Some(None), "the coordinator came too late");
    world.settle();

    let mut world = two();
    world.steps(3);
    let committed = world.apply(0, Command::Decide(abort));
    assert!(matches!(committed, Outcome::Decided { decision: Some(Decision::Committed { .. }), .. }));
    world.follow();
    world.settle();
    assert_eq!(world.model, BTreeMap::from([(0, 1), (1, 1)]), "carried out by somebody else");
}

/// Without the record, the prepare would come after its transaction was given up elsewhere, and be committed alone.
#[test]
fn an_abort_that_comes_first_bars_the_prepare_on_the_record_shard() {
    let mut world = two();
    world.step(0, 1);
    world.recover(1);
    world.step(0, 0);
    assert!(world.coordinators[0].failed, "the prepare on the record shard was refused");
    let forget = Forget { id: TransactionId(1) };
    world.apply(0, Command::Forget(forget));
    assert_eq!(world.shards[0].shard.locks.decisions().count(), 1, "the record stays until the deadline");
    world.wall_ms += LIFE_MS + 1;
    world.apply(0, Command::Forget(forget));
    assert_eq!(world.shards[0].shard.locks.decisions().count(), 0);
    let again = world.coordinators[0].prepare(0);
    assert_eq!(world.apply(0, again), Outcome::Rejected(Rejection::Late), "and afterwards time bars it");
    world.settle();
}

#[test]
fn a_prepare_that_comes_twice_takes_effect_once() {
    let mut world = two();
    world.steps(5);
    let again = world.coordinators[0].prepare(1);
    let outcome = world.apply(1, again);
    assert!(matches!(outcome, Outcome::Prepared { .. }), "the deadline is not over: {outcome:?}");
    world.settle();
    assert_eq!(world.model, BTreeMap::from([(0, 1), (1, 1)]));
}

#[test]
fn a_resolve_carries_out_only_the_prepare_that_it_names() {
    let mut world = two();
    world.steps(3);
    let before = world.shards[1].rows(b"\x14");
    let other = Resolve { id: TransactionId(1), prepared: Some(Timestamp(1)), commit: Some(Timestamp(2)) };
    assert_eq!(world.apply(1, Command::Resolve(other)), Outcome::Resolved { actions: Vec::new() });
    let any = Resolve { id: TransactionId(1), prepared: None, commit: Some(Timestamp(2)) };
    assert_eq!(world.apply(1, Command::Resolve(any)), Outcome::Resolved { actions: Vec::new() });
    assert_eq!(world.shards[1].rows(b"\x14"), before);
    world.follow();
    world.settle();
}

#[test]
fn a_commit_below_the_high_water_mark_is_written_and_one_above_lifts_the_clock() {
    let mut world = two();
    world.steps(3);
    let at = world.coordinators[0].decided.flatten().unwrap();
    (0..9).for_each(|_| world.single(4, Act::Add(1)));
    world.wall_ms += 500;
    world.single(4, Act::Add(1));
    assert!(world.shards[1].shard.high_water > at);
    assert!(world.shards[1].shard.resolved() < at, "what is not resolved yet is not complete");
    world.step(0, 0);
    world.step(0, 0);
    assert_eq!(world.shards[1].item(1).unwrap().1, at);
    assert_eq!(world.shards[1].shard.resolved(), world.shards[1].shard.high_water);

    let replica = &mut world.shards[2];
    let write = Act::Add(1).write(2);
    let prepare = Prepare {
        id: TransactionId(9),
        record_token: token(&key(0)),
        deadline_ms: u64::MAX,
        client_token: None,
        actions: vec![write],
    };
    let Outcome::Prepared { ts, .. } = replica.apply(Command::Prepare(prepare), 1) else { panic!("not prepared") };
    let far = Timestamp::new(1 << 30, 0);
    let resolve = Resolve { id: TransactionId(9), prepared: Some(ts), commit: Some(far) };
    replica.apply(Command::Resolve(resolve), 1);
    assert_eq!(replica.item(2).unwrap().1, far);
    assert!(replica.shard.high_water >= far && replica.shard.ceiling > far);
    assert_eq!(ShardState::load(&replica.store, ShardId(2), map()).unwrap(), replica.shard);
}

#[test]
fn a_table_that_is_removed_takes_its_locks_along() {
    let mut world = two();
    world.steps(3);
    world.apply(1, Command::Ddl(DdlCommand::Uninstall { table: TableId(TABLE), era: 1 }));
    assert_eq!(world.shards[1].shard.locks.count(), 0);
    assert_eq!(world.shards[1].rows(&[0x14]), []);
    let loaded = ShardState::load(&world.shards[1].store, ShardId(1), map()).unwrap();
    assert_eq!(loaded, world.shards[1].shard);
    world.step(0, 0);
    world.step(0, 0);
    assert_eq!(world.shards[0].item(0).unwrap().0, 1, "the other shard's part is there");
    assert_eq!(world.shards[1].item(1), None);
    assert_eq!(world.shards[1].shard.locks, Locks::default());
}

#[test]
fn a_client_token_belongs_to_the_decision() {
    let mut world = two();
    let actions: Vec<ItemWrite> = world.coordinators[0].acts.iter().map(|(number, act)| act.write(*number)).collect();
    let token_of = |hash| Some(client_token("tok", hash));
    let hash = request_hash(&actions);
    let prepare = |id, hash| {
        let actions = vec![Act::Add(1).write(0)];
        let record_token = token(&key(0));
        Command::Prepare(Prepare {
            id: TransactionId(id),
            record_token,
            deadline_ms: 9000,
            client_token: token_of(hash),
            actions,
        })
    };
    let Outcome::Prepared { ts, .. } = world.apply(0, prepare(1, hash)) else { panic!("not prepared") };
    assert_eq!(world.apply(0, prepare(2, hash)), Outcome::InProgress);
    let single = Transaction { client_token: token_of(hash), actions: vec![Act::Add(1).write(3)] };
    assert_eq!(world.apply(0, Command::Transact(single.clone())), Outcome::InProgress);
    let prepares = vec![Prepared { token: token(&key(0)), ts }];
    let decide = Decide { id: TransactionId(1), verdict: Verdict::Commit { at: ts, prepares, reads: vec![1] } };
    world.apply(0, Command::Decide(decide));
    assert!(matches!(world.apply(0, prepare(2, hash)), Outcome::Replayed { .. }));
    assert_eq!(world.apply(0, prepare(2, hash + 1)), Outcome::TokenMismatch);
    assert!(matches!(world.apply(0, Command::Transact(single)), Outcome::Replayed { .. }));
    world.apply(0, Command::Forget(Forget { id: TransactionId(1) }));
    assert!(matches!(world.apply(0, prepare(2, hash)), Outcome::Replayed { .. }), "and outlives it");
}

/// A token that lives on shard 2, where items 0 and 1 do not.
fn token_on_shard_two() -> String {
    let mut names = (0..).map(|number| format!("far-{number}"));
    names.find(|name| shard_of_token(client_token(name, 0).ring_token()) == 2).expect("every shard has tokens")
}

/// Items 0 and 1 lie on shards 0 and 1, the decision on shard 2.
fn two_with_a_record_shard_elsewhere() -> World {
    let mut world = World::new();
    let acts = vec![(0, Act::Add(1)), (1, Act::Add(1))];
    let token = Some(token_on_shard_two());
    world.coordinators.push(Coordinator::with_token(1, acts, token, world.wall_ms));
    world
}

#[test]
fn a_record_shard_without_items_decides() {
    let mut world = two_with_a_record_shard_elsewhere();
    world.steps(3);
    assert_eq!(world.shards[2].shard.locks.prepared().count(), 1, "the token is held");
    assert_eq!(world.shards[2].shard.locks.count(), 0);
    world.steps(5);
    assert_eq!(world.model, BTreeMap::from([(0, 1), (1, 1)]));
    let (coordinator, wall_ms) = (&world.coordinators[0], world.wall_ms);
    let (record_token, again) = (coordinator.record_token(), coordinator.client_token.clone().unwrap());
    let mut prepare = |id, client_token| {
        let prepare = Prepare {
            id: TransactionId(id),
            record_token,
            deadline_ms: wall_ms + LIFE_MS,
            client_token: Some(client_token),
            actions: Vec::new(),
        };
        world.apply(2, Command::Prepare(prepare))
    };
    let other = ClientToken { request_hash: again.request_hash + 1, ..again.clone() };
    let gone = ClientToken { token: "another".to_owned(), table: TableId(99), ..again.clone() };
    assert_eq!(prepare(2, again), Outcome::Replayed { reads: vec![1] });
    assert_eq!(prepare(3, other), Outcome::TokenMismatch);
    assert_eq!(prepare(4, gone), Outcome::Rejected(Rejection::Stale), "its table is not here");
    world.settle();
}

/// The coordinator dies before each of its steps.
#[test]
fn a_record_shard_without_items_is_recovered_like_any_other() {
    for steps in 0..=8 {
        let mut world = two_with_a_record_shard_elsewhere();
        world.steps(steps);
        world.settle();
        let is_committed = steps >= 4;
        assert_eq!(world.model.len(), if is_committed { 2 } else { 0 }, "after {steps} steps");
        let rows = world.shards[2].rows(&[crate::keyspace::Space::Tokens as u8]);
        assert_eq!(rows.len(), usize::from(is_committed), "the token is remembered if it was done: {steps}");
    }
}

#[test]
fn a_client_token_goes_with_its_table() {
    let mut world = two_with_a_record_shard_elsewhere();
    world.steps(3);
    world.apply(2, Command::Ddl(DdlCommand::Uninstall { table: TableId(TABLE), era: 1 }));
    world.step(0, 0);
    assert_eq!(world.shards[2].rows(&[crate::keyspace::Space::Tokens as u8]), [], "no row of a table that has gone");
    assert_eq!(world.shards[2].rows(&local::token_queue_prefix(ShardId(2))), []);
}

#[test]
fn an_aborted_transaction_leaves_its_client_token_free() {
    let mut world = two();
    let token = Some(client_token("tok", 1));
    let Command::Prepare(prepare) = world.coordinators[0].prepare(0) else { panic!("a prepare") };
    let prepare = Prepare { client_token: token, ..prepare };
    world.apply(0, Command::Prepare(prepare.clone()));
    world.apply(0, Command::Resolve(Resolve { id: prepare.id, prepared: None, commit: None }));
    let again = Prepare { id: TransactionId(7), ..prepare };
    assert!(matches!(world.apply(0, Command::Prepare(again)), Outcome::Prepared { .. }));
    world.settle();
}

#[test]
fn the_version_of_an_absent_item_rises_with_every_deletion() {
    let mut world = World::new();
    let high = |world: &World| crate::read::deletions_high(&world.shards[0].store, ShardId(0)).unwrap();
    world.single(0, Act::Put(1));
    assert_eq!(high(&world), Timestamp::ZERO);
    world.single(0, Act::Delete);
    let first = high(&world);
    assert_eq!(first, world.shards[0].shard.high_water);
    world.single(0, Act::Delete);
    assert_eq!(high(&world), first, "what was not there was not deleted");
    world.single(0, Act::Put(1));
    world.coordinators.push(Coordinator::new(1, vec![(0, Act::Delete), (1, Act::Add(1))], world.wall_ms));
    world.steps(6);
    assert!(high(&world) > first, "also a deletion by a transaction");
    assert!(!world.shards[0].shard.locks.is_locked(&intent_key(&key(0))));
    world.settle();
}
