//! What a crash takes away, and what it must not.

use ordered_kv::conformance::{Random, contents, random_batch};
use ordered_kv::memory::MemoryState;
use ordered_kv::{Direction, KeyRange, Reader, StateStore, StoreError, WriteBatch};

const COUNTER: &[u8] = b"~counter";

fn counted(number: u64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(COUNTER, &number.to_be_bytes());
    batch
}

fn counter(reader: &dyn Reader) -> u64 {
    reader.get(COUNTER).unwrap().map_or(0, |value| u64::from_be_bytes(value[..].try_into().unwrap()))
}

#[test]
fn a_crashed_state_is_a_prefix_from_the_flushed_one_on() {
    let mut seen = [false; 11];
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let store = MemoryState::with_crashes();
        let mut states = Vec::new();
        for number in 1..=20 {
            let mut batch = random_batch(&mut random);
            batch.append(&counted(number));
            store.write(&batch).unwrap();
            states.push(contents(&store, KeyRange::all(), Direction::Forward).unwrap());
            if number == 10 {
                store.flush().unwrap();
            }
        }
        let view = store.view();
        store.crash(seed);
        let survived = counter(&store);
        assert!((10..=20).contains(&survived), "seed {seed}: {survived}");
        seen[survived as usize - 10] = true;
        let left = contents(&store, KeyRange::all(), Direction::Forward).unwrap();
        assert_eq!(left, states[survived as usize - 1], "seed {seed}");
        assert_eq!(store.get_persisted(COUNTER).unwrap(), store.get(COUNTER).unwrap());
        assert_eq!(counter(&*view), 20, "a view from before stands still");
    }
    assert_eq!(seen, [true; 11], "every prefix from the flushed one on is met");
}

#[test]
fn an_unflushed_state_may_vanish_but_not_in_a_server_without_crashes() {
    let lost = (0..50).any(|seed| {
        let store = MemoryState::with_crashes();
        store.write(&counted(1)).unwrap();
        assert_eq!(store.get_persisted(COUNTER).unwrap(), None);
        store.crash(seed);
        counter(&store) == 0
    });
    assert!(lost);
    let store = MemoryState::new();
    store.write(&counted(1)).unwrap();
    assert!(store.get_persisted(COUNTER).unwrap().is_some(), "so that the log can be purged");
    store.crash(1);
    assert_eq!(counter(&store), 1);
}

#[test]
fn failing_writes_fail_until_repaired() {
    let failure = StoreError::Io("the disk is gone".into());
    let state = MemoryState::new();
    state.fail_writes(Some(failure.clone()));
    assert_eq!(state.write(&counted(1)), Err(failure.clone()));
    assert_eq!(state.flush(), Err(failure));
    assert_eq!(counter(&state), 0);
    state.fail_writes(None);
    state.write(&counted(1)).unwrap();
    assert_eq!(counter(&state), 1);
}

#[cfg(feature = "rocksdb")]
mod rocks {
    use super::*;
    use std::fs;
    use std::path::{Path, PathBuf};

    use ordered_kv::rocks::{LogOptions, StateOptions, open_log, open_state};

    /// What a kill leaves: the files as they are now. The original goes on, and its background work may replace a file
    /// between the listing and the copy, as no kill would see it: then the copy is made anew.
    fn killed(dir: &Path) -> tempfile::TempDir {
        loop {
            let copy = tempfile::tempdir().unwrap();
            let before = listing(dir);
            let copied = before.iter().all(|path| fs::copy(path, copy.path().join(path.file_name().unwrap())).is_ok());
            if copied && listing(dir) == before {
                return copy;
            }
        }
    }

    fn listing(dir: &Path) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.is_file() && path.file_name().is_some_and(|name| name != "LOCK"));
        paths.sort();
        paths
    }

    fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
        let all = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut chosen: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
        chosen.sort();
        chosen
    }

    #[test]
    fn a_killed_state_goes_back_to_what_was_flushed() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_state(dir.path(), &StateOptions::default()).unwrap();
        store.write(&counted(1)).unwrap();
        store.flush().unwrap();
        store.write(&counted(2)).unwrap();
        let persisted = store.get_persisted(COUNTER).unwrap().unwrap();
        assert_eq!(persisted[..], 1u64.to_be_bytes());
        let left = killed(dir.path());
        let left = open_state(left.path(), &StateOptions::default()).unwrap();
        assert_eq!(counter(&left), 1);
        drop(store);
        let closed = open_state(dir.path(), &StateOptions::default()).unwrap();
        assert_eq!(counter(&closed), 2, "an orderly end writes out what is in memory");
    }

    #[test]
    fn a_killed_log_keeps_what_was_synced() {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path(), &LogOptions::default()).unwrap();
        for number in 1..=20 {
            log.write_synced(&counted(number)).unwrap();
            let left = killed(dir.path());
            let left = open_log(left.path(), &LogOptions::default()).unwrap();
            assert_eq!(counter(&left), number);
        }
    }

    /// Recovery stops in silence at a damaged record; the floor is what tells it from a torn tail.
    #[test]
    fn a_flipped_bit_in_the_log_shows_against_the_floor() {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path(), &LogOptions::default()).unwrap();
        for number in 1..=100 {
            log.write_synced(&counted(number)).unwrap();
        }
        log.record_floor(&100u64.to_be_bytes()).unwrap();
        let damaged = killed(dir.path());
        let path = files(damaged.path(), "log").pop().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[1000] ^= 1;
        fs::write(&path, bytes).unwrap();
        let log = open_log(damaged.path(), &LogOptions::default()).unwrap();
        let floor = u64::from_be_bytes(log.floor().unwrap().unwrap()[..].try_into().unwrap());
        assert!(counter(&log) < floor, "{} is below {floor}", counter(&log));
    }

    #[test]
    fn a_flipped_bit_in_a_table_is_corruption() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_state(dir.path(), &StateOptions::default()).unwrap();
        let mut batch = WriteBatch::new();
        let mut random = Random::new(1);
        for number in 0..2_000u32 {
            batch.put(&number.to_be_bytes(), &random.draw().to_be_bytes().repeat(10));
        }
        store.write(&batch).unwrap();
        store.flush().unwrap();
        drop(store);
        let path = files(dir.path(), "sst").pop().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        for at in (1000..bytes.len() / 2).step_by(4096) {
            bytes[at] ^= 1;
        }
        fs::write(&path, bytes).unwrap();
        let store = open_state(dir.path(), &StateOptions::default()).unwrap();
        let walked = contents(&store, KeyRange::all(), Direction::Forward);
        assert!(matches!(walked, Err(StoreError::Corruption(_))), "{walked:?}");
        let got = (0..2_000u32).find_map(|number| store.get(&number.to_be_bytes()).err());
        assert!(matches!(got, Some(StoreError::Corruption(_))), "{got:?}");
    }

    #[test]
    fn a_damaged_floor_is_corruption() {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path(), &LogOptions::default()).unwrap();
        log.record_floor(b"floor").unwrap();
        let path = dir.path().join("FLOOR");
        let mut bytes = fs::read(&path).unwrap();
        bytes[10] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(matches!(log.floor(), Err(StoreError::Corruption(_))));
    }
}
