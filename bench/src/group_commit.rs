//! How well writers share syncs: PutItem from few and many writers, over what the disk itself gives to as many.
//!
//! Beside the servers stands a bare HTTP server that syncs ([`crate::calibrator`]): its ratio is what HTTP on this machine
//! leaves of the disk's rate, so a goal above it is out of reach for everybody.

use std::collections::BTreeMap;

use crate::calibrator::Calibrator;
use crate::client::Caller;
use crate::disk::DiskFile;
use crate::error::Result;
use crate::load::Closed;
use crate::session::{Settings, measure};
use crate::stats::{Latency, Spread, median};
use crate::target::{Target, fsyncs, growth};
use crate::workload::{Kind, Plan, put_calibration, verify};

/// Generations of these slices, far above those of the closed loops.
const GENERATION_FIRST: u64 = 50_000_000;

/// Goals: writes a second over the disk's, by number of writers.
const GOALS: [(u64, f64); 3] = [(1, 0.7), (16, 0.6), (64, 0.5)];

/// The repetitions for one number of writers on one target.
#[derive(Clone, Debug)]
pub struct GroupCell {
    /// Name of the server.
    pub server: String,
    /// Whether that is the yardstick, which has no goal.
    pub is_yardstick: bool,
    /// Connections, each with one PutItem in flight.
    pub writers: u64,
    /// Per repetition: writes a second of the server, and of the disk just before.
    pub rates: Vec<(f64, f64)>,
    /// Syncs of the disk a second, per repetition.
    pub disk_syncs: Vec<f64>,
    /// The server's syncs per write; `None` where it does not count them.
    pub fsyncs_per_write: Option<f64>,
    /// Latencies of all repetitions.
    pub latency: Latency,
    /// What went wrong first, if anything did.
    pub first_wrong: Option<String>,
}

impl GroupCell {
    /// Writes a second over the disk's.
    pub fn ratio(&self) -> Option<Spread> {
        Spread::of(self.rates.iter().map(|(server, disk)| server / disk).collect::<Vec<_>>())
    }

    /// The server's writes a second.
    pub fn per_second(&self) -> f64 {
        median(self.rates.iter().map(|rates| rates.0)).unwrap_or(0.0)
    }

    /// The disk's writes a second.
    pub fn disk_per_second(&self) -> f64 {
        median(self.rates.iter().map(|rates| rates.1)).unwrap_or(0.0)
    }

    /// What the ratio should reach.
    pub fn goal(&self) -> Option<f64> {
        GOALS.iter().find(|goal| goal.0 == self.writers && !self.is_yardstick).map(|goal| goal.1)
    }

    fn new(server: &str, is_yardstick: bool, writers: u64) -> GroupCell {
        GroupCell {
            server: server.to_owned(),
            is_yardstick,
            writers,
            rates: Vec::new(),
            disk_syncs: Vec::new(),
            fsyncs_per_write: None,
            latency: Latency::default(),
            first_wrong: None,
        }
    }
}

/// Measures the bare HTTP server that syncs, each repetition just after the disk.
pub fn measure_yardstick(settings: &Settings, disk: &DiskFile, writers: u64) -> Result<GroupCell> {
    let calibrator = Calibrator::start_syncing(&settings.folder)?;
    let plan = put_calibration(&calibrator.endpoint, &settings.dataset);
    let mut cell = GroupCell::new("bare HTTP server that syncs", true, writers);
    for seed in 0..u64::from(settings.repetitions) {
        let how = |duration| Closed { connections: writers, threads: settings.threads, duration, seed };
        let disk = disk.rate(writers, settings.dataset.item_bytes as usize, settings.calibrate)?;
        measure(&calibrator.endpoint, || None, &plan, how(settings.warm_up))?;
        let outcome = measure(&calibrator.endpoint, || None, &plan, how(settings.measure))?.outcome;
        cell.rates.push((outcome.per_second(), disk.writes_per_second));
        cell.disk_syncs.push(disk.syncs_per_second);
        cell.latency.merge(&outcome.latency);
        cell.first_wrong = cell.first_wrong.take().or(outcome.first_wrong);
    }
    Ok(cell)
}

/// Measures one number of writers on one target, each repetition just after the disk.
pub fn measure_cell(
    settings: &Settings,
    disk: &DiskFile,
    target: &Target,
    index: usize,
    writers: u64,
) -> Result<GroupCell> {
    let mut caller = Caller::new(&target.endpoint)?;
    let generation = GENERATION_FIRST + writers * 100 + index as u64;
    let plan = Plan::new(Kind::PutItem, settings.dataset, &mut caller, generation)?;
    let how = |duration, seed| Closed { connections: writers, threads: settings.threads, duration, seed };
    let mut cell = GroupCell::new(&target.name, false, writers);
    let (mut writes, mut syncs) = (0, Some(0.0));
    for repetition in 0..settings.repetitions {
        let seed = generation + u64::from(repetition) * 10;
        let record_bytes = settings.dataset.item_bytes as usize;
        let disk = disk.rate(writers, record_bytes, settings.calibrate)?;
        measure(&target.endpoint, || None, &plan, how(settings.warm_up, seed))?;
        let before: BTreeMap<String, f64> = target.counters(&mut caller);
        let slice = measure(&target.endpoint, || None, &plan, how(settings.measure, seed + 1))?;
        let counters = growth(&before, &target.counters(&mut caller));
        cell.rates.push((slice.outcome.per_second(), disk.writes_per_second));
        cell.disk_syncs.push(disk.syncs_per_second);
        cell.latency.merge(&slice.outcome.latency);
        writes += slice.outcome.right;
        syncs = syncs.zip(fsyncs(&counters)).map(|(sum, more)| sum + more);
        let broken = verify(&mut caller, &plan, &[&slice.outcome])?;
        cell.first_wrong = cell.first_wrong.take().or(slice.outcome.first_wrong).or(broken);
    }
    cell.fsyncs_per_write = syncs.filter(|_| writes > 0).map(|syncs| syncs / writes as f64);
    Ok(cell)
}
