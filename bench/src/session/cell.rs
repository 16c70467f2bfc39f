//! All repetitions of one workload on one target, and the figures to quote.

use std::collections::BTreeMap;

use super::Figures;
use crate::load::OpenOutcome;
use crate::stats::{Latency, Spread, median};
use crate::target::fsyncs;
use crate::workload::Kind;

/// One slice between its two calibrations.
#[derive(Clone, Debug)]
pub struct Repetition {
    /// The slice.
    pub figures: Figures,
    /// The calibration before.
    pub before: Figures,
    /// The calibration after.
    pub after: Figures,
    /// Growth of the server's own counters.
    pub counters: BTreeMap<String, f64>,
}

/// One field of the table.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The workload.
    pub kind: Kind,
    /// Index of the target.
    pub target: usize,
    /// Latencies of all repetitions.
    pub latency: Latency,
    /// Right answers in all measured slices.
    pub right: u64,
    /// Wrong and missing answers in all measured slices.
    pub wrong: u64,
    /// The server does not know the operation.
    pub unsupported: bool,
    /// The repetitions in order.
    pub repetitions: Vec<Repetition>,
}

/// One open loop.
#[derive(Clone, Debug)]
pub struct OpenCell {
    /// The workload.
    pub kind: Kind,
    /// Index of the target; `None` is the bare HTTP server, which syncs where the workload writes: what this machine leaves
    /// at this rate to a server that does nothing else.
    pub target: Option<usize>,
    /// Requests due a second.
    pub rate: u64,
    /// What it saw.
    pub outcome: OpenOutcome,
    /// Time per request in microseconds that threads of the server were ready to run and had no processor.
    pub server_wait_us: Option<f64>,
    /// As much of the client.
    pub client_wait_us: Option<f64>,
}

impl OpenCell {
    /// Whom it asked, where the targets have these names.
    pub fn server<'a>(&self, names: &'a [String]) -> &'a str {
        match self.target {
            Some(target) => &names[target],
            None if self.kind.writes() => "bare HTTP server that syncs",
            None => "bare HTTP server",
        }
    }

    /// The time within which this share of requests was answered, over that of half of them.
    pub fn over_median(&self, share: f64) -> f64 {
        let latency = &self.outcome.outcome.latency;
        latency.quantile_us(share) / latency.quantile_us(0.5)
    }
}

impl Repetition {
    /// The server's processor time per request over the calibrator's (mean of before and after).
    pub fn cpu_ratio(&self) -> Option<f64> {
        let calibrator = (self.before.server_cpu_us? + self.after.server_cpu_us?) / 2.0;
        Some(self.figures.server_cpu_us? / calibrator)
    }

    /// Requests a second over the calibrator's.
    pub fn wall_ratio(&self) -> f64 {
        self.figures.per_second / ((self.before.per_second + self.after.per_second) / 2.0)
    }
}

impl Cell {
    /// A field without repetitions yet.
    pub fn new(kind: Kind, target: usize) -> Cell {
        Cell {
            kind,
            target,
            latency: Latency::default(),
            right: 0,
            wrong: 0,
            unsupported: false,
            repetitions: Vec::new(),
        }
    }

    /// Requests a second.
    pub fn per_second(&self) -> f64 {
        self.median_of(|repetition| Some(repetition.figures.per_second)).unwrap_or(0.0)
    }

    /// The server's processor time per request in microseconds.
    pub fn server_cpu_us(&self) -> Option<f64> {
        self.median_of(|repetition| repetition.figures.server_cpu_us)
    }

    /// The client's processor time per request in microseconds.
    pub fn client_cpu_us(&self) -> f64 {
        self.median_of(|repetition| Some(repetition.figures.client_cpu_us)).unwrap_or(0.0)
    }

    /// Share of the machine that others took, its hypervisor included.
    pub fn disturbed(&self) -> f64 {
        self.median_of(|repetition| Some(repetition.figures.others + repetition.figures.steal)).unwrap_or(0.0)
    }

    /// CPU ratios of the repetitions.
    pub fn cpu_ratio(&self) -> Option<Spread> {
        Spread::of(self.repetitions.iter().filter_map(Repetition::cpu_ratio).collect::<Vec<_>>())
    }

    /// Wall ratios of the repetitions.
    pub fn wall_ratio(&self) -> Option<Spread> {
        Spread::of(self.repetitions.iter().map(Repetition::wall_ratio).collect::<Vec<_>>())
    }

    /// Syncs of the server's log per request, over all repetitions; `None` where the server does not count them.
    pub fn fsyncs_per_request(&self) -> Option<f64> {
        let syncs: Option<Vec<f64>> = self.repetitions.iter().map(|repetition| fsyncs(&repetition.counters)).collect();
        let syncs: f64 = syncs?.iter().sum();
        (self.right > 0).then(|| syncs / self.right as f64)
    }

    fn median_of(&self, figure: impl Fn(&Repetition) -> Option<f64>) -> Option<f64> {
        median(self.repetitions.iter().filter_map(figure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(per_second: f64, cpu: f64) -> Figures {
        Figures { per_second, server_cpu_us: Some(cpu), ..Figures::default() }
    }

    #[test]
    fn ratios_are_against_the_calibrations_around() {
        let mut cell = Cell::new(Kind::PutItem, 0);
        cell.right = 100;
        for factor in [1.0, 2.0, 3.0] {
            cell.repetitions.push(Repetition {
                figures: figures(1000.0, 20.0 * factor),
                before: figures(3000.0, 3.0),
                after: figures(5000.0, 5.0),
                counters: BTreeMap::from([("dynamo_fsyncs_total".to_owned(), 10.0)]),
            });
        }
        let ratio = cell.cpu_ratio().expect("three repetitions");
        assert_eq!((ratio.low, ratio.median, ratio.high), (5.0, 10.0, 15.0));
        assert_eq!(cell.wall_ratio().expect("three repetitions").median, 0.25);
        assert_eq!(cell.fsyncs_per_request(), Some(0.3));
    }
}
