//! Many tables: requests fall on all of them alike.

use super::run::{Scale, figure, mib};
use crate::client::Caller;
use crate::error::Result;
use crate::machine::{monotonic_ns, resident};
use crate::session::progress;
use crate::workload::{Dataset, Style, get_from_tables, load_tables, put_into_tables};

/// Items of all tables together.
const ITEMS: u64 = 10_000;

/// The rows for these numbers of tables.
pub fn table(scale: &mut Scale, counts: &[u64], item_bytes: u64) -> Result<String> {
    let mut text = format!(
        "\n## Tables, {ITEMS} items of {item_bytes} B in all of them together: CPU ratio / wall (p99 µs)\n\n\
         | tables | GetItem | PutItem | made and filled in s | RSS MiB |\n|---|---|---|---|---|\n"
    );
    for (at, &tables) in counts.iter().enumerate() {
        progress(&format!("{tables} tables"));
        let target = scale.start()?;
        let mut caller = Caller::new(&target.endpoint)?;
        let items = (ITEMS / tables).max(1);
        let dataset = Dataset { items, item_bytes, style: Style::Plain };
        let start = monotonic_ns();
        load_tables(&mut caller, dataset, tables, items)?;
        let seconds = (monotonic_ns() - start) as f64 / 1e9;
        let beside = scale.beside()?;
        let gets = get_from_tables(&target.endpoint, tables, items);
        let puts = put_into_tables(&target.endpoint, &dataset, tables, items, 1);
        let mut cells = String::new();
        for (plan, name) in [(gets, "GetItem"), (puts, "PutItem")] {
            let cost = beside.cost(&target, &plan, scale.closed(at as u64), scale.repetitions)?;
            scale.note(&format!("{name} on {tables} tables"), &cost.outcome);
            let p99 = cost.outcome.latency.quantile_us(0.99);
            cells += &format!(" {} / {} ({p99:.0}) |", figure(cost.cpu_ratio(), 2), figure(cost.wall_ratio(), 3));
        }
        let memory = target.pid.and_then(resident).map(|memory| memory.0);
        text += &format!("| {tables} |{cells} {seconds:.1} | {} |\n", mib(memory));
        scale.finish(target);
    }
    Ok(text)
}
