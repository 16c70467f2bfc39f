//! The command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use hlc::source::WallClock;

use crate::calibrator::{self, Calibrator, REPLY_BYTES};
use crate::disk::DiskFile;
use crate::endure::{self, EndureArguments};
use crate::error::{Context, Error, Result};
use crate::load::Closed;
use crate::machine::{Machine, date_utc};
use crate::neighbours;
use crate::place::{RunFolder, command_line, next_to_this_binary, revision};
use crate::postgres::{self, Postgres};
use crate::report::{self, Report};
use crate::scale::{self, ScaleArguments};
use crate::send::{self, SendArguments};
use crate::session::{self, Footprint, Settings, progress};
use crate::stats::median;
use crate::target::{Launch, Process, Target};
use crate::workload::{Dataset, Kind, Style, calibration};

/// Starts of the server on an empty folder whose median is the start-up time.
const STARTS: usize = 5;
/// Rates of the open loops unless others are asked for, in requests a second.
const RATES: [(Kind, [u64; 3]); 2] = [(Kind::GetItem, [1_000, 5_000, 20_000]), (Kind::PutItem, [500, 2_000, 5_000])];

/// Measures a DynamoDB-compatible server over HTTP, beside a calibrator and, if asked, beside peers.
///
/// Starts the dynamo-server that lies next to this binary (or the one given), loads tables named bench_…, runs every
/// workload several times between slices of a bare hyper server, checks every reply, and writes a table (Markdown),
/// all figures (JSON) and a plot (PNG). Tables named bench_… of a given endpoint are deleted and recreated.
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve as the calibrator until standard input closes (started by the run itself).
    Calibrator {
        /// Threads of its runtime.
        #[arg(long, default_value_t = 1)]
        threads: u64,
        /// Folder with a file that every body is written to, and synced, before it is answered.
        #[arg(long)]
        sync_in: Option<PathBuf>,
    },
    /// Print the calibrator's own figures, slice after slice.
    Calibrate {
        /// Threads of its runtime.
        #[arg(long, default_value_t = 1)]
        threads: u64,
        /// Connections.
        #[arg(long, default_value_t = 16)]
        connections: u64,
        /// Number of slices.
        #[arg(long, default_value_t = 10)]
        slices: u64,
        /// Seconds per slice.
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
    },
    /// Print what the disk gives to 1, 16 and 64 writers that share syncs.
    Disk {
        /// Folder on the disk.
        #[arg(long, default_value = ".")]
        folder: PathBuf,
        /// Seconds per number of writers.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Print the workloads.
    List,
    /// What grows: more items, more tables, larger items, one large partition; on servers of its own.
    Scale(ScaleArguments),
    /// One workload for long, interval by interval, with memory and disk: soak, and sustained overload.
    Endure(EndureArguments),
    /// Send so many requests of one workload to a running server when told to: for profilers
    Send(SendArguments),
}

#[derive(Debug, Args)]
struct RunArguments {
    /// Binary of dynamo-server [default: the one next to this binary]
    #[arg(long, conflicts_with = "endpoint")]
    server: Option<PathBuf>,
    /// Measure this running server instead of starting one
    #[arg(long)]
    endpoint: Option<String>,
    /// Name of the measured server in tables
    #[arg(long, default_value = "dynamo-server")]
    name: String,
    /// Measure this running server too, in the same run (NAME=URL; may be repeated)
    #[arg(long, value_name = "NAME=URL")]
    compare: Vec<String>,
    /// Start the server in memory instead of on disk
    #[arg(long)]
    in_memory: bool,
    /// Start the server with so many shards
    #[arg(long)]
    shards: Option<u32>,
    /// Start a cluster of so many nodes on this machine and ask its first one; its processor time is that of all
    #[arg(long, default_value_t = 1)]
    nodes: u64,
    /// Further argument for the server that is started (may be repeated)
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// Items in the main table
    #[arg(long, default_value_t = 10_000)]
    items: u64,
    /// Size of an item in bytes, as DynamoDB bills it
    #[arg(long, default_value_t = 1024)]
    item_bytes: u64,
    /// Only these workloads, separated by commas (see `bench list`)
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Connections of the closed loop
    #[arg(long, default_value_t = 16)]
    connections: u64,
    /// What items are made of and who asks for them
    #[arg(long, value_enum, default_value_t)]
    load: Style,
    /// Measure PostgreSQL too, where it is installed: synced upserts and reads by key beside PutItem and GetItem
    #[arg(long)]
    postgres: bool,
    /// Client threads
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// Times that every workload is measured
    #[arg(long, default_value_t = 5)]
    repetitions: u32,
    /// Measured seconds per slice
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Seconds of warm-up before each slice
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Seconds per calibration
    #[arg(long, default_value_t = 1.0)]
    calibrate: f64,
    /// Open loop: workload and requests a second (get=1000,5000; may be repeated; "none" for no open loops)
    #[arg(long, value_name = "WORKLOAD=RATE,…")]
    rates: Vec<String>,
    /// Connections of the open loop
    #[arg(long, default_value_t = 64)]
    open_connections: u64,
    /// Measured seconds per open loop
    #[arg(long, default_value_t = 5.0)]
    open_seconds: f64,
    /// Numbers of writers for the group-commit figures, separated by commas; empty for none
    #[arg(long, default_value = "1,16,64")]
    writers: String,
    /// Folder below which the run makes its own, on the disk to be measured
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// Folder for the results
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
    /// Name of the results' files, after the date
    #[arg(long, default_value = "table")]
    label: String,
    /// A minute instead of ten: little data, short slices, one repetition. Proves that everything works, measures
    /// nothing
    #[arg(long)]
    quick: bool,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Calibrator { threads, sync_in }) => {
            calibrator::serve_until_input_closes(threads, sync_in.as_deref()).map(|()| true)
        }
        Some(Command::Calibrate { threads, connections, slices, seconds }) => {
            let how = Closed { connections, threads: 1, duration: Duration::from_secs_f64(seconds), seed: 0 };
            print_calibrations(threads, how, slices).map(|()| true)
        }
        Some(Command::Disk { folder, seconds }) => print_disk(&folder, seconds).map(|()| true),
        Some(Command::List) => {
            print_workloads();
            Ok(true)
        }
        Some(Command::Scale(arguments)) => scale::run(&arguments),
        Some(Command::Endure(arguments)) if arguments.neighbours => neighbours::run(&arguments),
        Some(Command::Endure(arguments)) => endure::run(&arguments),
        Some(Command::Send(arguments)) => send::run(&arguments),
        None => measure(cli.run),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_workloads() {
    for kind in Kind::ALL {
        println!("{:<16} {}", kind.slug(), kind.title("1 KB"));
    }
}

