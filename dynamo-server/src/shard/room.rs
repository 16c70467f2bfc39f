//! Room on the disk: what is refused where there is too little, who is told, and who leads instead.
//!
//! Three kinds of commands want room ([`DiskUse`]), and two floors of free space keep it for those that must have it:
//!
//! ```text
//!                       puts, updates,   deletes,   decisions, resolves, index entries,
//! free space            new indexes      checks     steps of a table's change, DeleteTable
//!   ≥ floor                  ✓              ✓                      ✓
//!   < floor                  –              ✓                      ✓
//!   < reserve                –              –                      ✓
//! ```
//!
//! Deletes free room, though a log entry and a tombstone come first, and a record of the old item where the table has a
//! stream. What ends something that was begun is never refused: items of a prepared transaction would stay locked, and
//! outboxes full; and where deletes have used up what there was, deleting a table is what still makes room. Such commands are
//! bounded by what was let in before, and the reserve holds the log and the flush that they need.
//!
//! *In a cluster* a node that is short of room says so to all members, again and again, and whoever is told believes it for
//! [`TOLD_FOR`]. So a leader that is short hands its shards over to a voter that is not; leaders are not moved back there
//! for balance; and where a majority of a shard's voters is short, its leader refuses what grows, before their disks are
//! full to the last byte and there is no majority any more. Nothing is sent, and nothing looked at but one flag, while
//! everybody has room.
//!
//! *Between two looks* at the disk, a fast client could fill a small one. So near the floor what is taken is counted, and
//! refused once that would be below it, whatever the last look has found.
//!
//! *A disk that is full all the same*, because others fill it or a compaction does, stops nothing: what finds no room waits
//! for it (`raft/log/wal.rs`, `raft/machine/patience.rs`), the stores say that they are full, which is a level below all floors, and
//! reads go on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use dynamo_engine::catalog::{DdlCommand, TableStep};
use dynamo_engine::command::{Change, Command, ItemWrite};
use parking_lot::Mutex;

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

/// What a byte of a command takes of the disk: its place in the log, and in the state.
const BYTES_PER_BYTE: u64 = 2;

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

/// What a command wants of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskUse {
    /// It ends something that was begun, and is never refused.
    Completes,
    /// It leaves less behind than it found, or as much.
    Frees,
    /// It adds something.
    Grows,
}

impl DiskUse {
    /// What `command` wants.
    pub fn of(command: &Command) -> DiskUse {
        let grows = |grows| if grows { DiskUse::Grows } else { DiskUse::Frees };
        match command {
            Command::Write(write) => grows(write_grows(write)),
            Command::Transact(transaction) => grows(transaction.actions.iter().any(write_grows)),
            Command::Prepare(prepare) => grows(prepare.actions.iter().any(write_grows)),
            Command::Ddl(ddl) => match ddl {
                DdlCommand::CreateTable(_) => DiskUse::Grows,
                DdlCommand::ChangeTable { steps, .. } => match steps.iter().any(step_grows) {
                    true => DiskUse::Grows,
                    false => DiskUse::Completes,
                },
                DdlCommand::DeleteTable { .. }
                | DdlCommand::Install { .. }
                | DdlCommand::Uninstall { .. }
                | DdlCommand::ConfirmInstalled { .. }
                | DdlCommand::ConfirmUninstalled { .. }
                | DdlCommand::ForgetStream { .. } => DiskUse::Completes,
            },
            // Nobody waits for the next rows of what is being filled; it goes on when there is room.
            Command::BackfillStep(_) | Command::FillTtlQueue(_) => DiskUse::Grows,
            Command::Expire(_) => DiskUse::Frees,
            Command::Noop
            | Command::RaiseCeiling
            | Command::Decide(_)
            | Command::Resolve(_)
            | Command::Forget(_)
            | Command::ApplyOutbox(_)
            | Command::TrimOutbox(_)
            | Command::TendStreams(_) => DiskUse::Completes,
        }
    }
}

fn write_grows(write: &ItemWrite) -> bool {
    match write.change {
        Change::Put(_) | Change::Update(_) => true,
        Change::Delete | Change::Check => false,
    }
}

