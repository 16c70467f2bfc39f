//! One large partition: a page far behind its start must cost what the first one costs.

use super::run::{Scale, figure, mib};
use crate::client::Caller;
use crate::error::Result;
use crate::machine::{monotonic_ns, resident};
use crate::session::progress;
use crate::workload::{Dataset, Style, Table, load_partition, pages_at};

/// Where pages begin, in thousandths of the partition; the last as near to its end as full pages are.
const PLACES: [u64; 5] = [0, 250, 500, 750, 1_000];
/// Pages begin behind one of so many rows.
const ROWS_OF_A_PLACE: u64 = 1_000;

/// The rows for pages at several places of one partition.
pub fn table(scale: &mut Scale, rows: u64) -> Result<String> {
    progress(&format!("one partition of {rows} rows"));
    let target = scale.start()?;
    let mut caller = Caller::new(&target.endpoint)?;
    let start = monotonic_ns();
    load_partition(&mut caller, Dataset { items: rows, item_bytes: 200, style: Style::Plain }, Table::Query100, rows)?;
    let seconds = (monotonic_ns() - start) as f64 / 1e9;
    let mut text = format!(
        "\n## One partition of {rows} rows of 200 B: Query of 100 rows behind a key\n\nLoaded in {seconds:.1} s, RSS {} MiB then.\n\n\
         | place | CPU ratio | wall | requests/s | CPU µs | p50 µs | p99 µs |\n|---|---|---|---|---|---|---|\n",
        mib(target.pid.and_then(resident).map(|memory| memory.0))
    );
    let beside = scale.beside()?;
    for place in PLACES {
        // The last pages must still be full, with a row behind them.
        let first = (rows * place / 1_000).min(rows.saturating_sub(201));
        let starts = ROWS_OF_A_PLACE.min(rows.saturating_sub(first + 200)).max(1);
        let plan = pages_at(&target.endpoint, Table::Query100, first, starts);
        let cost = beside.cost(&target, &plan, scale.closed(place), scale.repetitions)?;
        scale.note(&format!("pages at row {first}"), &cost.outcome);
        let latency = &cost.outcome.latency;
        text += &format!(
            "| behind row {first} | {} | {} | {} | {} | {:.0} | {:.0} |\n",
            figure(cost.cpu_ratio(), 2),
            figure(cost.wall_ratio(), 3),
            figure(cost.per_second(), 0),
            figure(cost.server_cpu_us(), 1),
            latency.quantile_us(0.5),
            latency.quantile_us(0.99),
        );
    }
    scale.finish(target);
    Ok(text)
}
