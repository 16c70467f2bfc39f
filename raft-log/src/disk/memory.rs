//! Files in memory, and what a power cut leaves of them.
//!
//! [`MemoryDisk::new`] keeps the current content only: for a server without a disk. [`MemoryDisk::with_crashes`] also keeps
//! what a power cut could not take away and what was written since, and [`MemoryDisk::crash`] decides by a seed which parts
//! of the latter reached the disk:
//!
//! ```text
//! durable content · write 1 · write 2 · … (each cut at the borders of sectors)
//!                   none | all | up to any byte | any of the sectors, in any order, one of them up to any byte
//! ```
//!
//! Names survive in the order in which they were changed, as a journal keeps them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile};

/// What a disk writes at once.
const SECTOR_BYTES: u64 = 512;

/// A directory in memory.
#[derive(Debug, Default)]
pub struct MemoryDisk {
    /// Which files there are.
    names: Mutex<Names>,
    /// What goes wrong; shared with its files.
    switches: Arc<Mutex<Switches>>,
    /// Whether what was not synced is lost in a crash.
    models_crashes: bool,
}

type Listing = BTreeMap<String, Arc<MemoryFile>>;

/// Where something was written, and what.
type Written = (u64, Vec<u8>);

#[derive(Debug, Default)]
struct Names {
    /// As the process sees them.
    now: Listing,
    /// Only where crashes are modelled: what is durable, and the listing after each change since.
    durable: Listing,
    /// The listing after each change since then.
    since: Vec<Listing>,
}

/// What a test does to the disk.
#[derive(Debug, Default)]
struct Switches {
    /// A sync returns as if it had synced.
    lies: bool,
    /// What every write and sync answers.
    failure: Option<(io::ErrorKind, String)>,
    /// Changes and syncs that still succeed.
    operations_left: Option<u64>,
    /// Bytes that can still be allocated.
    free_bytes: Option<u64>,
    /// Syncs so far.
    syncs: u64,
}

