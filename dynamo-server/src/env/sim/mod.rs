//! The simulated environment: virtual time, seeded chance, a disk that forgets what was not synced.
//!
//! A whole cluster runs on one thread of a tokio runtime whose clock is paused: time stands still while anybody has
//! something to do and jumps to the next timer when nobody has. Chance comes from one seeded generator, so a seed
//! replays a run exactly (tokio's own choices are seeded by [`run`]).
//!
//! A node is a [`SimNode`]. What is started inside [`SimNode::scope`] belongs to it, with every task that it spawns;
//! [`SimNode::kill`] drops all of them at once, as a power cut does, and then lets the disk lose some of what was not
//! synced. The node starts again on the same [`SimNode`]. [`SimNode::suspend`] stops them all where they are, while
//! time goes on. Machines reach each other through a [`SimNetwork`].

mod network;
mod suspension;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ordered_kv::StoreError;
use ordered_kv::memory::MemoryState;
use parking_lot::Mutex;
use raft_log::{Disk as _, Log, LogError, MemoryDisk, Options};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub use self::network::{Link, SimNetwork, SimTransport, Weather};

use self::suspension::Suspension;
use super::directory::Identity;
use super::storage::{OpenError, Storage, StoreOptions, Stores};
use super::{DamageNotes, Env, LeaseRecord, Task, ThreadWaits};
use crate::raft::rules::{self, Rule};

