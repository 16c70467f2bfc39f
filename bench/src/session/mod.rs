//! The order of a run: load, then slices between calibrations, then open loops, group commit and a restart.

mod beside;
mod cell;
mod footprint;
mod settings;
mod slice;

use std::time::Duration;

pub use beside::Beside;
pub use cell::{Cell, OpenCell, Repetition};
pub use footprint::{Footprint, log_and_state};
pub use settings::Settings;
pub use slice::{Figures, Slice, measure};

use slice::measure_with;

use crate::calibrator::{Calibrator, REPLY_BYTES};
use crate::client::{Caller, Endpoint};
use crate::disk::DiskFile;
use crate::error::{Context, Result};
use crate::group_commit::{self, GroupCell};
use crate::load::{Closed, Open, OpenOutcome, Outcome, open};
use crate::machine::{monotonic_ns, waited_ns};
use crate::postgres::Work;
use crate::target::Target;
use crate::workload::{Kind, Plan, Table, calibration, load, put_calibration, verify};

/// Everything that a run found.
#[derive(Debug, Default)]
pub struct Results {
    /// Closed loop, per workload and target.
    pub cells: Vec<Cell>,
    /// Open loop.
    pub open: Vec<OpenCell>,
    /// Group commit.
    pub group: Vec<GroupCell>,
    /// Start-up, memory and disk, per target.
    pub footprints: Vec<Footprint>,
    /// The calibrator's own slices.
    pub calibrations: Vec<Figures>,
    /// Wrong answers and lost writes, in words. A run without any has none.
    pub problems: Vec<String>,
}

/// A run under way.
pub struct Session<'a> {
    settings: &'a Settings,
    targets: &'a mut [Target],
    calibrator: Calibrator,
    calibration: Plan,
    /// Number of the current slice; marks what it writes, and seeds its keys.
    generation: u64,
    results: Results,
}

/// Measures all targets.
///
/// # Errors
/// When a server cannot be reached, or refuses to be loaded. Wrong answers are results, not errors.
pub fn run(settings: &Settings, targets: &mut [Target], footprints: Vec<Footprint>) -> Result<Results> {
    let calibrator = Calibrator::start(1)?;
    let calibration = calibration(&calibrator.endpoint, REPLY_BYTES, settings.dataset.style);
    let results = Results { footprints, ..Results::default() };
    let mut session = Session { settings, targets, calibrator, calibration, generation: 0, results };
    session.load()?;
    session.closed_loops()?;
    session.open_loops()?;
    session.group_commit()?;
    session.footprints()?;
    Ok(session.results)
}

/// What goes on, for whoever waits.
pub fn progress(text: &str) {
    eprintln!("bench: {text}");
}

