//! Room on the disk: what is refused where there is too little, who is told, and who leads instead.
//!
//! Three kinds of commands want room ([`Demand`]), and two floors of free space keep it for those that must have it:
//!
//! ```text
//!                       puts, updates,   deletes,   decisions, resolves, index entries,
//! free space            new indexes      checks     steps of a table's change, DeleteTable
//!   ≥ floor                  ✓              ✓                      ✓
//!   < floor                  –              ✓                      ✓
//!   < reserve                –              –                      ✓
//! ```
//!
//! Deletes free room, though a log entry and a tombstone come first. In a table whose stream keeps old images they do not: the
//! record is as large as the item, so there they count as what grows. What ends something that was begun is never refused:
//! items of a prepared transaction would stay locked, and outboxes full; and where nothing else is taken any more, deleting
//! a table is what still makes room. Such commands are bounded by what was let in before, and the reserve holds the log and
//! the flush that they need.
//!
//! *In a cluster* a node that is short of room says so to all members, again and again, and whoever is told believes it for
//! [`TOLD_FOR`]. So a leader that is short hands its shards over to a voter that is not; leaders are not moved back there
//! for balance; and where a majority of a shard's voters is short, its leader refuses what grows, before their disks are
//! full to the last byte and there is no majority any more. Nothing is sent, and nothing looked at but one flag, while
//! everybody has room.
//!
//! *Between two looks* at the disk, a fast client could fill a small one. So near a floor each command sets aside the most that
//! it may take, from when it is let in until it is applied ([`Reserved`]). What it takes is far less as a rule. So where it does not
//! fit, the disk is looked at once more before the command is refused ([`Verdict::LookFirst`]): then only what is under way
//! counts by its worst, and all else as what it was.
//!
//! *A disk that is full all the same*, because others fill it or a compaction does, stops nothing: what finds no room waits
//! for it (`raft/log/wal.rs`, `raft/machine/patience.rs`), the stores say that they are full, which is a level below all floors, and
//! reads go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::demand::{Demand, DiskUse};

/// The floor where none is given: this much, or [`FLOOR_PART`] of a smaller disk.
pub const FLOOR_DEFAULT: u64 = 256 << 20;

/// The part of the disk that the default floor takes at most.
const FLOOR_PART: u64 = 10;

/// The part of the floor that is kept for what must never be refused.
const RESERVE_PART: u64 = 4;

/// The part of the disk that the logs may take before the state is flushed and they are shortened. A flush writes about
/// as much again, and both fit the reserve's surroundings.
const LOG_PART: u64 = 32;

/// So near the floor what is taken between two looks is counted: more than a node can take in that time.
const NEAR_BYTES: u64 = 1 << 30;

/// How long a node that was said to be short counts as short. It says so five times within that.
pub const TOLD_FOR: Duration = Duration::from_secs(5);

/// The floors of free space, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floors {
    /// Below it nothing is taken that grows.
    pub floor: u64,
    /// Below it nothing new is taken at all.
    pub reserve: u64,
}

impl Floors {
    /// The floors on a disk of so many bytes, `None` where that is not known; `asked` is what the operator wants.
    pub fn of(asked: Option<u64>, disk_bytes: Option<u64>) -> Floors {
        let part = disk_bytes.map_or(FLOOR_DEFAULT, |bytes| bytes / FLOOR_PART);
        let floor = asked.unwrap_or(FLOOR_DEFAULT.min(part));
        Floors { floor, reserve: floor / RESERVE_PART }
    }

    /// What so much free space amounts to; a disk that does not say has room.
    pub fn level(&self, free_bytes: Option<u64>) -> Level {
        match free_bytes {
            Some(free) if free < self.reserve => Level::Reserve,
            Some(free) if free < self.floor => Level::Short,
            _ => Level::Ample,
        }
    }
}

/// How long the logs may be on a disk of so many bytes, where `asked` is the usual bound.
pub fn log_bytes_max(asked: u64, disk_bytes: Option<u64>) -> u64 {
    disk_bytes.map_or(asked, |bytes| asked.min(bytes / LOG_PART))
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Enough.
    Ample = 0,
    /// Less than the floor.
    Short = 1,
    /// So little that it is kept for what ends something begun.
    Reserve = 2,
}

/// What becomes of a command.
#[derive(Debug)]
pub enum Verdict {
    /// It is taken; what it may need is set aside while it is under way, where that counts.
    Taken(Option<Reserved>),
    /// It may need more than there is known to be: the disk is to be looked at first.
    LookFirst,
    /// It is refused.
    Refused,
}