thread_local! {
    /// The generator of the simulation on this thread.
    static CHANCE: Cell<u64> = const { Cell::new(0) };
    /// Where virtual time began.
    static ORIGIN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The faults of the simulation on this thread, by kind.
    static FAULTS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

tokio::task_local! {
    /// The node that the running task belongs to.
    static NODE: Arc<SimNode>;
}

/// Wall time where virtual time begins: 2023-11-14.
const WALL_MS_AT_ORIGIN: u64 = 1_700_000_000_000;

/// Monotonic time where virtual time begins: Raft looks a little back.
const MONOTONIC_NS_AT_ORIGIN: u64 = 1_000_000_000_000;

/// The longest sync of a disk that is well.
const SYNC_US_MAX: u64 = 2_000;

/// Segments of a machine's log: so short that a simulation fills some.
const SEGMENT_BYTES: usize = 64 << 10;

/// How long a simulation may last by its own time: one that waits for what never comes ends, and fails.
const SIMULATED_MAX: Duration = Duration::from_secs(6 * 3600);

/// Runs a simulation with this seed to its end, which must come within [`SIMULATED_MAX`].
pub fn run<F: Future>(seed: u64, simulation: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    let runtime = builder.build().expect("a runtime without input and output needs nothing of the system");
    CHANCE.set(seed);
    ORIGIN.set(None);
    FAULTS.take();
    let simulation = Box::pin(simulation);
    runtime.block_on(async {
        ORIGIN.set(Some(Instant::now()));
        // Without this timer a simulation in which everybody waits for another would stand still.
        let ended = tokio::time::timeout(SIMULATED_MAX, simulation).await;
        ended.unwrap_or_else(|_| panic!("seed {seed}: it has not ended after {SIMULATED_MAX:?}"))
    })
}

/// The next number of the simulation's generator (SplitMix64; Steele, Lea, Flood 2014).
pub fn chance() -> u64 {
    let state = CHANCE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    CHANCE.set(state);
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `bound`.
pub fn chance_below(bound: u64) -> u64 {
    chance() % bound
}

/// Counts a fault of this kind.
fn count_fault(kind: &'static str) {
    FAULTS.with_borrow_mut(|faults| *faults.entry(kind).or_default() += 1);
}

/// How often each kind of fault was injected since the simulation on this thread began.
pub fn faults() -> BTreeMap<&'static str, u64> {
    FAULTS.with_borrow(BTreeMap::clone)
}

fn elapsed() -> Duration {
    ORIGIN.get().map(|origin| origin.elapsed()).unwrap_or_default()
}

/// One simulated machine: its disk, its clock, and the tasks that run on it.
pub struct SimNode {
    /// The number of the node that runs on it.
    id: u64,
    /// What a crash leaves.
    disk: Mutex<Disk>,
    /// What a crash ends.
    tasks: Mutex<Vec<AbortHandle>>,
    /// The rate of its clock in thousandths of true time.
    clock_permille: u64,
    /// How far its wall clock is ahead of the truth, in milliseconds.
    wall_ahead_ms: AtomicI64,
    /// Synced writes that the disk still does before it hangs.
    syncs_left: watch::Sender<u64>,
    /// Whether reads that are given to the pool hang.
    reads_hang: watch::Sender<bool>,
    /// The longest sync of its disk, in microseconds.
    sync_us_max: AtomicU64,
    /// What applying panics at.
    chokes_on: Mutex<Option<String>>,
    /// Whether tasks may wait for the disk where a thread would be held up.
    may_block: AtomicBool,
    /// Whether the machine stands still.
    suspension: Arc<Suspension>,
}

/// What lies on a machine's disk.
struct Disk {
    /// Of the Raft logs; it loses what was not synced.
    log: Arc<MemoryDisk>,
    /// Of the rows; it loses what was not flushed.
    state: Arc<MemoryState>,
    /// Whose data it has.
    identity: Identity,
    /// The longest lease that may have been promised.
    lease: Arc<LeaseRecord>,
    /// What of it could not be read.
    damage: Arc<DamageNotes>,
}

impl Disk {
    fn new(identity: Identity) -> Disk {
        Disk {
            log: Arc::new(MemoryDisk::with_crashes()),
            state: Arc::new(MemoryState::with_crashes()),
            identity,
            lease: Arc::new(LeaseRecord::in_memory()),
            damage: Arc::new(DamageNotes::in_memory()),
        }
    }
}

impl SimNode {
    /// A machine with an empty disk.
    pub fn new(node_id: u64, shards: u32) -> Arc<SimNode> {
        SimNode::with_clock(node_id, shards, 1_000)
    }

    /// A machine whose clock runs at this rate, in thousandths of true time.
    pub fn with_clock(node_id: u64, shards: u32, clock_permille: u64) -> Arc<SimNode> {
        SimNode::in_cluster(node_id, shards, clock_permille, 1)
    }

    /// As [`SimNode::with_clock`], with a disk that carries this cluster's number.
    pub fn in_cluster(node_id: u64, shards: u32, clock_permille: u64, cluster_id: u128) -> Arc<SimNode> {
        let identity = Identity { cluster_id, node_id, incarnation: node_id, shards };
        Arc::new(SimNode {
            id: node_id,
            disk: Mutex::new(Disk::new(identity)),
            tasks: Mutex::new(Vec::new()),
            clock_permille,
            wall_ahead_ms: AtomicI64::new(0),
            syncs_left: watch::Sender::new(u64::MAX),
            reads_hang: watch::Sender::new(false),
            sync_us_max: AtomicU64::new(SYNC_US_MAX),
            chokes_on: Mutex::default(),
            may_block: AtomicBool::new(false),
            suspension: Arc::default(),
        })
    }

    /// Its node id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The incarnation of what is on its disk.
    pub fn incarnation(&self) -> u64 {
        self.disk.lock().identity.incarnation
    }

    /// Puts an empty disk in place of the one there was. The machine must be off.
    pub fn wipe(&self) {
        count_fault("lost disk");
        let mut disk = self.disk.lock();
        *disk = Disk::new(Identity { incarnation: chance(), ..disk.identity.clone() });
    }

    /// Lets half of the writes of the log be made where they are asked for.
    pub fn let_tasks_block(&self) {
        self.may_block.store(true, Ordering::Relaxed);
    }

    /// Lets a sync of its disk take up to so many microseconds; `None` for what is usual.
    pub fn slow_disk(&self, sync_us_max: Option<u64>) {
        if sync_us_max.is_some() {
            count_fault("slow disk");
        }
        self.sync_us_max.store(sync_us_max.unwrap_or(SYNC_US_MAX), Ordering::Relaxed);
    }

    /// Sets its wall clock so far ahead of the truth, or behind it. The other clocks go on.
    pub fn set_wall_ahead(&self, ms: i64) {
        if ms != self.wall_ahead_ms.load(Ordering::Relaxed) {
            count_fault("wall clock set");
        }
        self.wall_ahead_ms.store(ms, Ordering::Relaxed);
    }

    /// Stops every task of the machine where it is, as SIGSTOP does; its clock goes on.
    pub fn suspend(&self) {
        count_fault("machine stands still");
        self.suspension.begin();
    }

    /// Lets the tasks go on.
    pub fn resume(&self) {
        self.suspension.end();
    }

    /// The disk under the log, to switch syncing off, to make it fail, or to let it rot.
    pub fn log(&self) -> Arc<MemoryDisk> {
        Arc::clone(&self.disk.lock().log)
    }

    /// What the log on the disk would be found to be now: its files, read back and judged, on a copy.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn peek_log(&self) -> Result<Log, LogError> {
        open_log(Arc::new(self.log().fork()))
    }

    /// The disk's state store.
    pub fn state(&self) -> Arc<MemoryState> {
        Arc::clone(&self.disk.lock().state)
    }

    /// Lets the disk hang after this many more synced writes.
    pub fn freeze_disk_after(&self, syncs: u64) {
        count_fault("hung disk");
        self.syncs_left.send_replace(syncs);
    }

    /// Lets the disk go on.
    pub fn thaw_disk(&self) {
        self.syncs_left.send_replace(u64::MAX);
    }

    /// Fills the disk: nothing can be allocated, and the state writes nothing.
    pub fn fill_disk(&self) {
        count_fault("full disk");
        let disk = self.disk.lock();
        disk.log.set_free_bytes(Some(0));
        disk.state.fail_writes(Some(StoreError::Full("the simulated disk".to_owned())));
    }

    /// Makes room again.
    pub fn make_room(&self) {
        let disk = self.disk.lock();
        disk.log.set_free_bytes(None);
        disk.state.fail_writes(None);
    }

    /// Lets applying panic on this machine at entries that hold these digits; `None` for none.
    pub fn choke_on(&self, number: Option<u64>) {
        if number.is_some() {
            count_fault("entries that one machine cannot apply");
        }
        *self.chokes_on.lock() = number.map(|number| number.to_string());
    }

    /// Flips one bit of what was written to one of the log's segments. The machine must be off.
    pub fn rot_log(&self) {
        count_fault("flipped bit in a log");
        let log = self.log();
        let names = log.list().expect("it is there").into_iter().filter(|name| name.starts_with("segment-"));
        let names: Vec<String> = names.collect();
        let name = &names[chance_below(names.len() as u64) as usize];
        let file = log.open(name).expect("it is listed");
        let mut bytes = vec![0; file.byte_len().expect("it is open") as usize];
        file.read_at(&mut bytes, 0).expect("it is as long as that");
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
        log.rot(name, chance_below(written as u64), &[1 << chance_below(8)]);
    }

    /// Lets reads in the pool hang from now on, or go on.
    pub fn hang_reads(&self, hang: bool) {
        self.reads_hang.send_replace(hang);
    }

    async fn wait_for_disk(&self) {
        // The sender lives in `self`.
        let _ = self.syncs_left.subscribe().wait_for(|left| *left > 0).await;
        self.syncs_left.send_modify(|left| *left -= 1);
    }

    /// Runs `future` on this machine.
    pub async fn scope<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        NODE.scope(Arc::clone(self), future).await
    }

    /// Starts `future` on this machine, to die with it.
    pub fn spawn<F>(self: &Arc<Self>, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio::spawn(NODE.scope(Arc::clone(self), self.suspension.guard(future)));
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.abort_handle());
        task
    }

    /// Cuts the power: every task is gone, and of what was not synced the disk loses what the seed says.
    pub async fn kill(&self) {
        count_fault("power cut");
        let tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.iter().for_each(AbortHandle::abort);
        while tasks.iter().any(|task| !task.is_finished()) {
            tokio::task::yield_now().await;
        }
        self.suspension.end();
        self.log().crash(chance());
        self.state().crash(chance());
    }
}

