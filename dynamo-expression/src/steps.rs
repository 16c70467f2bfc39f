//! How much work evaluating an expression does, and the end of it.
//!
//! The work of an expression is the product of its operators (up to 300) and what they look at (values of up to 2 MB,
//! items of 400 KB), so it is counted while it is done. A step is about a nanosecond: a byte that is searched or
//! decoded, eight bytes that are compared. The count depends on the expression and the item alone, never on time, so
//! replicas that share a budget stop at the same place.

use std::cell::Cell;

/// What it costs to find one attribute, or to go one step along a path.
pub(crate) const LOOKUP: usize = 64;
/// What a condition costs whatever it looks at.
pub(crate) const CONDITION: usize = 8;

/// The steps that comparing so many bytes in one piece takes.
pub(crate) fn compared(bytes: usize) -> usize {
    bytes / 8 + 1
}

/// The steps that are left.
#[derive(Debug)]
pub struct Steps {
    left: Cell<u64>,
    exhausted: Cell<bool>,
}

/// The steps are used up: the expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfSteps;

impl Steps {
    /// A budget of so many.
    pub fn new(budget: u64) -> Steps {
        Steps { left: Cell::new(budget), exhausted: Cell::new(false) }
    }

    /// Steps without end, for those who evaluate one expression against one small item.
    pub fn unlimited() -> Steps {
        Steps::new(u64::MAX)
    }

    /// How many are left.
    pub fn left(&self) -> u64 {
        self.left.get()
    }

    /// Whether more were wanted than there were.
    pub fn are_exhausted(&self) -> bool {
        self.exhausted.get()
    }

    /// Counts `count` steps before they are done.
    ///
    /// # Errors
    /// [`OutOfSteps`] from the first time on that fewer are left.
    pub fn spend(&self, count: usize) -> Result<(), OutOfSteps> {
        match self.left.get().checked_sub(count as u64) {
            Some(left) if !self.exhausted.get() => {
                dynamo_protocol::work::note(count);
                self.left.set(left);
                Ok(())
            }
            _ => {
                self.exhausted.set(true);
                Err(OutOfSteps)
            }
        }
    }
}
