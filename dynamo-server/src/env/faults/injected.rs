//! The seams of a build with `fault-injection`: each applies the faults that a test has injected.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::super::transport::Lane;

/// The rate of a clock that is right, in thousandths.
const TRUE_RATE: u64 = 1_000;

/// No free space, or no bound of the log, is injected.
const TRUE_SPACE: u64 = u64::MAX;

/// What can be injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Messages to this peer are lost: requests, and answers to its requests.
    CutTo(u64),
    /// Messages from this peer are lost.
    CutFrom(u64),
    /// Messages to this peer leave this much later.
    DelayTo(u64, Duration),
    /// Log entries to this peer are lost, and nothing else is.
    CutEntriesTo(u64),
    /// Messages from this peer are heard this much later.
    DelayFrom(u64, Duration),
    /// No message is lost or late any more.
    MendNetwork,
    /// From now on the boot-time clock runs at so many thousandths of its rate.
    BootClockRate(u64),
    /// The boot-time clock shows this much more from now on, as after a suspension.
    BootClockJump(Duration),
    /// The wall clock shows so many milliseconds more, or fewer, from now on.
    WallClockJump(i64),
    /// Both clocks run and stand as they are; the wall clock right again.
    MendClocks,
    /// Every synced write takes at least this long.
    SlowDisk(Duration),
    /// Work that may wait for the disk takes at least this long, in the pool for it.
    SlowReads(Duration),
    /// The disk says that so many bytes are free.
    FreeBytes(u64),
    /// The log is shortened when it is longer than this.
    LogBytes(u64),
    /// Applying an entry panics where its bytes contain this number as digits; 0 for none.
    Poison(u64),
    /// The disk is as it is, and the log as long as it was set up.
    MendDisk,
}

/// What becomes of the messages between this node and one peer, one way.
#[derive(Clone, Copy, Default)]
struct Way {
    /// All are lost.
    is_cut: bool,
    /// Those with log entries are lost.
    are_entries_cut: bool,
    /// How much later the others come.
    delay: Duration,
}

#[derive(Clone, Copy, Default)]
struct Ways {
    /// To the peer.
    to: Way,
    /// From the peer.
    from: Way,
}

/// A clock that may run at a rate of its own: what it showed at some moment, and what the truth was then.
#[derive(Clone, Copy)]
struct Clock {
    /// The true reading when the rate changed last, in nanoseconds.
    true_ns: u64,
    /// What the clock showed then.
    shown_ns: u64,
    /// How fast it has run since, in thousandths.
    rate: u64,
}

impl Clock {
    const TRUE: Clock = Clock { true_ns: 0, shown_ns: 0, rate: TRUE_RATE };

    fn shows(self, true_ns: u64) -> u64 {
        let elapsed = u128::from(true_ns.saturating_sub(self.true_ns));
        self.shown_ns + (elapsed * u128::from(self.rate) / u128::from(TRUE_RATE)) as u64
    }

    /// The same clock, with a rate and a jump from this moment on.
    fn changed(self, true_ns: u64, rate: u64, jump_ns: u64) -> Clock {
        Clock { true_ns, shown_ns: self.shows(true_ns) + jump_ns, rate }
    }
}

/// Everything that is injected into this process.
struct Injected {
    /// Whether anything was ever injected: what is measured without a fault should not pay for them.
    touched: AtomicBool,
    /// By peer; one that is not here is as it is.
    ways: RwLock<BTreeMap<u64, Ways>>,
    /// The clock since boot.
    boot: RwLock<Clock>,
    /// The last true reading, from which a change of the clock begins.
    boot_true_ns: AtomicU64,
    /// Milliseconds that the wall clock shows more.
    wall_ms: AtomicI64,
    /// How long a synced write takes at least.
    sync: Mutex<Duration>,
    /// How long work in the pool for the disk takes at least.
    reads: Mutex<Duration>,
    /// Free bytes that the disk tells of; [`TRUE_SPACE`] for what it has.
    free_bytes: AtomicU64,
    /// From how many bytes on the log is shortened; [`TRUE_SPACE`] for as set up.
    log_bytes: AtomicU64,
    /// The number in entries that panic; 0 for none.
    poison: AtomicU64,
}

