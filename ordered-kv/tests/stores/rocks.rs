//! What only the disk stores have: locks, tiers, checkpoints, pinned values, bounds.

use ordered_kv::conformance::{Random, contents, random_batch};
use ordered_kv::rocks::{LogOptions, StateOptions, open_log, open_state};
use ordered_kv::{CachedGet, Direction, KeyRange, Reader, StateStore, StoreError, WriteBatch};

fn put(store: &dyn StateStore, key: &[u8], value: &[u8]) {
    let mut batch = WriteBatch::new();
    batch.put(key, value);
    store.write(&batch).unwrap();
}

#[test]
fn a_directory_is_opened_once() {
    let dir = tempfile::tempdir().unwrap();
    let (state, log) = (dir.path().join("a/state"), dir.path().join("a/log"));
    let first =
        (open_state(&state, &StateOptions::default()).unwrap(), open_log(&log, &LogOptions::default()).unwrap());
    assert!(matches!(open_state(&state, &StateOptions::default()), Err(StoreError::Closed(_))));
    assert!(matches!(open_log(&log, &LogOptions::default()), Err(StoreError::Closed(_))));
    drop(first);
    assert!(open_state(&state, &StateOptions::default()).is_ok());
}

#[test]
fn the_cached_tier_misses_rows_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_state(dir.path(), &StateOptions::default()).unwrap();
    put(&store, b"key", b"value");
    assert_eq!(store.get_cached(b"key").unwrap(), CachedGet::Hit(Some("value".into())));
    store.flush().unwrap();
    drop(store);
    let store = open_state(dir.path(), &StateOptions::default()).unwrap();
    assert_eq!(store.get_cached(b"key").unwrap(), CachedGet::Miss);
    let walked = contents(store.cached(), KeyRange::all(), Direction::Forward);
    assert_eq!(walked, Err(StoreError::NotCached));
    let walked = contents(&*store.view_cached(), KeyRange::all(), Direction::Backward);
    assert_eq!(walked, Err(StoreError::NotCached));
    assert!(store.get(b"key").unwrap().is_some());
    assert_eq!(store.get_cached(b"key").unwrap(), CachedGet::Hit(Some("value".into())));
    assert_eq!(contents(&*store.view_cached(), KeyRange::all(), Direction::Forward).unwrap().len(), 1);
}

/// What a flush calls durable is there when the store is opened again; so it looks for the names of its files.
#[test]
fn a_flush_notices_that_files_were_deleted() {
    let needed = |name: &str| name == "CURRENT" || name.starts_with("MANIFEST") || name.ends_with(".sst");
    for at in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let store = open_state(dir.path(), &StateOptions::default()).unwrap();
        put(&store, b"key", b"value");
        store.flush().unwrap();
        let entries = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.filter(|path| needed(path.file_name().unwrap().to_str().unwrap())).collect();
        files.sort();
        assert_eq!(files.len(), 3, "{files:?}");
        std::fs::remove_file(&files[at]).unwrap();
        put(&store, b"key", b"later");
        let error = store.flush().unwrap_err().to_string();
        let name = files[at].file_name().unwrap().to_str().unwrap();
        assert!(error.ends_with(&format!("was deleted while it was open: {name}")), "{error}");
    }
}

/// Files that compactions delete while a flush looks for them are none that anybody misses.
#[test]
fn flushes_among_compactions_miss_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_state(dir.path(), &StateOptions::default()).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for at in 0..200_u32 {
                put(&store, &(at % 7).to_be_bytes(), &[0; 1000]);
                store.flush().unwrap();
            }
        });
        while !writer.is_finished() {
            store.reclaim(b"", b"");
        }
    });
}

#[test]
fn checkpoints_are_stores() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_state(&dir.path().join("state"), &StateOptions::default()).unwrap();
    put(&store, b"key", b"value");
    let copy = dir.path().join("copies/one");
    store.checkpoint(&copy).unwrap();
    put(&store, b"key", b"later");
    let copy = open_state(&copy, &StateOptions::default()).unwrap();
    assert_eq!(copy.get(b"key").unwrap().as_deref(), Some(b"value".as_slice()));
}

/// Large values are pinned: they must outlive deletes, compactions, the view and the store itself.
#[test]
fn values_views_and_the_store_may_go_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_state(dir.path(), &StateOptions::default()).unwrap();
    let large: Vec<u8> = (0..200_000u32).map(|at| (at >> 3) as u8).collect();
    put(&store, b"large", &large);
    store.flush().unwrap();
    let value = store.get(b"large").unwrap().unwrap();
    let view = store.view();
    let from_view = view.get(b"large").unwrap().unwrap();
    let mut batch = WriteBatch::new();
    batch.delete(b"large");
    store.write(&batch).unwrap();
    store.flush().unwrap();
    store.compact();
    drop(store);
    assert_eq!(view.get(b"large").unwrap().unwrap(), large);
    drop(view);
    assert_eq!(value, large);
    assert_eq!(from_view, large);
}

