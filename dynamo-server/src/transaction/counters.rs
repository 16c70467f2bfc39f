//! How transactions ended, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};

use dynamo_engine::apply::two_phase::Decision;
use dynamo_engine::apply::{ActionOutcome, Outcome, Rejection};

use crate::shard::ShardError;

/// Where the items of a transaction and its client's token lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// On one shard: one command, one round.
    OneShard,
    /// On several: two-phase commit.
    SeveralShards,
}

impl Extent {
    /// Both.
    pub const ALL: [Extent; 2] = [Extent::OneShard, Extent::SeveralShards];

    /// The label on the metrics page.
    pub fn name(self) -> &'static str {
        match self {
            Extent::OneShard => "one",
            Extent::SeveralShards => "several",
        }
    }
}

/// How a transaction ended, as its client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it was done.
    Committed,
    /// Recognised by its token: it had been done before.
    Replayed,
    /// A condition was false, or an action did not fit its item.
    Cancelled,
    /// Another transaction was in the way, and nothing else was.
    Conflict,
    /// Not even tried, and the client is told so: a full queue or disk, a token of another request.
    Refused,
    /// The client was told that something went wrong here: it may have happened or not.
    Unknown,
}

impl End {
    /// All of them, in the order of their numbers.
    pub const ALL: [End; 6] =
        [End::Committed, End::Replayed, End::Cancelled, End::Conflict, End::Refused, End::Unknown];

    /// The label on the metrics page.
    pub fn name(self) -> &'static str {
        match self {
            End::Committed => "committed",
            End::Replayed => "replayed",
            End::Cancelled => "cancelled",
            End::Conflict => "conflict",
            End::Refused => "refused",
            End::Unknown => "unknown",
        }
    }

    /// `None` where it has not ended: an outdated plan is made again.
    fn of(answer: &Result<Outcome, ShardError>) -> Option<End> {
        let is_conflict = |verdict: &ActionOutcome| matches!(verdict, ActionOutcome::Conflict | ActionOutcome::Passed);
        Some(match answer {
            Ok(Outcome::Transacted { .. }) => End::Committed,
            Ok(Outcome::Replayed { .. }) => End::Replayed,
            Ok(Outcome::Cancelled(verdicts)) if verdicts.iter().all(is_conflict) => End::Conflict,
            Ok(Outcome::Cancelled(_)) => End::Cancelled,
            Ok(Outcome::InProgress) => End::Conflict,
            Ok(Outcome::Rejected(Rejection::Stale)) => return None,
            Ok(Outcome::TokenMismatch | Outcome::Rejected(_)) => End::Refused,
            Err(ShardError::Overloaded | ShardError::DiskFull) => End::Refused,
            Ok(_) | Err(_) => End::Unknown,
        })
    }
}

/// Counts of transactions since the node started.
#[derive(Debug, Default)]
pub struct TransactionCounters {
    /// By [`Extent`] and, inside, by [`End`].
    ended: [[AtomicU64; End::ALL.len()]; Extent::ALL.len()],
    /// Commits that were carried out for a lost coordinator.
    recovered_committed: AtomicU64,
    /// Records of an ABORT that were removed for a lost coordinator.
    recovered_aborted: AtomicU64,
}

impl TransactionCounters {
    /// A client of this node is about to get this answer.
    pub(super) fn ended(&self, extent: Extent, answer: &Result<Outcome, ShardError>) {
        if let Some(end) = End::of(answer) {
            self.ended[extent as usize][end as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a coordinator left behind is finished, and its record is gone.
    pub(super) fn recovered(&self, decision: &Decision) {
        let counter = match decision {
            Decision::Committed { .. } => &self.recovered_committed,
            Decision::Aborted { .. } => &self.recovered_aborted,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How many ended so.
    pub fn of(&self, extent: Extent, end: End) -> u64 {
        self.ended[extent as usize][end as usize].load(Ordering::Relaxed)
    }

    /// Transactions that were finished for their lost coordinator: (committed, aborted).
    pub fn recoveries(&self) -> (u64, u64) {
        (self.recovered_committed.load(Ordering::Relaxed), self.recovered_aborted.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_name() {
        let cancelled = |verdicts: &[ActionOutcome]| Ok(Outcome::Cancelled(verdicts.to_vec()));
        let invalid = ActionOutcome::Invalid("it does not fit".to_owned());
        for (answer, name) in [
            (Ok(Outcome::Transacted { actions: Vec::new() }), Some("committed")),
            (Ok(Outcome::Replayed { reads: Vec::new() }), Some("replayed")),
            (cancelled(&[ActionOutcome::Passed, ActionOutcome::ConditionFailed { item: None }]), Some("cancelled")),
            (cancelled(&[ActionOutcome::Conflict, invalid]), Some("cancelled")),
            (cancelled(&[ActionOutcome::Passed, ActionOutcome::Conflict]), Some("conflict")),
            (Ok(Outcome::InProgress), Some("conflict")),
            (Ok(Outcome::TokenMismatch), Some("refused")),
            (Ok(Outcome::Rejected(Rejection::Full)), Some("refused")),
            (Ok(Outcome::Rejected(Rejection::Stale)), None),
            (Err(ShardError::Overloaded), Some("refused")),
            (Err(ShardError::DeadlinePassed), Some("unknown")),
            (Err(ShardError::Unknown), Some("unknown")),
        ] {
            assert_eq!(End::of(&answer).map(End::name), name, "{answer:?}");
        }
    }
}
