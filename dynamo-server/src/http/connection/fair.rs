//! Whose connection has the next turn on a crowded event loop.
//!
//! A loop polls connections in the order in which they became ready. Between a client with one connection and a client with
//! a thousand that order shares the loop by connections: the first one's request waits for a round of all others. So on a
//! loop with more than [`CROWD_MIN`] connections a connection that is ready waits in its client's queue, and turns are
//! given out, [`TURNS_AT_ONCE`] at a time, to the client that has had least of the loop's time (start-time fair queueing:
//! a client that was away is owed nothing). Then the loop looks at its sockets again.
//!
//! ```text
//! socket ready ─▶ poll: no turn yet ─▶ queue of its client ─▶ hand_out: turn, wake ─▶ poll: works, charged by the clock
//! ```
//!
//! A *client* is an address and the access key that the connection's first request names. Nobody proves a key yet, so this
//! is a rule for clients that mean well: one that invents a key for each connection is served as before.
//!
//! On a loop with fewer connections a turn costs one look at a counter.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::env::Env;

/// Connections of a loop from which on their turns are given out.
pub(super) const CROWD_MIN: usize = 33;

/// Turns that are given out before the loop looks at its sockets: as long as these take, a client waits that was idle.
const TURNS_AT_ONCE: usize = 8;

/// What a turn is taken to cost until it is over.
const TURN_NS: u64 = 20_000;

/// Clients that are remembered at least, before those are forgotten that are owed nothing.
const REMEMBERED_MIN: usize = 1_024;

/// What waits, by client. Pure: knows neither clocks nor tasks.
struct FairQueue<T> {
    /// The time that the client served last had had.
    now_ns: u64,
    /// What each client has had, and what of it waits. Forgotten ones have had no more than `now_ns`.
    clients: HashMap<u64, Line<T>>,
    /// Clients that wait, by the time that they had had when they were put here: each once.
    order: BinaryHeap<Reverse<(u64, u64)>>,
    /// Number of clients at which those are looked for that can be forgotten.
    tidy_at: usize,
}

/// What waits for one client.
struct Line<T> {
    /// The loop's time that it has had, never less than `now_ns` was when it last began to wait.
    had_ns: u64,
    /// In the order in which it came.
    waiting: VecDeque<T>,
}

impl<T> FairQueue<T> {
    fn new() -> FairQueue<T> {
        FairQueue { now_ns: 0, clients: HashMap::new(), order: BinaryHeap::new(), tidy_at: REMEMBERED_MIN }
    }

    fn push(&mut self, client: u64, item: T) {
        if self.clients.len() >= self.tidy_at {
            let now_ns = self.now_ns;
            self.clients.retain(|_, line| !line.waiting.is_empty() || line.had_ns > now_ns);
            self.tidy_at = REMEMBERED_MIN.max(2 * self.clients.len());
        }
        let line = self.clients.entry(client).or_insert(Line { had_ns: 0, waiting: VecDeque::new() });
        if line.waiting.is_empty() {
            line.had_ns = line.had_ns.max(self.now_ns);
            self.order.push(Reverse((line.had_ns, client)));
        }
        line.waiting.push_back(item);
    }

    /// The next item of the client that has had the least.
    fn pop(&mut self) -> Option<T> {
        loop {
            let Reverse((had_ns, client)) = self.order.pop()?;
            let line = self.clients.get_mut(&client)?;
            if line.had_ns > had_ns {
                // Charged since it was put here.
                self.order.push(Reverse((line.had_ns, client)));
                continue;
            }
            self.now_ns = self.now_ns.max(had_ns);
            line.had_ns = line.had_ns.saturating_add(TURN_NS);
            let item = line.waiting.pop_front();
            debug_assert!(item.is_some(), "a client is in the order only while something of it waits");
            if !line.waiting.is_empty() {
                self.order.push(Reverse((line.had_ns, client)));
            }
            return item;
        }
    }

    /// Corrects what a turn was taken to cost.
    fn charge(&mut self, client: u64, took_ns: u64) {
        if let Some(line) = self.clients.get_mut(&client) {
            line.had_ns = line.had_ns.saturating_sub(TURN_NS).saturating_add(took_ns).max(self.now_ns);
        }
    }
}

