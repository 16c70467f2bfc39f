//! One workload for long, interval by interval: does anything grow, or slow down?
//!
//! Two uses. *Soak*: few connections that write for minutes while compactions run; p99 must stay, and the state on disk
//! must stay below three times the live data. *Overload*: far more in flight than the server takes (its queue holds a
//! bounded number of bytes), for instance `--connections 2000 --item-bytes 100000`; memory must stay bounded, and who is
//! turned away must be told so (ProvisionedThroughputExceededException), not lost.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hlc::source::WallClock;

use crate::client::Caller;
use crate::error::{Context, Error, Result};
use crate::load::Closed;
use crate::machine::{Machine, date_utc, disk_bytes, resident};
use crate::place::{RunFolder, command_line, next_to_this_binary, revision};
use crate::session::{log_and_state, measure, progress};
use crate::target::{Launch, Process, Target};
use crate::workload::{Dataset, Kind, Plan, Style, load};

/// The state on disk may be so many times the live data at the worst moment.
const STATE_OVER_PAYLOAD_MAX: f64 = 3.0;

/// What the subcommand is told.
#[derive(Debug, Args)]
pub struct EndureArguments {
    /// Measure a light client beside heavy neighbours instead: one row, of --interval seconds, for each kind of them
    #[arg(long)]
    pub(crate) neighbours: bool,
    /// With --neighbours: the servers on one half of the processors, the clients on the other
    #[arg(long, requires = "neighbours")]
    pub(crate) apart: bool,
    /// With --neighbours: items that expire at once, and are swept
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) swept: u64,
    /// Binary of dynamo-server [default: the one next to this binary]
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// Start the server with so many shards
    #[arg(long)]
    pub(crate) shards: Option<u32>,
    /// The workload (see `bench list`)
    #[arg(long, default_value = "put")]
    workload: String,
    /// Items in the table
    #[arg(long, default_value_t = 100_000)]
    items: u64,
    /// Size of an item in bytes, as DynamoDB bills it
    #[arg(long, default_value_t = 1024)]
    item_bytes: u64,
    /// Connections, each with one request in flight
    #[arg(long, default_value_t = 16)]
    connections: u64,
    /// Client threads
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// Seconds in all
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
    /// Seconds of one row
    #[arg(long, default_value_t = 10.0)]
    pub(crate) interval: f64,
    /// Memory in MiB that the server must never exceed; the run fails if it does
    #[arg(long)]
    memory_max: Option<u64>,
    /// Folder below which the run makes its own, on the disk to be measured
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    pub(crate) folder: PathBuf,
    /// Folder for the results
    #[arg(long, default_value = "bench/results")]
    pub(crate) out: PathBuf,
    /// Name of the results' file, after the date
    #[arg(long, default_value = "endure")]
    pub(crate) label: String,
}

/// What the intervals came to.
#[derive(Default)]
struct Worst {
    p99_us: f64,
    memory_bytes: u64,
    state_bytes: u64,
    throttled: u64,
    failed: u64,
    first_failed: Option<String>,
}

/// Runs the subcommand; false when something was lost, wrong, or out of bounds.
///
/// # Errors
/// When the server does not start, refuses to be loaded or goes away.
pub fn run(arguments: &EndureArguments) -> Result<bool> {
    let folder = RunFolder::create(&arguments.folder)?;
    let kind = Kind::from_slug(&arguments.workload)
        .ok_or_else(|| Error::new(format!("no workload is called {}; see `bench list`", arguments.workload)))?;
    let launch = Launch {
        binary: arguments.server.clone().map_or_else(|| next_to_this_binary("dynamo-server"), Ok)?,
        data: Some(folder.path().join("data")),
        shards: arguments.shards,
        arguments: Vec::new(),
        log: folder.path().join("server.log"),
    };
    let target = Target::ours("dynamo-server", vec![Process::start(&launch)?.0]);
    let dataset = Dataset {
        items: arguments.items.max(4 * arguments.connections),
        item_bytes: arguments.item_bytes,
        style: Style::Plain,
    };
    let mut caller = Caller::new(&target.endpoint)?;
    progress(&format!("loading {} items", dataset.items));
    load(&mut caller, dataset, kind.table())?;

    let mut text = head(arguments, &folder, kind);
    print!("{text}");
    let intervals = (arguments.seconds / arguments.interval).ceil().max(1.0) as u64;
    let (mut worst, mut first_p99_us) = (Worst::default(), 0.0);
    for interval in 0..intervals {
        let row = one(arguments, &target, &mut caller, (dataset, kind, interval), &mut worst)?;
        print!("{}", row.0);
        text += &row.0;
        if interval == 0 {
            first_p99_us = row.1;
        }
    }
    let (verdict, is_fine) = verdict(arguments, &worst, first_p99_us, dataset.payload_bytes(kind.table()));
    print!("{verdict}");
    text += &verdict;
    crate::scale::write(&arguments.out, &format!("{}-{}.md", date_utc(WallClock.now_ms()), arguments.label), &text)?;
    Ok(is_fine)
}

