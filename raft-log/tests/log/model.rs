//! A naive model of the log, and random lives of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use raft_log::{Batch, Log, LogError, MemoryDisk, Options};

use crate::random::Random;

const GROUPS: u32 = 3;
const KINDS: u8 = 3;

/// What one group holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub values: BTreeMap<u8, Vec<u8>>,
    pub purged: Option<(u64, u64)>,
    /// Term, body and whether it is notable, by index.
    pub entries: BTreeMap<u64, (u64, Vec<u8>, bool)>,
}

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model(pub BTreeMap<u32, Group>);

/// One operation of a batch.
#[derive(Clone, Debug)]
pub enum Step {
    Append { group: u32, term: u64, index: u64, body: Vec<u8>, notable: bool },
    Truncate { group: u32, index: u64 },
    Purge { group: u32, term: u64, index: u64, values: Vec<u8> },
    Put { group: u32, kind: u8, value: Vec<u8> },
}

impl Model {
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Append { group, term, index, body, notable } => {
                self.group(*group).entries.insert(*index, (*term, body.clone(), *notable));
            }
            Step::Truncate { group, index } => drop(self.group(*group).entries.split_off(index)),
            Step::Purge { group, term, index, values } => {
                let group = self.group(*group);
                group.entries = group.entries.split_off(&(index + 1));
                group.purged = Some((*term, *index));
                values.iter().for_each(|kind| drop(group.values.remove(kind)));
            }
            Step::Put { group, kind, value } => drop(self.group(*group).values.insert(*kind, value.clone())),
        }
        self.0.retain(|_, group| *group != Group::default());
    }

    fn group(&mut self, group: u32) -> &mut Group {
        self.0.entry(group).or_default()
    }

    /// What the log holds.
    pub fn of(log: &Log) -> Result<Model, LogError> {
        let mut model = Model::default();
        for number in log.groups() {
            let notable = log.notable(number);
            let mut group = Group { purged: log.purged(number), ..Group::default() };
            for kind in 0..=KINDS {
                group.values.extend(log.value(number, kind).map(|value| (kind, value)));
            }
            let first = log.sizes(number).first().map_or(0, |(index, _)| *index);
            for entry in log.read(number, first, u64::MAX, usize::MAX)? {
                let is_notable = notable.contains(&entry.index);
                group.entries.insert(entry.index, (entry.term, entry.body.to_vec(), is_notable));
            }
            assert_eq!(group.entries.len(), log.sizes(number).len());
            let last = group.entries.last_key_value().map(|(index, _)| *index);
            assert_eq!(log.last(number), last.or(group.purged.map(|(_, index)| index)));
            model.0.insert(number, group);
        }
        model.0.retain(|_, group| *group != Group::default());
        Ok(model)
    }

    /// A step that a log which holds this could take.
    pub fn random_step(&self, random: &mut Random) -> Step {
        let group = random.below(u64::from(GROUPS)) as u32;
        let known = self.0.get(&group).cloned().unwrap_or_default();
        let last = known.entries.last_key_value().map(|(index, _)| *index).or(known.purged.map(|(_, index)| index));
        let term = 1 + random.below(5);
        match random.below(16) {
            0 => Step::Truncate { group, index: last.unwrap_or(0).saturating_sub(random.below(4)) },
            1 => {
                let ahead = if random.below(4) == 0 { 3 } else { 0 };
                let index = last.unwrap_or(0).saturating_sub(random.below(6)) + ahead;
                let index = index.max(known.purged.map_or(0, |(_, purged)| purged + 1));
                Step::Purge { group, term, index, values: vec![KINDS - 1] }
            }
            2 => Step::Put { group, kind: random.below(u64::from(KINDS)) as u8, value: random.bytes(20) },
            _ => {
                let index = last.map_or(random.below(3), |last| last + 1);
                let length = if random.below(20) == 0 { 9_000 } else { 400 };
                Step::Append { group, term, index, body: random.bytes(length), notable: random.below(8) == 0 }
            }
        }
    }
}

pub fn put(batch: &mut Batch, step: &Step) {
    match step {
        Step::Append { group, term, index, body, notable } => batch.append(*group, *term, *index, body, *notable),
        Step::Truncate { group, index } => batch.truncate(*group, *index),
        Step::Purge { group, term, index, values } => batch.purge(*group, *term, *index, values),
        Step::Put { group, kind, value } => batch.put(*group, *kind, value),
    }
}

