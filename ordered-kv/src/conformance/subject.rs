//! What is examined.

use crate::StateStore;

/// A state store that can be closed and opened again.
pub trait StateSubject {
    /// The open store.
    fn store(&self) -> &dyn StateStore;
    /// Closes it in order and opens it again: what was flushed is there, whatever else may be.
    fn reopen(&mut self);
}
