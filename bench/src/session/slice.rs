//! One measured stretch: requests, and the processor time of everyone meanwhile.

use std::collections::BTreeMap;

use crate::client::Endpoint;
use crate::error::Result;
use crate::load::{Closed, Outcome, closed};
use crate::machine::{SystemTime, cores, own_cpu_ns};
use crate::workload::Plan;

/// The figures of one slice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Right answers a second.
    pub per_second: f64,
    /// The server's processor time per request in microseconds, where it can be read.
    pub server_cpu_us: Option<f64>,
    /// The client's processor time per request in microseconds.
    pub client_cpu_us: f64,
    /// Share of the machine's processors that was neither idle nor the server's nor the client's.
    pub others: f64,
    /// Share of the machine's processors that the hypervisor gave to other machines.
    pub steal: f64,
}

/// A slice with its details.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// The figures.
    pub figures: Figures,
    /// Counts and latencies.
    pub outcome: Outcome,
    /// Growth of the server's own counters.
    pub counters: BTreeMap<String, f64>,
}

impl Slice {
    /// That of a workload which the server does not know.
    pub fn unsupported() -> Slice {
        let outcome = Outcome { wrong: 1, unknown: 1, ..Outcome::default() };
        Slice { outcome, ..Slice::default() }
    }
}

/// Runs a closed loop and reads the clocks before and after.
pub fn measure(endpoint: &Endpoint, server_cpu: impl Fn() -> Option<u64>, plan: &Plan, how: Closed) -> Result<Slice> {
    measure_with(server_cpu, || closed(endpoint, plan, how))
}

/// Runs a load and reads the clocks before and after.
pub fn measure_with(server_cpu: impl Fn() -> Option<u64>, run: impl FnOnce() -> Result<Outcome>) -> Result<Slice> {
    let (system, server, client) = (SystemTime::now(), server_cpu(), own_cpu_ns());
    let outcome = run()?;
    let server_ns = server_cpu().zip(server).map(|(after, before)| after - before);
    let client_ns = own_cpu_ns() - client;
    let system = SystemTime::now().since(system);
    let requests = outcome.requests().max(1) as f64;
    let capacity = (outcome.elapsed_ns.max(1) * cores() as u64) as f64;
    let known = client_ns + server_ns.unwrap_or(0);
    let figures = Figures {
        per_second: outcome.per_second(),
        server_cpu_us: server_ns.map(|ns| ns as f64 / 1e3 / requests),
        client_cpu_us: client_ns as f64 / 1e3 / requests,
        others: system.busy_ns.saturating_sub(known) as f64 / capacity,
        steal: system.steal_ns as f64 / capacity,
    };
    Ok(Slice { figures, outcome, counters: BTreeMap::new() })
}
