//! Running what was checked: in place while memory has it (the store's own, or the kernel's as far as [`PageCacheEstimator`] knows),
//! in the blocking pool where the disk is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dynamo_engine::catalog::MemoryCatalog;
use dynamo_engine::keyspace::owner;
use dynamo_engine::read::remote::{FetchRequest, FetchResponse, Fetched};
use dynamo_engine::read::{Execution, ReadError, ReadKind, Run, ShardViews, Step, Views};
use ordered_kv::{Reader, StateStore, StoreError};
use shard_router::{ShardId, TokenRange};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::counts::{Counted, StoreReads};
use super::page_cache::PageCacheEstimator;
use crate::env::{Env, Stores};
use crate::guard::ReadFailure;
use crate::memory::{AnswerRoom, Budget, Taken};
use crate::router::Router;
use crate::shard::{Deadline, Shard, ShardError};

/// Threads of the pool beyond those of reads that are waited for: for reads that hang at the disk, their requests given up.
/// Together far from the threads that tokio starts at most (512), of which flushes need some.
const HANGING_READS_MAX: usize = 128;

/// Room for what one shard answers for a page: a megabyte and one row, as a rule.
pub(super) const RESPONSE_BYTES: usize = 2 << 20;

/// What an execution reads from.
pub(super) enum Sources {
    /// The store of this node has everything.
    Here,
    /// By parts of the ring: what was fetched, or the store of this node.
    Parts(Vec<(Vec<TokenRange>, Option<Fetched>)>),
}

impl Sources {
    /// Whether nothing is read from the store.
    fn are_fetched(&self) -> bool {
        match self {
            Sources::Here => false,
            Sources::Parts(parts) => parts.iter().all(|(_, fetched)| fetched.is_some()),
        }
    }

    fn advance(&self, read: &mut Execution, here: &dyn Reader, run: Run<'_>) -> Result<Step, ReadError> {
        let mut parts = ShardViews::new();
        let views: &dyn Views = match self {
            Sources::Here => &here,
            Sources::Parts(sources) => {
                for (tokens, fetched) in sources {
                    let reader = fetched.as_ref().map_or(here, |fetched| fetched as &dyn Reader);
                    tokens.iter().for_each(|tokens| parts.insert(*tokens, reader));
                }
                &parts
            }
        };
        read.advance(views, run)
    }
}

/// Runs reads over the store of this node.
pub(crate) struct Runner<E: Env> {
    /// What is read: the state.
    stores: Arc<Stores>,
    /// What was read so far.
    counts: Arc<StoreReads>,
    /// Says whether the kernel is likely to have what the store's memory lacks.
    page_cache: Arc<PageCacheEstimator>,
    /// Places of reads whose requests wait for them.
    blocking: Arc<Semaphore>,
    /// How many places those are.
    blocking_max: usize,
    /// Threads: as many, and [`HANGING_READS_MAX`] more.
    threads: Arc<Semaphore>,
    /// Places for long reads, in the background.
    background: Arc<Semaphore>,
    /// What the bodies of requests, and answers, may take together.
    memory: Arc<Budget>,
    /// Hears whose records are damaged.
    router: Arc<Router<E>>,
}

impl<E: Env> Runner<E> {
    /// For so many reads at the same time that wait for the disk, and long ones in the places of `background`.
    pub(crate) fn new(
        stores: Arc<Stores>,
        blocking_max: usize,
        background: Arc<Semaphore>,
        memory: Arc<Budget>,
        router: Arc<Router<E>>,
    ) -> Runner<E> {
        Runner {
            stores,
            counts: Arc::default(),
            page_cache: Arc::default(),
            blocking: Arc::new(Semaphore::new(blocking_max)),
            blocking_max,
            threads: Arc::new(Semaphore::new(blocking_max + HANGING_READS_MAX)),
            background,
            memory,
            router,
        }
    }

    /// What was read so far.
    pub(crate) fn counts(&self) -> &StoreReads {
        &self.counts
    }

    /// Reads whose requests were given up while they wait for the disk.
    pub(crate) fn hanging(&self) -> u64 {
        let threads = self.blocking_max + HANGING_READS_MAX - self.threads.available_permits();
        let waited_for = self.blocking_max - self.blocking.available_permits();
        threads.saturating_sub(waited_for) as u64
    }

    /// Whether so many hang that no other read gets a thread.
    pub(crate) fn is_full_of_hanging(&self) -> bool {
        self.threads.available_permits() == 0
    }

