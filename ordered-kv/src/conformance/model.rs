//! Random steps against the naive version: a `BTreeMap`.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Random, StateSubject};
use crate::{Direction, KeyRange, Operation, Reader, StoreError, View, WriteBatch};

/// Rows of a store, or of the model: keys and values.
pub type Rows = Vec<(Vec<u8>, Vec<u8>)>;
pub(super) type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const STEPS: usize = 300;
/// Keys are short and of few letters, so that steps meet each other's keys.
const LETTERS: &[u8] = &[0, 1, b'a', b'b', 0xfe, 0xff];
const VALUE_BYTES_MAX: usize = 40;

/// Everything that `reader` shows in `range`, in the cursor's order.
///
/// # Errors
///
/// The reader's.
pub fn contents(reader: &dyn Reader, range: KeyRange<'_>, direction: Direction) -> Result<Rows, StoreError> {
    let mut rows = Vec::new();
    let mut cursor = reader.cursor(range, direction)?;
    while let Some((key, value)) = cursor.next()? {
        rows.push((key.to_vec(), value.to_vec()));
    }
    assert_eq!(cursor.next()?, None, "a cursor at its end stays there");
    Ok(rows)
}

/// A batch of a few random operations on keys that are likely to meet others.
pub fn random_batch(random: &mut Random) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for _ in 0..1 + random.below(6) {
        match random.below(10) {
            0..=5 => batch.put(&random_key(random), &random_value(random)),
            6..=8 => batch.delete(&random_key(random)),
            _ => batch.delete_range(&random_key(random), &random_key(random)),
        }
    }
    batch
}

pub(super) fn random_key(random: &mut Random) -> Vec<u8> {
    (0..random.below(5)).map(|_| LETTERS[random.below(LETTERS.len())]).collect()
}

fn random_value(random: &mut Random) -> Vec<u8> {
    (0..random.below(VALUE_BYTES_MAX)).map(|_| random.draw() as u8).collect()
}

pub(super) fn random_bound(random: &mut Random) -> Bound<Vec<u8>> {
    match random.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Included(random_key(random)),
        _ => Bound::Excluded(random_key(random)),
    }
}

pub(super) fn borrowed(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(|key| &key[..])
}

/// What a batch does, by definition.
pub(super) fn apply(model: &mut Model, batch: &WriteBatch) {
    for operation in batch {
        match operation {
            Operation::Put { key, value } => {
                model.insert(key.to_vec(), value.to_vec());
            }
            Operation::Delete { key } => {
                model.remove(key);
            }
            Operation::DeleteRange { start, end } => {
                model.retain(|key, _| &key[..] < start || &key[..] >= end);
            }
        }
    }
}

/// What a cursor shows, by definition.
pub(super) fn expected(model: &Model, range: &KeyRange<'_>, direction: Direction) -> Rows {
    let inside = model.iter().filter(|(key, _)| range.contains(key)).map(|(key, value)| (key.clone(), value.clone()));
    match direction {
        Direction::Forward => inside.collect(),
        Direction::Backward => inside.rev().collect(),
    }
}

pub(super) fn compare(reader: &dyn Reader, model: &Model, random: &mut Random, what: &str) {
    let key = random_key(random);
    let found = reader.get(&key).expect("a healthy store answers");
    assert_eq!(found.as_deref(), model.get(&key).map(|value| &value[..]), "{what}: get {key:?}");
    let (start, end) = (random_bound(random), random_bound(random));
    for direction in [Direction::Forward, Direction::Backward] {
        let range = KeyRange::new(borrowed(&start), borrowed(&end));
        let rows = contents(reader, range.clone(), direction).expect("a healthy store answers");
        assert_eq!(rows, expected(model, &range, direction), "{what}: {direction:?} over {start:?}..{end:?}");
    }
}

/// Writes, flushes, reopenings and frozen views in random order, all compared with the model.
pub(super) fn random_steps(subject: &mut dyn StateSubject, seed: u64) {
    let mut random = Random::new(seed);
    let mut model = Model::new();
    let mut views: Vec<(View, Model)> = Vec::new();
    for step in 0..STEPS {
        let what = format!("seed {seed}, step {step}");
        match random.below(40) {
            0 => subject.store().flush().expect("a healthy store flushes"),
            1 => {
                subject.store().flush().expect("a healthy store flushes");
                views.clear();
                subject.reopen();
            }
            2..=4 => views.push((subject.store().view(), model.clone())),
            5 if !views.is_empty() => drop(views.swap_remove(random.below(views.len()))),
            6..=20 => {
                let batch = random_batch(&mut random);
                subject.store().write(&batch).expect("a healthy store writes");
                apply(&mut model, &batch);
            }
            _ => compare(subject.store(), &model, &mut random, &what),
        }
        if let Some((view, then)) = views.last() {
            compare(&**view, then, &mut random, &format!("{what}, a view"));
        }
    }
    for (view, then) in &views {
        compare(&**view, then, &mut random, &format!("seed {seed}, a view at the end"));
    }
}
