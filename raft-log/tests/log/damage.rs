//! What damage is seen: all of it, where anything that was durable is gone.

use std::sync::Arc;

use raft_log::{Batch, Disk, Log, LogError, MemoryDisk, Options};

use crate::model::{Life, Model, open, options};
use crate::random::Random;

/// A log of some segments on a disk, as a kill of the process leaves it.
fn small_log(seed: u64) -> (Arc<MemoryDisk>, Vec<Model>) {
    let mut random = Random::new(seed);
    let disk = Arc::new(MemoryDisk::with_crashes());
    let mut life = Life::new(open(&disk).unwrap());
    for number in 0..40 {
        life.step(&mut random).unwrap();
        if number == 10 || number == 20 {
            let model = life.now().clone();
            drop(life.log);
            let log = open(&disk).unwrap();
            assert_eq!(Model::of(&log).unwrap(), model);
            life = Life::new(log);
        }
    }
    (disk, life.possible)
}

fn segments(disk: &MemoryDisk) -> Vec<String> {
    disk.list().unwrap().into_iter().filter(|name| name.starts_with("segment-")).collect()
}

/// What is found on a damaged disk: a refusal, or something. The offsets of a segment are few, so each byte is tried.
fn found(disk: MemoryDisk) -> Result<Model, LogError> {
    let log = Log::open(Arc::new(disk), &Options { must_exist: true, ..options() })?;
    Model::of(&log)
}

#[derive(Debug, Default)]
struct Tally {
    refused: u64,
    harmless: u64,
    undetected: u64,
}

impl Tally {
    fn count(&mut self, found: Result<Model, LogError>, is_harmless: impl Fn(&Model) -> bool) {
        match found {
            Err(LogError::Damaged(_) | LogError::Gone | LogError::Format(_)) => self.refused += 1,
            Err(other) => panic!("{other}"),
            Ok(model) if is_harmless(&model) => self.harmless += 1,
            Ok(_) => self.undetected += 1,
        }
    }
}

/// A whole sector that has changed takes the end of the log with all that stands behind it.
#[test]
fn rotten_sector_of_a_settled_log_is_seen() {
    for seed in 10..14 {
        let (disk, possible) = small_log(seed);
        let log = open(&disk).unwrap();
        log.settle().unwrap();
        drop(log);
        let mut tally = Tally::default();
        for name in segments(&disk) {
            let bytes = disk.open(&name).unwrap().byte_len().unwrap();
            for sector in (0..bytes).step_by(512) {
                for xor in [[0xff; 512], [1; 512]] {
                    let damaged = disk.fork();
                    damaged.rot(&name, sector, &xor);
                    tally.count(found(damaged), |model| possible.contains(model));
                }
            }
        }
        println!("seed {seed}: {tally:?}");
        assert_eq!(tally.undetected, 0, "seed {seed}: {tally:?}");
    }
}

fn flip_every_byte(disk: &MemoryDisk, tally: &mut Tally, xor: &[u8], is_harmless: impl Fn(&Model) -> bool) {
    for name in segments(disk) {
        let bytes = disk.open(&name).unwrap().byte_len().unwrap();
        for offset in 0..=bytes - xor.len() as u64 {
            let damaged = disk.fork();
            damaged.rot(&name, offset, xor);
            tally.count(found(damaged), &is_harmless);
        }
    }
}

/// After a kill everything that was synced is followed by what says so.
#[test]
fn flip_of_any_byte_after_a_kill_is_seen() {
    for seed in 0..3 {
        let (disk, possible) = small_log(seed);
        assert!(segments(&disk).len() >= 2);
        let mut tally = Tally::default();
        flip_every_byte(&disk, &mut tally, &[1 << (seed * 3)], |model| possible.contains(model));
        println!("seed {seed}: {tally:?}");
        assert_eq!(tally.undetected, 0, "seed {seed}: {tally:?}");
        assert!(tally.refused > 1_000, "seed {seed}: {tally:?}");
    }
}

/// After a power cut only the last synced write is unguarded, and with a settled log nothing is.
#[test]
fn flip_of_any_byte_after_a_power_cut_is_seen() {
    for is_settled in [false, true] {
        let disk = Arc::new(MemoryDisk::with_crashes());
        let log = open(&disk).unwrap();
        let mut states = Vec::new();
        for index in 0..20 {
            let mut batch = Batch::new();
            batch.append(1, 1, index, &[index as u8; 300], false);
            log.write(batch, true).unwrap();
            states.push(Model::of(&log).unwrap());
        }
        if is_settled {
            log.settle().unwrap();
        }
        drop(log);
        disk.crash_after(0);
        let (last, before) = (states.pop().unwrap(), states.pop().unwrap());
        let mut unguarded = Tally::default();
        flip_every_byte(&disk, &mut unguarded, &[4], |model| *model == last);
        let mut other = Tally::default();
        flip_every_byte(&disk, &mut other, &[4], |model| *model == last || *model == before);
        println!("settled: {is_settled}: {unguarded:?}");
        assert_eq!(other.undetected, 0, "what was written before is guarded: {other:?}");
        // The mark of the write before, and the record of the last one: header, body, padding.
        assert_eq!(unguarded.undetected, if is_settled { 0 } else { 40 + 344 }, "{unguarded:?}");
    }
}

