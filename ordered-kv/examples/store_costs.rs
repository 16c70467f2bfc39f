//! What the disk stores cost: opening, a write, a point read, a scan, memory.
//!
//! `cargo run --release -p ordered-kv --example store_costs [directory]`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ordered_kv::conformance::Random;
use ordered_kv::rocks::{RocksState, StateOptions, open_state};
use ordered_kv::{Direction, KeyRange, Reader, StateStore, StoreError, WriteBatch};

const ROWS: u64 = 10_000;
const ROW_BYTES: usize = 1024;

fn main() -> Result<(), StoreError> {
    let chosen = std::env::args().nth(1).map(PathBuf::from);
    let dir = chosen.unwrap_or_else(|| std::env::temp_dir().join(format!("ordered-kv-costs-{}", std::process::id())));
    println!("resident at start: {} KiB", resident_kib());
    for what in ["open, nothing there", "open again"] {
        let start = Instant::now();
        let state = open(&dir)?;
        println!("{what}: {:?}, resident {} KiB", start.elapsed(), resident_kib());
        drop(state);
    }
    let state = open(&dir)?;
    write(&state)?;
    read(&state)?;
    let start = Instant::now();
    state.flush()?;
    println!("flush: {:?}", start.elapsed());
    read(&state)?;
    println!("resident: {} KiB; {:?}", resident_kib(), state.memory_use());
    drop(state);
    let start = Instant::now();
    let stores = open(&dir)?;
    println!("open with {ROWS} rows: {:?}, resident {} KiB", start.elapsed(), resident_kib());
    drop(stores);
    Ok(std::fs::remove_dir_all(&dir)?)
}

fn open(dir: &Path) -> Result<RocksState, StoreError> {
    open_state(&dir.join("state"), &StateOptions::default())
}

fn write(state: &RocksState) -> Result<(), StoreError> {
    let mut random = Random::new(1);
    let mut in_state = Duration::ZERO;
    for number in 0..ROWS {
        let value: Vec<u8> = (0..ROW_BYTES / 8).flat_map(|_| random.draw().to_le_bytes()).collect();
        let mut batch = WriteBatch::new();
        batch.put(&number.to_be_bytes(), &value);
        let start = Instant::now();
        state.write(&batch)?;
        in_state += start.elapsed();
    }
    println!("state: {:?} per row", in_state / ROWS as u32);
    Ok(())
}

fn read(state: &RocksState) -> Result<(), StoreError> {
    let mut random = Random::new(2);
    let time = |what: &str, count: u64, work: &mut dyn FnMut() -> Result<(), StoreError>| {
        work()?; // warm
        let start = Instant::now();
        work()?;
        println!("{what}: {:?}", start.elapsed() / count as u32);
        Ok::<(), StoreError>(())
    };
    time("point read", ROWS, &mut || {
        for _ in 0..ROWS {
            let key = (random.below(ROWS as usize) as u64).to_be_bytes();
            assert!(state.get(&key)?.is_some());
        }
        Ok(())
    })?;
    time("cached point read", ROWS, &mut || {
        for number in 0..ROWS {
            state.get_cached(&number.to_be_bytes())?;
        }
        Ok(())
    })?;
    time("view", ROWS, &mut || {
        for _ in 0..ROWS {
            state.view();
        }
        Ok(())
    })?;
    time("row of a scan", ROWS, &mut || {
        let mut cursor = state.cursor(KeyRange::all(), Direction::Forward)?;
        while cursor.next()?.is_some() {}
        Ok(())
    })?;
    time("cursor of ten rows", ROWS / 10, &mut || {
        for number in 0..ROWS / 10 {
            let start = (number * 10).to_be_bytes();
            let mut cursor = state.cursor(KeyRange::from(&start), Direction::Forward)?;
            for _ in 0..10 {
                cursor.next()?;
            }
        }
        Ok(())
    })
}

/// The resident set of this process, 0 where the system does not tell.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
