//! Two stores side by side.

use super::model::{borrowed, contents, random_batch, random_bound, random_key};
use super::{Random, StateSubject};
use crate::{Direction, KeyRange, Reader, View};

const STEPS: usize = 400;

/// Drives two stores through the same random steps, chosen by `seed`; every answer must be the same.
///
/// # Panics
///
/// If the two differ.
pub fn mirror(one: &mut dyn StateSubject, other: &mut dyn StateSubject, seed: u64) {
    let mut random = Random::new(seed);
    let mut views: Option<(View, View)> = None;
    for step in 0..STEPS {
        let what = format!("seed {seed}, step {step}");
        match random.below(30) {
            0 => {
                views = None;
                flush_and_reopen(one);
                flush_and_reopen(other);
            }
            1 | 2 => views = Some((one.store().view(), other.store().view())),
            3 => load_both(one, other, &mut random),
            4..=18 => {
                let batch = random_batch(&mut random);
                one.store().write(&batch).expect("a healthy store writes");
                other.store().write(&batch).expect("a healthy store writes");
            }
            _ => agree(one.store(), other.store(), &mut random, &what),
        }
        if let Some((one, other)) = &views {
            agree(&**one, &**other, &mut random, &format!("{what}, views"));
        }
    }
}

fn flush_and_reopen(subject: &mut dyn StateSubject) {
    subject.store().flush().expect("a healthy store flushes");
    subject.reopen();
}

fn load_both(one: &dyn StateSubject, other: &dyn StateSubject, random: &mut Random) {
    let (start, end) = (random_key(random), random_key(random));
    let mut keys: Vec<Vec<u8>> = (0..random.below(6)).map(|_| random_key(random)).collect();
    keys.sort();
    keys.dedup();
    for subject in [one, other] {
        let mut load = subject.store().ingest().expect("a healthy store loads");
        load.replace(&start, &end).expect("ranges come first");
        for key in &keys {
            load.put(key, key).expect("keys rise");
        }
        load.seal().expect("a healthy store loads");
        load.commit().expect("a healthy store loads");
    }
}

fn agree(one: &dyn Reader, other: &dyn Reader, random: &mut Random, what: &str) {
    let key = random_key(random);
    assert_eq!(one.get(&key), other.get(&key), "{what}: get {key:?}");
    let (start, end) = (random_bound(random), random_bound(random));
    for direction in [Direction::Forward, Direction::Backward] {
        let range = KeyRange::new(borrowed(&start), borrowed(&end));
        let rows = contents(one, range.clone(), direction);
        assert_eq!(rows, contents(other, range, direction), "{what}: {direction:?} over {start:?}..{end:?}");
    }
}
