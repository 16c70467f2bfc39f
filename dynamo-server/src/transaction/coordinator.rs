//! The coordinator: carries one transaction over several shards from its prepares to its end.

use std::sync::Arc;

use dynamo_engine::apply::Outcome;
use dynamo_engine::apply::two_phase::Decision;
use dynamo_engine::command::{Command, Forget, Resolve, Transaction, TransactionId, Verdict};
use futures::future::join_all;
use hlc::Timestamp;
use shard_router::Token;
use tokio::sync::oneshot;

use super::failpoint::{Failpoint, reach};
use super::parts::{self, Parts, split};
use super::records::FINISH_MAX;
use super::{Extent, LIFE, Transactions};
use crate::env::Env;
use crate::memory::{COUNTED_BYTES_MIN, Taken};
use crate::shard::{Deadline, ShardError, outbox_positions};

type TransactResult = Result<Outcome, ShardError>;

/// Tells the client's side how it stands.
struct Client {
    /// The transaction is committed; this is what it will have done.
    committed: oneshot::Sender<Outcome>,
    /// The end, with the room of the rows in it.
    finished: oneshot::Sender<(TransactResult, Vec<Taken>)>,
}

impl<E: Env> Transactions<E> {
    /// Carries out a transaction, wherever its items and its client's token lie; `first` is the first item's token.
    ///
    /// # Errors
    /// [`ShardError`]; what it leaves open stands there.
    pub(super) async fn transact(
        self: &Arc<Self>,
        first: Token,
        transaction: Transaction,
        deadline: Deadline,
    ) -> TransactResult {
        let (extent, answer) = match self.split(&transaction) {
            None => {
                let answer =
                    self.router.propose_to(self.router.shard_of(first), Command::Transact(transaction), deadline).await;
                (Extent::OneShard, answer)
            }
            Some((parts, prepares)) => {
                let answer = self.transact_across(parts, prepares, deadline).await;
                (Extent::SeveralShards, answer)
            }
        };
        self.records.counters.ended(extent, &answer);
        answer
    }

    /// The parts of a transaction and their prepares; `None` where one shard has everything.
    fn split(&self, transaction: &Transaction) -> Option<(Parts, Vec<Command>)> {
        if self.router.shards.len() == 1 {
            return None;
        }
        let id = TransactionId(u128::from(E::random()) << 64 | u128::from(E::random()));
        split(transaction, id, self.far_deadline_ms(), |token| self.router.shard_of(token).id())
    }

    async fn transact_across(
        self: &Arc<Self>,
        parts: Parts,
        prepares: Vec<Command>,
        deadline: Deadline,
    ) -> TransactResult {
        let (committed, mut is_committed) = oneshot::channel();
        let (finished, answer) = oneshot::channel();
        let client = Client { committed, finished };
        // A task of its own: a client that goes away must not leave its locks behind.
        self.tasks.start(Arc::clone(self).coordinate(parts, prepares, client, deadline));
        match E::timeout(deadline.remaining::<E>(), answer).await {
            Some(Ok((answer, _found))) => answer,
            // Decided is done, though not all shards have written it yet.
            None | Some(Err(_)) => is_committed.try_recv().map_err(|_| ShardError::DeadlinePassed),
        }
    }

    async fn coordinate(self: Arc<Self>, mut parts: Parts, prepares: Vec<Command>, client: Client, deadline: Deadline) {
        reach(Failpoint::BeforePrepare).await;
        self.prepare(&mut parts, prepares, deadline).await;
        reach(Failpoint::AfterPrepare).await;
        let answer = match parts.conclusion() {
            parts::Conclusion::Commit { at, prepares, reads } => {
                // A shard has it in its log: far ahead of this node's wall time or not, it is where hybrid time stands.
                self.router.clock.observe_local(at);
                let verdict = Verdict::Commit { at, prepares, reads };
                return self.commit(parts, at, verdict, client, deadline).await;
            }
            parts::Conclusion::Abort(answer) => {
                self.release(&parts).await;
                answer
            }
        };
        // The client may have gone.
        let found = parts.parts.iter_mut().filter_map(|part| part.found.take()).collect();
        drop(client.finished.send((answer, found)));
    }

    /// Asks all shards at once, and waits for all of them.
    async fn prepare(&self, parts: &mut Parts, prepares: Vec<Command>, deadline: Deadline) {
        debug_assert_eq!(parts.parts.len(), prepares.len(), "each shard is asked to prepare once");
        let mut asked = Vec::with_capacity(prepares.len());
        for (part, prepare) in parts.parts.iter().zip(prepares) {
            asked.push(self.prepared(part.token, prepare, deadline));
        }
        for (part, (answer, found)) in parts.parts.iter_mut().zip(join_all(asked).await) {
            (part.answer, part.found) = (Some(answer), found);
        }
    }

