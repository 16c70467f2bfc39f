//! Figures for Prometheus: requests by operation and outcome, their duration, and the node's own counters.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::Operation;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::guard::{Checks, GuardCounters};
use crate::node::transaction::{End, Extent, TransactionCounters};
use crate::node::{Capability, Counters, Health};

/// Upper bounds of the duration buckets, in seconds: a cached read takes tens of microseconds, a synced write some
/// hundreds, and the default deadline is 5 s.
const BUCKETS_S: [f64; 14] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 500e-3, 1.0, 5.0];

/// The server's metrics. One series per operation is looked up at start, so that a request touches only atomics.
pub struct Metrics {
    registry: Registry,
    per_operation: Vec<PerOperation>,
    /// Requests refused because other requests' bodies took all the room.
    pub bodies_refused: IntCounter,
    /// Requests whose body was not there in time.
    pub bodies_late: IntCounter,
    /// Bytes that the bodies of requests take; set when the page is asked for.
    pub body_bytes: IntGauge,
    /// Bytes that bodies and answers take together; set when the page is asked for.
    pub memory_bytes: IntGauge,
    /// Reads refused because answers that nobody has taken yet took all the room.
    pub answers_refused: IntCounter,
    /// For how long single turns of connections held up their event loops, where that was worth noting.
    pub stalls: Histogram,
    /// Connections that are open.
    pub connections: IntGauge,
    /// Requests refused because they came over a connection for which there was no place.
    pub connections_refused: IntCounter,
    /// Connections closed because their client did not read its answers.
    pub connections_stalled: IntCounter,
}

struct PerOperation {
    succeeded: IntCounter,
    client_error: IntCounter,
    server_error: IntCounter,
    seconds: Histogram,
}

/// A request being timed.
pub struct Timer<'a> {
    series: &'a PerOperation,
    started_ns: u64,
}

impl Metrics {
    /// Metrics with all series at zero.
    pub fn new() -> Metrics {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("dynamo_requests_total", "Requests answered, by operation and outcome."),
            &["operation", "outcome"],
        )
        .expect("the name and labels are valid");
        let seconds = HistogramVec::new(
            HistogramOpts::new("dynamo_request_seconds", "Time from decoded head to encoded reply.")
                .buckets(BUCKETS_S.to_vec()),
            &["operation"],
        )
        .expect("the name and labels are valid");
        registry.register(Box::new(requests.clone())).expect("registered once");
        registry.register(Box::new(seconds.clone())).expect("registered once");
        let per_operation = Operation::ALL
            .iter()
            .map(|operation| PerOperation {
                succeeded: requests.with_label_values(&[operation.name(), "ok"]),
                client_error: requests.with_label_values(&[operation.name(), "client_error"]),
                server_error: requests.with_label_values(&[operation.name(), "server_error"]),
                seconds: seconds.with_label_values(&[operation.name()]),
            })
            .collect();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).expect("the name is valid");
            registry.register(Box::new(counter.clone())).expect("registered once");
            counter
        };
        let bodies_refused =
            counter("dynamo_bodies_refused_total", "Requests refused because other bodies took all the room");
        let bodies_late = counter("dynamo_bodies_late_total", "Requests whose body was not there in time");
        let connections_stalled =
            counter("dynamo_connections_stalled_total", "Connections closed because their client read no answers");
        let connections_refused =
            counter("dynamo_connections_refused_total", "Requests refused because all places for clients were taken");
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect("the name is valid");
            registry.register(Box::new(gauge.clone())).expect("registered once");
            gauge
        };
        let answers_refused =
            counter("dynamo_answers_refused_total", "Reads refused because bodies and answers took all the room");
        let memory_bytes =
            gauge("dynamo_memory_bytes", "Bytes of large bodies, and of answers that wait for their clients");
        let stalls = crate::turns::stalls().clone();
        registry.register(Box::new(stalls.clone())).expect("registered once");
        let body_bytes = gauge("dynamo_body_bytes", "Bytes of request bodies in memory, those in one piece left out");
        let connections = gauge("dynamo_connections", "Connections that are open");
        Metrics {
            registry,
            per_operation,
            bodies_refused,
            bodies_late,
            body_bytes,
            memory_bytes,
            answers_refused,
            stalls,
            connections,
            connections_refused,
            connections_stalled,
        }
    }

    /// Starts timing one request, at this reading of the monotonic clock.
    pub fn start(&self, operation: Operation, now_ns: u64) -> Timer<'_> {
        Timer { series: &self.per_operation[operation as usize], started_ns: now_ns }
    }

    /// Everything in Prometheus' text format.
    pub fn render(
        &self,
        counters: &Counters,
        guard: &GuardCounters,
        transactions: &TransactionCounters,
        health: &Health,
    ) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("writing to a vector does not fail");
        for (name, help, value) in counters.series() {
            // What is named so only grows; anything else is as it is now.
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            text.extend_from_slice(
                format!("# HELP dynamo_{name} {help}\n# TYPE dynamo_{name} {kind}\ndynamo_{name} {value}\n").as_bytes(),
            );
        }
        render_checks(guard, &mut text);
        render_transactions(transactions, &mut text);
        render_readiness(health, &mut text);
        render_log(&mut text);
        text
    }
}