fn open_log(disk: Arc<MemoryDisk>) -> Result<Log, LogError> {
    let options = Options { segment_bytes: SEGMENT_BYTES, spares_max: 2, zero_ahead_bytes: 0, ..Options::default() };
    Log::open(disk, &options)
}

fn clock_permille() -> u64 {
    NODE.try_with(|node| node.clock_permille).unwrap_or(1_000)
}

/// The environment of a [`SimNode`]. One for all: what differs between machines is found through the running task.
#[derive(Clone)]
pub struct SimEnv {
    /// The way to the peers.
    peers: SimTransport,
}

impl SimEnv {
    /// The environment of `node`, which has no peers.
    pub fn new(node: &Arc<SimNode>) -> Self {
        SimEnv { peers: SimTransport { machine: Arc::clone(node), network: None } }
    }

    /// The environment of `node`, which is plugged into `network`.
    pub fn in_network(node: &Arc<SimNode>, network: &Arc<SimNetwork>) -> Self {
        SimEnv { peers: SimTransport { machine: Arc::clone(node), network: Some(Arc::clone(network)) } }
    }
}

/// How long the machine's clock takes in true time to show that `duration` has passed.
fn true_time(duration: Duration) -> Duration {
    duration * 1_000 / u32::try_from(clock_permille()).expect("a rate near one thousand")
}

