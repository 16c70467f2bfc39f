//! Closed loop: every connection always has exactly one request in flight.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use tokio::task::LocalSet;

use super::Outcome;
use super::worker::Worker;
use crate::client::Endpoint;
use crate::error::{Context, Error, Result};
use crate::machine::monotonic_ns;
use crate::workload::{Lane, Plan};

/// How a closed loop is run.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    /// Connections, each with one request in flight.
    pub connections: u64,
    /// Client threads that the connections are spread over.
    pub threads: u64,
    /// Time for which new requests are sent.
    pub duration: Duration,
    /// Seed of the keys.
    pub seed: u64,
}

/// Runs the plan; ends with no request in flight.
///
/// # Errors
/// When the server cannot be reached or goes away.
pub fn closed(endpoint: &Endpoint, plan: &Plan, how: Closed) -> Result<Outcome> {
    let threads = how.threads.clamp(1, how.connections);
    let outcomes: Vec<Result<Outcome>> = thread::scope(|scope| {
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || one_thread(endpoint, plan, how, thread, threads))).collect();
        let join = |handle: thread::ScopedJoinHandle<'_, Result<Outcome>>| {
            handle.join().unwrap_or_else(|_| Err(Error::new("a client thread panicked")))
        };
        running.into_iter().map(join).collect()
    });
    let mut total = Outcome::default();
    for outcome in outcomes {
        total.merge(outcome?);
    }
    Ok(total)
}

fn one_thread(endpoint: &Endpoint, plan: &Plan, how: Closed, thread: u64, threads: u64) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    runtime.block_on(local.run_until(async {
        let mut workers = Vec::new();
        for index in (thread..how.connections).step_by(threads as usize) {
            let lane = Lane { index, of: how.connections };
            let worker = Worker::open(endpoint, plan, lane, how.seed).await;
            workers.push(worker.context(|| format!("cannot connect to {}", endpoint.authority))?);
        }
        let tally = Rc::new(RefCell::new(Outcome::default()));
        let start = monotonic_ns();
        let end = start + how.duration.as_nanos() as u64;
        let running: Vec<_> = workers
            .into_iter()
            .map(|worker| tokio::task::spawn_local(until(worker, start, end, Rc::clone(&tally))))
            .collect();
        for worker in running {
            let last = worker.await.context(|| "a connection's task".to_owned())?;
            let last = last.context(|| format!("{} went away", endpoint.authority))?;
            tally.borrow_mut().last.extend(last);
        }
        let mut outcome = tally.take();
        outcome.elapsed_ns = monotonic_ns() - start;
        Ok(outcome)
    }))
}

async fn until(
    mut worker: Worker,
    start: u64,
    end: u64,
    tally: Rc<RefCell<Outcome>>,
) -> std::io::Result<Option<super::tally::Last>> {
    let mut now = start;
    while now < end {
        now = worker.step(now, &tally).await?;
    }
    Ok(worker.into_last())
}