impl Switches {
    /// One more change or sync.
    fn check(&mut self) -> io::Result<()> {
        if let Some((kind, text)) = &self.failure {
            return Err(io::Error::new(*kind, text.clone()));
        }
        match &mut self.operations_left {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
struct MemoryFile {
    /// Held for one operation.
    content: Mutex<Content>,
    /// What goes wrong.
    switches: Arc<Mutex<Switches>>,
    /// Whether what was not synced is lost in a crash.
    models_crashes: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// As the process sees it.
    now: Vec<u8>,
    length: u64,
    /// As it was at the last sync.
    durable: Vec<u8>,
    /// What was written since the last sync.
    since: Vec<Written>,
}

impl MemoryDisk {
    /// A directory that keeps no history.
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// A directory that models power cuts.
    pub fn with_crashes() -> MemoryDisk {
        MemoryDisk { models_crashes: true, ..MemoryDisk::default() }
    }

    /// Cuts the power: of what was not synced the disk loses what the seed says. The switches stay as they are.
    ///
    /// What is open must not be used again.
    pub fn crash(&self, seed: u64) {
        let mut random = Random(seed);
        self.crash_with(&mut |writes| survivors(writes, &mut random));
        let mut names = self.names.lock();
        let kept = random.below(names.since.len() as u64 + 1) as usize;
        if kept > 0 {
            names.durable = names.since[kept - 1].clone();
        }
        names.since.clear();
        names.now = names.durable.clone();
    }

    /// Cuts the power after so many bytes of what was not synced have reached the disk in the order in which they were
    /// written, names included. For a test that cuts everywhere.
    pub fn crash_after(&self, bytes: u64) {
        let mut left = bytes;
        self.crash_with(&mut |writes| {
            let mut kept = Vec::new();
            for (offset, written) in writes {
                let fits = (written.len() as u64).min(left) as usize;
                left -= fits as u64;
                kept.push((*offset, written[..fits].to_vec()));
            }
            kept
        });
        let mut names = self.names.lock();
        names.since.clear();
        names.durable = names.now.clone();
    }

    fn crash_with(&self, choose: &mut dyn FnMut(&[Written]) -> Vec<Written>) {
        assert!(self.models_crashes, "this disk keeps no history");
        let names = self.names.lock();
        // A file may be known under an old and a new name.
        let mut files: Listing = names.durable.clone();
        for listing in &names.since {
            files.extend(listing.iter().map(|(name, file)| (name.clone(), Arc::clone(file))));
        }
        for file in files.values() {
            let content = &mut *file.content.lock();
            for (offset, bytes) in choose(&content.since) {
                put(&mut content.durable, offset, &bytes);
            }
            content.since.clear();
            content.now = content.durable.clone();
        }
    }

    /// Bytes that a power cut could take away.
    pub fn unsynced_bytes(&self) -> u64 {
        let names = self.names.lock();
        let unsynced = |file: &Arc<MemoryFile>| -> u64 {
            file.content.lock().since.iter().map(|(_, bytes)| bytes.len() as u64).sum()
        };
        names.now.values().map(unsynced).sum()
    }

    /// Lets bytes rot: from `offset` on they become `xor`ed with this.
    ///
    /// # Panics
    /// Where there is no such file.
    pub fn rot(&self, name: &str, offset: u64, xor: &[u8]) {
        let file = Arc::clone(&self.names.lock().now[name]);
        let content = &mut *file.content.lock();
        for bytes in [&mut content.now, &mut content.durable] {
            if bytes.len() < offset as usize + xor.len() && (self.models_crashes || !bytes.is_empty()) {
                bytes.resize(offset as usize + xor.len(), 0);
            }
            for (byte, xor) in bytes.iter_mut().skip(offset as usize).zip(xor) {
                *byte ^= xor;
            }
        }
    }

    /// Makes a file shorter.
    ///
    /// # Panics
    /// Where there is no such file.
    pub fn shorten(&self, name: &str, bytes: u64) {
        let file = Arc::clone(&self.names.lock().now[name]);
        let content = &mut *file.content.lock();
        content.length = bytes;
        content.now.truncate(bytes as usize);
        content.durable.truncate(bytes as usize);
    }

    /// A disk of its own with the same content, and the same of it durable.
    pub fn fork(&self) -> MemoryDisk {
        let fork = MemoryDisk { models_crashes: self.models_crashes, ..MemoryDisk::default() };
        let names = self.names.lock();
        // One file may stand in several listings, and stays one.
        let mut forked: BTreeMap<*const MemoryFile, Arc<MemoryFile>> = BTreeMap::new();
        let mut listing = |listing: &Listing| -> Listing {
            let mut fork_file = |file: &Arc<MemoryFile>| {
                let forked = forked.entry(Arc::as_ptr(file)).or_insert_with(|| {
                    let content = Mutex::new(file.content.lock().clone());
                    let switches = Arc::clone(&fork.switches);
                    Arc::new(MemoryFile { content, switches, models_crashes: self.models_crashes })
                });
                Arc::clone(forked)
            };
            listing.iter().map(|(name, file)| (name.clone(), fork_file(file))).collect()
        };
        let (now, durable) = (listing(&names.now), listing(&names.durable));
        let since = names.since.iter().map(&mut listing).collect();
        *fork.names.lock() = Names { now, durable, since };
        fork
    }

    /// Switches syncing off, or on again: a sync then returns as if it had synced. Shows that a test would go red.
    pub fn set_sync(&self, sync: bool) {
        self.switches.lock().lies = !sync;
    }

    /// Makes every write and sync fail from now on, or work again with `None`.
    pub fn fail_writes(&self, failure: Option<io::Error>) {
        self.switches.lock().failure = failure.map(|error| (error.kind(), error.to_string()));
    }

    /// Lets so many more changes and syncs succeed and all others fail; `None` for no such bound.
    pub fn fail_after(&self, operations: Option<u64>) {
        self.switches.lock().operations_left = operations;
    }

    /// Bytes that can still be allocated; `None` for as many as one likes.
    pub fn set_free_bytes(&self, bytes: Option<u64>) {
        self.switches.lock().free_bytes = bytes;
    }

    /// Syncs of files since the disk was made.
    pub fn syncs(&self) -> u64 {
        self.switches.lock().syncs
    }

    fn change(&self, change: impl FnOnce(&mut Listing) -> io::Result<()>) -> io::Result<()> {
        self.switches.lock().check()?;
        let mut names = self.names.lock();
        change(&mut names.now)?;
        if self.models_crashes {
            let now = names.now.clone();
            names.since.push(now);
        }
        Ok(())
    }
}

/// Which parts of the writes reach the disk.
fn survivors(writes: &[Written], random: &mut Random) -> Vec<Written> {
    let sectors = || writes.iter().flat_map(|(offset, bytes)| in_sectors(*offset, bytes));
    match random.below(4) {
        0 => Vec::new(),
        1 => writes.to_vec(),
        2 => {
            let total: u64 = writes.iter().map(|(_, bytes)| bytes.len() as u64).sum();
            let mut left = random.below(total + 1);
            let mut kept = Vec::new();
            for (offset, bytes) in writes {
                let fits = left.min(bytes.len() as u64);
                left -= fits;
                kept.push((*offset, bytes[..fits as usize].to_vec()));
            }
            kept
        }
        _ => {
            let mut kept: Vec<(u64, Vec<u8>)> =
                sectors().filter(|_| random.below(2) == 0).map(|(offset, bytes)| (offset, bytes.to_vec())).collect();
            if let Some((_, torn)) = kept.last_mut() {
                torn.truncate(random.below(torn.len() as u64 + 1) as usize);
            }
            kept
        }
    }
}

/// The parts of a write that lie in one sector each.
fn in_sectors(offset: u64, bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut parts = Vec::new();
    let (mut at, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let room = (SECTOR_BYTES - at % SECTOR_BYTES).min(rest.len() as u64) as usize;
        let (part, behind) = rest.split_at(room);
        parts.push((at, part));
        at += room as u64;
        rest = behind;
    }
    parts
}

fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let end = offset as usize + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset as usize..end].copy_from_slice(bytes);
}

fn absent() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names.lock().now.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        match self.names.lock().now.get(name) {
            Some(file) => Ok(Arc::clone(file) as _),
            None => Err(absent()),
        }
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        {
            let mut switches = self.switches.lock();
            if let Some(free) = switches.free_bytes {
                let rest = free.checked_sub(bytes).ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
                switches.free_bytes = Some(rest);
            }
        }
        let file = Arc::new(MemoryFile {
            content: Mutex::new(Content { length: bytes, ..Content::default() }),
            switches: Arc::clone(&self.switches),
            models_crashes: self.models_crashes,
        });
        self.change(|names| {
            names.insert(name.to_owned(), Arc::clone(&file));
            Ok(())
        })?;
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|names| {
            let file = names.remove(from).ok_or_else(absent)?;
            assert!(names.insert(to.to_owned(), file).is_none(), "the name was free");
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|names| names.remove(name).map(drop).ok_or_else(absent))
    }

    fn sync_names(&self) -> io::Result<()> {
        let lies = {
            let mut switches = self.switches.lock();
            switches.check()?;
            switches.lies
        };
        let mut names = self.names.lock();
        if self.models_crashes && !lies {
            names.durable = names.now.clone();
            names.since.clear();
        }
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn byte_len(&self) -> io::Result<u64> {
        Ok(self.content.lock().length)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let content = self.content.lock();
        if offset + buffer.len() as u64 > content.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let start = content.now.len().min(offset as usize);
        let there = &content.now[start..content.now.len().min(start + buffer.len())];
        buffer[..there.len()].copy_from_slice(there);
        buffer[there.len()..].fill(0);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.switches.lock().check()?;
        let content = &mut *self.content.lock();
        assert!(offset + bytes.len() as u64 <= content.length, "writes never make a file longer");
        put(&mut content.now, offset, bytes);
        if self.models_crashes {
            content.since.push((offset, bytes.to_vec()));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let lies = {
            let mut switches = self.switches.lock();
            switches.check()?;
            switches.syncs += 1;
            switches.lies
        };
        let content = &mut *self.content.lock();
        if self.models_crashes && !lies {
            for (offset, bytes) in std::mem::take(&mut content.since) {
                put(&mut content.durable, offset, &bytes);
            }
        }
        Ok(())
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synced_bytes_survive_and_others_may() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let disk = MemoryDisk::with_crashes();
            let file = disk.create("a", 4096).unwrap();
            file.write_at(b"durable", 0).unwrap();
            file.sync().unwrap();
            disk.sync_names().unwrap();
            file.write_at(b"late", 600).unwrap();
            disk.rename("a", "b").unwrap();
            disk.crash(seed);
            let names = disk.list().unwrap();
            let file = disk.open(&names[0]).unwrap();
            let mut bytes = [0; 7];
            file.read_at(&mut bytes, 0).unwrap();
            assert_eq!(&bytes, b"durable");
            let mut late = [0; 4];
            file.read_at(&mut late, 600).unwrap();
            seen.insert((names[0].clone(), late.iter().filter(|byte| **byte != 0).count()));
        }
        assert!(seen.len() > 6, "losses of all kinds: {seen:?}");
    }
}
