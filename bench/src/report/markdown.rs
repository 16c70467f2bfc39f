//! The tables, as text.

use std::fmt::Write;

use super::Report;
use crate::session::{Cell, log_and_state};
use crate::stats::{Spread, median};
use crate::workload::{Kind, Style};

/// The whole page; `name` is that of the plot beside it.
pub fn render(report: &Report, name: &str) -> String {
    let mut out = String::new();
    head(&mut out, report, name);
    if report.names.len() > 1 && !report.results.cells.is_empty() {
        beside(&mut out, report);
    }
    for target in 0..report.names.len() {
        closed(&mut out, report, target);
    }
    open(&mut out, report);
    group(&mut out, report);
    footprint(&mut out, report);
    problems(&mut out, report);
    out
}

/// Writing to a string cannot fail; this keeps the lines below short.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {
        writeln!($out, $($format)*).expect("writing to a string does not fail")
    };
}

fn head(out: &mut String, report: &Report, name: &str) {
    let settings = &report.settings;
    let shards = report.shards.map_or("the server's default number of shards (1 on one node)".to_owned(), |n| {
        if n == 1 { "1 shard".to_owned() } else { format!("{n} shards") }
    });
    let shards = match report.nodes {
        1 => shards,
        nodes => format!("{shards}, {nodes} nodes on this machine, of which the first is asked"),
    };
    let started = match (report.started, report.in_memory) {
        (false, _) => "was running already".to_owned(),
        (true, true) => format!("started with {shards}, in memory"),
        (true, false) => format!("started with {shards}, every write synced to disk before its answer"),
    };
    line!(out, "# Benchmark, {}\n", report.date);
    if report.quick {
        line!(out, "**A quick run: it proves that everything works and measures nothing.**\n");
    }
    if cfg!(debug_assertions) {
        line!(
            out,
            "**Client and calibrator were built without optimisation: their costs, and so all ratios, mean nothing.**\n"
        );
    }
    if report.machine.file_system == "tmpfs" && !report.in_memory {
        line!(
            out,
            "**The data lay on a memory file system, where a sync costs nothing: choose a `--folder` on a disk.**\n"
        );
    }
    line!(out, "Machine: {}.  ", report.machine);
    let revision = report.revision.as_ref().map_or(String::new(), |revision| format!(", at commit {revision}"));
    line!(out, "Command: `{}`{revision}  ", report.command);
    line!(
        out,
        "{} {started}. {} items of {}: {}; {} connections, {} client thread(s); {} × {} s per field after {} s of warm-up.  ",
        report.names[0],
        settings.dataset.items,
        settings.dataset.item_size(),
        settings.dataset.style.describe(),
        settings.connections,
        settings.threads,
        settings.repetitions,
        settings.measure.as_secs_f64(),
        settings.warm_up.as_secs_f64(),
    );
    if let Some(left_out) = &report.left_out {
        line!(out, "{left_out}  ");
    }
    if report.names.iter().any(|name| name.starts_with("PostgreSQL")) {
        line!(
            out,
            "PostgreSQL: its defaults, every commit synced; rows of the same size in three columns; prepared statements, values in binary; GetItem is a SELECT by key, PutItem an upsert.  "
        );
    }
    let calibrations = &report.results.calibrations;
    let cpu = median(calibrations.iter().filter_map(|figures| figures.server_cpu_us));
    let rate = median(calibrations.iter().map(|figures| figures.per_second));
    let client = median(calibrations.iter().map(|figures| figures.client_cpu_us));
    line!(
        out,
        "Calibrator: a bare single-threaded hyper server that answers 1 KB, before and after every slice: {} µs of CPU per request, {} requests/s (client {} µs).\n",
        figure(cpu),
        figure(rate),
        figure(client)
    );
    line!(
        out,
        "*CPU ratio*: server CPU per request over the calibrator's. *Wall*: requests/s over the calibrator's. Both are medians of the repetitions, [smallest–largest]. *Others*: share of the machine's processors that neither server nor client took. Every reply was checked.\n"
    );
    line!(out, "![plot]({name}.png)\n");
}

/// CPU ratio and wall ratio of all targets.
fn beside(out: &mut String, report: &Report) {
    line!(out, "## Side by side: CPU ratio / wall\n");
    line!(out, "| workload | {} | goal |", report.names.join(" | "));
    line!(out, "|---{}|---|", "|---".repeat(report.names.len()));
    for kind in &report.settings.kinds {
        let cells = report.results.cells.iter().filter(|cell| cell.kind == *kind);
        let fields: Vec<String> = cells.map(both_ratios).collect();
        line!(
            out,
            "| {} | {} | {} |",
            title(report, *kind),
            fields.join(" | "),
            goal(*kind, report.settings.dataset.style)
        );
    }
    line!(out, "");
}

