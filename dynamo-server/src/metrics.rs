//! Figures for Prometheus: requests by operation and outcome, their duration, and the node's own counters.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::Operation;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::guard::{Checks, GuardCounters};
use crate::node::{Capability, Counters, Health};
use crate::transaction::{End, Extent, TransactionCounters};

/// Upper bounds of the duration buckets, in seconds: a cached read takes tens of microseconds, a synced write some
/// hundreds, and the default deadline is 5 s.
const BUCKETS_S: [f64; 14] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 500e-3, 1.0, 5.0];

/// The server's metrics. One series per operation is looked up at start, so that a request touches only atomics.
pub struct Metrics {
    /// What is counted here; the node's own counters are read when the page is asked for.
    registry: Registry,
    /// By the number of the operation.
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
    /// Requests answered with what they asked for.
    succeeded: IntCounter,
    /// Requests refused for a mistake of the client's.
    client_error: IntCounter,
    /// Requests that failed here.
    server_error: IntCounter,
    /// How long they took.
    seconds: Histogram,
}

/// A request being timed.
pub struct Timer<'a> {
    /// Where the request is counted.
    series: &'a PerOperation,
    /// When it began, on the monotonic clock.
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
        let answers_refused = counter(
            "dynamo_answers_refused_total",
            "Answers to what changed nothing refused because bodies and answers took all the room",
        );
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
        let mut families = self.registry.gather();
        families.extend(counters.series().into_iter().map(|(name, help, value)| {
            // What is named so only grows; anything else is as it is now.
            let kind = if name.ends_with("_total") { MetricType::COUNTER } else { MetricType::GAUGE };
            family(name, help, kind, [(vec![], value)])
        }));
        families.extend(checks(guard));
        families.extend(transactions_ended(transactions));
        families.push(readiness(health));
        families.extend(log_lines_dropped());
        // The encoder refuses a family without values, for instance of handlers that nobody has called yet.
        families.retain(|family| !family.get_metric().is_empty());
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text).expect("writing to a vector does not fail");
        text
    }
}

/// What the process's own log has lost; a program with a server inside has a log of its own.
#[cfg(feature = "cli")]
fn log_lines_dropped() -> Option<MetricFamily> {
    let help = "Log lines that nobody read in time or at all";
    let dropped = [(vec![], crate::log_output::lines_dropped())];
    Some(family("log_lines_dropped_total", help, MetricType::COUNTER, dropped))
}
#[cfg(not(feature = "cli"))]
fn log_lines_dropped() -> Option<MetricFamily> {
    None
}

/// Labels by their names, and a value under them.
type Sample = (Vec<(&'static str, String)>, u64);

/// What is counted elsewhere, as the registry would give it.
fn family(name: &str, help: &str, kind: MetricType, samples: impl IntoIterator<Item = Sample>) -> MetricFamily {
    let metrics = samples.into_iter().map(|(labels, value)| {
        let mut metric = Metric::default();
        metric.set_label(labels.into_iter().map(|(name, value)| label(name, value)).collect());
        if kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value as f64);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value as f64);
            metric.set_gauge(gauge);
        }
        metric
    });
    let mut family = MetricFamily::default();
    family.set_metric(metrics.collect());
    family.set_name(format!("dynamo_{name}"));
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family
}

fn label(name: &str, value: String) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value);
    label
}

/// The checks of the guard: one series for each shard and handler that made any.
fn checks(guard: &GuardCounters) -> impl Iterator<Item = MetricFamily> {
    let series: Vec<_> = guard.series().collect();
    Checks::default().named().into_iter().enumerate().map(move |(at, (name, help, _))| {
        let samples = series.iter().map(|(shard, handler, checks)| {
            (vec![("shard", shard.to_string()), ("handler", handler.name().to_owned())], checks.named()[at].2)
        });
        family(&format!("shard_{name}"), help, MetricType::COUNTER, samples)
    })
}

/// How transactions ended, by the extent of their items; and those that were finished for a lost coordinator.
fn transactions_ended(transactions: &TransactionCounters) -> [MetricFamily; 2] {
    let ended = Extent::ALL.into_iter().flat_map(|extent| End::ALL.map(|end| (extent, end))).map(|(extent, end)| {
        let labels = vec![("shards", extent.name().to_owned()), ("outcome", end.name().to_owned())];
        (labels, transactions.of(extent, end))
    });
    let (committed, aborted) = transactions.recoveries();
    let recovered = [("committed", committed), ("aborted", aborted)];
    let recovered = recovered.map(|(decision, value)| (vec![("decision", decision.to_owned())], value));
    let help = "Transactions of this node's clients, by the shards of their items and how they ended";
    [
        family("transactions_total", help, MetricType::COUNTER, ended),
        family(
            "transactions_recovered_total",
            "Transactions finished here for a lost coordinator",
            MetricType::COUNTER,
            recovered,
        ),
    ]
}

/// What the node is ready for, as `/health/ready` says it.
fn readiness(health: &Health) -> MetricFamily {
    let samples = Capability::ALL
        .into_iter()
        .map(|capability| (vec![("need", capability.name().to_owned())], u64::from(health.is_ready_for(capability))));
    family("ready", "Whether the node is ready for this", MetricType::GAUGE, samples)
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