pub fn options() -> Options {
    Options { log_id: 77, segment_bytes: 8192, spares_max: 3, zero_ahead_bytes: 0, must_exist: false }
}

pub fn open(disk: &Arc<MemoryDisk>) -> Result<Log, LogError> {
    Log::open(Arc::clone(disk) as _, &options())
}

/// A log under random operations, with everything that a power cut might leave.
pub struct Life {
    pub log: Log,
    /// The states since the last sync, the newest last.
    pub possible: Vec<Model>,
}

impl Life {
    pub fn new(log: Log) -> Life {
        let model = Model::of(&log).expect("a log that was just opened can be read");
        Life { log, possible: vec![model] }
    }

    pub fn now(&self) -> &Model {
        self.possible.last().expect("there is always a newest state")
    }

    /// Writes some steps; an error is the disk's.
    pub fn step(&mut self, random: &mut Random) -> Result<(), LogError> {
        let mut batch = Batch::new();
        for _ in 0..1 + random.below(6) {
            let step = self.now().random_step(random);
            put(&mut batch, &step);
            let mut next = self.now().clone();
            next.apply(&step);
            self.possible.push(next);
        }
        let is_settled = random.below(10) == 0;
        let sync = random.below(3) > 0;
        self.log.write(batch, sync)?;
        if is_settled {
            self.log.settle()?;
        }
        if sync || is_settled {
            self.possible.drain(..self.possible.len() - 1);
        }
        Ok(())
    }
}

/// Many lives on one disk, each ended by a power cut at any operation of the disk.
fn live(seed: u64) {
    let mut random = Random::new(seed);
    let disk = Arc::new(MemoryDisk::with_crashes());
    let mut possible = vec![Model::default()];
    for number in 0..12 {
        let log = open(&disk).unwrap_or_else(|error| panic!("seed {seed}, life {number}: {error}"));
        let found = Model::of(&log).unwrap_or_else(|error| panic!("seed {seed}, life {number}: {error}"));
        assert!(possible.contains(&found), "seed {seed}, life {number}: {found:?} is none of {possible:?}");
        let mut life = Life::new(log);
        disk.fail_after(Some(random.below(150)));
        while life.step(&mut random).is_ok() {
            assert_eq!(Model::of(&life.log).unwrap(), *life.now(), "seed {seed}, life {number}");
        }
        disk.fail_after(None);
        possible = life.possible;
        drop(life.log);
        if random.below(4) > 0 {
            disk.crash(random.next());
        }
    }
}

#[test]
fn random_lives_keep_what_was_synced() {
    for seed in 0..300 {
        live(seed);
    }
}

/// Without syncs the same test must find losses.
#[test]
#[should_panic(expected = "seed")]
fn lying_disk_is_noticed() {
    let disk = Arc::new(MemoryDisk::with_crashes());
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let log = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let mut life = Life::new(log);
        disk.set_sync(false);
        (0..5).for_each(|_| life.step(&mut random).unwrap());
        disk.crash(seed);
        let found = open(&disk).and_then(|log| Model::of(&log)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(life.possible.contains(&found), "seed {seed}: lost");
    }
}

/// The log stays as short as what lives in it, also where one group purges and another never does.
#[test]
fn idle_groups_do_not_keep_segments_from_being_freed() {
    let disk = Arc::new(MemoryDisk::with_crashes());
    let log = open(&disk).unwrap();
    let mut model = Model::default();
    let mut write = |steps: &[Step]| {
        let mut batch = Batch::new();
        for step in steps {
            put(&mut batch, step);
            model.apply(step);
        }
        log.write(batch, true).unwrap();
    };
    for index in 0..3 {
        write(&[Step::Append { group: 9, term: 1, index, body: vec![index as u8; 100], notable: index == 1 }]);
    }
    for index in 0..2_000 {
        let append = Step::Append { group: 1, term: 1, index, body: vec![7; 150], notable: false };
        let purge = Step::Purge { group: 1, term: 1, index: index.saturating_sub(4), values: Vec::new() };
        if index > 4 && index % 5 == 0 {
            write(&[purge]);
        }
        write(&[append]);
    }
    assert!(log.segment_bytes() <= 8 * 8192, "{} bytes of segments", log.segment_bytes());
    assert_eq!(Model::of(&log).unwrap(), model);
    drop(log);
    let log = open(&disk).unwrap();
    assert_eq!(Model::of(&log).unwrap(), model);
}
