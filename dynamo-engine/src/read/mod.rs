//! Executes read plans.

mod error;
mod fence;

use std::sync::Arc;

use crate::catalog::TableDescriptor;

pub use error::ReadError;
pub use fence::{Fence, TokenSpan, Views};

/// A read, ready to run.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {}

impl ReadPlan {
    /// The tokens that this plan reads, no more and no fewer.
    pub fn fence(&self) -> Fence {
        match self.kind {}
    }

    /// Whether all reads must come from one moment. Single point reads look at the newest applied state instead.
    pub fn needs_view(&self) -> bool {
        match self.kind {}
    }

    /// Whether the answer comes from a fixed, small number of point reads, so that it is worth trying on the store's
    /// memory-only tier without leaving the calling thread.
    pub fn is_point_reads(&self) -> bool {
        match self.kind {}
    }

    /// Whether the client asked for strongly consistent reads (in a batch: for at least one table).
    pub fn is_consistent(&self) -> bool {
        match self.kind {}
    }

    /// The tables as this plan knows them: the guard compares their versions with those installed in the shards that
    /// it fences, and plans again where they differ.
    pub fn tables(&self) -> Vec<&Arc<TableDescriptor>> {
        match self.kind {}
    }

    /// Runs the plan and appends the reply's JSON body to `out`.
    ///
    /// # Errors
    /// See [`ReadError`]. What was appended by then is of no use.
    pub fn execute(&self, _views: &dyn Views, _out: &mut Vec<u8>) -> Result<(), ReadError> {
        match self.kind {}
    }
}