impl Session<'_> {
    fn load(&mut self) -> Result<()> {
        let mut kinds = self.settings.kinds.clone();
        kinds.extend(self.settings.rates.iter().map(|(kind, _)| *kind));
        let mut tables: Vec<Table> = kinds.iter().map(|kind| kind.table()).collect();
        tables.push(Table::Items);
        tables.sort();
        tables.dedup();
        for (target, footprint) in self.targets.iter().zip(&mut self.results.footprints) {
            progress(&format!("loading {} items into {}", self.settings.dataset.items, target.name));
            let mut caller = Caller::new(&target.endpoint)?;
            let start = monotonic_ns();
            if let Some(postgres) = &target.postgres {
                postgres.load(self.settings.dataset)?;
                footprint.load_seconds = (monotonic_ns() - start) as f64 / 1e9;
                continue;
            }
            for table in &tables {
                load(&mut caller, self.settings.dataset, *table)
                    .context(|| format!("loading {} into {}", table.name(), target.name))?;
                footprint.payload_bytes += self.settings.dataset.payload_bytes(*table);
            }
            footprint.load_seconds = (monotonic_ns() - start) as f64 / 1e9;
            footprint.loaded(target);
        }
        Ok(())
    }

    fn closed_loops(&mut self) -> Result<()> {
        let cell = |kind: &Kind| (0..self.targets.len()).map(|target| Cell::new(*kind, target)).collect::<Vec<_>>();
        self.results.cells = self.settings.kinds.iter().flat_map(cell).collect();
        for repetition in 1..=self.settings.repetitions {
            progress(&format!("repetition {repetition} of {}", self.settings.repetitions));
            let mut before = self.calibrate()?;
            for at in 0..self.results.cells.len() {
                let (kind, target) = (self.results.cells[at].kind, self.results.cells[at].target);
                if self.results.cells[at].unsupported {
                    continue;
                }
                let slice = self.slice(kind, target)?;
                let after = self.calibrate()?;
                let cell = &mut self.results.cells[at];
                if slice.outcome.unsupported() {
                    cell.unsupported = true;
                    continue;
                }
                cell.latency.merge(&slice.outcome.latency);
                cell.right += slice.outcome.right;
                cell.wrong += slice.outcome.wrong + slice.outcome.lost;
                cell.repetitions.push(Repetition { figures: slice.figures, before, after, counters: slice.counters });
                before = after;
            }
        }
        Ok(())
    }

    fn closed(&self, duration: Duration) -> Closed {
        let Settings { connections, threads, .. } = *self.settings;
        Closed { connections, threads, duration, seed: self.generation }
    }

    fn calibrate(&mut self) -> Result<Figures> {
        self.generation += 1;
        let clock = self.calibrator.clock;
        let how = self.closed(self.settings.calibrate);
        let slice = measure(&self.calibrator.endpoint, || clock.cpu_ns().ok(), &self.calibration, how)?;
        self.results.calibrations.push(slice.figures);
        Ok(slice.figures)
    }

    /// Warms up, measures, and checks what was written.
    fn slice(&mut self, kind: Kind, target: usize) -> Result<Slice> {
        self.generation += 1;
        let target = &self.targets[target];
        if let Some(postgres) = &target.postgres {
            let Some(work) = Work::beside(kind, self.settings.dataset, self.generation) else {
                return Ok(Slice::unsupported());
            };
            let warm_up = postgres.run(work, self.closed(self.settings.warm_up))?;
            let how = self.closed(self.settings.measure);
            let slice = measure_with(|| postgres.cpu_ns(), || postgres.run(work, how))?;
            let wrong = warm_up.first_wrong.or(slice.outcome.first_wrong.clone()).or(postgres.read_back(work)?);
            self.results.problems.extend(wrong.map(|text| format!("{}, {}: {text}", target.name, kind.slug())));
            return Ok(slice);
        }
        let mut caller = Caller::new(&target.endpoint)?;
        let plan = Plan::new(kind, self.settings.dataset, &mut caller, self.generation)?;
        let warm_up = measure(&target.endpoint, || None, &plan, self.closed(self.settings.warm_up))?;
        let before = target.counters(&mut caller);
        let mut slice = measure(&target.endpoint, || target.cpu_ns(), &plan, self.closed(self.settings.measure))?;
        slice.counters = crate::target::growth(&before, &target.counters(&mut caller));
        let (name, problems) = (target.name.clone(), &mut self.results.problems);
        check(problems, &name, kind, &mut caller, &plan, &[&warm_up.outcome, &slice.outcome])?;
        Ok(slice)
    }

    fn open_loops(&mut self) -> Result<()> {
        for (kind, rate) in self.settings.rates.clone() {
            progress(&format!("open loop: {} at {rate}/s", kind.slug()));
            self.generation += 1;
            let bare = self.open_bare(kind, rate)?;
            let problem = bare.outcome.outcome.first_wrong.as_ref();
            let problem = problem.map(|wrong| format!("bare HTTP server, {} at {rate}/s: {wrong}", kind.slug()));
            self.results.problems.extend(problem);
            self.results.open.push(bare);
            for target in 0..self.targets.len() {
                self.generation += 1;
                let server = &self.targets[target];
                if server.postgres.is_some() {
                    continue;
                }
                let mut caller = Caller::new(&server.endpoint)?;
                let plan = Plan::new(kind, self.settings.dataset, &mut caller, self.generation)?;
                let asked = (&server.endpoint, server.pid, Some(target));
                let (warm_up, cell) = self.open(asked, &plan, kind, rate)?;
                let loads = [&warm_up.outcome, &cell.outcome.outcome];
                check(&mut self.results.problems, &server.name, kind, &mut caller, &plan, &loads)?;
                self.results.open.push(cell);
            }
        }
        Ok(())
    }

    /// The bare HTTP server at this rate, and one that syncs where the workload writes.
    fn open_bare(&self, kind: Kind, rate: u64) -> Result<OpenCell> {
        if !kind.writes() {
            let asked = (&self.calibrator.endpoint, Some(self.calibrator.pid()), None);
            return Ok(self.open(asked, &self.calibration, kind, rate)?.1);
        }
        let calibrator = Calibrator::start_syncing(&self.settings.folder)?;
        let plan = put_calibration(&calibrator.endpoint, &self.settings.dataset);
        Ok(self.open((&calibrator.endpoint, Some(calibrator.pid()), None), &plan, kind, rate)?.1)
    }

    /// Warms up, and measures. Whom: where it listens, its process, and its index among the targets.
    fn open(
        &self,
        (endpoint, pid, target): (&Endpoint, Option<u32>, Option<usize>),
        plan: &Plan,
        kind: Kind,
        rate: u64,
    ) -> Result<(OpenOutcome, OpenCell)> {
        let how = Open {
            rate,
            connections: self.settings.open_connections,
            duration: self.settings.open_measure,
            seed: self.generation,
        };
        let warm_up = open(endpoint, plan, Open { duration: self.settings.warm_up, ..how })?;
        let waited = || [pid.and_then(waited_ns), waited_ns(std::process::id())];
        let before = waited();
        let outcome = open(endpoint, plan, how)?;
        let after = waited();
        let requests = outcome.outcome.requests().max(1) as f64;
        let [server_wait_us, client_wait_us] = [0, 1].map(|of| {
            let grown = after[of].zip(before[of]).map(|(after, before)| after.saturating_sub(before));
            grown.map(|ns| ns as f64 / 1e3 / requests)
        });
        Ok((warm_up, OpenCell { kind, target, rate, outcome, server_wait_us, client_wait_us }))
    }

    fn group_commit(&mut self) -> Result<()> {
        if self.settings.writers.is_empty() {
            return Ok(());
        }
        let disk = DiskFile::create(&self.settings.folder)?;
        for &writers in &self.settings.writers {
            progress(&format!("group commit: {writers} writers"));
            let mut cells = vec![group_commit::measure_yardstick(self.settings, &disk, writers)?];
            for target in (0..self.targets.len()).filter(|at| self.targets[*at].postgres.is_none()) {
                cells.push(group_commit::measure_cell(self.settings, &disk, &self.targets[target], target, writers)?);
            }
            for cell in &cells {
                let wrong = cell.first_wrong.as_ref();
                let problem = wrong.map(|wrong| format!("{}, {writers} writers: {wrong}", cell.server));
                self.results.problems.extend(problem);
            }
            self.results.group.extend(cells);
        }
        Ok(())
    }

    fn footprints(&mut self) -> Result<()> {
        for (target, footprint) in self.targets.iter_mut().zip(&mut self.results.footprints) {
            footprint.worked(target);
            if target.process.as_ref().is_some_and(|process| process.data().is_some()) {
                progress(&format!("killing and restarting {}", target.name));
                // All figures are there by now: a server that does not come back is one more of them.
                let problem = match target.kill_and_restart() {
                    Ok(ms) => {
                        footprint.restart_ms = ms;
                        footprint::first_item_is_there(&target.endpoint)?
                    }
                    Err(error) => Some(error.to_string()),
                };
                self.results.problems.extend(problem.map(|text| format!("{} after a kill: {text}", target.name)));
                if let Some(Err(error)) = target.process.as_mut().map(|process| process.stop()) {
                    self.results.problems.push(format!("{}: {error}", target.name));
                }
                target.others.clear();
                footprint.stopped(target);
            }
        }
        Ok(())
    }
}

/// Notes wrong answers of these loads, and what must hold after them and does not.
fn check(
    problems: &mut Vec<String>,
    target: &str,
    kind: Kind,
    caller: &mut Caller,
    plan: &Plan,
    loads: &[&Outcome],
) -> Result<()> {
    if loads.iter().all(|load| load.unsupported()) {
        return Ok(());
    }
    let wrong: u64 = loads.iter().map(|load| load.wrong + load.lost).sum();
    if let Some(first) = loads.iter().find_map(|load| load.first_wrong.as_ref()) {
        problems.push(format!("{target}, {}: {wrong} wrong answers, the first: {first}", kind.slug()));
    }
    let broken = verify(caller, plan, loads)?;
    problems.extend(broken.map(|text| format!("{target}, {}: {text}", kind.slug())));
    Ok(())
}