/// The turns of one event loop.
pub(super) struct Turns {
    /// The loop, on which turns are handed out.
    runtime: Handle,
    /// Whether one thread polls all of the loop's connections: where several do, none has to wait for a round.
    is_one_thread: bool,
    /// Connections of the loop, which make it crowded.
    connections: AtomicUsize,
    /// Who waits. A lock for some moves, never over an await.
    state: Mutex<State>,
}

struct State {
    /// Connections that wait for a turn, each once.
    queue: FairQueue<(Arc<Ticket>, Waker)>,
    /// Whether [`hand_out`] runs.
    is_handing_out: bool,
}

/// What a connection knows of its next turn.
#[derive(Default)]
struct Ticket {
    /// It is in the queue. Never together with `has_turn`.
    is_waiting: AtomicBool,
    /// It may work now, once.
    has_turn: AtomicBool,
}

impl Turns {
    pub(super) fn new(runtime: Handle) -> Turns {
        let is_one_thread = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
        let state = Mutex::new(State { queue: FairQueue::new(), is_handing_out: false });
        Turns { runtime, is_one_thread, connections: AtomicUsize::new(0), state }
    }

    /// Connections of the loop.
    pub(super) fn connections(&self) -> &AtomicUsize {
        &self.connections
    }

    fn is_crowded(&self) -> bool {
        self.is_one_thread && self.connections.load(Ordering::Relaxed) >= CROWD_MIN
    }

    fn wait(self: &Arc<Turns>, client: u64, ticket: &Arc<Ticket>, waker: &Waker) {
        let mut state = self.state.lock();
        state.queue.push(client, (Arc::clone(ticket), waker.clone()));
        if !state.is_handing_out {
            state.is_handing_out = true;
            self.runtime.spawn(hand_out(Arc::clone(self)));
        }
    }

    /// Gives out some turns: whether anybody waited.
    fn give(&self) -> bool {
        let mut state = self.state.lock();
        for given in 0..TURNS_AT_ONCE {
            let Some((ticket, waker)) = state.queue.pop() else {
                state.is_handing_out = given > 0;
                return given > 0;
            };
            ticket.is_waiting.store(false, Ordering::Relaxed);
            ticket.has_turn.store(true, Ordering::Relaxed);
            waker.wake();
        }
        true
    }
}

/// Gives out turns until nobody waits for one.
async fn hand_out(turns: Arc<Turns>) {
    while turns.give() {
        // Behind those that have a turn now, and behind a look at the sockets.
        tokio::task::yield_now().await;
    }
}

/// A connection that works in its turn.
pub(super) struct InTurn<E, F> {
    /// What works.
    connection: Pin<Box<F>>,
    /// Those of the loop that it runs on.
    turns: Arc<Turns>,
    /// The client's number: of its address, until its access key is known.
    client: Arc<AtomicU64>,
    /// Its place in the queue.
    ticket: Arc<Ticket>,
    /// Whose clock measures its turns.
    env: PhantomData<fn() -> E>,
}

impl<E: Env, F: Future> InTurn<E, F> {
    /// `connection`, whose client is named by `client` as soon as it is known.
    pub(super) fn new(connection: F, turns: Arc<Turns>, client: Arc<AtomicU64>) -> InTurn<E, F> {
        InTurn { connection: Box::pin(connection), turns, client, ticket: Arc::default(), env: PhantomData }
    }
}

