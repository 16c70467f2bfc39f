//! The log in a directory of the file system, and what it does when there is no room.

use std::io;
use std::sync::Arc;

use raft_log::{Batch, Disk, FileDisk, Log, LogError, MemoryDisk, Options};

use crate::model::{Life, Model, open, options};
use crate::random::Random;

#[test]
fn files_hold_what_memory_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/there");
    let options = Options { zero_ahead_bytes: 512, ..options() };
    let open = || Log::open(Arc::new(FileDisk::open(&path).unwrap()), &options).unwrap();
    let mut random = Random::new(5);
    let mut life = Life::new(open());
    for _ in 0..6 {
        (0..30).for_each(|_| life.step(&mut random).unwrap());
        let model = life.now().clone();
        drop(life.log);
        let log = open();
        assert_eq!(Model::of(&log).unwrap(), model);
        life = Life::new(log);
    }
    let missing = Options { must_exist: true, ..options };
    let elsewhere = FileDisk::open(&folder.path().join("empty")).unwrap();
    assert_eq!(Log::open(Arc::new(elsewhere), &missing).unwrap_err(), LogError::Gone);
}

fn one(index: u64) -> Batch {
    let mut batch = Batch::new();
    batch.append(1, 1, index, &[7; 1_000], false);
    batch
}

/// What does not fit is refused before it is acknowledged; the room for the next segment is known before it is needed.
#[test]
fn full_disk_is_known_ahead_and_loses_nothing() {
    let disk = Arc::new(MemoryDisk::with_crashes());
    let log = open(&disk).unwrap();
    assert!(!log.is_short_of_room());
    disk.set_free_bytes(Some(2 * 8192));
    let mut index = 0;
    while !log.is_short_of_room() {
        log.write(one(index), true).unwrap();
        index += 1;
    }
    let first_refused = (index..).find(|index| log.write(one(*index), true).is_err()).unwrap();
    assert!(first_refused > index, "what is being written still fits");
    assert!(matches!(log.write(one(0), true), Err(LogError::Full(_))), "nothing is written any more");
    drop(log);
    disk.crash(3);
    let log = open(&disk).unwrap();
    assert_eq!(log.last(1), Some(first_refused - 1));
    disk.set_free_bytes(None);
    log.settle().unwrap();
    assert!(!log.is_short_of_room());
    log.write(one(first_refused), true).unwrap();
}

/// Whoever asks for the room first can wait for it, and make some: nothing has failed.
#[test]
fn writes_resume_when_there_is_room() {
    let disk = Arc::new(MemoryDisk::with_crashes());
    let log = open(&disk).unwrap();
    disk.set_free_bytes(Some(2 * 8192));
    let mut next = 0;
    let refusal = loop {
        let batch = one(next);
        match log.reserve(&batch) {
            Ok(()) => log.write(batch, true).unwrap(),
            Err(error) => break error,
        }
        next += 1;
    };
    assert!(matches!(refusal, LogError::Full(_)) && log.is_short_of_room(), "{refusal}");
    // There is room for what makes the log shorter, as often as one likes to try.
    for _ in 0..40 {
        let mut purge = Batch::new();
        purge.purge(1, 1, next - 3, &[]);
        log.reserve(&purge).unwrap();
        log.write(purge, true).unwrap();
    }
    log.settle().unwrap();
    for index in next..next + 3 {
        log.reserve(&one(index)).unwrap();
        log.write(one(index), true).unwrap();
    }
    drop(log);
    disk.crash(4);
    assert_eq!(open(&disk).unwrap().last(1), Some(next + 2));
}

/// A batch that needs several segments is written whole or not at all.
#[test]
fn room_is_reserved_for_all_of_a_batch() {
    let disk = Arc::new(MemoryDisk::with_crashes());
    let log = open(&disk).unwrap();
    let several = || {
        let mut batch = Batch::new();
        (0..20).for_each(|index| batch.append(1, 1, index, &[7; 1_000], false));
        batch
    };
    disk.set_free_bytes(Some(2 * 8192));
    assert!(matches!(log.reserve(&several()), Err(LogError::Full(_))));
    assert_eq!(log.last(1), None);
    disk.set_free_bytes(Some(20 * 8192));
    log.reserve(&several()).unwrap();
    disk.set_free_bytes(Some(0));
    log.write(several(), true).unwrap();
    assert_eq!(log.last(1), Some(19));
}

/// Files that wait are given back where there is little room.
#[test]
fn spares_are_given_back() {
    let disk = Arc::new(MemoryDisk::new());
    let log = Log::open(Arc::clone(&disk) as _, &Options { spares_max: 8, ..options() }).unwrap();
    (0..60).for_each(|index| log.write(one(index), true).unwrap());
    let mut purge = Batch::new();
    purge.purge(1, 1, 59, &[]);
    log.write(purge, true).unwrap();
    let spares = || disk.list().unwrap().iter().filter(|name| name.starts_with("spare")).count();
    assert!(spares() > 4, "{}", spares());
    log.set_spares_max(0);
    log.settle().unwrap();
    assert_eq!(spares(), 1);
}

/// Files that wait hold nothing: who deletes them loses nothing.
#[test]
fn spares_may_be_deleted_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let spares = || {
        let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_string_lossy().contains("spare")).collect::<Vec<_>>()
    };
    let open = || Log::open(Arc::new(FileDisk::open(folder.path()).unwrap()), &options()).unwrap();
    let log = open();
    let mut purged = 0;
    for index in 0..60 {
        spares().iter().for_each(|spare| std::fs::remove_file(spare).unwrap());
        log.write(one(index), true).unwrap_or_else(|error| panic!("entry {index}: {error}"));
        if index % 20 == 19 {
            let mut purge = Batch::new();
            purged = index - 1;
            purge.purge(1, 1, purged, &[]);
            log.write(purge, true).unwrap();
            assert!(spares().len() > 1, "segments wait to be used again");
        }
    }
    log.set_spares_max(1);
    spares().iter().for_each(|spare| std::fs::remove_file(spare).unwrap());
    log.settle().expect("what is to be given back has gone");
    drop(log);
    let log = open();
    assert_eq!((log.purged(1), log.last(1)), (Some((1, purged)), Some(59)));
    assert_eq!(log.read(1, 59, 60, usize::MAX).unwrap().len(), 1);
}

/// A segment that is not where it was left holds what was acknowledged: the error says which file it is.
#[test]
fn a_segment_that_was_deleted_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(Arc::new(FileDisk::open(folder.path()).unwrap()), &options()).unwrap();
    (0..20).for_each(|index| log.write(one(index), true).unwrap());
    std::fs::remove_file(folder.path().join("segment-00000001")).unwrap();
    let mut purge = Batch::new();
    purge.purge(1, 1, 19, &[]);
    let error = log.write(purge, true).and_then(|()| log.settle()).unwrap_err().to_string();
    assert!(error.contains("segment-00000001 was moved or deleted while the log was open"), "{error}");
}

#[test]
fn failed_sync_ends_all_writing() {
    let disk = Arc::new(MemoryDisk::with_crashes());
    let log = open(&disk).unwrap();
    disk.fail_writes(Some(io::Error::other("gone")));
    assert!(matches!(log.write(one(0), true), Err(LogError::Io(_))));
    disk.fail_writes(None);
    assert!(log.write(one(0), true).is_err());
    assert!(log.settle().is_err());
}

#[test]
fn misuse_is_refused() {
    let log = open(&Arc::new(MemoryDisk::new())).unwrap();
    log.write(one(5), true).unwrap();
    assert!(matches!(log.write(one(7), true), Err(LogError::Misuse(_))));
}
