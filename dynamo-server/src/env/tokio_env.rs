//! The production environment: real clocks, tokio's tasks, files, a thread for the log.

use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::storage::{OpenError, Storage, StoreOptions, Stores};
use super::{Env, Task, TcpTransport, ThreadWaits, boot_clock, faults, thread_waits};

/// Everything as the operating system gives it.
#[derive(Clone, Default)]
pub struct TokioEnv {
    /// The way to the peers.
    peers: TcpTransport,
}

impl TokioEnv {
    /// The environment of a node without peers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The environment of a node that reaches its peers this way.
    pub fn with_peers(peers: TcpTransport) -> Self {
        TokioEnv { peers }
    }
}

/// The instant that [`TokioEnv::monotonic_ns`] counts from.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Raft's instants must be able to lie a little before the first call; a century of nanoseconds still fits above.
const MONOTONIC_START_NS: u64 = 1_000_000_000_000;

/// About two and a half syncs of a quick disk. What takes longer is worth waking another thread for, and would make a
/// request that arrives meanwhile wait for too long.
const BLOCKED_MAX: Duration = Duration::from_micros(400);

/// How far background work steps back for the threads that serve requests: with this niceness it gets a tenth of what they
/// get where both want the processor, and all of it where they do not.
#[cfg(all(target_os = "linux", not(test)))]
const BACKGROUND_NICENESS: libc::c_int = 10;

/// The threads for background work, of the whole process; they end when they have had nothing to do for a while. `None` where
/// the system gives none.
fn background_pool() -> Option<&'static Runtime> {
    static POOL: OnceLock<Option<Runtime>> = OnceLock::new();
    let start = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.thread_name("background").on_thread_start(step_back).build().ok()
    };
    POOL.get_or_init(start).as_ref()
}

/// Lowers the priority of the calling thread. Where the system refuses, or knows only processes, it stays as it is.
fn step_back() {
    // A test must come to its end on a machine that has much else to do.
    #[cfg(all(target_os = "linux", not(test)))]
    // SAFETY: the call takes numbers; on Linux it concerns the calling thread alone.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, BACKGROUND_NICENESS);
    }
}

/// The same work, behind the faults that tests inject; after it its thread may wait for the next piece for long.
fn held_up<R>(work: impl FnOnce() -> R + Send + 'static) -> impl FnOnce() -> R + Send + 'static {
    move || {
        faults::before_blocking();
        let result = work();
        #[cfg(feature = "rocksdb")]
        crate::allocator::work_is_done();
        result
    }
}

/// The result of work in a pool.
async fn ended<R>(work: tokio::task::JoinHandle<R>) -> R {
    match work.await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being torn down, and this task with it.
        Err(_) => std::future::pending().await,
    }
}

impl Env for TokioEnv {
    type Transport = TcpTransport;

    fn monotonic_ns() -> u64 {
        MONOTONIC_START_NS + origin().elapsed().as_nanos() as u64
    }

    fn boot_ns() -> Option<u64> {
        boot_clock::boot_ns().map(faults::boot_ns)
    }

    fn wall_ms() -> u64 {
        faults::wall_ms(hlc::source::WallClock.now_ms())
    }

    fn random() -> u64 {
        rand::random()
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future)
    }

    fn spawn_dedicated<F>(name: &str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || futures::executor::block_on(future))
            .expect("the system can start one more thread");
    }

    fn sleep(duration: Duration) -> tokio::time::Sleep {
        tokio::time::sleep(duration)
    }

    async fn timeout<F>(duration: Duration, future: F) -> Option<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        tokio::time::timeout(duration, future).await.ok()
    }

    async fn blocking<R, W>(work: W) -> R
    where
        R: Send + 'static,
        W: FnOnce() -> R + Send + 'static,
    {
        ended(tokio::task::spawn_blocking(held_up(work))).await
    }

    async fn background<R, W>(work: W) -> R
    where
        R: Send + 'static,
        W: FnOnce() -> R + Send + 'static,
    {
        match background_pool() {
            Some(pool) => ended(pool.spawn_blocking(held_up(work))).await,
            None => Self::blocking(work).await,
        }
    }

    fn in_place<R>(work: impl FnOnce() -> R) -> R {
        // A current-thread runtime (an embedded server in a test) has nowhere to move its tasks.
        match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
            _ => work(),
        }
    }

    fn may_block_here() -> Duration {
        // An event loop of the server's own, or of a program that has only one thread anyway.
        match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(tokio::runtime::RuntimeFlavor::CurrentThread) => BLOCKED_MAX,
            _ => Duration::ZERO,
        }
    }

    async fn disk_pause() {
        faults::before_sync();
    }

    fn thread_waits() -> Option<ThreadWaits> {
        thread_waits::thread_waits()
    }

    fn open(&self, storage: &Storage, options: &StoreOptions) -> Result<Stores, OpenError> {
        Stores::open(storage, options, rand::random())
    }

    fn transport(&self) -> &TcpTransport {
        &self.peers
    }
}
