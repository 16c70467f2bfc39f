//! What a report is made of.

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
    /// What was asked for and could not be measured.
    pub left_out: Option<String>,
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
