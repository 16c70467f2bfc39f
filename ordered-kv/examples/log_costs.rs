//! What a synced write of a Raft log costs: RocksDB with recycled log files as earlier builds used it, segments of
//! `raft-log`, and a bare overwrite with `fdatasync` of the same bytes as yardstick. In turns, so that what else the machine
//! does meets all three.
//!
//! `cargo run --release -p ordered-kv --example log_costs [directory [rounds]]`

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordered_kv::rocks::{LogOptions, RocksLog, open_log};
use ordered_kv::{Direction, KeyRange, Reader, WriteBatch};
use raft_log::{Batch, FileDisk, Log, Options};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Batches of one turn.
const BATCHES: u64 = 300;

/// Bytes of the yardstick's file.
const FILE_BYTES: u64 = 8 << 20;

/// Writers, and what the entry of their group commit is long: 1.2 KB a command.
const SIZES: [(u64, usize); 3] = [(1, 1_200), (16, 7_200), (64, 24_000)];

#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
    batches: u64,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let chosen = arguments.next().map(PathBuf::from);
    let rounds: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let dir = chosen.unwrap_or_else(|| std::env::temp_dir().join(format!("log-costs-{}", std::process::id())));
    std::fs::create_dir_all(&dir)?;
    println!("| writers | log | CPU us a write | of RocksDB | us a write | share of the disk |");
    println!("|---|---|---|---|---|---|");
    for (writers, bytes) in SIZES {
        compare(&dir, writers, bytes, rounds)?;
    }
    let resident = resident_kib();
    let began = Instant::now();
    let rocks = open_rocks(&dir)?;
    let (rocks_took, rocks_kib) = (began.elapsed(), resident_kib() - resident);
    let resident = resident_kib();
    let began = Instant::now();
    let segments = open_segments(&dir)?;
    println!(
        "open: RocksDB {rocks_took:?}, {rocks_kib} KiB; segments {:?}, {} KiB",
        began.elapsed(),
        resident_kib() - resident
    );
    drop((rocks, segments));
    for (what, open) in [("RocksDB", open_both(true)), ("segments", open_both(false))] {
        let empty = dir.join(format!("empty-{what}"));
        let began = Instant::now();
        open(&empty)?;
        println!("open a new one: {what} {:?}", began.elapsed());
    }
    Ok(std::fs::remove_dir_all(&dir)?)
}

type Open = fn(&Path) -> Outcome<()>;

fn open_both(rocks: bool) -> Open {
    if rocks { |dir| open_rocks(dir).map(drop) } else { |dir| open_segments(dir).map(drop) }
}

fn open_rocks(dir: &Path) -> Outcome<RocksLog> {
    Ok(open_log(&dir.join("rocks"), &LogOptions::default())?)
}

fn open_segments(dir: &Path) -> Outcome<Log> {
    Ok(Log::open(Arc::new(FileDisk::open(&dir.join("segments"))?), &Options::default())?)
}

fn compare(dir: &Path, writers: u64, bytes: usize, rounds: u64) -> Outcome<()> {
    let (rocks, segments) = (open_rocks(dir)?, open_segments(dir)?);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join("bare"))?;
    file.write_all_at(&vec![1; FILE_BYTES as usize], 0)?;
    file.sync_all()?;
    let mut body = vec![0; bytes];
    body.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 31 % 251) as u8);
    let mut costs = [Cost::default(); 3];
    let mut next = [last_of_rocks(&rocks)? + 1, segments.last(0).unwrap_or(0) + 1];
    // The first turn warms up.
    for round in 0..=rounds {
        let mut turn = [Cost::default(); 3];
        turn[0] = measure(|| {
            write_rocks(&rocks, next[0], &body)?;
            next[0] += 1;
            Ok(())
        })?;
        turn[1] = measure(|| {
            write_segments(&segments, next[1], &body)?;
            next[1] += 1;
            Ok(())
        })?;
        let mut at = 0;
        turn[2] = measure(|| {
            at = if at + bytes as u64 > FILE_BYTES { 0 } else { at };
            file.write_all_at(&body, at)?;
            at += bytes as u64;
            Ok(file.sync_data()?)
        })?;
        if round > 0 {
            for (cost, turn) in costs.iter_mut().zip(turn) {
                cost.wall += turn.wall;
                cost.cpu += turn.cpu;
                cost.batches += turn.batches;
            }
        }
    }
    let micros = |time: Duration, cost: &Cost| time.as_secs_f64() * 1e6 / cost.batches as f64;
    for (name, cost) in ["RocksDB", "segments", "bare"].into_iter().zip(&costs) {
        println!(
            "| {writers} | {name} | {:.1} | {:.2} | {:.0} | {:.2} |",
            micros(cost.cpu, cost),
            cost.cpu.as_secs_f64() / costs[0].cpu.as_secs_f64(),
            micros(cost.wall, cost),
            costs[2].wall.as_secs_f64() / cost.wall.as_secs_f64(),
        );
    }
    Ok(())
}

/// As a Raft log does: the entry, the committed index, and a purge now and then.
fn write_rocks(log: &RocksLog, index: u64, body: &[u8]) -> Outcome<()> {
    let key = |index: u64| [&[2, 0, 0, 0, 0], index.to_be_bytes().as_slice()].concat();
    let mut batch = WriteBatch::new();
    batch.put(&key(index), body);
    batch.put(&[1, 0, 0, 0, 0, 2], &index.to_be_bytes());
    if index.is_multiple_of(1_000) {
        batch.delete_range(&key(index.saturating_sub(2_000)), &key(index - 500));
    }
    Ok(log.write_synced(&batch)?)
}

fn write_segments(log: &Log, index: u64, body: &[u8]) -> Outcome<()> {
    let mut batch = Batch::new();
    batch.append(0, 1, index, body, false);
    batch.put(0, 2, &index.to_be_bytes());
    if index.is_multiple_of(1_000) {
        batch.purge(0, 1, index - 501, &[]);
    }
    Ok(log.write(batch, true)?)
}

fn last_of_rocks(log: &RocksLog) -> Outcome<u64> {
    let mut cursor = log.cursor(KeyRange::prefix(&[2]), Direction::Backward)?;
    let last = cursor.next()?.map(|(key, _)| u64::from_be_bytes(key[5..].try_into().expect("eight bytes")));
    Ok(last.unwrap_or(0))
}

fn measure(mut write: impl FnMut() -> Outcome<()>) -> Outcome<Cost> {
    let (began, cpu) = (Instant::now(), cpu_time());
    for _ in 0..BATCHES {
        write()?;
    }
    Ok(Cost { wall: began.elapsed(), cpu: cpu_time() - cpu, batches: BATCHES })
}

/// Processor time of the process, its background threads included.
fn cpu_time() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the buffer is large enough, and zero is a value of it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