    /// The newest applied state, counted.
    pub(super) fn newest(&self) -> Counted<'_> {
        self.counts.count(newest(&*self.stores.state))
    }

    /// Goes on with an execution whose next shards are checked.
    pub(super) async fn advance(
        &self,
        mut read: Execution,
        sources: Sources,
        deadline: Deadline,
    ) -> Result<(Execution, Step), ReadFailure> {
        let mut is_long = !read.plan().is_short();
        if !is_long || sources.are_fetched() {
            let needs_view = read.plan().needs_view();
            match self.read_in_place(needs_view, |reader| sources.advance(&mut read, reader, Run::INLINE)) {
                Err(ReadError::TooLong) => is_long = true,
                Err(error) if error.is_not_cached() => {}
                Ok(step) => return Ok((read, step)),
                Err(error) => return Err(self.faulty(error).into()),
            }
        }
        let place = self.place(is_long, deadline).await?;
        if !read.has_room() {
            let bytes = read.plan().reply_bytes_max();
            let taken = match read.plan().kind() {
                // The last that is refused: no more of them than there are places for are read at the same time.
                ReadKind::GetItem => self.memory.take_anyway(bytes),
                _ => self.room_for(bytes)?,
            };
            // What it comes to beyond that it takes while it grows.
            read.give_room(AnswerRoom::of(taken));
        }
        let waiting = Waiting::default();
        let store = self.pooled(&place, None);
        let run = BlockingRead { read, sources, store, gone: waiting.gone(), deadline };
        self.run_pooled(place, move || run.run::<E>(), deadline).await
    }

    /// Runs a read in its pool, for as long as its request may take. One that hangs keeps its thread, and gives its place to
    /// the next.
    async fn run_pooled<R: Send + 'static>(
        &self,
        place: PoolPlace,
        run: impl FnOnce() -> Result<R, ReadError> + Send + 'static,
        deadline: Deadline,
    ) -> Result<R, ReadFailure> {
        let time = deadline.remaining::<E>();
        let ran = match place.is_long {
            true => E::timeout(time, E::background(run)).await,
            false => E::timeout(time, E::blocking(run)).await,
        };
        drop(place);
        match ran {
            Some(ran) => ran.map_err(|error| self.faulty(error).into()),
            None => Err(ShardError::DeadlinePassed.into()),
        }
    }

    /// Reads what is needed of a shard that is checked.
    pub(super) async fn serve(
        &self,
        shard: &Arc<Shard<E>>,
        request: FetchRequest,
        deadline: Deadline,
    ) -> Result<FetchResponse, ReadFailure> {
        let responses = self.serve_together(vec![Serving::new(shard, request)], deadline).await?;
        responses.into_iter().next().ok_or(ReadFailure::Stale)
    }

    /// Reads what is needed of several shards that are checked: where anything must be of one moment, all of it.
    pub(super) async fn serve_together(
        &self,
        servings: Vec<Serving>,
        deadline: Deadline,
    ) -> Result<Vec<FetchResponse>, ReadFailure> {
        let needs_view = servings.iter().any(Serving::needs_view);
        match self.read_in_place(needs_view, |reader| serve_all(&servings, reader, Run::INLINE)) {
            Err(error) if error.is_not_cached() => {}
            Ok(response) => return Ok(response),
            Err(error) => return Err(self.faulty(error).into()),
        }
        let place = self.place(false, deadline).await?;
        let taken = self.room_for(servings.len() * RESPONSE_BYTES)?;
        let run = BlockingServe { servings, store: self.pooled(&place, Some(taken)) };
        self.run_pooled(place, move || run.run::<E>(), deadline).await
    }

    /// Reads on the calling thread. What memory lacks is [`StoreError::NotCached`] unless the kernel is likely to have it.
    fn read_in_place<R>(
        &self,
        needs_view: bool,
        read: impl FnOnce(&dyn Reader) -> Result<R, ReadError>,
    ) -> Result<R, ReadError> {
        let state = &*self.stores.state;
        let read = |reader| read(&self.counts.count(reader));
        if !self.page_cache.is_likely() {
            return if needs_view { read(&*state.view_cached()) } else { read(state.cached()) };
        }
        let began_ns = E::monotonic_ns();
        let result = if needs_view { read(&*state.view()) } else { read(newest(state)) };
        self.page_cache.ended_in_place::<E>(began_ns);
        result
    }

    /// Says whose records are damaged, where the store turns out to be: see `cluster/fitness.rs`.
    pub(super) fn faulty(&self, error: ReadError) -> ReadError {
        match &error {
            ReadError::Store(StoreError::Corruption(what)) => {
                let owner = |key: &[u8]| owner(key, &self.router.map);
                let met = self.counts.take_damaged().map(|(first, last)| (owner(&first), owner(&last)));
                match met {
                    Some((Some(first), last)) if last == Some(first) => self.router.note_damage(Some(first), what),
                    _ => self.router.note_damage(None, what),
                }
            }
            ReadError::Store(_) | ReadError::Corrupt(_) => tracing::error!(%error, "a read failed"),
            ReadError::NoRoom => self.memory.note_refused_answer(),
            ReadError::TooLong | ReadError::Missing(_) | ReadError::Abandoned | ReadError::Client(_) => {}
        }
        error
    }

    async fn place(&self, is_long: bool, deadline: Deadline) -> Result<PoolPlace, ShardError> {
        let places = async {
            let of_kind = if is_long { &self.background } else { &self.blocking };
            let place = Arc::clone(of_kind).acquire_owned().await.ok()?;
            let thread = Arc::clone(&self.threads).acquire_owned().await.ok()?;
            Some(PoolPlace { is_long, _place: place, thread: Arc::new(thread) })
        };
        let place = E::timeout(deadline.remaining::<E>(), places).await.flatten().ok_or(ShardError::Overloaded)?;
        self.counts.note_blocking();
        Ok(place)
    }

    /// Bytes of the row that this node has under a key now; `None` where that takes a look at the disk.
    pub(super) fn row_bytes(&self, key: &[u8]) -> Option<usize> {
        let row = self.stores.state.cached().get(key).ok()?;
        Some(row.map_or(0, |row| row.len()))
    }

    /// Room for what a read may come to, before it is read.
    pub(super) fn room_for(&self, bytes: usize) -> Result<Taken, ShardError> {
        self.memory.take_for_answer(bytes).ok_or(ShardError::Overloaded)
    }

    fn pooled(&self, place: &PoolPlace, taken: Option<Taken>) -> PooledStore {
        PooledStore {
            state: Arc::clone(&self.stores.state),
            counts: Arc::clone(&self.counts),
            page_cache: Arc::clone(&self.page_cache),
            _thread: Arc::clone(&place.thread),
            _taken: taken,
        }
    }
}