/// The checks of the guard: one series for each shard and handler that made any.
fn render_checks(guard: &GuardCounters, text: &mut Vec<u8>) {
    for (at, (name, help, _)) in Checks::default().named().into_iter().enumerate() {
        text.extend_from_slice(
            format!("# HELP dynamo_shard_{name} {help}\n# TYPE dynamo_shard_{name} counter\n").as_bytes(),
        );
        for (shard, handler, checks) in guard.series() {
            let value = checks.named()[at].2;
            let line = format!("dynamo_shard_{name}{{shard=\"{shard}\",handler=\"{}\"}} {value}\n", handler.name());
            text.extend_from_slice(line.as_bytes());
        }
    }
}

/// How transactions ended, by the extent of their items; and those that were finished for a lost coordinator.
fn render_transactions(transactions: &TransactionCounters, text: &mut Vec<u8>) {
    text.extend_from_slice(
        b"# HELP dynamo_transactions_total Transactions of this node's clients, by the shards of their items and how \
          they ended\n# TYPE dynamo_transactions_total counter\n",
    );
    for (extent, end) in Extent::ALL.into_iter().flat_map(|extent| End::ALL.map(|end| (extent, end))) {
        let (shards, outcome, value) = (extent.name(), end.name(), transactions.of(extent, end));
        let line = format!("dynamo_transactions_total{{shards=\"{shards}\",outcome=\"{outcome}\"}} {value}\n");
        text.extend_from_slice(line.as_bytes());
    }
    text.extend_from_slice(
        b"# HELP dynamo_transactions_recovered_total Transactions finished here for a lost coordinator\n\
          # TYPE dynamo_transactions_recovered_total counter\n",
    );
    let (committed, aborted) = transactions.recoveries();
    for (decision, value) in [("committed", committed), ("aborted", aborted)] {
        let line = format!("dynamo_transactions_recovered_total{{decision=\"{decision}\"}} {value}\n");
        text.extend_from_slice(line.as_bytes());
    }
}

/// What the node is ready for, as `/health/ready` says it.
fn render_readiness(health: &Health, text: &mut Vec<u8>) {
    text.extend_from_slice(b"# HELP dynamo_ready Whether the node is ready for this\n# TYPE dynamo_ready gauge\n");
    for capability in Capability::ALL {
        let (name, value) = (capability.name(), u8::from(health.is_ready_for(capability)));
        text.extend_from_slice(format!("dynamo_ready{{need=\"{name}\"}} {value}\n").as_bytes());
    }
}

/// What the log has lost.
fn render_log(text: &mut Vec<u8>) {
    let dropped = crate::log_output::lines_dropped();
    text.extend_from_slice(
        format!(
            "# HELP dynamo_log_lines_dropped_total Log lines that nobody read in time or at all\n\
             # TYPE dynamo_log_lines_dropped_total counter\ndynamo_log_lines_dropped_total {dropped}\n"
        )
        .as_bytes(),
    );
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Timer<'_> {
    /// Counts the request, which ended at this reading of the monotonic clock, with its outcome.
    pub fn done(self, result: &Result<Vec<u8>, ApiError>, now_ns: u64) {
        match result {
            Ok(_) => self.series.succeeded.inc(),
            Err(error) if error.http_status() < 500 => self.series.client_error.inc(),
            Err(_) => self.series.server_error.inc(),
        }
        self.series.seconds.observe(now_ns.saturating_sub(self.started_ns) as f64 / 1e9);
    }
}
