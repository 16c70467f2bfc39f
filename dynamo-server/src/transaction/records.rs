//! Transaction records: asks for the decision about a transaction, and has it carried out.
//!
//! Used by the coordinator, by reads that meet an intent, and by recovery. A record is found wherever its shard is led.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::apply::two_phase::{Decision, PreparedTransaction};
use dynamo_engine::command::{Command, Decide, Forget, Prepared, Resolve, TransactionId, Verdict};
use futures::future::join_all;
use hlc::Timestamp;
use shard_router::Token;

use super::counters::TransactionCounters;
use crate::env::Env;
use crate::router::Router;
use crate::shard::{Deadline, Shard, ShardError};

/// How long finishing a decided transaction may take in one go, whatever is left of the request's time.
pub(super) const FINISH_MAX: Duration = Duration::from_secs(5);

/// The way to the records.
pub(super) struct Records<E: Env> {
    /// Leads to the shards of the records, and to those that carry out what stands in them.
    pub router: Arc<Router<E>>,
    /// How transactions ended that were finished here.
    pub counters: TransactionCounters,
}

impl<E: Env> Records<E> {
    /// What is decided about a transaction, after `verdict` was offered to the record shard.
    ///
    /// # Errors
    /// When the record shard cannot be asked in time.
    pub async fn decide(
        &self,
        record_token: Token,
        id: TransactionId,
        verdict: Verdict,
        deadline: Deadline,
    ) -> Result<Option<Decision>, ShardError> {
        let command = Command::Decide(Decide { id, verdict });
        match self.router.propose_to(self.router.shard_of(record_token), command, deadline).await? {
            Outcome::Decided { decision, .. } => Ok(decision),
            _ => Err(ShardError::Unknown),
        }
    }

    /// Asks the record shard of a transaction that is prepared on `shard` what became of it, records ABORT there if
    /// `abort` and nothing is decided, and carries out what is decided. Whether anything is.
    ///
    /// # Errors
    /// When a shard cannot be reached in time.
    pub async fn settle(
        &self,
        shard: &Arc<Shard<E>>,
        prepared: &PreparedTransaction,
        abort: bool,
        deadline: Deadline,
    ) -> Result<bool, ShardError> {
        let verdict = if abort { Verdict::Abort { deadline_ms: prepared.deadline_ms } } else { Verdict::Ask };
        let Some(decision) = self.decide(prepared.record_token, prepared.id, verdict, deadline).await? else {
            return Ok(false);
        };
        let commit = decision.commit_of(prepared.ts, |token| self.router.shard_of(token).id() == shard.id());
        let resolve = Resolve { id: prepared.id, prepared: Some(prepared.ts), commit };
        self.router.propose_to(shard, Command::Resolve(resolve), deadline).await.map(|_| true)
    }

    /// Has everybody carry out a recorded decision, and removes the record.
    pub async fn finish(
        &self,
        record_shard: &Arc<Shard<E>>,
        id: TransactionId,
        decision: &Decision,
    ) -> Result<(), ShardError> {
        let deadline = Deadline::after::<E>(FINISH_MAX);
        match decision {
            Decision::Committed { at, prepares } => {
                // All at once: one that cannot be reached keeps the record, and not the locks of the others.
                let resolves = prepares.iter().map(|prepared| self.carry_out(id, prepared, *at, deadline));
                join_all(resolves).await.into_iter().collect::<Result<(), ShardError>>()?;
            }
            // Only once it is over does the shard let the record go; until then there is nothing to do.
            Decision::Aborted { deadline_ms } if self.router.hybrid_ms() <= *deadline_ms => return Ok(()),
            Decision::Aborted { .. } => {}
        }
        self.router.propose_to(record_shard, Command::Forget(Forget { id }), deadline).await?;
        self.counters.recovered(decision);
        Ok(())
    }

    /// Has one shard carry out a commit.
    async fn carry_out(
        &self,
        id: TransactionId,
        prepared: &Prepared,
        at: Timestamp,
        deadline: Deadline,
    ) -> Result<(), ShardError> {
        let resolve = Resolve { id, prepared: Some(prepared.ts), commit: Some(at) };
        match self.router.propose_to(self.router.shard_of(prepared.token), Command::Resolve(resolve), deadline).await? {
            Outcome::Resolved { .. } => Ok(()),
            _ => Err(ShardError::Unknown),
        }
    }
}
