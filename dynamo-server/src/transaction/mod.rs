//! Coordination of transactions whose items lie on several shards: who proposes which step.
//!
//! What each step means, and why the result is all or nothing, stands in [`dynamo_engine::apply::two_phase`]; every
//! step is a command in some shard's log. Here are those who propose them:
//!
//! ```text
//! coordinator   Prepare to all at once ─▶ Decide on one ─▶ Resolve to all at once ─▶ Forget
//!    (the node that got the request)         │                        │
//!                                  the client's answer depends    and is given here, once all
//!                                  on this alone                  shards have applied; past the
//!                                                                 deadline without waiting for them
//! recovery      looks now and then at what the shards led here hold, and finishes what somebody left behind
//! reader        meets a lock: waits a little, asks the record shard, and past a bound aborts what is not decided
//! ```
//!
//! - *Ambiguity.* A step whose answer is lost is never repeated as if nothing had happened. A prepare without an answer
//!   counts as refused, and the transaction is given up; whoever finds that prepare later learns so on the record
//!   shard. A decision without an answer is asked for: recording ABORT answers with what stands.
//! - *The client.* All prepares are waited for, so a cancellation names every reason, in order. A client that goes
//!   away stops nothing: the coordinator is a task of its own.
//! - *Tokens.* A client's token decides which shard is the record shard ([`parts`]), so all requests under it meet at
//!   one shard, on whatever node they come in: one at a time is under way, the first to commit leaves the token's row
//!   with its decision, the same request is answered by the row from then on, and another one refused. The record shard
//!   says so before anything is decided.
//! - *Indexes.* The record shard answers its decision at once, so that the other shards are told without waiting for
//!   its index entries; those are waited for while the others write, and the client is answered after both.
//! - *Order.* Between lease and view a read looks whether a transaction holds what it reads. Each commit is announced
//!   only when every shard has written it, so whoever reads a part of it finds the rest written or held.

mod coordinator;
mod counters;
mod failpoint;
mod intents;
mod parts;
mod records;
mod recovery;

pub use counters::{End, Extent, TransactionCounters};
pub use failpoint::Failpoint;
#[cfg(any(test, feature = "fault-injection"))]
pub use failpoint::{ignore_locks, set_trap};
pub(crate) use intents::IntentFilter;

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::command::Command;
use dynamo_engine::plan::PlannedCommand;
use futures::future::join_all;

use self::records::Records;
use crate::env::{Env, Tasks};
use crate::index::IndexRelay;
use crate::router::Router;
use crate::shard::{Deadline, ShardError};

/// How long a write that waits for a transaction waits before it tries again: about what a transaction takes.
const CONFLICT_PAUSE: Duration = Duration::from_millis(10);

/// How long a prepare may still be accepted after its transaction began. Longer than any request, with room for a
/// shard whose clock runs ahead by the window of its ceiling after changes of the leader.
const LIFE: Duration = Duration::from_secs(20);

/// What becomes of a write whose item a transaction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The conflict is its outcome.
    Answer,
    /// It waits until the item is free, or the time is over.
    Wait,
}

/// Writes, those of several items at once among them.
pub struct Transactions<E: Env> {
    /// Leads to the shards of the items.
    router: Arc<Router<E>>,
    /// Index entries of what was committed are waited for.
    index: Arc<IndexRelay<E>>,
    /// Coordinators outlive the requests that began them.
    tasks: Arc<Tasks<E>>,
    /// What is decided about transactions over several shards.
    records: Arc<Records<E>>,
}

impl<E: Env> Transactions<E> {
    /// Those of a node.
    pub(crate) fn new(router: Arc<Router<E>>, index: Arc<IndexRelay<E>>, tasks: Arc<Tasks<E>>) -> Transactions<E> {
        let records = Arc::new(Records { router: Arc::clone(&router), counters: TransactionCounters::default() });
        Transactions { router, index, tasks, records }
    }

    /// Starts what finishes transactions that lost their coordinators.
    pub(crate) fn start(&self) {
        if self.router.shards.len() > 1 {
            self.tasks.start_until_stopped(recovery::run(Arc::clone(&self.records)));
        }
    }

    /// How transactions ended that clients asked of this node.
    pub(crate) fn counters(&self) -> &TransactionCounters {
        &self.records.counters
    }

    /// What the shards that this node leads hold of transactions under way: parts that are prepared, and decisions
    /// that are not carried out everywhere.
    pub(crate) fn open(&self) -> (u64, u64) {
        let (mut prepared, mut decisions) = (0, 0);
        for shard in self.router.led() {
            let open = shard.group().published().transactions();
            prepared += open.prepared.len() as u64;
            decisions += open.decisions.len() as u64;
        }
        (prepared, decisions)
    }

    /// Proposes commands that are independent of each other, all at the same time; what comes of each is in their
    /// order.
    pub async fn propose_all(
        self: &Arc<Self>,
        commands: Vec<PlannedCommand>,
        on_conflict: OnConflict,
        deadline: Deadline,
    ) -> Vec<Result<Outcome, ShardError>> {
        let mut proposals = Vec::with_capacity(commands.len());
        for command in commands {
            proposals.push(self.propose(command, on_conflict, deadline));
        }
        join_all(proposals).await
    }

    /// Proposes a command to the shard that owns its token, and waits until the leader has applied it.
    ///
    /// # Errors
    /// [`ShardError`]; what it leaves open stands there.
    pub async fn propose(
        self: &Arc<Self>,
        planned: PlannedCommand,
        on_conflict: OnConflict,
        deadline: Deadline,
    ) -> Result<Outcome, ShardError> {
        let PlannedCommand { token, command } = planned;
        let command = match command {
            Command::Transact(transaction) => return self.transact(token, transaction, deadline).await,
            command => command,
        };
        let shard = self.router.shard_of(token);
        if on_conflict == OnConflict::Answer {
            return self.router.propose_to(shard, command, deadline).await;
        }
        loop {
            match self.router.propose_to(shard, command.clone(), deadline).await? {
                Outcome::Conflict if !deadline.is_over::<E>() => {
                    E::sleep(deadline.remaining::<E>().min(CONFLICT_PAUSE)).await;
                }
                outcome => return Ok(outcome),
            }
        }
    }
}
