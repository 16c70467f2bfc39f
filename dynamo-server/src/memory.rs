//! How much memory this process may take, and who gets it.
//!
//! Each thing that grows has a bound of its own, but bounds that were fixed one by one add up to whatever they add up to. So
//! there is one figure for the process, by default half of what the machine, or its control group, has; and shares of
//! it ([`MemoryShares::of`]):
//!
//! | share | what |
//! |---|---|
//! | fixed | the program itself, what is being worked on, and what each shard takes that does nothing |
//! | stores | block caches, write buffers and the newest entries of the logs: as much as they have with plenty, less where the figure is small |
//! | connections | a quarter of the rest: a read buffer for each of so many connections |
//! | budget | all else: the bodies of requests, what they become while they are read, the answers that clients have not taken yet, and what peers answer ([`Budget`]) |
//!
//! The budget is not set aside: it is a bound on what is counted, so an idle server takes no more than before. Where it is
//! used up, reads are throttled before they begin and bodies are refused; small ones, which connections' buffers hold,
//! are served as ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use dynamo_engine::cost::ENTRY_ROWS_BYTES_MAX;
use dynamo_protocol::json::Room;
use parking_lot::Mutex;

use crate::env::{LOG_MEMORY_BYTES, LOG_TAIL_BYTES_MAX, StoreOptions};

const MIB: usize = 1 << 20;

/// The least that makes sense with few shards: the stores at their smallest, and room for some of the largest requests and
/// answers. Each shard more needs [`SHARD_BYTES`]; see [`memory_min`].
pub const MEMORY_MIN: usize = 192 * MIB;

/// The process without any data and load (18 MiB), stacks, what an answer takes while it is made.
const FIXED: usize = 24 * MIB;

/// What a shard takes that has nothing to do: the tasks of its Raft group, and their queues and timers.
const SHARD_BYTES: usize = 160 << 10;

/// What reading a single item may take, as a row and as JSON.
const READ_BYTES: usize = 1 << 20;

/// Reads that wait for the disk at the same time, at the least and at the most. A disk serves some dozens at once; more would
/// only queue there.
const READS_MIN: usize = 8;
/// See [`MemoryShares::reads`].
pub const READS_MAX: usize = 64;

/// The least of the budget: half of it has room for the largest body, packed and unpacked.
pub const BUDGET_MIN: usize = 80 * MIB;

/// Of the whole, one part in so many is for the newest entries of the logs.
const TAILS_PART: usize = 24;

/// Of the whole, one part in so many is for the rows of large entries that are applied; one of them is in any case.
const LARGE_ENTRIES_PART: usize = 8;

/// The read buffer of a connection, at the largest.
pub const CONNECTION_BYTES: usize = 64 << 10;

/// What a peer answers in fewer bytes is not counted.
pub const COUNTED_BYTES_MIN: usize = 64 << 10;

/// Commands of fewer bytes are not counted: a connection's share holds them.
pub const COUNTED_COMMAND_BYTES_MIN: usize = 4 << 10;

/// A figure from which on the stores are as large as they are with plenty of memory.
const PLENTY: usize = 512 * MIB;

/// The shares of the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryShares {
    /// Caches and write buffers.
    pub stores: StoreOptions,
    /// Connections whose buffers it can hold.
    pub connections: usize,
    /// Bytes for bodies and answers.
    pub budget: usize,
    /// Reads that wait for the disk at the same time: single items are read whether there is room for them or not, and may
    /// take an eighth of the budget.
    pub reads: usize,
    /// Entries that are large when they are applied, of all shards at the same time.
    pub large_entries: usize,
}

