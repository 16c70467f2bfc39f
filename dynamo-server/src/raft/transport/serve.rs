//! What a replica answers to its peers.
//!
//! openraft decides about terms and logs; before it, and once more before its answer leaves, our grantor is asked, which
//! knows whom this node has promised not to help anybody else. The order matters:
//!
//! - An append is promised *before* openraft sees it: whatever votes are granted from then on are refused, so no
//!   acknowledgement can leave after a vote for another node. Promising a message that openraft then rejects costs at
//!   most one lease of waiting; one from a term that is visibly over is not promised at all. The answer says for how long
//!   it is promised, and the leader counts on that: so nodes may be told different election timeouts.
//! - While a promise stands, openraft must not stand for election itself: its switch is off ([`Group::gate_elections`]).
//! - The last part of a snapshot is promised as an append is.
//! - A vote is looked at *twice*: a message of the leader may have been accepted while openraft was deciding, and an
//!   answer that is withheld is only an answer lost on the way.
//! - A probe promises nothing: it comes from a leader that hears no quorum.
//! - A transfer lifts the promise made to the leader that says so: it has given its lease away before.
//!
//! A caller whose incarnation is not the one that the membership here names for its number is heard only where its log goes
//! as far as that membership's own entry: then it may know of a later one, in which its data took the old ones' place. Data
//! that were lost have no log. Nor does a caller that means other data than lie here get an answer.

use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};

use super::message::{self, FollowerWord, LeaderWord, Message};
use crate::env::{Caller, Env};
use crate::raft::codec::CodecError;
use crate::raft::group::Group;
use crate::raft::lease::now;
use crate::raft::rules::{self, Rule};
use crate::raft::snapshot::message::{Refusal, SnapshotAnswer};
use crate::raft::types::{LogId, NodeId, Types, Vote};

/// Why a peer gets no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The message is not for this program.
    #[error("a peer's message cannot be read: {0}")]
    Message(#[from] CodecError),
    /// The caller has the number of a member whose data are others.
    #[error("node {0} is a member with other data than the caller's; see cluster replace")]
    OtherIncarnation(u64),
    /// The group has stopped on this node.
    #[error("the shard has stopped on this node")]
    Stopped,
}

/// How far the caller's log goes, as far as a message shows it. `None` for a message that goes on with what an earlier one
/// has begun.
fn reach<E: Env>(message: &Message<E>) -> Option<Option<LogId>> {
    Some(match message {
        Message::Append(request, _) => {
            let last = request.entries.last().map(|entry| entry.log_id);
            last.max(request.prev_log_id).max(request.leader_commit)
        }
        Message::Vote(request) | Message::PreVote(request) => request.last_log_id,
        Message::Transfer(request) => request.last_log_id().copied(),
        Message::Snapshot(message) => return message.last_log_id(),
        Message::Probe => return None,
    })
}

impl<E: Env> Group<E> {
    /// Answers a peer's message to this group; [`message::group_of`] says for which group a message is.
    ///
    /// # Errors
    /// When there is no answer; the peer then hears nothing, as if the message had been lost.
    pub async fn serve(&self, caller: Caller, request: Bytes) -> Result<Bytes, ServeError> {
        // Its Raft task is about to go, and would write a line about each message.
        if self.published().is_stopping() {
            return Err(ServeError::Stopped);
        }
        let decoded = message::decode::<E>(&request);
        // What is sent again while the disk is slow is not kept until it answers.
        drop(request);
        let request = match decoded {
            Ok((_, request)) => request,
            // Only parts of snapshots carry one. Their sender is told, and sends the same once more.
            Err(CodecError::Checksum) => return Ok(SnapshotAnswer::Refused(Refusal::Checksum).encode()),
            Err(error) => return Err(error.into()),
        };
        if !self.may_hear(caller, &request) {
            return Err(ServeError::OtherIncarnation(caller.node));
        }
        if self.published().quarantine().is_some() {
            // Its Raft task is gone, and would be missed with an error line for each message. Whom to ask is learned.
            if let Message::Append(request, _) = &request {
                self.promise_to(&request.vote);
            }
            return Err(ServeError::Stopped);
        }
        // A snapshot's own task installs it, which nobody waits for here when the group stops.
        let call =
            if let Message::Snapshot(_) = request { None } else { Some(self.call().await.ok_or(ServeError::Stopped)?) };
        let answer = self.answer(request).await;
        drop(call);
        answer
    }

