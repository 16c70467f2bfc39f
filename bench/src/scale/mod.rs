//! What grows: more items, larger items, more tables, one large partition.
//!
//! Each row runs on a server of its own, so that no row pays for the one before. The costs are the main table's (server
//! CPU per request over the calibrator's, requests a second over its), so that one sees at a glance what growing costs.

mod growth;
mod many_tables;
mod partition;
mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hlc::source::WallClock;

use self::run::Scale;
use crate::error::{Context, Error, Result};
use crate::machine::{Machine, date_utc};
use crate::place::{RunFolder, command_line, next_to_this_binary, revision};
use crate::session::progress;

/// What the subcommand is told.
#[derive(Debug, Args)]
pub struct ScaleArguments {
    /// Binary of dynamo-server [default: the one next to this binary]
    #[arg(long)]
    server: Option<PathBuf>,
    /// Start each server with so many shards
    #[arg(long)]
    shards: Option<u32>,
    /// Numbers of small items; 10,000,000 take some minutes to load. Empty for none
    #[arg(long, default_value = "10000,1000000")]
    items: String,
    /// Size of the small items in bytes, as DynamoDB bills it
    #[arg(long, default_value_t = 100)]
    item_bytes: u64,
    /// Sizes of items, in bytes
    #[arg(long, default_value = "100,1024,10240,102400,400000")]
    sizes: String,
    /// Numbers of tables
    #[arg(long, default_value = "1,10,1000")]
    tables: String,
    /// Rows of the one large partition; 0 for none
    #[arg(long, default_value_t = 1_000_000)]
    partition: u64,
    /// Connections
    #[arg(long, default_value_t = 16)]
    connections: u64,
    /// Times that everything is measured
    #[arg(long, default_value_t = 3)]
    repetitions: u32,
    /// Measured seconds per slice
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
    /// Folder below which the run makes its own, on the disk to be measured
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// Folder for the results
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
    /// Name of the results' file, after the date
    #[arg(long, default_value = "scale")]
    label: String,
    /// Little of everything: proves that it works, measures nothing
    #[arg(long)]
    quick: bool,
}

/// Runs the subcommand; false when a server answered wrongly.
///
/// # Errors
/// When a server does not start or refuses to be loaded.
pub fn run(arguments: &ScaleArguments) -> Result<bool> {
    let (mut items, mut sizes) = (numbers(&arguments.items)?, numbers(&arguments.sizes)?);
    let (mut tables, mut partition) = (numbers(&arguments.tables)?, arguments.partition);
    let (mut repetitions, mut seconds) = (arguments.repetitions.max(1), arguments.seconds);
    if arguments.quick {
        items.truncate(1);
        items.iter_mut().for_each(|count| *count = (*count).min(1_000));
        sizes.truncate(1);
        tables.retain(|count| *count <= 10);
        partition = partition.min(5_000);
        repetitions = 1;
        seconds = seconds.min(0.1);
    }
    let mut scale = Scale {
        binary: arguments.server.clone().map_or_else(|| next_to_this_binary("dynamo-server"), Ok)?,
        shards: arguments.shards,
        folder: RunFolder::create(&arguments.folder)?,
        connections: arguments.connections.max(1),
        repetitions,
        seconds: Duration::try_from_secs_f64(seconds).context(|| "--seconds".to_owned())?,
        started: 0,
        problems: Vec::new(),
    };
    let mut text = head(&scale, arguments);
    if !items.is_empty() {
        text += &growth::of_items(&mut scale, &items, arguments.item_bytes)?;
    }
    if !sizes.is_empty() {
        text += &growth::of_sizes(&mut scale, &sizes)?;
    }
    if !tables.is_empty() {
        text += &many_tables::table(&mut scale, &tables, arguments.item_bytes)?;
    }
    if partition > 0 {
        text += &partition::table(&mut scale, partition)?;
    }
    for problem in &scale.problems {
        text += &format!("\n**Wrong: {problem}**\n");
        eprintln!("bench: {problem}");
    }
    println!("{text}");
    write(&arguments.out, &format!("{}-{}.md", date_utc(WallClock.now_ms()), arguments.label), &text)?;
    Ok(scale.problems.is_empty())
}

/// Numbers above 0 with commas between them.
///
/// # Errors
/// For anything else.
pub fn numbers(text: &str) -> Result<Vec<u64>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(Error::new(format!("{part} is not a number above 0"))),
        })
        .collect()
}

/// Writes a page of results.
pub fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(folder).context(|| format!("cannot create {}", folder.display()))?;
    fs::write(&path, text).context(|| format!("cannot write {}", path.display()))?;
    progress(&format!("wrote {}", path.display()));
    Ok(())
}

fn head(scale: &Scale, arguments: &ScaleArguments) -> String {
    let quick = if arguments.quick { "**A quick run: it measures nothing.**\n\n" } else { "" };
    let shards = scale.shards.map_or("the default number of shards".to_owned(), |shards| format!("{shards} shards"));
    format!(
        "# What growing costs, {}\n\n{quick}Machine: {}.  \nCommand: `{}`{}.  \nEach row on a fresh server with {shards}, every write synced; {} \
         connections; medians of {} × {:.1} s. *CPU ratio* and *wall* are against the calibrator, as in the main table.\n",
        date_utc(WallClock.now_ms()),
        Machine::here(scale.folder.path()),
        command_line(),
        revision().map(|commit| format!(", at commit {commit}")).unwrap_or_default(),
        scale.connections,
        scale.repetitions,
        scale.seconds.as_secs_f64(),
    )
}
