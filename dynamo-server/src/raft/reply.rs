//! How the result of a proposal finds its way back: a closure that runs where the entry was applied.
//!
//! A channel would wake a task that hands the outcomes on to the waiting requests; the closure hands them on at once.
//! Dropped without a call (the node stops, the core died) it drops what it captured, and each waiter sees its own
//! channel closed: the outcome is unknown.

use openraft::raft::responder::Responder;
use openraft::{OptionalSend, RaftTypeConfig};

/// Takes the result of one proposal.
pub struct Reply<T>(Box<dyn FnOnce(T) + Send>);

impl<T> Reply<T> {
    /// Calls `deliver` with the result, on the task that applied the entry: it must be quick and must not block.
    pub fn new(deliver: impl FnOnce(T) + Send + 'static) -> Self {
        Reply(Box::new(deliver))
    }
}

impl<C, T> Responder<C, T> for Reply<T>
where
    C: RaftTypeConfig,
    T: OptionalSend + 'static,
{
    fn on_complete(self, result: T) {
        (self.0)(result);
    }
}