/// One interval: its row, and its p99.
fn one(
    arguments: &EndureArguments,
    target: &Target,
    caller: &mut Caller,
    (dataset, kind, interval): (Dataset, Kind, u64),
    worst: &mut Worst,
) -> Result<(String, f64)> {
    let plan = Plan::new(kind, dataset, caller, interval + 1)?;
    let duration = Duration::try_from_secs_f64(arguments.interval).context(|| "--interval".to_owned())?;
    let how = Closed { connections: arguments.connections, threads: arguments.threads, duration, seed: interval + 1 };
    let slice = measure(&target.endpoint, || target.cpu_ns(), &plan, how)?;
    let outcome = &slice.outcome;
    let failed = outcome.wrong - outcome.throttled + outcome.lost;
    let (memory, peak) = target.pid.and_then(resident).unwrap_or_default();
    let data = target.process.as_ref().and_then(|process| process.data());
    let (log, state) = log_and_state(&data.map(disk_bytes).unwrap_or_default());
    let p99_us = outcome.latency.quantile_us(0.99);
    worst.p99_us = worst.p99_us.max(p99_us);
    worst.memory_bytes = worst.memory_bytes.max(peak);
    worst.state_bytes = worst.state_bytes.max(state);
    worst.throttled += outcome.throttled;
    worst.failed += failed;
    worst.first_failed = worst.first_failed.take().or(outcome.first_failed.clone());
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let row = format!(
        "| {:.0} | {:.0} | {:.1} | {:.0} | {p99_us:.0} | {:.0} | {} | {failed} | {:.0} | {:.0} | {:.0} | {:.0} |\n",
        (interval + 1) as f64 * arguments.interval,
        slice.figures.per_second,
        slice.figures.server_cpu_us.unwrap_or(0.0),
        outcome.latency.quantile_us(0.5),
        outcome.latency.max_us(),
        outcome.throttled,
        mib(memory),
        mib(peak),
        mib(state),
        mib(log),
    );
    Ok((row, p99_us))
}

fn head(arguments: &EndureArguments, folder: &RunFolder, kind: Kind) -> String {
    format!(
        "# {} for {:.0} s, {}\n\nMachine: {}.  \nCommand: `{}`{}.  \n{} connections, items of {} B.\n\n\
         | after s | requests/s | CPU µs | p50 µs | p99 µs | max µs | throttled | failed | RSS MiB | peak | state MiB | log MiB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
        kind.title(&format!("{} B", arguments.item_bytes)),
        arguments.seconds,
        date_utc(WallClock.now_ms()),
        Machine::here(folder.path()),
        command_line(),
        revision().map(|commit| format!(", at commit {commit}")).unwrap_or_default(),
        arguments.connections,
        arguments.item_bytes,
    )
}

fn verdict(arguments: &EndureArguments, worst: &Worst, first_p99_us: f64, payload_bytes: u64) -> (String, bool) {
    let state = worst.state_bytes as f64 / payload_bytes.max(1) as f64;
    let memory_mib = worst.memory_bytes >> 20;
    let within_memory = arguments.memory_max.is_none_or(|most| memory_mib <= most);
    let is_fine = worst.failed == 0 && state <= STATE_OVER_PAYLOAD_MAX && within_memory;
    let mut text = format!(
        "\n{} failed, {} throttled; p99 {first_p99_us:.0} µs in the first interval, {:.0} µs in the worst; memory at most {memory_mib} MiB; state on disk at most \
         {state:.2} × the live data (bound: {STATE_OVER_PAYLOAD_MAX}).\n",
        worst.failed, worst.throttled, worst.p99_us
    );
    if let Some(first) = &worst.first_failed {
        text += &format!("\nThe first failure: {first}\n");
    }
    text += if is_fine { "\nWithin bounds.\n" } else { "\n**Out of bounds.**\n" };
    (text, is_fine)
}