/// What a read in the pool takes up.
struct PoolPlace {
    /// In the background, where it does not wait for the disk as much as it works.
    is_long: bool,
    /// Among the reads whose requests wait for them.
    _place: OwnedSemaphorePermit,
    /// Among all, those that hang included; given back by whoever of request and thread is later.
    thread: Arc<OwnedSemaphorePermit>,
}

/// The store for a read that may wait for the disk, with the read's thread in the pool.
struct PooledStore {
    /// What is read.
    state: Arc<dyn StateStore>,
    /// Where it counts.
    counts: Arc<StoreReads>,
    /// Told how long the read waited.
    page_cache: Arc<PageCacheEstimator>,
    /// The place of the thread, until both the request and the read have let go.
    _thread: Arc<OwnedSemaphorePermit>,
    /// Until the read's result is there, which then counts itself.
    _taken: Option<Taken>,
}

impl PooledStore {
    fn read<E: Env, R>(
        &self,
        needs_view: bool,
        read: impl FnOnce(&dyn Reader) -> Result<R, ReadError>,
    ) -> Result<R, ReadError> {
        let read = |reader| read(&self.counts.count(reader));
        let watched = PageCacheEstimator::watch_pooled::<E>();
        let result = if needs_view { read(&*self.state.view()) } else { read(newest(&*self.state)) };
        self.page_cache.ended_pooled::<E>(watched);
        result
    }
}

/// Someone who waits for a read in the pool, until dropped: with the request, when its client has gone away.
#[derive(Default)]
struct Waiting(Arc<AtomicBool>);

impl Waiting {
    /// What becomes true when nobody waits any more.
    fn gone(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct BlockingRead {
    /// What is read, as far as it has come.
    read: Execution,
    /// From where.
    sources: Sources,
    /// The store of this node.
    store: PooledStore,
    /// Becomes true when nobody waits any more.
    gone: Arc<AtomicBool>,
    /// When the request is over.
    deadline: Deadline,
}

impl BlockingRead {
    fn run<E: Env>(self) -> Result<(Execution, Step), ReadError> {
        let BlockingRead { mut read, sources, store, gone, deadline } = self;
        let is_wanted = || !gone.load(Ordering::Relaxed) && !deadline.is_over::<E>();
        let needs_view = read.plan().needs_view();
        let advance = |reader: &dyn Reader| sources.advance(&mut read, reader, Run::while_wanted(&is_wanted));
        let step = store.read::<E, _>(needs_view, advance)?;
        Ok((read, step))
    }
}

/// What is needed of a shard, with the tables that are installed in it.
pub(super) struct Serving {
    /// The shard.
    shard: ShardId,
    /// Its tables, as of when it was checked.
    installed: Arc<MemoryCatalog>,
    /// What is needed of it.
    request: FetchRequest,
}

impl Serving {
    pub(super) fn new<E: Env>(shard: &Shard<E>, request: FetchRequest) -> Serving {
        Serving { shard: shard.id(), installed: shard.group().published().catalog(), request }
    }

    fn needs_view(&self) -> bool {
        self.request.needs_view()
    }
}

fn serve_all(servings: &[Serving], reader: &dyn Reader, run: Run<'_>) -> Result<Vec<FetchResponse>, ReadError> {
    let serve = |serving: &Serving| serving.request.serve(serving.shard, reader, &*serving.installed, run);
    servings.iter().map(serve).collect()
}

struct BlockingServe {
    /// All of them from one moment, where any needs that.
    servings: Vec<Serving>,
    /// The store of this node.
    store: PooledStore,
}

impl BlockingServe {
    fn run<E: Env>(self) -> Result<Vec<FetchResponse>, ReadError> {
        let needs_view = self.servings.iter().any(Serving::needs_view);
        self.store.read::<E, _>(needs_view, |reader| serve_all(&self.servings, reader, Run::WHOLE))
    }
}

/// The store's newest state as a reader.
fn newest(state: &dyn StateStore) -> &dyn Reader {
    state
}