/// Only a new index takes room worth speaking of; the other steps are some bytes, and one of them lets a table be deleted.
fn step_grows(step: &TableStep) -> bool {
    matches!(step, TableStep::CreateIndex(_))
}

/// What this node knows about room, its own and its peers'.
#[derive(Debug, Default)]
pub struct Room {
    /// Whether anybody is short, or this node near to it: all that is looked at while nobody is.
    is_tight: AtomicBool,
    /// A [`Level`].
    own: AtomicU8,
    /// Bytes that may be taken until the next look; without meaning while that is far away.
    left: AtomicI64,
    /// Whether `left` counts: so little is above the floor that a look may come too late.
    is_near: AtomicBool,
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

    /// Takes note of how much there is here, and forgets what peers have not repeated. Gives what it was.
    pub fn observe(&self, level: Level, now_ns: u64) -> Level {
        let before = self.own();
        self.own.store(level as u8, Ordering::Relaxed);
        let mut peers = self.peers.lock();
        peers.retain(|_, until_ns| *until_ns > now_ns);
        self.judge_tightness(!peers.is_empty());
        before
    }

    /// Takes note of what may be taken before there is too little: `None` where that is not known. `under_way` bytes of
    /// commands are taken already, and do not show on the disk yet.
    pub fn leave(&self, above_floor: Option<u64>, under_way: u64) {
        let is_near = above_floor.is_some_and(|bytes| bytes < NEAR_BYTES);
        let left = above_floor.unwrap_or(0).min(NEAR_BYTES) as i64 - (under_way * BYTES_PER_BYTE) as i64;
        self.left.store(left, Ordering::Relaxed);
        self.is_near.store(is_near, Ordering::Relaxed);
    }

    fn judge_tightness(&self, are_peers_short: bool) {
        let is_tight = self.is_short() || self.is_near.load(Ordering::Relaxed) || are_peers_short;
        self.is_tight.store(is_tight, Ordering::Relaxed);
    }