impl MemoryShares {
    /// Shares out `bytes`, at least [`memory_min`], in a process with so many shards.
    pub fn of(bytes: usize, shards: u32) -> MemoryShares {
        let mut stores = StoreOptions::default();
        if bytes < PLENTY {
            // In proportion, in whole MiB.
            let scaled = |whole: usize| whole / MIB * bytes / PLENTY * MIB;
            stores.state_cache_bytes = scaled(stores.state_cache_bytes);
            stores.state_buffer_bytes = scaled(stores.state_buffer_bytes);
            stores.state_buffers_bytes_max = scaled(stores.state_buffers_bytes_max);
        }
        let shards = shards as usize;
        stores.log_tails_bytes = (bytes / TAILS_PART).min(shards * LOG_TAIL_BYTES_MAX);
        let rest = bytes.saturating_sub(FIXED + shards * SHARD_BYTES + stores_bytes(&stores));
        let (connections, budget) = (rest / 4 / CONNECTION_BYTES, rest - rest / 4);
        let reads = (budget / 8 / READ_BYTES).clamp(READS_MIN, READS_MAX);
        let large_entries = (bytes / LARGE_ENTRIES_PART / ENTRY_ROWS_BYTES_MAX).max(1);
        let shares = MemoryShares { stores, connections, budget, reads, large_entries };
        debug_assert!(shares.budget + shares.connections * CONNECTION_BYTES <= rest, "no byte is shared out twice");
        shares
    }
}

fn stores_bytes(stores: &StoreOptions) -> usize {
    LOG_MEMORY_BYTES + stores.log_tails_bytes + stores.state_cache_bytes + stores.state_buffers_bytes_max
}

/// The least that makes sense for a process with so many shards, in whole MiB.
pub fn memory_min(shards: u32) -> usize {
    let suffices = |mib: &usize| MemoryShares::of(mib * MIB, shards).budget >= BUDGET_MIN;
    (MEMORY_MIN / MIB..).find(suffices).map_or(MEMORY_MIN, |mib| mib * MIB)
}

/// What the process may take where nobody says: half of what there is, since the kernel's cache of the files and whatever
/// else runs on the machine need some, too.
pub fn default_bytes() -> usize {
    let machine = machine_bytes();
    let group = std::fs::read_to_string("/proc/self/cgroup").ok();
    let group = group.and_then(|groups| group_bytes(Path::new("/sys/fs/cgroup"), &groups));
    let available = [machine, group].into_iter().flatten().min().unwrap_or(2 * MEMORY_MIN as u64);
    usize::try_from(available / 2).unwrap_or(usize::MAX).max(MEMORY_MIN)
}

fn machine_bytes() -> Option<u64> {
    // SAFETY: the calls take numbers and return one.
    let (pages, page) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    u64::try_from(pages).ok()?.checked_mul(u64::try_from(page).ok()?)
}

/// The tightest limit of the control groups that `groups` (`/proc/self/cgroup`) names, below `root`; of either version. A
/// container often sees its own group as the root, whatever its name.
fn group_bytes(root: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        if controllers.is_empty() {
            return tightest(root, path, "memory.max");
        }
        let is_memory = controllers.split(',').any(|controller| controller == "memory");
        is_memory.then(|| tightest(&root.join("memory"), path, "memory.limit_in_bytes")).flatten()
    });
    limits.min()
}

/// The least limit of a group and those above it.
fn tightest(root: &Path, path: &str, file: &str) -> Option<u64> {
    let group: PathBuf = root.join(path.trim_start_matches('/'));
    let groups = group.ancestors().take_while(|group| group.starts_with(root));
    // "max", and what is no number, is no limit. Version 1 writes a number beyond all memory instead.
    groups.filter_map(|group| std::fs::read_to_string(group.join(file)).ok()?.trim().parse().ok()).min()
}

/// Memory for bodies and answers. One counter: what is small is not counted, so the common request does not touch it.
#[derive(Debug)]
pub struct Budget {
    /// All there is.
    bytes_max: usize,
    /// What is taken; beyond `bytes_max` where something could not be refused.
    bytes: AtomicUsize,
    /// Answers that got no room since that was last asked.
    answers_refused: AtomicU64,
}

impl Budget {
    /// So many bytes.
    pub fn new(bytes_max: usize) -> Arc<Budget> {
        Arc::new(Budget { bytes_max, bytes: AtomicUsize::new(0), answers_refused: AtomicU64::new(0) })
    }