fn print_disk(folder: &Path, seconds: f64) -> Result<()> {
    let disk = DiskFile::create(folder)?;
    println!("| writers | writes/s | syncs/s |\n|---|---|---|");
    for writers in [1, 16, 64] {
        let rate = disk.rate(writers, 1024, Duration::from_secs_f64(seconds))?;
        println!("| {writers} | {:.0} | {:.0} |", rate.writes_per_second, rate.syncs_per_second);
    }
    Ok(())
}

fn print_calibrations(threads: u64, how: Closed, slices: u64) -> Result<()> {
    let calibrator = Calibrator::start(threads)?;
    let plan = calibration(&calibrator.endpoint, REPLY_BYTES, Style::Plain);
    println!("| requests/s | p50 µs | CPU µs | client CPU µs | others |\n|---|---|---|---|---|");
    for seed in 0..slices {
        let how = Closed { seed, ..how };
        let slice = session::measure(&calibrator.endpoint, || calibrator.clock.cpu_ns().ok(), &plan, how)?;
        let figures = slice.figures;
        println!(
            "| {:.0} | {:.0} | {:.2} | {:.2} | {:.0} % |",
            figures.per_second,
            slice.outcome.latency.quantile_us(0.5),
            figures.server_cpu_us.unwrap_or(0.0),
            figures.client_cpu_us,
            figures.others * 100.0
        );
    }
    Ok(())
}

/// The whole run; false when a server answered wrongly.
fn measure(mut arguments: RunArguments) -> Result<bool> {
    let folder = RunFolder::create(&arguments.folder)?;
    let settings = settings(&mut arguments, folder.path())?;
    let (mut targets, mut footprints) = targets(&arguments, folder.path())?;
    let left_out = match arguments.postgres.then(postgres::installed) {
        None => None,
        Some(None) => Some("PostgreSQL was asked for and is not installed here: left out.".to_owned()),
        Some(Some((programs, version))) => {
            let postgres = Postgres::start(&programs, folder.path(), settings.connections)?;
            targets.push(Target::postgres(&format!("PostgreSQL {version}"), postgres));
            footprints.push(Footprint::default());
            None
        }
    };
    if let Some(text) = &left_out {
        progress(text);
    }
    let results = session::run(&settings, &mut targets, footprints)?;
    let report = Report {
        date: date_utc(WallClock.now_ms()),
        machine: Machine::here(folder.path()),
        revision: revision(),
        command: command_line(),
        shards: arguments.shards,
        nodes: arguments.nodes.max(1),
        started: arguments.endpoint.is_none(),
        in_memory: arguments.in_memory,
        quick: arguments.quick,
        left_out,
        names: targets.iter().map(|target| target.name.clone()).collect(),
        settings,
        results,
    };
    report::write(&report, &arguments.out, &format!("{}-{}", report.date, arguments.label))?;
    for problem in &report.results.problems {
        eprintln!("bench: {problem}");
    }
    Ok(report.results.problems.is_empty())
}