impl<E: Env, F: Future> Future for InTurn<E, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        #[cfg(test)]
        let _turn = crate::meter::Turn::of(crate::meter::Whose::Connection);
        let own = self.get_mut();
        if !own.turns.is_crowded() {
            return own.connection.as_mut().poll(context);
        }
        if !own.ticket.has_turn.swap(false, Ordering::Relaxed) {
            if !own.ticket.is_waiting.swap(true, Ordering::Relaxed) {
                own.turns.wait(own.client.load(Ordering::Relaxed), &own.ticket, context.waker());
            }
            return Poll::Pending;
        }
        let began_ns = E::monotonic_ns();
        let polled = own.connection.as_mut().poll(context);
        let took_ns = E::monotonic_ns().saturating_sub(began_ns);
        own.turns.state.lock().queue.charge(own.client.load(Ordering::Relaxed), took_ns);
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use tokio::task::LocalSet;

    use super::*;
    use crate::env::TokioEnv;

    #[test]
    fn clients_share_time_whatever_the_number_of_their_connections() {
        let mut queue = FairQueue::new();
        let mut turns = [0, 0];
        for connection in 0..100 {
            queue.push(0, (0, connection));
        }
        queue.push(1, (1, 0));
        for _ in 0..1_000 {
            let (client, connection) = queue.pop().unwrap();
            turns[client as usize] += 1;
            queue.charge(client, TURN_NS);
            queue.push(client, (client, connection));
        }
        assert_eq!(turns, [500, 500]);
    }

    #[test]
    fn a_turn_counts_by_its_length_and_absence_earns_nothing() {
        let mut queue = FairQueue::new();
        let mut turns = [0, 0];
        let serve = |queue: &mut FairQueue<u64>, turns: &mut [u32; 2]| {
            let client = queue.pop().unwrap();
            turns[client as usize] += 1;
            queue.charge(client, if client == 0 { 3 * TURN_NS } else { TURN_NS });
            queue.push(client, client);
        };
        queue.push(0, 0);
        for _ in 0..1_000 {
            serve(&mut queue, &mut turns);
        }
        queue.push(1, 1);
        for _ in 0..400 {
            serve(&mut queue, &mut turns);
        }
        assert_eq!(turns, [1_100, 300], "one that was away for a thousand turns gets its share, not those");
    }

    #[test]
    fn clients_that_are_owed_nothing_are_forgotten() {
        let mut queue = FairQueue::new();
        for client in 0..10 * REMEMBERED_MIN as u64 {
            queue.push(client, ());
            queue.pop().unwrap();
            queue.charge(client, 0);
        }
        assert!(queue.clients.len() <= REMEMBERED_MIN, "{} clients", queue.clients.len());
    }

    /// One of many connections that are ready whenever they are asked; `work` is done at each turn.
    async fn busy(rounds: u32, work: impl Fn()) {
        for _ in 0..rounds {
            work();
            let mut is_later = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut is_later, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }

    /// How many turns two hundred connections have between the moment when a lone one is woken and its turn.
    fn turns_before_the_lone_one(its_client: u64) -> u32 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let turns = Arc::new(Turns::new(runtime.handle().clone()));
        turns.connections().store(200, Ordering::Relaxed);
        let local = LocalSet::new();
        let count = Rc::new(Cell::new(0_u32));
        let (send, arrived) = tokio::sync::oneshot::channel();
        let send = Rc::new(Cell::new(Some(send)));
        let in_turn = |client| (Arc::clone(&turns), Arc::new(AtomicU64::new(client)));
        for _ in 0..200 {
            let (count, send) = (Rc::clone(&count), Rc::clone(&send));
            let work = move || {
                count.set(count.get() + 1);
                if count.get() == 2_000
                    && let Some(send) = send.take()
                {
                    send.send(()).unwrap();
                }
            };
            let (turns, client) = in_turn(1);
            local.spawn_local(InTurn::<TokioEnv, _>::new(busy(30, work), turns, client));
        }
        let (turns, client) = in_turn(its_client);
        let seen = Rc::clone(&count);
        let lone = async move {
            arrived.await.unwrap();
            seen.get() - 2_000
        };
        let lone = local.spawn_local(InTurn::<TokioEnv, _>::new(lone, turns, client));
        runtime.block_on(local);
        assert_eq!(count.get(), 200 * 30, "every connection had all its turns");
        runtime.block_on(lone).unwrap()
    }

    #[test]
    fn a_lone_connection_does_not_wait_for_a_round_of_all_others() {
        let waited = turns_before_the_lone_one(2);
        assert!(waited <= 2 * TURNS_AT_ONCE as u32, "{waited} turns");
        // Without the rule, that is as one of the same client's connections:
        let waited = turns_before_the_lone_one(1);
        assert!(waited >= 150, "{waited} turns");
    }
}
