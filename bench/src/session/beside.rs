//! One plan on one server, beside the calibrator, for runs that are no table.

use std::time::Duration;

use super::{Figures, Repetition, measure};
use crate::calibrator::{Calibrator, REPLY_BYTES};
use crate::error::Result;
use crate::load::{Closed, Outcome};
use crate::stats::median;
use crate::target::Target;
use crate::workload::{Plan, Style, calibration};

/// The calibrator, running.
pub struct Beside {
    calibrator: Calibrator,
    calibration: Plan,
    calibrate: Duration,
}

/// What a plan cost.
#[derive(Debug, Default)]
pub struct Cost {
    /// The repetitions.
    pub repetitions: Vec<Repetition>,
    /// Counts and latencies of all of them.
    pub outcome: Outcome,
}

impl Beside {
    /// Starts the calibrator; it is measured for so long before and after each slice.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(calibrate: Duration) -> Result<Beside> {
        let calibrator = Calibrator::start(1)?;
        let calibration = calibration(&calibrator.endpoint, REPLY_BYTES, Style::Plain);
        Ok(Beside { calibrator, calibration, calibrate })
    }

    /// Measures a plan so many times, each after a warm-up of a quarter of its time.
    ///
    /// # Errors
    /// When the server goes away.
    pub fn cost(&self, target: &Target, plan: &Plan, how: Closed, repetitions: u32) -> Result<Cost> {
        let mut cost = Cost::default();
        for _ in 0..repetitions {
            measure(&target.endpoint, || None, plan, Closed { duration: how.duration / 4, ..how })?;
            let before = self.calibrate(how)?;
            let slice = measure(&target.endpoint, || target.cpu_ns(), plan, how)?;
            let after = self.calibrate(how)?;
            cost.outcome.merge(slice.outcome);
            cost.repetitions.push(Repetition { figures: slice.figures, before, after, counters: slice.counters });
        }
        Ok(cost)
    }

    fn calibrate(&self, how: Closed) -> Result<Figures> {
        let clock = self.calibrator.clock;
        let how = Closed { duration: self.calibrate, ..how };
        Ok(measure(&self.calibrator.endpoint, || clock.cpu_ns().ok(), &self.calibration, how)?.figures)
    }
}

impl Cost {
    /// Median of the CPU ratios.
    pub fn cpu_ratio(&self) -> Option<f64> {
        median(self.repetitions.iter().filter_map(Repetition::cpu_ratio))
    }

    /// Median of the wall ratios.
    pub fn wall_ratio(&self) -> Option<f64> {
        median(self.repetitions.iter().map(Repetition::wall_ratio))
    }

    /// Median of the server's processor time per request, in microseconds.
    pub fn server_cpu_us(&self) -> Option<f64> {
        median(self.repetitions.iter().filter_map(|repetition| repetition.figures.server_cpu_us))
    }

    /// Median of the requests a second.
    pub fn per_second(&self) -> Option<f64> {
        median(self.repetitions.iter().map(|repetition| repetition.figures.per_second))
    }
}