    /// What a shard says to its prepare, with room for the rows that it has met: each may be 400 KB for some bytes of a request,
    /// and all of them wait for the slowest shard. A cancellation without room is none that can be shown; nothing is done then.
    async fn prepared(&self, token: Token, prepare: Command, deadline: Deadline) -> (TransactResult, Option<Taken>) {
        let answer = self.router.propose_to(self.router.shard_of(token), prepare, deadline).await;
        let bytes = answer.as_ref().map_or(0, Outcome::row_bytes);
        match &answer {
            _ if bytes < COUNTED_BYTES_MIN => (answer, None),
            Ok(Outcome::Cancelled(_)) => match self.router.memory.take(bytes) {
                Some(taken) => (answer, Some(taken)),
                None => (Err(ShardError::Overloaded), None),
            },
            _ => (answer, Some(self.router.memory.take_anyway(bytes))),
        }
    }

    /// Records the commit, and carries it out.
    async fn commit(&self, mut parts: Parts, at: Timestamp, verdict: Verdict, client: Client, deadline: Deadline) {
        reach(Failpoint::BeforeDecide).await;
        let decided = self.record(&mut parts, verdict, deadline).await;
        reach(Failpoint::AfterDecide).await;
        match decided {
            Ok(true) => {}
            Ok(false) => {
                self.release(&parts).await;
                drop(client.finished.send((Err(ShardError::NotConfirmed), Vec::new())));
                return;
            }
            // Whoever finds the prepares learns on the record shard what was decided.
            Err(error) => return drop(client.finished.send((Err(error), Vec::new()))),
        }
        drop(client.committed.send(parts.committed()));
        reach(Failpoint::BeforeResolve).await;
        // The others hold their locks until they are told, so the record shard's index entries are waited for
        // meanwhile.
        let (record_shard, entries) =
            (self.router.shard_of(parts.record_token), outbox_positions(&parts.parts[0].done));
        let entries = self.index.wait_for_entries(record_shard, entries, deadline);
        let (is_everywhere, ()) = futures::join!(self.resolve(&mut parts, at), entries);
        reach(Failpoint::AfterResolve).await;
        drop(client.finished.send((Ok(parts.committed()), Vec::new())));
        if is_everywhere {
            let forget = Command::Forget(Forget { id: parts.id });
            // Recovery does it where this fails.
            drop(
                self.router
                    .propose_to(self.router.shard_of(parts.record_token), forget, Deadline::after::<E>(FINISH_MAX))
                    .await,
            );
            reach(Failpoint::AfterForget).await;
        }
    }

    /// Whether the transaction is committed. An answer that is lost is asked for once more.
    async fn record(&self, parts: &mut Parts, verdict: Verdict, deadline: Deadline) -> Result<bool, ShardError> {
        let command = Command::Decide(dynamo_engine::command::Decide { id: parts.id, verdict });
        let decision = match self.router.propose_to(self.router.shard_of(parts.record_token), command, deadline).await {
            Ok(Outcome::Decided { decision, actions }) => {
                parts.parts[0].done = actions;
                decision
            }
            // It may be recorded yet, so only the record shard can say; and if not, it never is from now on.
            Ok(_) | Err(_) => {
                let verdict = Verdict::Abort { deadline_ms: self.far_deadline_ms() };
                self.records.decide(parts.record_token, parts.id, verdict, Deadline::after::<E>(FINISH_MAX)).await?
            }
        };
        Ok(matches!(decision, Some(Decision::Committed { .. })))
    }

    /// Until when prepares of a transaction that begins now may be accepted; hence after every one that began before.
    fn far_deadline_ms(&self) -> u64 {
        let life_ms = u64::try_from(LIFE.as_millis()).unwrap_or(u64::MAX);
        self.router.hybrid_ms().saturating_add(life_ms)
    }

    /// Carries the commit out on the other shards, at once. Whether all have done it.
    async fn resolve(&self, parts: &mut Parts, at: Timestamp) -> bool {
        let deadline = Deadline::after::<E>(FINISH_MAX);
        debug_assert_eq!(parts.held().count(), parts.parts.len(), "what is committed is prepared everywhere");
        debug_assert!(parts.held().all(|(_, prepared)| prepared.is_some()), "each by a prepare that is known");
        let mut asked = Vec::with_capacity(parts.parts.len());
        for (part, prepared) in parts.held().skip(1) {
            let resolve = Resolve { id: parts.id, prepared, commit: Some(at) };
            asked.push(self.router.propose_to(self.router.shard_of(part.token), Command::Resolve(resolve), deadline));
        }
        let mut is_everywhere = true;
        for (part, outcome) in parts.parts.iter_mut().skip(1).zip(join_all(asked).await) {
            match outcome {
                Ok(Outcome::Resolved { actions }) => part.done = actions,
                _ => is_everywhere = false,
            }
        }
        is_everywhere
    }

    /// Gives up what is held, so that nobody has to find out. Nothing was committed, and nobody else can commit.
    async fn release(&self, parts: &Parts) {
        let deadline = Deadline::after::<E>(FINISH_MAX);
        let mut asked = Vec::with_capacity(parts.parts.len());
        for (part, prepared) in parts.held() {
            let resolve = Resolve { id: parts.id, prepared, commit: None };
            asked.push(self.router.propose_to(self.router.shard_of(part.token), Command::Resolve(resolve), deadline));
        }
        join_all(asked).await;
    }
}
