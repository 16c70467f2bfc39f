//! Open loop: request *i* is due at *i* / rate, whether or not the server has answered the ones before.
//!
//! Latency counts from the due time, so a stall of 100 ms at 10,000 requests/s shows as a thousand late replies
//! rather than as sixteen. Requests that wait for a free connection wait inside that latency. How late the client
//! itself sent while connections were free is counted apart (`lateness`): where it comes near the latency, the client
//! was the bottleneck.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use super::Outcome;
use super::ticker::Ticker;
use super::worker::Worker;
use crate::client::Endpoint;
use crate::error::{Context, Result};
use crate::machine::monotonic_ns;
use crate::stats::Latency;
use crate::workload::{Lane, Plan};

/// Time after the last due request in which a backlog may still be sent; what is left then counts as unsent.
const GRACE: Duration = Duration::from_secs(2);

/// How an open loop is run.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Requests a second.
    pub rate: u64,
    /// Connections; more than ever needed at once, or requests wait for a connection (inside their latency).
    pub connections: u64,
    /// Time over which requests fall due. Rate times duration bounds the backlog.
    pub duration: Duration,
    /// Seed of the keys.
    pub seed: u64,
}

/// What an open loop saw.
#[derive(Clone, Debug, Default)]
pub struct OpenOutcome {
    /// Counts, and latencies from the due time. Unsent requests are in the latencies with the time they waited.
    pub outcome: Outcome,
    /// From the due time to the sending, of requests that found a connection free.
    pub lateness: Latency,
    /// Requests that were due but never sent: the server was saturated.
    pub unsent: u64,
}

struct Shared {
    due: RefCell<VecDeque<u64>>,
    ready: Semaphore,
    give_up_ns: u64,
    tally: RefCell<Outcome>,
    lateness: RefCell<Latency>,
}

/// Runs the plan at the rate.
///
/// # Errors
/// When the server cannot be reached or goes away.
pub fn open(endpoint: &Endpoint, plan: &Plan, how: Open) -> Result<OpenOutcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    runtime.block_on(local.run_until(run(endpoint, plan, how)))
}

async fn run(endpoint: &Endpoint, plan: &Plan, how: Open) -> Result<OpenOutcome> {
    let mut workers = Vec::new();
    for index in 0..how.connections {
        let worker = Worker::open(endpoint, plan, Lane { index, of: how.connections }, how.seed).await;
        workers.push(worker.context(|| format!("cannot connect to {}", endpoint.authority))?);
    }
    let start = monotonic_ns();
    let shared = Rc::new(Shared {
        due: RefCell::default(),
        ready: Semaphore::new(0),
        give_up_ns: start + (how.duration + GRACE).as_nanos() as u64,
        tally: RefCell::default(),
        lateness: RefCell::default(),
    });
    let running: Vec<_> =
        workers.into_iter().map(|worker| tokio::task::spawn_local(serve(worker, Rc::clone(&shared)))).collect();
    dispatch(&shared, start, how).await?;
    for worker in running {
        let result = worker.await.context(|| "a connection's task".to_owned())?;
        result.context(|| format!("{} went away", endpoint.authority))?;
    }
    Ok(collect(&shared, start))
}

/// Hands out due times; closes the queue after the last one.
async fn dispatch(shared: &Shared, start: u64, how: Open) -> Result<()> {
    let ticker = Ticker::new()?;
    let requests = (how.rate as f64 * how.duration.as_secs_f64()) as u64;
    for index in 0..requests {
        let due = start + (u128::from(index) * 1_000_000_000 / u128::from(how.rate)) as u64;
        ticker.until(due).await?;
        shared.due.borrow_mut().push_back(due);
        shared.ready.add_permits(1);
        // Many requests at once may be due after a stall: let the connections run between them.
        if index % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // One permit per connection with nothing in the queue tells it to end.
    shared.ready.add_permits(how.connections as usize);
    Ok(())
}

async fn serve(mut worker: Worker, shared: Rc<Shared>) -> io::Result<()> {
    loop {
        let waited = shared.ready.available_permits() == 0;
        shared.ready.acquire().await.map_err(io::Error::other)?.forget();
        if monotonic_ns() > shared.give_up_ns {
            return Ok(());
        }
        let Some(due) = shared.due.borrow_mut().pop_front() else { return Ok(()) };
        if waited {
            shared.lateness.borrow_mut().record(monotonic_ns().saturating_sub(due));
        }
        worker.step(due, &shared.tally).await?;
    }
}

fn collect(shared: &Shared, start: u64) -> OpenOutcome {
    let now = monotonic_ns();
    let mut outcome = shared.tally.take();
    outcome.elapsed_ns = now - start;
    let unsent = shared.due.borrow();
    for due in unsent.iter() {
        outcome.latency.record(now.saturating_sub(*due));
    }
    OpenOutcome { outcome, lateness: shared.lateness.take(), unsent: unsent.len() as u64 }
}