/// What there is near a floor, in bytes.
#[derive(Debug, Default)]
struct Near {
    /// Above the reserve, when the disk was looked at last.
    above_reserve: u64,
    /// From the reserve to the floor.
    margin: u64,
    /// The most that commands may have taken, and may yet take, since before that look.
    counted: u64,
    /// The same, since before a look that has begun.
    counted_next: u64,
    /// Of commands that are under way.
    under_way: u64,
}

impl Near {
    /// Sets aside what a command may need, if it is there.
    fn take(&mut self, demand: Demand) -> bool {
        let kept = match demand.disk_use {
            DiskUse::Completes => None,
            DiskUse::Frees => Some(0),
            DiskUse::Grows => Some(self.margin),
        };
        if kept.is_some_and(|kept| self.counted + demand.bytes + kept > self.above_reserve) {
            return false;
        }
        self.counted += demand.bytes;
        self.counted_next += demand.bytes;
        self.under_way += demand.bytes;
        true
    }
}

/// What this node knows about room, its own and its peers'.
#[derive(Debug, Default)]
pub struct Room {
    /// Whether anybody is short, or this node near to it: all that is looked at while nobody is.
    is_tight: AtomicBool,
    /// A [`Level`].
    own: AtomicU8,
    /// Whether `near` counts: so little is above the floor that a look may come too late.
    is_near: AtomicBool,
    /// What may be taken until the next look. Held for a move of some words.
    near: Mutex<Near>,
    /// Told where a command waits for a look.
    wanted: Notify,
    /// Told of each look.
    looked: Notify,
    /// Until when others count as short, by node, in nanoseconds of the monotonic clock. Held for a move of some words.
    peers: Mutex<BTreeMap<u64, u64>>,
}

impl Room {
    /// How much there is on this node.
    pub fn own(&self) -> Level {
        match self.own.load(Ordering::Relaxed) {
            0 => Level::Ample,
            1 => Level::Short,
            _ => Level::Reserve,
        }
    }

    /// Whether this node is short.
    pub fn is_short(&self) -> bool {
        self.own() != Level::Ample
    }

    /// Whether anybody is short or nearly so: while nobody is, every command is taken.
    #[inline]
    pub fn is_tight(&self) -> bool {
        self.is_tight.load(Ordering::Relaxed)
    }

    /// To be called before the disk is looked at: what is applied from now on may show there, or not.
    pub fn look_begins(&self) {
        let mut near = self.near.lock();
        near.counted_next = near.under_way;
    }

    /// Takes note of how much is free here, and forgets what peers have not repeated. Gives the level that it was, and is.
    pub fn observe(&self, free_bytes: Option<u64>, floors: &Floors, now_ns: u64) -> (Level, Level) {
        let (before, level) = (self.own(), floors.level(free_bytes));
        {
            let mut near = self.near.lock();
            near.above_reserve = free_bytes.unwrap_or(0).saturating_sub(floors.reserve);
            near.margin = floors.floor - floors.reserve;
            near.counted = near.counted_next;
        }
        let is_near = free_bytes.is_some_and(|free| free.saturating_sub(floors.floor) < NEAR_BYTES);
        self.is_near.store(is_near, Ordering::Relaxed);
        self.own.store(level as u8, Ordering::Relaxed);
        let mut peers = self.peers.lock();
        peers.retain(|_, until_ns| *until_ns > now_ns);
        self.judge_tightness(!peers.is_empty());
        drop(peers);
        self.looked.notify_waiters();
        (before, level)
    }

    /// Resolves when somebody waits for a look.
    pub async fn look_is_wanted(&self) {
        self.wanted.notified().await;
    }

    /// Asks for a look, and waits until there was one.
    pub async fn look(&self) {
        let looked = self.looked.notified();
        self.wanted.notify_one();
        looked.await;
    }

    fn judge_tightness(&self, are_peers_short: bool) {
        let is_tight = self.is_short() || self.is_near.load(Ordering::Relaxed) || are_peers_short;
        self.is_tight.store(is_tight, Ordering::Relaxed);
    }

    /// Takes note of what a peer says about itself.
    pub fn peer_says(&self, peer: u64, is_short: bool, now_ns: u64) {
        let mut peers = self.peers.lock();
        match is_short {
            true => drop(peers.insert(peer, now_ns.saturating_add(TOLD_FOR.as_nanos() as u64))),
            false => drop(peers.remove(&peer)),
        }
        self.judge_tightness(!peers.is_empty());
    }

    /// Whether a peer has said that it is short.
    pub fn is_peer_short(&self, peer: u64) -> bool {
        self.is_tight() && self.peers.lock().contains_key(&peer)
    }