fn both_ratios(cell: &Cell) -> String {
    if cell.unsupported {
        return "not supported".to_owned();
    }
    format!("{} / {}", ratio(cell.cpu_ratio()), ratio(cell.wall_ratio()))
}

fn closed(out: &mut String, report: &Report, target: usize) {
    let cells: Vec<&Cell> = report.results.cells.iter().filter(|cell| cell.target == target).collect();
    if cells.is_empty() {
        return;
    }
    line!(out, "## {}: closed loop\n", report.names[target]);
    line!(
        out,
        "| workload | requests/s | p50 µs | p99 µs | p99.9 µs | server CPU µs | CPU ratio | wall | goal (CPU / wall) | fsyncs per request | client CPU µs | others | wrong |"
    );
    line!(out, "|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for cell in cells {
        if cell.unsupported {
            line!(out, "| {} | not supported {}|", title(report, cell.kind), "| ".repeat(11));
            continue;
        }
        let fsyncs = if cell.kind.writes() { cell.fsyncs_per_request() } else { None };
        line!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} % | {} |",
            title(report, cell.kind),
            figure(Some(cell.per_second())),
            figure(Some(cell.latency.quantile_us(0.5))),
            figure(Some(cell.latency.quantile_us(0.99))),
            figure(Some(cell.latency.quantile_us(0.999))),
            figure(cell.server_cpu_us()),
            spread(cell.cpu_ratio()),
            spread(cell.wall_ratio()),
            if report.has_goals() { verdict(cell, report.settings.dataset.style) } else { "–".to_owned() },
            figure(fsyncs),
            figure(Some(cell.client_cpu_us())),
            cell.disturbed() * 100.0,
            cell.wrong,
        );
    }
    line!(out, "");
}

fn open(out: &mut String, report: &Report) {
    if report.results.open.is_empty() {
        return;
    }
    line!(out, "## Open loop\n");
    line!(
        out,
        "Requests fall due at a fixed rate, whatever the server does; latency counts from the due time. The closed loop's p99 stands beside it. *Late*: how late the client itself sent, p99. The bare HTTP server, which syncs where the workload writes, is what this machine, with the client on it, leaves at that rate to a server that does nothing else. *Waits*: time per request in which threads were ready to run and had no processor.\n"
    );
    line!(
        out,
        "| workload | server | due/s | answered/s | p50 µs | p99 µs | p99.9 µs | max µs | p99 / p50 | p99.9 / p50 | server waits µs | client waits µs | late µs | unsent | closed loop p99 µs |"
    );
    line!(out, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for open in &report.results.open {
        let outcome = &open.outcome.outcome;
        let same = |cell: &&Cell| cell.kind == open.kind && Some(cell.target) == open.target;
        let closed = report.results.cells.iter().find(same).map(|cell| cell.latency.quantile_us(0.99));
        line!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            title(report, open.kind),
            open.server(&report.names),
            open.rate,
            figure(Some(outcome.per_second())),
            figure(Some(outcome.latency.quantile_us(0.5))),
            figure(Some(outcome.latency.quantile_us(0.99))),
            figure(Some(outcome.latency.quantile_us(0.999))),
            figure(Some(outcome.latency.max_us())),
            figure(Some(open.over_median(0.99))),
            figure(Some(open.over_median(0.999))),
            figure(open.server_wait_us),
            figure(open.client_wait_us),
            figure(Some(open.outcome.lateness.quantile_us(0.99))),
            open.outcome.unsent,
            figure(closed),
        );
    }
    line!(out, "");
}

fn group(out: &mut String, report: &Report) {
    if report.results.group.is_empty() {
        return;
    }
    line!(out, "## Group commit\n");
    line!(
        out,
        "PutItem of {} from so many connections, over what the disk itself gives to as many writers that share each fdatasync, measured just before. The bare HTTP server that syncs does nothing else with a body: what it reaches is what HTTP on this machine leaves of the disk's rate.\n",
        report.settings.dataset.item_size()
    );
    line!(
        out,
        "| writers | server | writes/s | the disk's writes/s | the disk's syncs/s | ratio | goal | fsyncs per write | p50 µs | p99 µs |"
    );
    line!(out, "|---|---|---|---|---|---|---|---|---|---|");
    for cell in &report.results.group {
        let aim = cell.goal().filter(|_| report.has_goals());
        let met = aim.zip(cell.ratio()).map(|(goal, ratio)| ratio.median >= goal);
        let goal = aim.map_or("–".to_owned(), |goal| format!("≥ {goal}{}", mark(met)));
        line!(
            out,
            "| {} | {} | {} | {} | {} | {} | {goal} | {} | {} | {} |",
            cell.writers,
            cell.server,
            figure(Some(cell.per_second())),
            figure(Some(cell.disk_per_second())),
            figure(median(cell.disk_syncs.iter().copied())),
            spread(cell.ratio()),
            figure(cell.fsyncs_per_write),
            figure(Some(cell.latency.quantile_us(0.5))),
            figure(Some(cell.latency.quantile_us(0.99))),
        );
    }
    line!(out, "");
}