static INJECTED: LazyLock<Injected> = LazyLock::new(Injected::nothing);

/// Injects a fault into this process.
pub fn inject(fault: Fault) {
    INJECTED.inject(fault);
}

/// Whether a message from `peer` arrives, after as long as it takes.
pub async fn arrives(peer: u64) -> bool {
    gets_through(INJECTED.ways(peer).from).await
}

/// Whether a message to `peer` gets away, after as long as it takes.
pub async fn leaves(peer: u64, lane: Lane) -> bool {
    let way = INJECTED.ways(peer).to;
    if way.are_entries_cut && lane == Lane::Data {
        return false;
    }
    gets_through(way).await
}

/// What the boot-time clock shows.
pub fn boot_ns(true_ns: u64) -> u64 {
    INJECTED.boot_ns(true_ns)
}

/// What the wall clock shows.
pub fn wall_ms(true_ms: u64) -> u64 {
    true_ms.saturating_add_signed(INJECTED.wall_ms.load(Ordering::Relaxed))
}

/// A synchronous write is about to begin. Blocks the thread, as a disk does.
pub fn before_sync() {
    hold_up(&INJECTED.sync);
}

/// Work in the pool is about to begin. Blocks the thread, as a disk does.
pub fn before_blocking() {
    hold_up(&INJECTED.reads);
}

/// Blocks the thread for as long as it is told, or until that is taken back.
fn hold_up(pause: &Mutex<Duration>) {
    let mut passed = Duration::ZERO;
    loop {
        let left = pause.lock().saturating_sub(passed);
        if left.is_zero() {
            return;
        }
        let step = left.min(Duration::from_millis(10));
        std::thread::sleep(step);
        passed += step;
    }
}

/// How much room the disk has.
pub fn free_bytes(true_bytes: Option<u64>) -> Option<u64> {
    match INJECTED.free_bytes.load(Ordering::Relaxed) {
        TRUE_SPACE => true_bytes,
        injected => Some(injected),
    }
}

/// An entry with these bytes is about to be applied.
///
/// # Panics
/// Where the entry is poisoned.
pub fn before_apply(entry: &[u8]) {
    let poison = INJECTED.poison.load(Ordering::Relaxed);
    if poison != 0 {
        let digits = poison.to_string();
        let is_poisoned = entry.windows(digits.len()).any(|window| window == digits.as_bytes());
        assert!(!is_poisoned, "the entry holds the poison {digits}");
    }
}

/// How long the log may be.
pub fn log_bytes_max(true_max: u64) -> u64 {
    match INJECTED.log_bytes.load(Ordering::Relaxed) {
        TRUE_SPACE => true_max,
        injected => injected,
    }
}

async fn gets_through(way: Way) -> bool {
    if way.is_cut {
        return false;
    }
    if !way.delay.is_zero() {
        tokio::time::sleep(way.delay).await;
    }
    true
}

impl Injected {
    fn nothing() -> Injected {
        Injected {
            touched: AtomicBool::new(false),
            ways: RwLock::default(),
            boot: RwLock::new(Clock::TRUE),
            boot_true_ns: AtomicU64::new(0),
            wall_ms: AtomicI64::new(0),
            sync: Mutex::default(),
            reads: Mutex::default(),
            free_bytes: AtomicU64::new(TRUE_SPACE),
            log_bytes: AtomicU64::new(TRUE_SPACE),
            poison: AtomicU64::new(0),
        }
    }

