//! What applying one entry has done so far, so that it ends.
//!
//! An entry holds hundreds of commands, and each may evaluate a condition for a tenth of a second or make a row of
//! 400 KB out of a hundred bytes. When an entry has done enough, its other commands with items are put off
//! ([`Rejection::Crowded`](super::Rejection::Crowded)): nothing of them is done, and who proposed them proposes them
//! again, for another entry. What counts is in the entry and in the rows, so all replicas put off the same commands.
//! One command is always carried out: it is bounded by itself.

use std::cell::Cell;

use dynamo_expression::Steps;
use ordered_kv::Value;

use crate::cost::{COMMAND_STEPS_MAX, ENTRY_ROWS_BYTES_MAX, ENTRY_STEPS_MAX};

/// The work of one entry.
#[derive(Debug, Default)]
pub(super) struct Work {
    steps: Cell<u64>,
    rows_bytes: Cell<usize>,
}

impl Work {
    /// Whether the entry has done enough.
    pub fn is_enough(&self) -> bool {
        self.steps.get() > ENTRY_STEPS_MAX || self.rows_bytes.get() > ENTRY_ROWS_BYTES_MAX
    }

    /// Calls `evaluate` with the steps of one command, and counts what it used.
    pub fn counted<T>(&self, evaluate: impl FnOnce(&Steps) -> T) -> T {
        let steps = Steps::new(COMMAND_STEPS_MAX);
        let result = evaluate(&steps);
        self.steps.set(self.steps.get() + (COMMAND_STEPS_MAX - steps.left()));
        result
    }

    /// Counts a row that is held until the entry is applied and answered.
    pub fn hold(&self, row: Option<&Value>) {
        self.rows_bytes.set(self.rows_bytes.get() + row.map_or(0, |row| row.len()));
    }
}