fn footprint(out: &mut String, report: &Report) {
    line!(out, "## Footprint\n");
    line!(
        out,
        "On disk after a clean stop, log files apart; a server that is measured in place is not stopped. *Payload*: all items of all tables and indexes as DynamoDB bills them.\n"
    );
    line!(
        out,
        "| server | start-up ms | restart after SIGKILL ms | RSS idle MiB | loaded | peak | loading s | payload MiB | state MiB | bytes per item of {} | state over payload | log MiB |",
        report.settings.dataset.item_size()
    );
    line!(out, "|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (name, footprint) in report.names.iter().zip(&report.results.footprints) {
        let stopped = !footprint.disk_at_rest.is_empty();
        let (log, state) = log_and_state(&footprint.disk_at_rest);
        let over_payload =
            (stopped && footprint.payload_bytes > 0).then(|| state as f64 / footprint.payload_bytes as f64);
        line!(
            out,
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            figure(footprint.start_ms),
            figure(footprint.restart_ms),
            mib(footprint.idle_bytes),
            mib(footprint.loaded_bytes),
            mib(footprint.peak_bytes),
            figure(Some(footprint.load_seconds)),
            mib(Some(footprint.payload_bytes)),
            mib(stopped.then_some(state)),
            figure(over_payload.map(|ratio| ratio * report.settings.dataset.item_bytes as f64)),
            figure(over_payload),
            mib(stopped.then_some(log)),
        );
    }
}

fn mib(bytes: Option<u64>) -> String {
    figure(bytes.map(|bytes| bytes as f64 / (1 << 20) as f64))
}

fn problems(out: &mut String, report: &Report) {
    if report.results.problems.is_empty() {
        return;
    }
    line!(out, "\n## Wrong\n");
    for problem in &report.results.problems {
        line!(out, "- {}", problem.replace('\n', " "));
    }
}

fn title(report: &Report, kind: Kind) -> String {
    kind.title(&report.settings.dataset.item_size())
}

fn goal(kind: Kind, style: Style) -> String {
    match kind.goal(style) {
        None => "–".to_owned(),
        Some(goal) => {
            let wall = match (goal.wall_ratio, goal.per_second) {
                (Some(wall), _) => format!("≥ {wall}"),
                (None, Some(rate)) => format!("≥ {rate}/s"),
                (None, None) => "–".to_owned(),
            };
            format!("≤ {} / {wall}", goal.cpu_ratio)
        }
    }
}

fn verdict(cell: &Cell, style: Style) -> String {
    let Some(goal) = cell.kind.goal(style) else { return "–".to_owned() };
    let cpu = cell.cpu_ratio().map(|ratio| ratio.median <= goal.cpu_ratio);
    let wall = match goal.wall_ratio {
        Some(wall) => cell.wall_ratio().map(|ratio| ratio.median >= wall),
        None => goal.per_second.map(|rate| cell.per_second() >= rate),
    };
    let text = self::goal(cell.kind, style);
    let (left, right) = text.split_once(" / ").expect("a goal has two parts");
    format!("{left}{} / {right}{}", mark(cpu), mark(wall))
}

fn mark(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => " ✓",
        Some(false) => " ✗",
        None => "",
    }
}

fn ratio(spread: Option<Spread>) -> String {
    figure(spread.map(|spread| spread.median))
}

fn spread(spread: Option<Spread>) -> String {
    match spread {
        None => "–".to_owned(),
        Some(Spread { median, low, high }) if low == high => figure(Some(median)),
        Some(Spread { median, low, high }) => {
            format!("{} [{}–{}]", figure(Some(median)), figure(Some(low)), figure(Some(high)))
        }
    }
}

/// Three digits that matter, thousands apart.
pub fn figure(value: Option<f64>) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return "–".to_owned() };
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{value:.4}"),
        small if small < 1.0 => format!("{value:.3}"),
        small if small < 10.0 => format!("{value:.2}"),
        small if small < 100.0 => format!("{value:.1}"),
        _ => thousands(value.round() as i64),
    }
}

fn thousands(value: i64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digit != '-' && (digits.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let cases =
            [(0.0, "0"), (0.0051, "0.0051"), (0.0512, "0.051"), (2.345, "2.35"), (45.67, "45.7"), (999.6, "1,000")];
        for (value, text) in cases {
            assert_eq!(figure(Some(value)), text);
        }
        assert_eq!(figure(Some(1_234_567.0)), "1,234,567");
        assert_eq!(figure(None), "–");
    }

    #[test]
    fn every_goal_has_two_parts() {
        for kind in Kind::ALL {
            for style in [Style::Plain, Style::Sdk] {
                assert!(kind.goal(style).is_none() || goal(kind, style).contains(" / "), "{kind:?}");
            }
        }
    }
}