    /// What becomes of a command at this node as the leader of a shard with these voters. They, and what the command may need,
    /// are asked for only where somebody is short or nearly so.
    pub fn admit(
        self: &Arc<Self>,
        me: u64,
        demand: impl FnOnce() -> Demand,
        voters: impl FnOnce() -> Vec<u64>,
    ) -> Verdict {
        if !self.is_tight() {
            return Verdict::Taken(None);
        }
        let demand = demand();
        let is_refused = match (self.own(), demand.disk_use) {
            (_, DiskUse::Completes) | (Level::Short | Level::Ample, DiskUse::Frees) => false,
            (Level::Reserve, _) | (Level::Short, DiskUse::Grows) => true,
            (Level::Ample, DiskUse::Grows) => {
                let is_alone = self.peers.lock().is_empty();
                !is_alone && !self.has_majority(me, &voters())
            }
        };
        match is_refused {
            true => Verdict::Refused,
            false if !self.is_near.load(Ordering::Relaxed) => Verdict::Taken(None),
            false if self.near.lock().take(demand) => {
                Verdict::Taken(Some(Reserved { room: Arc::clone(self), bytes: demand.bytes }))
            }
            false => Verdict::LookFirst,
        }
    }

    /// Whether a majority of the voters has room, as far as is known.
    fn has_majority(&self, me: u64, voters: &[u64]) -> bool {
        let peers = self.peers.lock();
        let is_short = |voter: &&u64| if **voter == me { self.is_short() } else { peers.contains_key(voter) };
        let short = voters.iter().filter(is_short).count();
        2 * (voters.len() - short) > voters.len() || voters.is_empty()
    }

    /// Whether what grows would be refused for a shard that `leader` leads, as far as this node knows.
    pub fn is_shard_short(&self, me: u64, leader: u64, voters: impl FnOnce() -> Vec<u64>) -> bool {
        if !self.is_tight() {
            return false;
        }
        let leader_is_short = if leader == me { self.is_short() } else { self.is_peer_short(leader) };
        leader_is_short || !self.has_majority(me, &voters())
    }
}

/// What a command that is under way may take of the disk.
#[derive(Debug)]
pub struct Reserved {
    /// Where it is counted.
    room: Arc<Room>,
    /// How much.
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut near = self.room.near.lock();
        debug_assert!(self.bytes <= near.under_way, "no more ends than was under way");
        near.under_way = near.under_way.saturating_sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// What is free at each level, with [`FLOORS`].
    const FLOORS: Floors = Floors { floor: 10_000, reserve: 2_500 };

    fn demand(disk_use: DiskUse, bytes: u64) -> Demand {
        Demand { disk_use, bytes }
    }

    fn is_taken(room: &Arc<Room>, disk_use: DiskUse, voters: &[u64]) -> bool {
        matches!(room.admit(1, || demand(disk_use, 1), || voters.to_vec()), Verdict::Taken(_))
    }

    /// A look at the disk that begins and ends.
    fn look(room: &Room, free_bytes: Option<u64>, now_ns: u64) -> Level {
        room.look_begins();
        room.observe(free_bytes, &FLOORS, now_ns).1
    }

    #[test]
    fn the_default_floor_fits_the_disk() {
        let floors = |asked, disk| Floors::of(asked, disk);
        assert_eq!(floors(None, Some(100 << 30)), Floors { floor: 256 * MIB, reserve: 64 * MIB });
        assert_eq!(floors(None, Some(200 * MIB)).floor, 20 * MIB, "a small disk takes writes");
        assert_eq!(floors(None, None).floor, 256 * MIB);
        assert_eq!(floors(Some(0), Some(200 * MIB)), Floors { floor: 0, reserve: 0 });
        assert_eq!(log_bytes_max(32 * MIB, Some(200 * MIB)), 200 * MIB / 32);
        assert_eq!(log_bytes_max(32 * MIB, Some(100 << 30)), 32 * MIB);
        for disk in [1, 50, 200, 1_000, 100_000].map(|disk| disk * MIB) {
            // The log up to its bound, and a flush of what is in it.
            let log = log_bytes_max(32 * MIB, Some(disk));
            let Floors { floor, reserve } = floors(None, Some(disk));
            assert!(2 * log <= floor && log / 2 <= reserve, "{disk}");
        }
    }

    #[test]
    fn levels_of_free_space() {
        let floors = Floors { floor: 100, reserve: 25 };
        for (free, level) in [(100, Level::Ample), (99, Level::Short), (25, Level::Short), (24, Level::Reserve)] {
            assert_eq!(floors.level(Some(free)), level);
        }
        assert_eq!(floors.level(None), Level::Ample);
    }