    /// Bytes that are taken now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes so many bytes, if there is room for them.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        self.try_add(bytes).then(|| Taken { budget: Arc::clone(self), bytes })
    }

    /// As [`Budget::take`], for an answer; one that gets no room is counted.
    pub fn take_for_answer(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        let taken = self.take(bytes);
        if taken.is_none() {
            self.note_refused_answer();
        }
        taken
    }

    /// An answer got no room.
    pub fn note_refused_answer(&self) {
        self.answers_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many answers got no room since this was last asked.
    pub fn take_answers_refused(&self) -> u64 {
        self.answers_refused.swap(0, Ordering::Relaxed)
    }

    /// Takes so many bytes, if half of all is free behind that.
    pub fn take_of_plenty(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        let is_plenty = self.bytes().checked_add(bytes).is_some_and(|taken| taken <= self.bytes_max / 2);
        self.take(bytes).filter(|_| is_plenty)
    }

    /// Takes them whether there is room or not: for what cannot be refused any more.
    pub fn take_anyway(self: &Arc<Self>, bytes: usize) -> Taken {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Taken { budget: Arc::clone(self), bytes }
    }

    /// The same bytes, which count until the last part of them is dropped: they are there already, and cannot be refused.
    pub fn count(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        if bytes.len() < COUNTED_BYTES_MIN {
            return bytes;
        }
        let _taken = self.take_anyway(bytes.len());
        Bytes::from_owner(Counted { bytes, _taken })
    }

    /// As much of so many bytes as one taker may be made to account for: half of all. What needs more is let in all the same,
    /// alone.
    pub fn fitting(&self, bytes: usize) -> usize {
        bytes.min(self.bytes_max / 2)
    }

    /// Adds to what is taken; false, and nothing is added, where there is not so much room.
    #[must_use]
    pub fn try_add(&self, bytes: usize) -> bool {
        let with = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.bytes_max);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).is_ok()
    }

    /// Gives back what [`Budget::try_add`] has added.
    pub fn give_back(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(bytes <= before, "no more is given back than was taken");
    }
}

/// Bytes that count.
struct Counted {
    /// What counts.
    bytes: Bytes,
    /// As many bytes of the budget, until this is dropped.
    _taken: Taken,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub struct Taken {
    /// What they are of.
    budget: Arc<Budget>,
    /// How many.
    bytes: usize,
}

impl Taken {
    /// Takes more, if there is room for so much in all.
    fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let grows = more == 0 || self.budget.try_add(more);
        self.bytes += if grows { more } else { 0 };
        grows
    }

    /// Makes it so many bytes: what there is already cannot be refused.
    fn set(&mut self, bytes: usize) {
        let taken = self.budget.take_anyway(bytes);
        *self = taken;
    }
}

/// Room for one answer, which takes it while it grows ([`Room`]), and until its client has it.
#[derive(Debug)]
pub struct AnswerRoom(Mutex<Growing>);

#[derive(Debug)]
struct Growing {
    /// What counts.
    taken: Taken,
    /// The capacity that the answer's buffer was last granted.
    capacity: usize,
}

impl AnswerRoom {
    /// Begins with what was taken.
    pub fn of(taken: Taken) -> Arc<AnswerRoom> {
        Arc::new(AnswerRoom(Mutex::new(Growing { taken, capacity: 0 })))
    }
}

impl Room for AnswerRoom {
    fn grow(&self, bytes: usize) -> bool {
        let mut growing = self.0.lock();
        let grows = bytes <= growing.capacity || {
            // Both, while it is moved.
            let both = growing.capacity + bytes;
            growing.taken.grow_to(both)
        };
        growing.capacity = if grows { growing.capacity.max(bytes) } else { growing.capacity };
        grows
    }

