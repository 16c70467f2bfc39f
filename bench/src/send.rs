//! So many requests of one workload, counted instead of timed: for profilers.
//!
//! Tables are filled and connections opened and warmed up before it says `ready`; it sends the requests when a line comes
//! on its standard input, says `sent`, and waits for another line before it checks what it wrote. Whoever counts what the
//! server does begins before the one and ends before the other (`tools/profile/request.py`).

use std::cell::RefCell;
use std::rc::Rc;

use clap::Args;
use tokio::task::LocalSet;

use crate::client::{Caller, Endpoint};
use crate::error::{Context, Error, Result};
use crate::load::{Outcome, Worker};
use crate::machine::monotonic_ns;
use crate::workload::{Dataset, Kind, Lane, Plan, Style, load, verify};

/// Requests of each connection before those that count.
const WARM_UP: u64 = 50;

/// Arguments of the subcommand.
#[derive(Debug, Args)]
pub struct SendArguments {
    /// The running server
    #[arg(long)]
    endpoint: String,
    /// The workload (see `bench list`)
    #[arg(long, default_value = "get")]
    workload: String,
    /// What items are made of and who asks for them
    #[arg(long, value_enum, default_value_t)]
    load: Style,
    /// Requests in all
    #[arg(long, default_value_t = 1_000)]
    requests: u64,
    /// Connections, each with one request in flight
    #[arg(long, default_value_t = 1)]
    connections: u64,
    /// Items in the table
    #[arg(long, default_value_t = 400)]
    items: u64,
    /// Size of an item in bytes, as DynamoDB bills it
    #[arg(long, default_value_t = 1024)]
    item_bytes: u64,
}

/// Runs the subcommand; false when an answer was wrong.
///
/// # Errors
/// When the server refuses to be loaded or goes away.
pub fn run(arguments: &SendArguments) -> Result<bool> {
    let endpoint = Endpoint::parse(&arguments.endpoint)?;
    let kind = Kind::from_slug(&arguments.workload)
        .ok_or_else(|| Error::new(format!("no workload is called {}; see `bench list`", arguments.workload)))?;
    let dataset = Dataset { items: arguments.items, item_bytes: arguments.item_bytes, style: arguments.load };
    let mut caller = Caller::new(&endpoint)?;
    load(&mut caller, dataset, kind.table())?;
    let plan = Plan::new(kind, dataset, &mut caller, 1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let mut outcome = runtime.block_on(local.run_until(send(&endpoint, &plan, arguments)))?;
    if let Some(broken) = verify(&mut caller, &plan, &[&outcome])? {
        outcome.first_wrong.get_or_insert(broken);
    }
    if let Some(wrong) = &outcome.first_wrong {
        eprintln!("bench: {wrong}");
    }
    Ok(outcome.first_wrong.is_none())
}

async fn send(endpoint: &Endpoint, plan: &Plan, arguments: &SendArguments) -> Result<Outcome> {
    let tally = Rc::new(RefCell::new(Outcome::default()));
    let mut workers = Vec::new();
    for index in 0..arguments.connections {
        let lane = Lane { index, of: arguments.connections };
        let mut worker = Worker::open(endpoint, plan, lane, 7).await?;
        for _ in 0..WARM_UP {
            worker.step(monotonic_ns(), &tally).await?;
        }
        workers.push(worker);
    }
    println!("ready");
    std::io::stdin().read_line(&mut String::new())?;
    let each = arguments.requests / arguments.connections.max(1);
    let sending: Vec<_> = workers
        .into_iter()
        .map(|mut worker| {
            let tally = Rc::clone(&tally);
            tokio::task::spawn_local(async move {
                for _ in 0..each {
                    worker.step(monotonic_ns(), &tally).await?;
                }
                std::io::Result::Ok(worker)
            })
        })
        .collect();
    let mut done = Vec::new();
    for task in sending {
        done.push(task.await.context(|| "a connection's task".to_owned())??);
    }
    println!("sent");
    std::io::stdin().read_line(&mut String::new())?;
    let mut outcome = tally.take();
    outcome.last.extend(done.into_iter().filter_map(Worker::into_last));
    Ok(outcome)
}
