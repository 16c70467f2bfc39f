//! What a run is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::workload::{Dataset, Kind};

/// What is measured, and for how long.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Data in the tables.
    pub dataset: Dataset,
    /// Workloads of the closed loop.
    pub kinds: Vec<Kind>,
    /// Times that every workload is measured on every target.
    pub repetitions: u32,
    /// Measured time per slice.
    pub measure: Duration,
    /// Time before it that does not count.
    pub warm_up: Duration,
    /// Measured time per calibration.
    pub calibrate: Duration,
    /// Connections of the closed loop.
    pub connections: u64,
    /// Client threads.
    pub threads: u64,
    /// Open loops: workload and requests a second.
    pub rates: Vec<(Kind, u64)>,
    /// Connections of the open loop.
    pub open_connections: u64,
    /// Measured time per open loop.
    pub open_measure: Duration,
    /// Numbers of writers for the group-commit figures.
    pub writers: Vec<u64>,
    /// The run's own folder, on the disk that is measured.
    pub folder: PathBuf,
}