    fn settle(&self, bytes: usize) {
        let mut growing = self.0.lock();
        growing.capacity = bytes;
        growing.taken.set(bytes);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHARDS_MAX: u32 = 1024;

    proptest! {
        #[test]
        fn no_more_is_given_away_than_there_is(mib in MEMORY_MIN / MIB..100_000, shards in 1..=SHARDS_MAX) {
            let bytes = (mib * MIB).max(memory_min(shards));
            let shares = MemoryShares::of(bytes, shards);
            let of_shards = shards as usize * SHARD_BYTES;
            let all = FIXED + of_shards + stores_bytes(&shares.stores) + shares.connections * CONNECTION_BYTES + shares.budget;
            prop_assert!(all <= bytes);
            prop_assert!(shares.budget >= BUDGET_MIN && shares.connections > 100, "{:?}", shares);
            prop_assert!(shares.stores.state_buffer_bytes >= 2 * MIB);
        }
    }

    #[test]
    fn with_plenty_the_stores_are_as_large_as_ever() {
        let stores = MemoryShares::of(4 << 30, 16).stores;
        assert_eq!(stores, StoreOptions { log_tails_bytes: 16 * LOG_TAIL_BYTES_MAX, ..StoreOptions::default() });
        assert!(MemoryShares::of(4 << 30, 16).connections >= 10_000);
    }

    #[test]
    fn many_shards_need_more() {
        assert_eq!((memory_min(1), memory_min(16)), (MEMORY_MIN, MEMORY_MIN), "as many as a cluster has by default");
        let thousand = memory_min(1000);
        assert!((300 * MIB..400 * MIB).contains(&thousand), "{thousand}");
        assert!(MemoryShares::of(thousand, 1000).stores.log_tails_bytes <= thousand / TAILS_PART);
    }

    #[test]
    fn the_tightest_limit_of_the_control_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let limit = |groups: &str| group_bytes(root.path(), groups);
        assert_eq!(limit("0::/a/b\n"), None);
        write("a/b/memory.max", "max\n");
        write("a/memory.max", "1000\n");
        write("memory.max", "2000\n");
        assert_eq!(limit("0::/a/b\n"), Some(1000));
        assert_eq!(limit("0::/elsewhere\n"), Some(2000), "a group of another name space: its own is the root");
        write("memory/c/memory.limit_in_bytes", "900\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit("4:memory:/c\n1:cpu,cpuacct:/c\n"), Some(900));
        assert_eq!(limit("4:cpu,memory:/c\n0::/a\n"), Some(900));
        assert_eq!(limit("nonsense"), None);
        assert!(default_bytes() >= MEMORY_MIN);
    }

    #[test]
    fn answers_of_peers_count_while_they_are_held() {
        let budget = Budget::new(COUNTED_BYTES_MIN);
        drop(budget.count(Bytes::from(vec![7; COUNTED_BYTES_MIN - 1])));
        let answer = budget.count(Bytes::from(vec![7; 2 * COUNTED_BYTES_MIN]));
        assert_eq!((budget.bytes(), answer.len()), (2 * COUNTED_BYTES_MIN, 2 * COUNTED_BYTES_MIN));
        let row = answer.slice(10..20);
        drop(answer);
        assert_eq!(budget.bytes(), 2 * COUNTED_BYTES_MIN, "a row keeps all of it");
        drop(row);
        assert_eq!(budget.bytes(), 0);
    }

    #[test]
    fn an_answer_takes_room_while_it_grows() {
        let budget = Budget::new(100);
        let room = AnswerRoom::of(budget.take(10).unwrap());
        assert!(room.grow(10) && budget.bytes() == 10, "as much was taken before");
        assert!(room.grow(30) && budget.bytes() == 40, "it is moved");
        assert!(!room.grow(71) && budget.bytes() == 40, "there is no room for both");
        room.settle(30);
        assert!(budget.bytes() == 30 && room.grow(20) && room.grow(30) && budget.bytes() == 30);
        let others = budget.take(60).unwrap();
        room.settle(50);
        assert_eq!(budget.bytes(), 110, "what is there already counts");
        drop((room, others));
        assert_eq!(budget.bytes(), 0);
        assert!(budget.take_of_plenty(51).is_none() && budget.bytes() == 0);
        assert!(budget.take_of_plenty(50).is_some());
    }

    #[test]
    fn permits_are_returned() {
        let budget = Budget::new(100);
        let first = budget.take(60).unwrap();
        assert!(budget.take(41).is_none());
        let beyond = budget.take_anyway(60);
        assert_eq!(budget.bytes(), 120);
        drop(first);
        assert!(budget.take(40).is_some() && budget.bytes() == 60);
        drop(beyond);
        assert_eq!(budget.bytes(), 0);
    }
}