    async fn answer(&self, request: Message<E>) -> Result<Bytes, ServeError> {
        match request {
            Message::Append(request, word) => self.serve_append(request, word).await,
            Message::Vote(request) => {
                Ok(message::encode_vote_response::<E>(&self.serve_vote(request, Kind::Vote).await?))
            }
            Message::PreVote(request) => {
                Ok(message::encode_vote_response::<E>(&self.serve_vote(request, Kind::PreVote).await?))
            }
            Message::Transfer(request) => {
                self.lease().release(request.from_leader().leader_id.term);
                let response = self.raft().handle_transfer_leader(request).await.map_err(|_| ServeError::Stopped)?;
                Ok(message::encode_transfer_response::<E>(&response))
            }
            Message::Probe => Ok(message::encode_probe_response()),
            Message::Snapshot(message) => Ok(self.serve_snapshot(message).await?.encode()),
        }
    }

    /// Whether the caller is the member that has its number, or may know of a membership in which it is.
    fn may_hear(&self, caller: Caller, message: &Message<E>) -> bool {
        if !rules::is_kept(Rule::Incarnations) {
            return true;
        }
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let known = &metrics.membership_config;
        match known.membership().get_node(&caller.node) {
            Some(member) => {
                member.is(caller.incarnation) || reach(message).is_none_or(|reach| reach >= *known.log_id())
            }
            None => true,
        }
    }

    async fn serve_append(
        &self,
        request: AppendEntriesRequest<Types<E>>,
        word: LeaderWord,
    ) -> Result<Bytes, ServeError> {
        let leader = request.vote.leader_id.voted_for;
        let promised = self.promise_to(&request.vote);
        let response = self.raft().append_entries(request).await.map_err(|_| ServeError::Stopped)?;
        let now_ns = E::monotonic_ns();
        if !matches!(response, AppendEntriesResponse::HigherVote(_)) {
            self.heard(leader, &word, now_ns);
        }
        let word = FollowerWord { promised, wall_ms: E::wall_ms(), mark: self.lease().mark(now_ns) };
        Ok(message::encode_append_response::<E>(&word, &response))
    }

    /// What a leader has said beside an append that was accepted.
    fn heard(&self, leader: NodeId, word: &LeaderWord, now_ns: u64) {
        if let Some(attestation) = word.attestation() {
            self.lease().attested(attestation, now_ns, self.published().applied_next());
        }
        if let Some((median_ms, asked_ns)) = word.median_wall_ms.zip(self.lease().moment_of(word.mark, now_ns)) {
            self.wall_clocks().leader_said(leader, median_ms, asked_ns);
        }
    }

    /// Promises the leader that has this vote not to help anybody else for a while; gives for how long.
    pub(in crate::raft) fn promise_to(&self, vote: &Vote) -> Duration {
        let leader = vote.leader_id;
        let is_over = self.log().vote().is_some_and(|vote| vote.leader_id.term > leader.term);
        if is_over {
            return Duration::ZERO;
        }
        let forbid = || self.raft().runtime_config().elect(false);
        self.lease().promise(now::<E>(), leader.voted_for, leader.term, forbid)
    }

    async fn serve_vote(
        &self,
        mut request: VoteRequest<Types<E>>,
        kind: Kind,
    ) -> Result<VoteResponse<Types<E>>, ServeError> {
        // openraft keeps a promise of its own, a second line that would hide what a broken rule does. It asks nobody about
        // a candidate that a leader has named; about a pre-vote it is not asked then.
        let has_second_line = rules::is_kept(Rule::GrantorPromises) && rules::is_kept(Rule::PromiseOutlastsValidity);
        request.leadership_transfer |= !has_second_line;
        let candidate = request.vote.leader_id.voted_for;
        if let Err(refusal) = self.lease().may_grant(now::<E>(), candidate) {
            tracing::debug!(shard = self.shard().0, candidate, %refusal, "a vote is refused");
            return Ok(self.vote_response(false));
        }
        let response = match kind {
            Kind::Vote => self.raft().vote(request).await,
            Kind::PreVote if has_second_line => self.raft().pre_vote(request).await,
            Kind::PreVote => Ok(self.vote_response(true)),
        };
        let mut response = response.map_err(|_| ServeError::Stopped)?;
        if response.vote_granted && self.lease().may_grant(now::<E>(), candidate).is_err() {
            response.vote_granted = false;
        }
        Ok(response)
    }

    /// An answer about a vote that openraft was not asked about.
    fn vote_response(&self, is_granted: bool) -> VoteResponse<Types<E>> {
        let vote = self.log().vote().unwrap_or_else(|| Vote::new(0, *self.raft().node_id()));
        VoteResponse::new(vote, self.log().last(), is_granted)
    }
}

/// The two kinds of asking for a vote.
#[derive(Clone, Copy)]
enum Kind {
    Vote,
    PreVote,
}
