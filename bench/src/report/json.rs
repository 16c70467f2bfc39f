//! All figures, repetition by repetition, for programs.

use dynamo_protocol::json::JsonWriter;

use super::Report;
use crate::group_commit::GroupCell;
use crate::session::{Cell, Figures, Footprint, OpenCell};
use crate::stats::Latency;

/// Version of the members' names; raised when one changes its meaning.
const FORMAT: u64 = 1;

/// The whole report as one JSON object.
pub fn render(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    let settings = &report.settings;
    json.begin_object();
    json.key("format").u64(FORMAT);
    json.key("date").str(&report.date);
    json.key("command").str(&report.command);
    json.key("revision").str(report.revision.as_deref().unwrap_or_default());
    json.key("machine").str(&report.machine.to_string());
    json.key("quick").bool(report.quick);
    json.key("in_memory").bool(report.in_memory);
    json.key("nodes").u64(report.nodes);
    json.key("shards").u64(u64::from(report.shards.unwrap_or(1)));
    json.key("items").u64(settings.dataset.items);
    json.key("item_bytes").u64(settings.dataset.item_bytes);
    json.key("load").str(settings.dataset.style.name());
    json.key("connections").u64(settings.connections);
    json.key("client_threads").u64(settings.threads);
    array(&mut json, "servers", &report.names, |json, name| {
        json.str(name);
    });
    let results = &report.results;
    array(&mut json, "closed_loop", &results.cells, |json, cell| closed(json, report, cell));
    array(&mut json, "open_loop", &results.open, |json, cell| open(json, report, cell));
    array(&mut json, "group_commit", &results.group, group);
    array(&mut json, "footprints", &results.footprints, footprint);
    array(&mut json, "calibrations", &results.calibrations, figures);
    array(&mut json, "problems", &results.problems, |json, problem| {
        json.str(problem);
    });
    json.end_object();
    out.push(b'\n');
    out
}

fn array<T>(json: &mut JsonWriter<'_>, name: &str, elements: &[T], mut each: impl FnMut(&mut JsonWriter<'_>, &T)) {
    json.key(name).begin_array();
    for element in elements {
        each(json, element);
    }
    json.end_array();
}

fn closed(json: &mut JsonWriter<'_>, report: &Report, cell: &Cell) {
    json.begin_object();
    json.key("workload").str(cell.kind.slug());
    json.key("server").str(&report.names[cell.target]);
    json.key("supported").bool(!cell.unsupported);
    json.key("right").u64(cell.right);
    json.key("wrong").u64(cell.wrong);
    number(json, "requests_per_second", Some(cell.per_second()));
    latency(json, "latency_us", &cell.latency);
    number(json, "server_cpu_us", cell.server_cpu_us());
    number(json, "cpu_ratio", cell.cpu_ratio().map(|spread| spread.median));
    number(json, "wall_ratio", cell.wall_ratio().map(|spread| spread.median));
    number(json, "client_cpu_us", Some(cell.client_cpu_us()));
    number(json, "fsyncs_per_request", cell.fsyncs_per_request());
    number(json, "cpu_ratio_goal", cell.kind.goal(report.settings.dataset.style).map(|goal| goal.cpu_ratio));
    number(json, "wall_ratio_goal", cell.kind.goal(report.settings.dataset.style).and_then(|goal| goal.wall_ratio));
    array(json, "repetitions", &cell.repetitions, |json, repetition| {
        json.begin_object();
        json.key("slice");
        figures(json, &repetition.figures);
        json.key("calibrator_before");
        figures(json, &repetition.before);
        json.key("calibrator_after");
        figures(json, &repetition.after);
        json.key("counters").begin_object();
        for (name, value) in &repetition.counters {
            number(json, name, Some(*value));
        }
        json.end_object();
        json.end_object();
    });
    json.end_object();
}

fn figures(json: &mut JsonWriter<'_>, figures: &Figures) {
    json.begin_object();
    number(json, "requests_per_second", Some(figures.per_second));
    number(json, "server_cpu_us", figures.server_cpu_us);
    number(json, "client_cpu_us", Some(figures.client_cpu_us));
    number(json, "others", Some(figures.others));
    number(json, "steal", Some(figures.steal));
    json.end_object();
}

fn open(json: &mut JsonWriter<'_>, report: &Report, cell: &OpenCell) {
    json.begin_object();
    json.key("workload").str(cell.kind.slug());
    json.key("server").str(cell.server(&report.names));
    json.key("due_per_second").u64(cell.rate);
    number(json, "answered_per_second", Some(cell.outcome.outcome.per_second()));
    latency(json, "latency_us", &cell.outcome.outcome.latency);
    latency(json, "lateness_us", &cell.outcome.lateness);
    number(json, "server_wait_us", cell.server_wait_us);
    number(json, "client_wait_us", cell.client_wait_us);
    json.key("unsent").u64(cell.outcome.unsent);
    json.key("wrong").u64(cell.outcome.outcome.wrong + cell.outcome.outcome.lost);
    json.end_object();
}

fn group(json: &mut JsonWriter<'_>, cell: &GroupCell) {
    json.begin_object();
    json.key("server").str(&cell.server);
    json.key("writers").u64(cell.writers);
    number(json, "writes_per_second", Some(cell.per_second()));
    number(json, "disk_writes_per_second", Some(cell.disk_per_second()));
    number(json, "ratio", cell.ratio().map(|spread| spread.median));
    number(json, "ratio_goal", cell.goal());
    number(json, "fsyncs_per_write", cell.fsyncs_per_write);
    latency(json, "latency_us", &cell.latency);
    json.end_object();
}

fn footprint(json: &mut JsonWriter<'_>, footprint: &Footprint) {
    json.begin_object();
    number(json, "start_ms", footprint.start_ms);
    number(json, "restart_ms", footprint.restart_ms);
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
    number(json, "rss_idle_bytes", bytes(footprint.idle_bytes));
    number(json, "rss_loaded_bytes", bytes(footprint.loaded_bytes));
    number(json, "rss_peak_bytes", bytes(footprint.peak_bytes));
    number(json, "load_seconds", Some(footprint.load_seconds));
    json.key("payload_bytes").u64(footprint.payload_bytes);
    for (name, parts) in [("disk_busy_bytes", &footprint.disk_busy), ("disk_at_rest_bytes", &footprint.disk_at_rest)] {
        json.key(name).begin_object();
        for (part, bytes) in parts {
            json.key(part).u64(*bytes);
        }
        json.end_object();
    }
    json.end_object();
}

fn latency(json: &mut JsonWriter<'_>, name: &str, latency: &Latency) {
    json.key(name).begin_object();
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)] {
        number(json, name, Some(latency.quantile_us(share)));
    }
    number(json, "max", Some(latency.max_us()));
    json.key("count").u64(latency.count());
    json.end_object();
}

/// A figure to four places, or `null`.
fn number(json: &mut JsonWriter<'_>, name: &str, value: Option<f64>) {
    json.key(name);
    match value.filter(|value| value.is_finite()) {
        Some(value) => json.f64((value * 1e4).round() / 1e4),
        None => json.null(),
    };
}
