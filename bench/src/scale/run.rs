//! A run of the subcommand under way: servers that start, are measured and go.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Result;
use crate::load::Closed;
use crate::place::RunFolder;
use crate::session::Beside;
use crate::target::{Launch, Process, Target};

/// A run of the subcommand under way.
pub(super) struct Scale {
    pub(super) binary: PathBuf,
    pub(super) shards: Option<u32>,
    pub(super) folder: RunFolder,
    pub(super) connections: u64,
    pub(super) repetitions: u32,
    pub(super) seconds: Duration,
    /// Servers started so far.
    pub(super) started: u64,
    pub(super) problems: Vec<String>,
}

impl Scale {
    /// A fresh server.
    pub(super) fn start(&mut self) -> Result<Target> {
        self.started += 1;
        let launch = Launch {
            binary: self.binary.clone(),
            data: Some(self.folder.path().join(format!("data-{}", self.started))),
            shards: self.shards,
            arguments: Vec::new(),
            log: self.folder.path().join("server.log"),
        };
        let (process, _) = Process::start(&launch)?;
        Ok(Target::ours("dynamo-server", vec![process]))
    }

    pub(super) fn beside(&self) -> Result<Beside> {
        Beside::start(self.seconds / 2)
    }

    pub(super) fn closed(&self, seed: u64) -> Closed {
        Closed { connections: self.connections, threads: 1, duration: self.seconds, seed }
    }

    /// Ends a server and removes its data: the next one needs the room.
    pub(super) fn finish(&mut self, mut target: Target) {
        let data = target.process.as_ref().and_then(|process| process.data().map(Path::to_owned));
        if let Some(Err(error)) = target.process.as_mut().map(|process| process.stop()) {
            self.problems.push(error.to_string());
        }
        drop(target);
        if let Some(Err(error)) = data.map(fs::remove_dir_all) {
            self.problems.push(format!("removing data: {error}"));
        }
    }

    pub(super) fn note(&mut self, what: &str, outcome: &crate::load::Outcome) {
        if let Some(first) = &outcome.first_wrong {
            self.problems.push(format!("{what}: {} wrong, the first: {first}", outcome.wrong + outcome.lost));
        }
    }
}

/// A figure for a cell.
pub(super) fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

/// Bytes as MiB.
pub(super) fn mib(bytes: Option<u64>) -> String {
    figure(bytes.map(|bytes| bytes as f64 / f64::from(1 << 20)), 1)
}
