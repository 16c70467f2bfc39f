//! More items, larger items: the main table's rows again and again.

use super::run::{Scale, figure, mib};
use crate::error::Result;
use crate::session::{Footprint, Results, Settings, log_and_state, progress, run};
use crate::workload::{Dataset, Kind, Style};

/// What larger numbers of items could make slower.
const OF_ITEMS: [Kind; 6] =
    [Kind::GetItem, Kind::PutItem, Kind::UpdateItem, Kind::Scan, Kind::BatchGetItem, Kind::YcsbB];
/// What larger items make slower.
const OF_SIZES: [Kind; 2] = [Kind::GetItem, Kind::PutItem];
/// Bytes of all items of one size together.
const SIZES_PAYLOAD_BYTES: u64 = 200 << 20;
/// Goal for GetItem's CPU ratio with a million items.
const GOAL_GET_AT_A_MILLION: f64 = 5.0;

/// The rows for these numbers of small items.
pub fn of_items(scale: &mut Scale, counts: &[u64], item_bytes: u64) -> Result<String> {
    let titles = OF_ITEMS.map(|kind| kind.title(&format!("{item_bytes} B"))).join(" | ");
    let mut text = format!(
        "\n## Items of {item_bytes} B: CPU ratio / wall (p99 µs)\n\nGoal: GetItem ≤ {GOAL_GET_AT_A_MILLION} at 1,000,000.\n\n\
         | items | {titles} | loaded in s | RSS loaded MiB | peak | state over payload | log MiB | restart after SIGKILL ms |\n|---|{}---|---|---|---|---|---|\n",
        "---|".repeat(OF_ITEMS.len())
    );
    for &items in counts {
        progress(&format!("{items} items"));
        let dataset = Dataset { items: items.max(scale.connections * 4).max(400), item_bytes, style: Style::Plain };
        let results = measured(scale, dataset, &OF_ITEMS)?;
        text += &row(&items.to_string(), &results);
    }
    Ok(text)
}

/// The rows for these sizes of items.
pub fn of_sizes(scale: &mut Scale, sizes: &[u64]) -> Result<String> {
    let mut text = String::from(
        "\n## Size of an item: CPU ratio / wall (p99 µs)\n\n| bytes per item | GetItem | PutItem | loaded in s | RSS loaded MiB | peak | state over payload | log MiB | restart after SIGKILL ms |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for &item_bytes in sizes {
        progress(&format!("items of {item_bytes} bytes"));
        let items = (SIZES_PAYLOAD_BYTES / item_bytes).clamp(400, 10_000);
        let results = measured(scale, Dataset { items, item_bytes, style: Style::Plain }, &OF_SIZES)?;
        text += &row(&item_bytes.to_string(), &results);
    }
    Ok(text)
}

fn measured(scale: &mut Scale, dataset: Dataset, kinds: &[Kind]) -> Result<Results> {
    // A page to scan needs more than a megabyte.
    let kinds =
        kinds.iter().copied().filter(|kind| *kind != Kind::Scan || dataset.items * dataset.item_bytes > 2 << 20);
    let settings = Settings {
        dataset,
        kinds: kinds.collect(),
        repetitions: scale.repetitions,
        measure: scale.seconds,
        warm_up: scale.seconds / 4,
        calibrate: scale.seconds / 2,
        connections: scale.connections,
        threads: 1,
        rates: Vec::new(),
        open_connections: 1,
        open_measure: scale.seconds,
        writers: Vec::new(),
        folder: scale.folder.path().to_owned(),
    };
    let mut targets = [scale.start()?];
    let results = run(&settings, &mut targets, vec![Footprint::default()])?;
    scale.problems.extend(results.problems.iter().cloned());
    let [target] = targets;
    scale.finish(target);
    Ok(results)
}

fn row(first: &str, results: &Results) -> String {
    let cell = |cell: &crate::session::Cell| {
        let ratios = (cell.cpu_ratio().map(|ratio| ratio.median), cell.wall_ratio().map(|ratio| ratio.median));
        format!(" {} / {} ({:.0}) |", figure(ratios.0, 2), figure(ratios.1, 3), cell.latency.quantile_us(0.99))
    };
    let mut cells: Vec<String> = results.cells.iter().map(cell).collect();
    // A Scan that had nothing to scan.
    if results.cells.len() == OF_ITEMS.len() - 1 {
        cells.insert(3, " – |".to_owned());
    }
    let footprint = &results.footprints[0];
    let (log, state) = log_and_state(&footprint.disk_at_rest);
    format!(
        "| {first} |{} {:.1} | {} | {} | {:.2} | {} | {} |\n",
        cells.concat(),
        footprint.load_seconds,
        mib(footprint.loaded_bytes),
        mib(footprint.peak_bytes),
        state as f64 / footprint.payload_bytes.max(1) as f64,
        mib(Some(log)),
        figure(footprint.restart_ms, 0),
    )
}