/// A load of several files replaces what it says and no more.
#[test]
fn a_large_load_comes_in_several_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_state(dir.path(), &StateOptions::default()).unwrap();
    let mut random = Random::new(3);
    let noise: Vec<u8> = (0..1 << 20).map(|_| random.draw() as u8).collect();
    for number in (0..200u32).step_by(2) {
        put(&store, &number.to_be_bytes(), b"old");
        put(&store, &[&[1], &number.to_be_bytes()[..]].concat(), b"outside");
    }
    let mut load = store.ingest().unwrap();
    load.replace(&[0], &[1]).unwrap();
    for number in (1..150u32).step_by(2) {
        load.put(&number.to_be_bytes(), &noise).unwrap();
    }
    load.seal().unwrap();
    load.commit().unwrap();
    let rows = contents(&store, KeyRange::between(&[0], &[1]), Direction::Forward).unwrap();
    let keys: Vec<u32> = rows.iter().map(|(key, _)| u32::from_be_bytes(key[..].try_into().unwrap())).collect();
    assert_eq!(keys, (1..150).step_by(2).collect::<Vec<u32>>());
    assert_eq!(contents(&store, KeyRange::from(&[1]), Direction::Forward).unwrap().len(), 100);
    assert!(std::fs::read_dir(dir.path().join("incoming")).unwrap().next().is_none(), "nothing is left lying about");
}

/// A merge of files meets a damaged block: the store takes no writes from then on and says so, what can be read is read, and
/// opened again without merges it goes on.
#[test]
fn damage_met_by_a_compaction_ends_writes_until_it_is_opened_without_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_state(dir.path(), &StateOptions::default()).unwrap();
    let mut random = Random::new(9);
    let noise: Vec<Vec<u8>> = (0..64).map(|_| (0..4 << 10).map(|_| random.draw() as u8).collect()).collect();
    let key = |number: usize| (number as u32).to_be_bytes();
    noise.iter().enumerate().for_each(|(number, value)| put(&store, &key(number), value));
    store.flush().unwrap();
    drop(store);
    let tables = |dir: &std::path::Path| -> Vec<std::path::PathBuf> {
        let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "sst")).collect()
    };
    let [damaged] = &tables(dir.path())[..] else { panic!("one flush, one file") };
    let mut bytes = std::fs::read(damaged).unwrap();
    let at = bytes.windows(64).position(|window| window == &noise[32][..64]).unwrap();
    bytes[at] ^= 1;
    std::fs::write(damaged, bytes).unwrap();

    let store = open_state(dir.path(), &StateOptions::default()).unwrap();
    assert_eq!(store.damage(), None);
    // In the middle of the others: a file that lies beside them would only be moved.
    put(&store, &key(20), b"newer");
    store.flush().unwrap();
    store.compact();
    let what = store.damage().expect("the compaction has read the block");
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert!(what.contains(name), "{what}");
    let refused = store.write(&{
        let mut batch = WriteBatch::new();
        batch.put(b"k", b"v");
        batch
    });
    assert!(matches!(refused, Err(StoreError::Corruption(_))), "{refused:?}");
    assert!(matches!(store.flush(), Err(StoreError::Corruption(_)) | Ok(())));
    assert_eq!(store.get(&key(20)).unwrap().as_deref(), Some(b"newer".as_slice()));
    assert!(matches!(store.get(&key(32)), Err(StoreError::Corruption(_))), "damage is never read as data");
    assert_eq!(store.file_keys(name), Some((key(0).to_vec(), key(63).to_vec())));
    assert_eq!(store.file_keys("999999.sst"), None);
    drop(store);

    let store = open_state(dir.path(), &StateOptions { compacts: false, ..StateOptions::default() }).unwrap();
    for round in 0..8u32 {
        put(&store, &key(round as usize), &round.to_be_bytes());
        store.flush().unwrap();
        // Much room does not switch it on again.
        store.tell_free_bytes(u64::MAX);
        store.reclaim(&[], &[]);
    }
    assert_eq!(store.damage(), None);
    assert!(tables(dir.path()).len() > 8, "nothing is merged");
    assert_eq!(store.get(&key(7)).unwrap().as_deref(), Some(7u32.to_be_bytes().as_slice()));
}

/// Write buffers and cache stay within their bounds while far more is written and read.
#[test]
fn memory_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let options = StateOptions {
        block_cache_bytes: 4 << 20,
        write_buffer_bytes: 1 << 20,
        write_buffers_bytes_max: 3 << 20,
        ..StateOptions::default()
    };
    let store = open_state(dir.path(), &options).unwrap();
    let mut random = Random::new(4);
    let mut peak = (0, 0);
    for number in 0..3_000u64 {
        let value: Vec<u8> = (0..1250).flat_map(|_| random.draw().to_be_bytes()).collect();
        put(&store, &random.draw().to_be_bytes(), &value);
        if number % 100 == 99 {
            contents(&store, KeyRange::from(&random.draw().to_be_bytes()), Direction::Forward).unwrap();
        }
        let memory = store.memory_use();
        peak = (peak.0.max(memory.write_buffers_bytes), peak.1.max(memory.block_cache_bytes));
    }
    assert!(peak.0 <= 5 << 20, "write buffers: {}", peak.0);
    assert!(peak.1 <= 5 << 20, "block cache: {}", peak.1);
}

#[test]
fn random_batches_survive_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_state(&dir.path().join("state"), &StateOptions::default()).unwrap();
    let mut random = Random::new(6);
    for _ in 0..200 {
        store.write(&random_batch(&mut random)).unwrap();
    }
    let rows = contents(&store, KeyRange::all(), Direction::Forward).unwrap();
    store.checkpoint(&dir.path().join("copy")).unwrap();
    let copy = open_state(&dir.path().join("copy"), &StateOptions::default()).unwrap();
    assert_eq!(contents(&copy, KeyRange::all(), Direction::Forward).unwrap(), rows);
}
