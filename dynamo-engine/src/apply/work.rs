//! The work of one entry, counted: it bounds what the entry does, and how long one command occupies the thread.
//!
//! An entry holds hundreds of commands, and each may evaluate a condition for a tenth of a second or make a row of
//! 400 KB out of a hundred bytes. When an entry has done enough, its other commands with items are put off
//! ([`Rejection::Crowded`](super::Rejection::Crowded)): nothing of them is done, and who proposed them proposes them
//! again, for another entry. What counts is in the entry and in the rows, so all replicas put off the same commands.
//! One command is always carried out: it is bounded by itself.
//!
//! Where others wait for the thread, one command may be too much by itself. So it can be tried with a *limit*, in steps and in
//! bytes that it is about to write: past it, and before anything is changed, it ends with [`Fault::TooLong`] and leaves no
//! trace, and is begun again on a background thread. The outcome is the same.

use std::cell::Cell;

use dynamo_expression::Steps;
use ordered_kv::Value;

use super::Fault;
use crate::cost::{COMMAND_STEPS_MAX, ENTRY_ROWS_BYTES_MAX, ENTRY_STEPS_MAX};

/// No limit on a command but those that all replicas share.
pub const UNLIMITED: u64 = u64::MAX;

/// The work of one entry.
#[derive(Debug)]
pub(super) struct Work {
    /// Of expressions, since they were last taken.
    steps: Cell<u64>,
    /// Bytes of the rows, old and new, that are held until the entry is applied and answered.
    rows_bytes: Cell<usize>,
    /// Steps since they were last asked for.
    new_steps: Cell<u64>,
    /// What the command at hand may do here, and what it has done or is about to do of that.
    limit: Cell<u64>,
    /// What it has done or is about to do of that.
    weight: Cell<u64>,
}

/// What was counted before a command.
pub(super) struct Before {
    /// Of expressions.
    steps: u64,
    /// Bytes of the rows that are held.
    rows_bytes: usize,
}

impl Default for Work {
    fn default() -> Work {
        Work {
            steps: Cell::new(0),
            rows_bytes: Cell::new(0),
            new_steps: Cell::new(0),
            limit: Cell::new(UNLIMITED),
            weight: Cell::new(0),
        }
    }
}

impl Work {
    /// Whether the entry has done enough, where it has written so many bytes.
    pub fn is_enough(&self, written: usize) -> bool {
        self.steps.get() > ENTRY_STEPS_MAX || self.rows_bytes.get() + written > ENTRY_ROWS_BYTES_MAX
    }

    /// Begins a command that may do so much here.
    pub fn begin(&self, work_max: u64) -> Before {
        self.limit.set(work_max);
        self.weight.set(0);
        Before { steps: self.steps.get(), rows_bytes: self.rows_bytes.get() }
    }

    /// Whether the command at hand has a limit.
    pub fn is_limited(&self) -> bool {
        self.limit.get() != UNLIMITED
    }

    /// Forgets what a command has done that is begun again.
    pub fn forget_since(&self, before: &Before) {
        self.steps.set(before.steps);
        self.rows_bytes.set(before.rows_bytes);
    }

    /// Calls `evaluate` with the steps of one command, and counts what it used.
    ///
    /// # Errors
    /// Those of `evaluate`; [`Fault::TooLong`] where the steps did not suffice and may be more elsewhere.
    pub fn counted<T>(&self, evaluate: impl FnOnce(&Steps) -> Result<T, Fault>) -> Result<T, Fault> {
        let budget = COMMAND_STEPS_MAX.min(self.limit.get());
        let steps = Steps::new(budget);
        let result = evaluate(&steps);
        let used = budget - steps.left();
        self.steps.set(self.steps.get() + used);
        self.new_steps.set(self.new_steps.get() + used);
        if budget < COMMAND_STEPS_MAX && steps.are_exhausted() { Err(Fault::TooLong) } else { result }
    }

    /// Steps since this was last called.
    pub fn take_steps(&self) -> usize {
        usize::try_from(self.new_steps.take()).unwrap_or(usize::MAX)
    }

    /// Counts bytes that the command at hand reads or is about to write.
    ///
    /// # Errors
    /// [`Fault::TooLong`] where they are too many here.
    pub fn weigh(&self, bytes: usize) -> Result<(), Fault> {
        self.weight.set(self.weight.get() + bytes as u64);
        if self.weight.get() > self.limit.get() { Err(Fault::TooLong) } else { Ok(()) }
    }

    /// Counts a row that is held until the entry is applied and answered.
    pub fn hold(&self, row: Option<&Value>) {
        self.rows_bytes.set(self.rows_bytes.get() + row.map_or(0, |row| row.len()));
    }
}