/// What was synced while more was at hand is guarded by the records of what follows, or else by a mark.
#[test]
fn the_next_write_stands_for_a_mark() {
    let entry = |index| {
        let mut batch = Batch::new();
        batch.append(1, 1, index, &[7; 100], false);
        batch
    };
    for is_marked in [false, true] {
        let disk = Arc::new(MemoryDisk::with_crashes());
        let log = open(&disk).unwrap();
        log.write_before_more(entry(0), || true).unwrap();
        let undetected = |log: &Log| {
            let (model, mut tally) = (Model::of(log).unwrap(), Tally::default());
            flip_every_byte(&disk, &mut tally, &[4], |found| *found == model);
            tally.undetected
        };
        assert!(undetected(&log) > 100, "nothing follows yet");
        let unsynced = disk.unsynced_bytes();
        match is_marked {
            true => log.mark().unwrap(),
            false => log.write(entry(1), true).unwrap(),
        }
        assert_eq!(undetected(&log), 0);
        assert_eq!(unsynced, 0, "no mark was written");
    }
}

#[test]
fn lost_shortened_and_exchanged_files_are_seen() {
    for seed in 0..8 {
        let (disk, possible) = small_log(seed);
        let mut tally = Tally::default();
        let names = segments(&disk);
        for name in &names {
            let damaged = disk.fork();
            damaged.remove(name).unwrap();
            tally.count(found(damaged), |model| possible.contains(model));
            let bytes = disk.open(name).unwrap().byte_len().unwrap();
            for length in (0..bytes).step_by(37) {
                let damaged = disk.fork();
                damaged.shorten(name, length);
                tally.count(found(damaged), |_| false);
            }
            for other in names.iter().filter(|other| *other != name) {
                let damaged = disk.fork();
                damaged.rename(name, "aside").unwrap();
                damaged.rename(other, name).unwrap();
                damaged.rename("aside", other).unwrap();
                tally.count(found(damaged), |_| false);
            }
        }
        let emptied = disk.fork();
        names.iter().for_each(|name| emptied.remove(name).unwrap());
        assert_eq!(found(emptied), Err(LogError::Gone));
        println!("seed {seed}: {tally:?}");
        assert_eq!(tally.undetected, 0, "seed {seed}: {tally:?}");
    }
}

/// Zeros where data was, from any place on: what a disk gives that has lost its newest writes although it said otherwise.
#[test]
fn zeroed_ends_are_seen() {
    let (disk, possible) = small_log(1);
    let mut tally = Tally::default();
    for name in segments(&disk) {
        let file = disk.open(&name).unwrap();
        let mut bytes = vec![0; file.byte_len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        // A mark alone may go: it is what says that the rest was durable.
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for length in [8usize, 40, 64, 200] {
            for start in (0..written.saturating_sub(length + 48)).step_by(8) {
                let damaged = disk.fork();
                damaged.rot(&name, start as u64, &bytes[start..start + length]);
                tally.count(found(damaged), |model| possible.contains(model));
            }
        }
    }
    println!("{tally:?}");
    assert_eq!(tally.undetected, 0, "{tally:?}");
}

/// Every byte at which the power may be cut while a write is on its way.
#[test]
fn power_cut_at_any_byte_leaves_a_prefix() {
    for seed in 100..103 {
        let mut random = Random::new(seed);
        let disk = Arc::new(MemoryDisk::with_crashes());
        let mut life = Life::new(open(&disk).unwrap());
        let mut cuts = 0;
        for _ in 0..25 {
            life.step(&mut random).unwrap();
            for bytes in 0..=disk.unsynced_bytes() {
                let left = disk.fork();
                left.crash_after(bytes);
                let left = Arc::new(left);
                let log = open(&left).unwrap_or_else(|error| panic!("seed {seed}, cut at {bytes}: {error}"));
                let found = Model::of(&log).unwrap();
                assert!(life.possible.contains(&found), "seed {seed}, cut at {bytes}");
                cuts += 1;
            }
        }
        assert!(cuts > 500, "{cuts}");
    }
}

/// What a torn write left is never read once the log went on, whatever is written over it.
#[test]
fn leftovers_of_a_torn_write_stay_dead() {
    for seed in 0..400 {
        let disk = Arc::new(MemoryDisk::with_crashes());
        let log = open(&disk).unwrap();
        let append = |log: &Log, range: std::ops::Range<u64>, fill: u8, sync: bool| {
            let mut batch = Batch::new();
            range.for_each(|index| batch.append(1, 1, index, &[fill; 24], false));
            log.write(batch, sync)
        };
        append(&log, 0..2, 1, true).unwrap();
        append(&log, 2..12, 2, false).unwrap();
        drop(log);
        disk.crash(seed);
        let log = open(&disk).unwrap();
        let kept = log.last(1).unwrap();
        append(&log, kept + 1..kept + 3, 3, true).unwrap();
        let model = Model::of(&log).unwrap();
        drop(log);
        disk.crash(seed + 1);
        let log = open(&disk).unwrap();
        assert_eq!(Model::of(&log).unwrap(), model, "seed {seed}");
    }
}