/// For how long a task may wait for its machine's disk, where it may at all.
const BLOCKED_MAX: Duration = Duration::from_millis(3);

impl Env for SimEnv {
    type Transport = SimTransport;

    fn monotonic_ns() -> u64 {
        let true_ns = u128::from(u64::try_from(elapsed().as_nanos()).unwrap_or(u64::MAX));
        MONOTONIC_NS_AT_ORIGIN + (true_ns * u128::from(clock_permille()) / 1_000) as u64
    }

    fn boot_ns() -> Option<u64> {
        Some(Self::monotonic_ns())
    }

    fn wall_ms() -> u64 {
        let ahead_ms = NODE.try_with(|node| node.wall_ahead_ms.load(Ordering::Relaxed)).unwrap_or(0);
        (WALL_MS_AT_ORIGIN + elapsed().as_millis() as u64).saturating_add_signed(ahead_ms)
    }

    fn random() -> u64 {
        chance()
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match NODE.try_with(Arc::clone) {
            Ok(node) => node.spawn(future),
            Err(_) => tokio::spawn(future),
        }
    }

    fn spawn_dedicated<F>(_name: &str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::spawn(future);
    }

    fn sleep(duration: Duration) -> tokio::time::Sleep {
        tokio::time::sleep(true_time(duration))
    }