    #[test]
    fn levels_refuse_by_disk_use() {
        let room = Arc::<Room>::default();
        let all = [DiskUse::Grows, DiskUse::Frees, DiskUse::Completes];
        for (free, level, taken) in [
            (Some(u64::MAX), Level::Ample, [true, true, true]),
            (Some(9_999), Level::Short, [false, true, true]),
            (Some(2_499), Level::Reserve, [false, false, true]),
            (Some(12_000), Level::Ample, [true, true, true]),
            (None, Level::Ample, [true, true, true]),
        ] {
            assert_eq!(look(&room, free, 0), level);
            assert_eq!(all.map(|disk_use| is_taken(&room, disk_use, &[1])), taken, "{level:?}");
        }
    }

    #[test]
    fn a_majority_without_room_stops_what_grows_and_is_forgotten() {
        let room = Arc::<Room>::default();
        let voters = || vec![1, 2, 3];
        let grows = |room: &Arc<Room>| is_taken(room, DiskUse::Grows, &voters());
        room.peer_says(2, true, 0);
        assert!(grows(&room) && room.is_peer_short(2) && room.is_shard_short(1, 2, voters));
        room.peer_says(3, true, 10);
        assert!(!grows(&room) && is_taken(&room, DiskUse::Frees, &voters()));
        assert!(room.is_shard_short(1, 1, voters), "the leader has room, and no majority");
        look(&room, None, TOLD_FOR.as_nanos() as u64);
        assert!(grows(&room) && !room.is_peer_short(2) && room.is_peer_short(3));
        room.peer_says(3, false, 20);
        assert!(!room.is_tight());
        // Two of four are no majority.
        room.peer_says(3, true, 0);
        room.peer_says(4, true, 0);
        assert!(!is_taken(&room, DiskUse::Grows, &[1, 2, 3, 4]));
    }

    /// Takes commands of so many bytes until one does not fit.
    fn take_all(room: &Arc<Room>, disk_use: DiskUse, bytes: u64) -> Vec<Reserved> {
        let take = || match room.admit(1, || demand(disk_use, bytes), || vec![1]) {
            Verdict::Taken(reserved) => Some(reserved.expect("it counts")),
            Verdict::LookFirst => None,
            Verdict::Refused => panic!("there is room"),
        };
        std::iter::from_fn(take).take(1_000).collect()
    }

    #[test]
    fn commands_under_way_count_by_their_worst_near_the_floor() {
        let room = Arc::<Room>::default();
        look(&room, Some(FLOORS.floor + 10_000), 0);
        let first = take_all(&room, DiskUse::Grows, 1_000);
        assert_eq!(first.len(), 10);
        assert_eq!(take_all(&room, DiskUse::Frees, 1_500).len(), 5, "they may have what is between the floors");
        assert_eq!(take_all(&room, DiskUse::Completes, 1 << 20).len(), 1_000, "which nobody can use up for these");
        // Applied or not: until the disk is looked at nobody knows what is left.
        drop(first);
        assert!(take_all(&room, DiskUse::Grows, 1).is_empty());
        look(&room, Some(FLOORS.floor + 9_000), 0);
        let second = take_all(&room, DiskUse::Grows, 1_000);
        assert_eq!(second.len(), 9, "they took a thousand in all");
        look(&room, Some(FLOORS.floor + 9_500), 0);
        assert!(take_all(&room, DiskUse::Grows, 1_000).is_empty(), "what is under way may not show yet");
        for far in [Some(FLOORS.floor + NEAR_BYTES), None] {
            look(&room, far, 0);
            let taken = (0..100)
                .all(|_| matches!(room.admit(1, || demand(DiskUse::Grows, 1 << 40), || vec![1]), Verdict::Taken(None)));
            assert!(taken, "nothing is counted");
        }
    }

    #[test]
    fn commands_applied_during_a_look_count_until_the_next() {
        let room = Arc::<Room>::default();
        look(&room, Some(FLOORS.floor + 1_000), 0);
        let before = take_all(&room, DiskUse::Grows, 600);
        room.look_begins();
        let during = take_all(&room, DiskUse::Grows, 400);
        drop((before, during));
        room.observe(Some(FLOORS.floor + 1_000), &FLOORS, 0);
        assert!(take_all(&room, DiskUse::Grows, 1).is_empty(), "the look may have come before both");
        look(&room, Some(FLOORS.floor + 500), 0);
        assert_eq!(take_all(&room, DiskUse::Grows, 500).len(), 1);
    }

    #[tokio::test]
    async fn a_look_that_is_asked_for_comes() {
        let room = Arc::<Room>::default();
        let upkeep = async {
            room.look_is_wanted().await;
            look(&room, None, 0);
        };
        tokio::join!(room.look(), upkeep);
    }
}
