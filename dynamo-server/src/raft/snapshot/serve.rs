//! What a replica answers to the parts of a snapshot; see `stage` for where the rows go.

use std::cmp::Ordering;
use std::sync::Arc;

use dynamo_engine::apply::ShardState;
use dynamo_engine::keyspace::RowRange;
use openraft::Snapshot;

use super::message::{Refusal, SnapshotAnswer, SnapshotMessage, SnapshotPart};
use super::stage::{Slot, Transfer};
use super::{ShardSnapshot, content, is_own, union};
use crate::env::Env;
use crate::raft::group::Group;
use crate::raft::transport::serve::ServeError;
use crate::raft::types::{SnapshotMeta, Vote};

impl<E: Env> Group<E> {
    pub(in crate::raft) async fn serve_snapshot(&self, message: SnapshotMessage) -> Result<SnapshotAnswer, ServeError> {
        let SnapshotMessage { vote, transfer, part } = message;
        if let Some(own) = self.log().vote()
            && own.partial_cmp(&vote) == Some(Ordering::Greater)
        {
            return Ok(SnapshotAnswer::Done(own));
        }
        let answer = match part {
            SnapshotPart::Begin { meta, ranges } => self.begin_snapshot(vote, transfer, meta, ranges),
            SnapshotPart::Chunk { number, rows } => match self.find_transfer(vote, transfer) {
                Ok(transfer) => transfer.chunk(number, rows).await.map(SnapshotAnswer::Next),
                Err(answer) => Ok(answer),
            },
            SnapshotPart::End { chunks, rows } => match self.find_transfer(vote, transfer) {
                Ok(transfer) => match transfer.end(chunks, rows).await {
                    Ok(()) => return self.install(transfer).await,
                    Err(refusal) => Err(refusal),
                },
                Err(answer) => Ok(answer),
            },
        };
        Ok(answer.unwrap_or_else(|refusal| {
            tracing::warn!(shard = self.shard().0, leader = vote.leader_id.voted_for, %refusal, "a snapshot is refused");
            SnapshotAnswer::Refused(refusal)
        }))
    }

    fn begin_snapshot(
        &self,
        vote: Vote,
        transfer: u64,
        meta: SnapshotMeta,
        ranges: Vec<RowRange>,
    ) -> Result<SnapshotAnswer, Refusal> {
        // A later leader's entries are not an earlier one's to send; openraft would not survive them.
        let last = meta.last_log_id.filter(|last| last.committed_leader_id().term <= vote.leader_id.term);
        let last = last.ok_or(Refusal::Content)?;
        if self.published().applied_next() > last.index() {
            return Ok(SnapshotAnswer::Done(vote));
        }
        match self.staging().slot() {
            Slot::Installing(_) => return Err(Refusal::Busy),
            Slot::Taking(current) if current.vote.partial_cmp(&vote) == Some(Ordering::Greater) => {
                return Err(Refusal::Transfer);
            }
            _ => {}
        }
        let store = self.staging().store().ok_or(Refusal::Transfer)?;
        let map = Arc::clone(self.map());
        let current =
            E::in_place(|| ShardState::load(&*store.view(), self.shard(), map)).map_err(|_| Refusal::Store)?;
        if !ranges.iter().all(|range| is_own(range, &current)) {
            return Err(Refusal::Content);
        }
        let replaced = union(content(&current), &ranges);
        self.staging().begin::<E>(store, (vote, transfer, meta), replaced, ranges);
        Ok(SnapshotAnswer::Next(0))
    }

    /// The transfer that a message belongs to, or what its sender is told instead.
    fn find_transfer(&self, vote: Vote, id: u64) -> Result<Transfer, SnapshotAnswer> {
        Err(match self.staging().slot() {
            Slot::Taking(transfer) if transfer.id == id && transfer.vote == vote => return Ok(transfer),
            Slot::Installing(installing) if installing == id => SnapshotAnswer::Refused(Refusal::Busy),
            Slot::Installed(installed, vote) if installed == id => SnapshotAnswer::Done(vote),
            _ => SnapshotAnswer::Refused(Refusal::Transfer),
        })
    }

    /// Lets openraft install what is complete. A task of its own does it, which outlives the connection.
    async fn install(&self, transfer: Transfer) -> Result<SnapshotAnswer, ServeError> {
        let Transfer { vote, id, meta, .. } = transfer.clone();
        let Some(staged) = self.staging().hand_over(transfer) else {
            return Ok(SnapshotAnswer::Refused(Refusal::Busy));
        };
        // Nobody counts on it: what is promised here is said with no answer.
        self.promise_to(&vote);
        let (raft, staging) = (self.raft().clone(), Arc::clone(self.staging()));
        let snapshot = Snapshot { meta, snapshot: ShardSnapshot::Staged(staged) };
        let installing = E::spawn(async move {
            let installed = raft.install_full_snapshot(vote, snapshot).await;
            let vote = installed.ok().map(|response| response.vote);
            staging.installed(id, vote);
            vote
        });
        match installing.await {
            Ok(Some(vote)) => Ok(SnapshotAnswer::Done(vote)),
            Ok(None) | Err(_) => Err(ServeError::Stopped),
        }
    }
}
