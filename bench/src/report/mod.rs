//! A run's results for people (Markdown, a plot) and for programs (JSON).

mod canvas;
mod json;
mod markdown;
mod plot;

use std::fs;
use std::path::Path;

use crate::error::{Context, Result};
use crate::machine::Machine;
use crate::session::{Results, Settings};

/// Results, and how they came about.
pub struct Report {
    /// Day of the run.
    pub date: String,
    /// Machine of the run.
    pub machine: Machine,
    /// Commit of the clone that the run was made in.
    pub revision: Option<String>,
    /// The command that made it.
    pub command: String,
    /// Shards of the server that was started, if other than its default.
    pub shards: Option<u32>,
    /// Nodes of the cluster that was started.
    pub nodes: u64,
    /// The first server was started by this run.
    pub started: bool,
    /// It kept everything in memory.
    pub in_memory: bool,
    /// The run was too short to measure anything.
    pub quick: bool,
    /// Names of the targets.
    pub names: Vec<String>,
    /// What was measured.
    pub settings: Settings,
    /// What was found.
    pub results: Results,
}

impl Report {
    /// The goals are for one node with one shard.
    pub fn has_goals(&self) -> bool {
        self.nodes == 1 && self.shards.unwrap_or(1) == 1
    }
}

/// Prints the table, and writes `NAME.md`, `NAME.json` and `NAME.png` into the folder.
pub fn write(report: &Report, folder: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(folder).context(|| format!("cannot create {}", folder.display()))?;
    let text = markdown::render(report, name);
    println!("{text}");
    let files = [("md", text.into_bytes()), ("json", json::render(report)), ("png", plot::render(report)?)];
    for (ending, bytes) in files {
        let path = folder.join(format!("{name}.{ending}"));
        fs::write(&path, bytes).context(|| format!("cannot write {}", path.display()))?;
        eprintln!("bench: wrote {}", path.display());
    }
    Ok(())
}