    /// Whether a command of so many bytes still fits above the floor; it is counted then.
    fn takes(&self, bytes: u64) -> bool {
        if !self.is_near.load(Ordering::Relaxed) {
            return true;
        }
        let bytes = (bytes * BYTES_PER_BYTE) as i64;
        let fits = self.left.fetch_sub(bytes, Ordering::Relaxed) >= bytes;
        if !fits {
            self.left.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
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
        self.is_tight.load(Ordering::Relaxed) && self.peers.lock().contains_key(&peer)
    }

    /// Whether a command must be refused by this node as the leader of a shard with these voters. `voters`, and what the
    /// command needs and how long it is in the log, in bytes, are asked only where somebody is short or nearly so.
    pub fn refuses(&self, me: u64, what: impl FnOnce() -> (DiskUse, usize), voters: impl FnOnce() -> Vec<u64>) -> bool {
        if !self.is_tight.load(Ordering::Relaxed) {
            return false;
        }
        match (self.own(), what()) {
            (_, (DiskUse::Completes, _)) | (Level::Short | Level::Ample, (DiskUse::Frees, _)) => false,
            (Level::Reserve, _) | (Level::Short, (DiskUse::Grows, _)) => true,
            (Level::Ample, (DiskUse::Grows, bytes)) => {
                let is_alone = self.peers.lock().is_empty();
                !(is_alone || self.has_majority(me, &voters())) || !self.takes(bytes as u64)
            }
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
        if !self.is_tight.load(Ordering::Relaxed) {
            return false;
        }
        let leader_is_short = if leader == me { self.is_short() } else { self.is_peer_short(leader) };
        leader_is_short || !self.has_majority(me, &voters())
    }
}

#[cfg(test)]
mod tests {
    use dynamo_engine::catalog::TableId;
    use dynamo_engine::command::{Decide, Forget, Prepare, Resolve, Transaction, TransactionId, Verdict};
    use dynamo_engine::item::ItemBody;
    use shard_router::Token;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn write(change: Change) -> ItemWrite {
        ItemWrite { table: TableId(1), schema_version: 1, key: Vec::new(), condition: None, change }
    }

    fn put() -> ItemWrite {
        write(Change::Put(ItemBody::encode(&Default::default())))
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
    fn commands_differ_in_disk_use() {
        let id = TransactionId(1);
        let prepare = |action: ItemWrite| {
            let actions = vec![action];
            Command::Prepare(Prepare { id, record_token: Token(0), deadline_ms: 0, client_token: None, actions })
        };
        let transact = |actions| Command::Transact(Transaction { client_token: None, actions });
        let table = TableId(1);
        for (command, disk_use) in [
            (Command::Write(put()), DiskUse::Grows),
            (Command::Write(write(Change::Delete)), DiskUse::Frees),
            (transact(vec![write(Change::Delete), write(Change::Check)]), DiskUse::Frees),
            (transact(vec![write(Change::Delete), put()]), DiskUse::Grows),
            (prepare(put()), DiskUse::Grows),
            (prepare(write(Change::Delete)), DiskUse::Frees),
            (Command::Decide(Decide { id, verdict: Verdict::Ask }), DiskUse::Completes),
            (Command::Resolve(Resolve { id, prepared: None, commit: None }), DiskUse::Completes),
            (Command::Forget(Forget { id }), DiskUse::Completes),
            (Command::Ddl(DdlCommand::DeleteTable { table, schema_version: 1 }), DiskUse::Completes),
            (Command::Ddl(DdlCommand::Uninstall { era: 1, table }), DiskUse::Completes),
            (
                Command::Ddl(DdlCommand::ChangeTable {
                    table,
                    schema_version: 1,
                    steps: vec![TableStep::DeletionProtection(false)],
                }),
                DiskUse::Completes,
            ),
        ] {
            assert_eq!(DiskUse::of(&command), disk_use, "{command:?}");
        }
    }

    #[test]
    fn levels_refuse_by_disk_use() {
        let room = Room::default();
        let refused = || {
            [DiskUse::Grows, DiskUse::Frees, DiskUse::Completes]
                .map(|disk_use| room.refuses(1, || (disk_use, 1), || vec![1]))
        };
        for (level, expected) in [
            (Level::Ample, [false, false, false]),
            (Level::Short, [true, false, false]),
            (Level::Reserve, [true, true, false]),
            (Level::Ample, [false, false, false]),
        ] {
            room.observe(level, 0);
            assert_eq!(refused(), expected, "{level:?}");
        }
    }

    #[test]
    fn a_majority_without_room_stops_what_grows_and_is_forgotten() {
        let room = Room::default();
        let voters = || vec![1, 2, 3];
        let grows = |room: &Room| room.refuses(1, || (DiskUse::Grows, 1), voters);
        room.peer_says(2, true, 0);
        assert!(!grows(&room) && room.is_peer_short(2) && room.is_shard_short(1, 2, voters));
        room.peer_says(3, true, 10);
        assert!(grows(&room) && !room.refuses(1, || (DiskUse::Frees, 1), voters));
        assert!(room.is_shard_short(1, 1, voters), "the leader has room, and no majority");
        room.observe(Level::Ample, TOLD_FOR.as_nanos() as u64);
        assert!(!grows(&room) && !room.is_peer_short(2) && room.is_peer_short(3));
        room.peer_says(3, false, 20);
        assert!(!room.is_tight.load(Ordering::Relaxed));
        // Two of four are no majority.
        room.peer_says(3, true, 0);
        room.peer_says(4, true, 0);
        assert!(room.refuses(1, || (DiskUse::Grows, 1), || vec![1, 2, 3, 4]));
    }

    #[test]
    fn near_the_floor_what_is_taken_between_two_looks_is_counted() {
        let room = Room::default();
        let grows = |bytes| !room.refuses(1, || (DiskUse::Grows, bytes), || vec![1]);
        let look = |above_floor, under_way| {
            room.leave(above_floor, under_way);
            room.observe(Level::Ample, 0);
        };
        look(Some(10_000), 1_000);
        let took = (0..100).take_while(|_| grows(500)).count();
        assert_eq!(took, 8, "ten thousand bytes, twice a thousand under way, and a thousand for each");
        assert!(!room.refuses(1, || (DiskUse::Frees, 1 << 20), || vec![1]));
        look(Some(2_000), 0);
        assert!(grows(500) && grows(500) && !grows(1));
        for far in [Some(NEAR_BYTES), None] {
            look(far, 0);
            assert!((0..100).all(|_| grows(1 << 30)), "nothing is counted");
        }
    }
}