    fn inject(&self, fault: Fault) {
        self.touched.store(true, Ordering::Relaxed);
        let way = |peer, change: &dyn Fn(&mut Ways)| change(self.ways.write().entry(peer).or_default());
        match fault {
            Fault::CutTo(peer) => way(peer, &|ways| ways.to.is_cut = true),
            Fault::CutFrom(peer) => way(peer, &|ways| ways.from.is_cut = true),
            Fault::DelayTo(peer, delay) => way(peer, &|ways| ways.to.delay = delay),
            Fault::CutEntriesTo(peer) => way(peer, &|ways| ways.to.are_entries_cut = true),
            Fault::DelayFrom(peer, delay) => way(peer, &|ways| ways.from.delay = delay),
            Fault::MendNetwork => self.ways.write().clear(),
            Fault::BootClockRate(rate) => self.change_clock(Some(rate), 0),
            Fault::BootClockJump(jump) => self.change_clock(None, jump.as_nanos() as u64),
            Fault::WallClockJump(ms) => drop(self.wall_ms.fetch_add(ms, Ordering::Relaxed)),
            Fault::MendClocks => {
                // It must not go back, so it keeps what it is ahead or behind.
                self.change_clock(Some(TRUE_RATE), 0);
                self.wall_ms.store(0, Ordering::Relaxed);
            }
            Fault::SlowDisk(pause) => *self.sync.lock() = pause,
            Fault::SlowReads(pause) => *self.reads.lock() = pause,
            Fault::FreeBytes(bytes) => self.free_bytes.store(bytes, Ordering::Relaxed),
            Fault::Poison(number) => self.poison.store(number, Ordering::Relaxed),
            Fault::LogBytes(bytes) => self.log_bytes.store(bytes, Ordering::Relaxed),
            Fault::MendDisk => {
                *self.sync.lock() = Duration::ZERO;
                *self.reads.lock() = Duration::ZERO;
                self.free_bytes.store(TRUE_SPACE, Ordering::Relaxed);
                self.log_bytes.store(TRUE_SPACE, Ordering::Relaxed);
            }
        }
    }

    /// A new rate, or the one that it has, and a jump.
    fn change_clock(&self, rate: Option<u64>, jump_ns: u64) {
        let mut boot = self.boot.write();
        *boot = boot.changed(self.boot_true_ns.load(Ordering::Relaxed), rate.unwrap_or(boot.rate), jump_ns);
    }

    fn boot_ns(&self, true_ns: u64) -> u64 {
        // Read under the lock, so that a change never begins before what was already shown.
        let boot = self.boot.read();
        self.boot_true_ns.fetch_max(true_ns, Ordering::Relaxed);
        boot.shows(true_ns)
    }

    fn ways(&self, peer: u64) -> Ways {
        if !self.touched.load(Ordering::Relaxed) {
            return Ways::default();
        }
        self.ways.read().get(&peer).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_clock_changes_its_rate_and_jumps_without_going_back() {
        let injected = Injected::nothing();
        assert_eq!(injected.boot_ns(5 * SECOND), 5 * SECOND);
        injected.inject(Fault::BootClockRate(500));
        assert_eq!(injected.boot_ns(5 * SECOND), 5 * SECOND);
        assert_eq!(injected.boot_ns(7 * SECOND), 6 * SECOND);
        injected.inject(Fault::BootClockJump(Duration::from_secs(10)));
        assert_eq!(injected.boot_ns(7 * SECOND), 16 * SECOND);
        injected.inject(Fault::MendClocks);
        assert_eq!(injected.boot_ns(8 * SECOND), 17 * SECOND);
        injected.inject(Fault::BootClockRate(0));
        assert_eq!(injected.boot_ns(90 * SECOND), 17 * SECOND, "it stands still");
    }

    #[tokio::test(start_paused = true)]
    async fn ways_are_cut_and_slowed_apart() {
        let injected = Injected::nothing();
        injected.inject(Fault::CutTo(2));
        injected.inject(Fault::DelayFrom(2, Duration::from_secs(3)));
        assert!(!gets_through(injected.ways(2).to).await);
        let before = tokio::time::Instant::now();
        assert!(gets_through(injected.ways(2).from).await);
        assert_eq!(before.elapsed(), Duration::from_secs(3));
        assert!(gets_through(injected.ways(3).to).await, "another peer");
        injected.inject(Fault::MendNetwork);
        assert!(gets_through(injected.ways(2).to).await);
    }
}