    async fn timeout<F>(duration: Duration, future: F) -> Option<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        tokio::time::timeout(true_time(duration), future).await.ok()
    }

    async fn blocking<R, W>(work: W) -> R
    where
        R: Send + 'static,
        W: FnOnce() -> R + Send + 'static,
    {
        if let Ok(node) = NODE.try_with(Arc::clone) {
            // The sender lives in the node.
            let _ = node.reads_hang.subscribe().wait_for(|hang| !*hang).await;
        }
        let result = work();
        // The world has moved on when the one who waits hears of it.
        Self::sleep(Duration::from_micros(chance_below(SYNC_US_MAX))).await;
        result
    }

    fn in_place<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    /// Panics where the machine chokes on the entry ([`SimNode::choke_on`]).
    fn before_apply(entry: &[u8]) {
        if let Ok(Some(digits)) = NODE.try_with(|node| node.chokes_on.lock().clone()) {
            let is_met = entry.windows(digits.len()).any(|window| window == digits.as_bytes());
            assert!(!is_met, "the machine chokes on {digits}");
        }
    }

    fn thread_waits() -> Option<ThreadWaits> {
        None
    }

    /// Where it is let ([`SimNode::let_tasks_block`]), chance decides, so that both ways are taken. Only a task waits, in
    /// [`Env::disk_pause`], and for whole milliseconds, as is tokio's way.
    fn may_block_here() -> Duration {
        let is_let = NODE.try_with(|node| node.may_block.load(Ordering::Relaxed)).unwrap_or(false);
        if is_let && chance_below(2) == 0 { BLOCKED_MAX } else { Duration::ZERO }
    }

    async fn disk_pause() {
        let mut sync_us_max = SYNC_US_MAX;
        if let Ok(node) = NODE.try_with(Arc::clone) {
            node.wait_for_disk().await;
            sync_us_max = node.sync_us_max.load(Ordering::Relaxed);
        }
        Self::sleep(Duration::from_micros(50 + chance_below(sync_us_max))).await;
    }

    fn open(&self, _storage: &Storage, _options: &StoreOptions) -> Result<Stores, OpenError> {
        let mut disk = self.peers.machine.disk.lock();
        let log = match open_log(Arc::clone(&disk.log)) {
            Err(_) if !rules::is_kept(Rule::JudgeTheLog) => {
                *disk = Disk::new(disk.identity.clone());
                open_log(Arc::clone(&disk.log))
            }
            opened => opened,
        };
        Ok(Stores {
            log: Arc::new(log?),
            state: Arc::clone(&disk.state) as _,
            directory: None,
            identity: Some(disk.identity.clone()),
            lease: Arc::clone(&disk.lease),
            damage: Arc::clone(&disk.damage),
        })
    }

    fn transport(&self) -> &SimTransport {
        &self.peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without `--cfg tokio_unstable` tokio's own choices are not seeded and no run could be replayed.
    #[test]
    fn the_simulator_is_built_with_the_flag_that_makes_it_repeatable() {
        let is_repeatable = cfg!(tokio_unstable);
        assert!(is_repeatable, "build with --cfg tokio_unstable, as .cargo/config.toml does");
    }

    #[test]
    fn time_is_virtual_and_chance_repeats() {
        let story = |seed| {
            run(seed, async {
                let before = SimEnv::monotonic_ns();
                SimEnv::sleep(Duration::from_secs(3_600)).await;
                (SimEnv::monotonic_ns() - before, chance(), chance_below(10))
            })
        };
        assert!(story(1).0 >= 3_600_000_000_000);
        assert_eq!(story(1), story(1));
        assert_ne!(story(1).1, story(2).1);
    }

    #[test]
    #[should_panic(expected = "seed 2: it has not ended")]
    fn a_simulation_in_which_everybody_waits_ends() {
        run(2, std::future::pending::<()>());
    }

    #[test]
    fn a_killed_machine_does_nothing_more() {
        run(3, async {
            let node = SimNode::new(1, 1);
            let count = Arc::new(Mutex::new(0));
            let counting = Arc::clone(&count);
            node.spawn(async move {
                loop {
                    SimEnv::sleep(Duration::from_millis(1)).await;
                    *counting.lock() += 1;
                }
            });
            tokio::time::sleep(Duration::from_millis(10)).await;
            node.kill().await;
            let then = *count.lock();
            assert!(then > 0);
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert_eq!(*count.lock(), then);
        });
    }

    #[test]
    fn a_slow_clock_shows_less() {
        run(4, async {
            let slow = SimNode::with_clock(1, 1, 500);
            let before = slow.scope(async { SimEnv::monotonic_ns() }).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let after = slow.scope(async { SimEnv::monotonic_ns() }).await;
            assert_eq!(after - before, 1_000_000_000);
        });
    }
}
