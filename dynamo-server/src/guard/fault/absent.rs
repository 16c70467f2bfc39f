//! The injection points of the default build: nothing can be injected.

use shard_router::ShardId;

use super::Point;
use crate::env::Env;
use crate::guard::Handler;
use crate::shard::{Deadline, ShardError};

/// None.
#[derive(Debug, Default)]
pub struct Faults(());

impl Faults {
    /// Whether the check may look at the lease: always.
    #[inline(always)]
    pub(crate) fn lets_hit(&self, _shard: ShardId, _handler: Handler) -> bool {
        true
    }

    /// What a miss meets before it asks the quorum: nothing.
    #[inline(always)]
    #[expect(clippy::extra_unused_type_parameters, reason = "the one that is injected waits in this environment")]
    pub(crate) async fn meet<E: Env>(
        &self,
        _shard: ShardId,
        _handler: Handler,
        _deadline: Deadline,
    ) -> Result<(), ShardError> {
        Ok(())
    }

    /// Waits as long as reads are to be held up at a point: not at all.
    #[inline(always)]
    pub async fn pass<E: Env>(&self, _point: Point) {}
}
