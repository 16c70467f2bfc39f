//! The rounds of a long run as a table, written after each of them, so that one that is interrupted leaves what it has seen.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::nemesis::Harm;
use super::record::Tally;
use super::run::Report;

/// The rounds so far.
#[derive(Default)]
pub struct Journal {
    /// Where the table goes; nowhere where nobody asked for it.
    path: Option<PathBuf>,
    rows: Vec<String>,
    in_namespaces: usize,
    bad: usize,
    operations: Tally,
    transactions: usize,
    faults: u64,
    kinds: BTreeSet<Harm>,
}

impl Journal {
    /// Writes to this file, if to any.
    pub fn new(path: Option<PathBuf>) -> Journal {
        Journal { path, ..Journal::default() }
    }

    /// Adds a round.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn add(&mut self, report: &Report) {
        let (plan, mut tally) = (report.plan(), Tally::default());
        for of_kind in report.verdict.tallies.values() {
            tally.ok += of_kind.ok;
            tally.failed += of_kind.failed;
            tally.unknown += of_kind.unknown;
        }
        let (faults, transactions) = (report.harms.values().sum::<u64>(), report.verdict.transactions);
        self.in_namespaces += usize::from(plan.shape.has_namespaces);
        self.bad += usize::from(!report.is_good());
        self.operations.ok += tally.ok;
        self.operations.failed += tally.failed;
        self.operations.unknown += tally.unknown;
        self.transactions += transactions;
        self.faults += faults;
        self.kinds.extend(report.harms.keys());
        self.rows.push(format!(
            "| {} | {}{} | {} | {} | {faults} | {} | {} | {} | {transactions} | {} |",
            plan.seed,
            plan.shape.nodes,
            if plan.shape.has_namespaces { " (namespaces)" } else { "" },
            plan.shape.shards,
            plan.shape.election_timeout.as_millis(),
            tally.ok,
            tally.failed,
            tally.unknown,
            if report.is_good() { "no violation" } else { "**VIOLATED**" },
        ));
        if let Some(path) = &self.path {
            std::fs::write(path, self.to_string()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { ok, failed, unknown } = self.operations;
        let verdict = if self.bad == 0 { "no violation".to_owned() } else { format!("{} VIOLATED", self.bad) };
        writeln!(
            f,
            "**Verdict: {verdict} in {} rounds**, {} of them in namespaces: {} operations answered ({ok} done, {failed} \
             failed), {unknown} with an unknown outcome, {} transactions judged, {} faults of {} kinds.\n",
            self.rows.len(),
            self.in_namespaces,
            ok + failed,
            self.transactions,
            self.faults,
            self.kinds.len(),
        )?;
        writeln!(
            f,
            "| seed | nodes | shards | election timeout ms | faults | done | failed | unknown | transactions judged | \
             verdict |\n|---|---|---|---|---|---|---|---|---|---|"
        )?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
