//! What all clients saw, and whether it can be explained.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Instant;

use checker::search::{Cell, CellAction};
use checker::serial::{RealTime, Transaction};
use checker::{History, Outcome, register, search, serial};

/// Steps after which the search for the order of one cell is given up. Some seconds; giving up is counted and
/// reported, never taken for a proof.
const CELL_STEPS_MAX: u64 = 3_000_000;

/// How operations of one kind ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answered.
    pub ok: u64,
    /// Refused: nothing happened.
    pub failed: u64,
    /// Nobody knows.
    pub unknown: u64,
}

#[derive(Default)]
struct Seen {
    registers: BTreeMap<String, History<register::Action>>,
    cells: BTreeMap<String, History<CellAction>>,
    transactions: History<Transaction>,
    /// Violations that need no history, such as a sum that is not kept.
    wrong: Vec<String>,
    tallies: BTreeMap<&'static str, Tally>,
    /// When the last write was acknowledged, by the node that was asked.
    last_write: BTreeMap<u64, u64>,
}

/// What all clients of a run saw.
pub struct Record {
    began: Instant,
    seen: Mutex<Seen>,
}

impl Default for Record {
    fn default() -> Record {
        Record { began: Instant::now(), seen: Mutex::default() }
    }
}

impl Record {
    /// Nanoseconds on the clock that all clients share; never 0.
    pub fn now(&self) -> u64 {
        1 + self.began.elapsed().as_nanos() as u64
    }

    /// An operation on a register.
    pub fn register(&self, key: &str, start: u64, action: register::Action, outcome: Outcome) {
        let end = self.now();
        self.seen().registers.entry(key.to_owned()).or_default().push(start, end, action, outcome);
    }

    /// An operation on a cell.
    pub fn cell(&self, key: &str, start: u64, action: CellAction, outcome: Outcome) {
        let end = self.now();
        self.seen().cells.entry(key.to_owned()).or_default().push(start, end, action, outcome);
    }

    /// A transaction over lists.
    pub fn transaction(&self, start: u64, transaction: Transaction, outcome: Outcome) {
        let end = self.now();
        self.seen().transactions.push(start, end, transaction, outcome);
    }

    /// Something that must never be.
    pub fn wrong(&self, what: String) {
        self.seen().wrong.push(what);
    }

    /// Counts an operation.
    pub fn count(&self, kind: &'static str, outcome: Outcome) {
        let mut seen = self.seen();
        let tally = seen.tallies.entry(kind).or_default();
        match outcome {
            Outcome::Ok => tally.ok += 1,
            Outcome::Failed => tally.failed += 1,
            Outcome::Unknown => tally.unknown += 1,
        }
    }

    /// A write was acknowledged by this node.
    pub fn written_through(&self, node: u64) {
        let now = self.now();
        self.seen().last_write.insert(node, now);
    }

    /// When a write was last acknowledged by this node; 0 for never.
    pub fn last_write_through(&self, node: u64) -> u64 {
        self.seen().last_write.get(&node).copied().unwrap_or(0)
    }

    /// What the checkers say.
    pub fn judge(&self) -> Verdict {
        let seen = self.seen();
        let mut wrong = seen.wrong.clone();
        let registers = register::check_each(seen.registers.iter());
        wrong.extend(registers.err().map(|(key, violation)| format!("register {key}: {violation}")));
        let mut given_up = 0;
        for (key, history) in &seen.cells {
            match search::check(&Cell, history, CELL_STEPS_MAX) {
                search::Verdict::Linearizable(_) => {}
                search::Verdict::GaveUp { .. } => given_up += 1,
                search::Verdict::Violated { longest } => {
                    let explained = longest.len();
                    wrong.push(format!("cell {key}: no order explains it ({explained} of {} fit)", history.len()));
                }
            }
        }
        let transactions = serial::check(&seen.transactions, RealTime::WhereTheyConflict);
        wrong.extend(transactions.err().map(|anomaly| format!("transactions: {anomaly}")));
        Verdict {
            wrong,
            given_up,
            cells: seen.cells.len(),
            registers: seen.registers.len(),
            transactions: seen.transactions.len(),
            tallies: seen.tallies.clone(),
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Everything that no order of the operations explains.
    pub wrong: Vec<String>,
    /// Cells whose search took too long.
    pub given_up: usize,
    /// Cells that were looked at.
    pub cells: usize,
    /// Registers that were looked at.
    pub registers: usize,
    /// Transactions that were looked at.
    pub transactions: usize,
    /// How operations ended, by kind.
    pub tallies: BTreeMap<&'static str, Tally>,
}

impl Verdict {
    /// Operations that were answered.
    pub fn answered(&self) -> u64 {
        self.tallies.values().map(|tally| tally.ok).sum()
    }

    /// Operations of this kind that were answered.
    pub fn answered_of(&self, kind: &str) -> u64 {
        self.tallies.get(kind).map_or(0, |tally| tally.ok)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<28} {:>8} {:>8} {:>8}", "operation", "ok", "failed", "unknown")?;
        for (kind, tally) in &self.tallies {
            writeln!(f, "  {kind:<28} {:>8} {:>8} {:>8}", tally.ok, tally.failed, tally.unknown)?;
        }
        write!(
            f,
            "  checked: {} registers, {} cells ({} given up), {} transactions\n  verdict: ",
            self.registers, self.cells, self.given_up, self.transactions
        )?;
        match self.wrong.first() {
            None => f.write_str("every register and cell linearizable, transactions serializable, sums kept"),
            Some(_) => write!(f, "VIOLATED\n    {}", self.wrong.join("\n    ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use checker::serial::Step;

    use super::*;

    /// A verdict that cannot fail proves nothing: of each kind a history that is known to be bad.
    #[test]
    fn known_bad_histories_are_found() {
        let record = Record::default();
        let write = |value| record.register("r", record.now(), register::Action::Write(value), Outcome::Ok);
        write(1);
        write(2);
        record.register("r", record.now(), register::Action::Read(Some(1)), Outcome::Ok);
        record.cell("c", record.now(), CellAction::Add { by: 1, sum: 1 }, Outcome::Ok);
        record.cell("c", record.now(), CellAction::Add { by: 1, sum: 1 }, Outcome::Ok);
        let append = vec![Step::Append { key: 1, element: 1 }, Step::Append { key: 2, element: 1 }];
        let torn = vec![Step::Read { key: 1, list: vec![1] }, Step::Read { key: 2, list: vec![] }];
        record.transaction(record.now(), append, Outcome::Ok);
        record.transaction(record.now(), torn, Outcome::Ok);
        record.wrong("a sum".to_owned());
        let wrong = record.judge().wrong;
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        for (found, kind) in wrong.iter().zip(["a sum", "register r", "cell c", "transactions"]) {
            assert!(found.starts_with(kind), "{found}");
        }
    }

    #[test]
    fn a_good_history_passes() {
        let record = Record::default();
        record.register("r", record.now(), register::Action::Write(1), Outcome::Ok);
        record.register("r", record.now(), register::Action::Write(2), Outcome::Unknown);
        record.register("r", record.now(), register::Action::Read(Some(2)), Outcome::Ok);
        record.cell("c", record.now(), CellAction::PutIf { expected: None, new: 4, held: true }, Outcome::Ok);
        record.cell("c", record.now(), CellAction::Add { by: 1, sum: 5 }, Outcome::Ok);
        record.transaction(record.now(), vec![Step::Append { key: 1, element: 1 }], Outcome::Ok);
        assert_eq!(record.judge().wrong, Vec::<String>::new());
    }
}