fn settings(arguments: &mut RunArguments, folder: &Path) -> Result<Settings> {
    if arguments.quick {
        // The tables must hold more than one page of 1 MB, or there is nothing to scan.
        arguments.items = arguments.items.min(1_500);
        arguments.repetitions = 1;
        arguments.seconds = arguments.seconds.min(0.2);
        arguments.warm_up = arguments.warm_up.min(0.05);
        arguments.calibrate = arguments.calibrate.min(0.1);
        arguments.open_seconds = arguments.open_seconds.min(0.3);
    }
    let items_min = (4 * arguments.connections.max(arguments.open_connections)).max(400);
    if arguments.items < items_min {
        return Err(Error::new(format!("too few items: batches and private keys need at least {items_min}")));
    }
    let seconds = Duration::try_from_secs_f64;
    Ok(Settings {
        dataset: Dataset { items: arguments.items, item_bytes: arguments.item_bytes, style: arguments.load },
        kinds: kinds(&arguments.only)?,
        repetitions: arguments.repetitions.max(1),
        measure: seconds(arguments.seconds).context(|| "--seconds".to_owned())?,
        warm_up: seconds(arguments.warm_up).context(|| "--warm-up".to_owned())?,
        calibrate: seconds(arguments.calibrate).context(|| "--calibrate".to_owned())?,
        connections: arguments.connections.max(1),
        threads: arguments.threads.max(1),
        rates: rates(&arguments.rates, arguments.quick)?,
        open_connections: arguments.open_connections.max(1),
        open_measure: seconds(arguments.open_seconds).context(|| "--open-seconds".to_owned())?,
        writers: scale::numbers(&arguments.writers)?,
        folder: folder.to_owned(),
    })
}

fn kinds(only: &[String]) -> Result<Vec<Kind>> {
    if only.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    only.iter().filter(|slug| *slug != "none").map(|slug| kind(slug)).collect()
}

fn kind(slug: &str) -> Result<Kind> {
    Kind::from_slug(slug).ok_or_else(|| Error::new(format!("no workload is called {slug}; see `bench list`")))
}

fn rates(texts: &[String], quick: bool) -> Result<Vec<(Kind, u64)>> {
    if texts.is_empty() {
        let count = if quick { 1 } else { usize::MAX };
        let default = |(kind, rates): (Kind, [u64; 3])| rates.into_iter().take(count).map(move |rate| (kind, rate));
        return Ok(RATES.into_iter().flat_map(default).collect());
    }
    let mut all = Vec::new();
    for text in texts.iter().filter(|text| *text != "none") {
        let (slug, rates) = text.split_once('=').ok_or_else(|| Error::new(format!("--rates {text}: no =")))?;
        let kind = kind(slug)?;
        all.extend(scale::numbers(rates)?.into_iter().map(|rate| (kind, rate)));
    }
    Ok(all)
}

fn targets(arguments: &RunArguments, folder: &Path) -> Result<(Vec<Target>, Vec<Footprint>)> {
    let mut targets = Vec::new();
    let mut footprints = Vec::new();
    match &arguments.endpoint {
        Some(url) => {
            targets.push(Target::running(&arguments.name, url)?);
            footprints.push(Footprint::default());
        }
        None => {
            let (target, footprint) = start(arguments, folder)?;
            targets.push(target);
            footprints.push(footprint);
        }
    }
    for text in &arguments.compare {
        let (name, url) = text.split_once('=').ok_or_else(|| Error::new(format!("--compare {text}: no =")))?;
        targets.push(Target::running(name, url)?);
        footprints.push(Footprint::default());
    }
    Ok((targets, footprints))
}

/// Starts the server several times on empty folders; the last one stays.
fn start(arguments: &RunArguments, folder: &Path) -> Result<(Target, Footprint)> {
    let binary = match &arguments.server {
        Some(path) => path.clone(),
        None => next_to_this_binary("dynamo-server")?,
    };
    let mut times = Vec::new();
    let mut kept = None;
    // A cluster waits for its first election, which says nothing about a start.
    for attempt in 0..if arguments.quick || arguments.nodes > 1 { 1 } else { STARTS } {
        drop(kept.take());
        let launch = Launch {
            binary: binary.clone(),
            data: (!arguments.in_memory).then(|| folder.join(format!("data-{attempt}"))),
            shards: arguments.shards,
            arguments: arguments.server_arg.clone(),
            log: folder.join("server.log"),
        };
        let (processes, ms) = Process::start_cluster(&launch, arguments.nodes.max(1))?;
        times.push(ms);
        kept = Some(processes);
    }
    let target = Target::ours(&arguments.name, kept.ok_or_else(|| Error::new("no server was started"))?);
    progress(&format!("{} listens on {}", target.name, target.endpoint.authority));
    let mut footprint = Footprint { start_ms: median(times), ..Footprint::default() };
    // What a start allocates and frees again has settled by then.
    std::thread::sleep(Duration::from_millis(if arguments.quick { 10 } else { 1000 }));
    footprint.idle(&target);
    Ok((target, footprint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn rates_are_read() {
        let texts = ["get=10,20".to_owned(), "put=5".to_owned()];
        let expected = vec![(Kind::GetItem, 10), (Kind::GetItem, 20), (Kind::PutItem, 5)];
        assert_eq!(rates(&texts, false).expect("valid"), expected);
        assert!(rates(&["none".to_owned()], false).expect("valid").is_empty());
        assert_eq!(rates(&[], true).expect("valid").len(), 2);
        assert!(rates(&["get=0".to_owned()], false).is_err());
        assert!(rates(&["nonsense=1".to_owned()], false).is_err());
    }
}
