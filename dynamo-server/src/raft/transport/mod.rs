//! The way from a group to its peers.
//!
//! One [`Connection`] per peer and lane, over the environment's transport. It stamps the time before a message is
//! handed to anything that could deliver it, and credits the lease with exactly that time when exactly that message is
//! answered: openraft's own bookkeeping credits a late answer with the send time of a later message.
//!
//! openraft's default way of sending a stream of appends calls [`Connection::append_entries`] for one after the other. Its
//! read-index relies on that: with two of them under way it would count the late answer to the first as one to the second,
//! which perhaps nobody has received. A test counts them.
//!
//! A leader that hears no quorum sends probes in place of appends, and the time of its followers' promises runs out: see
//! [`LeaseFeed::may_append`]. Probes promise nothing, so nothing stands in the way of an election; and since they are answered
//! by whoever is there, a leader that nobody else can replace (the only other voter lacks entries) goes on by itself once a
//! quorum is back.
//!
//! A group with one voter never makes a connection.

pub(super) mod connection;
pub mod message;
pub(super) mod serve;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select};
use lease::Moment;
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::{AnyError, OptionalSend, RaftNetworkFactory, RaftNetworkV2, Snapshot};

use self::connection::{Connection, unreachable};
use self::message::{LeaderWord, Message};
use super::lease::freshness::NO_MARK;
use super::lease::wall_clocks::WallClocks;
use super::lease::{LeaseFeed, now};
use super::machine::published::Published;
use super::rules::{self, Rule};
use super::snapshot::ShardSnapshot;
use super::snapshot::send::{SendError, send};
use super::types::{CommittedLeaderId, LogId, Member, NodeId, Types, Vote};
use crate::env::{Env, Lane};

/// Makes a group's connections.
pub struct Connections<E> {
    /// Whose transport and clocks.
    env: E,
    /// The shard's number.
    group: u32,
    /// Credited with what peers accept.
    lease: Arc<LeaseFeed>,
    /// How far the group has applied here.
    published: Arc<Published>,
    /// What peers say of their clocks goes here.
    wall_clocks: Arc<WallClocks>,
    /// Bytes of rows in one chunk of a snapshot.
    chunk_bytes: usize,
}

impl<E: Env> Connections<E> {
    /// The connections of the group that has this lease and publishes so, over which snapshots go in chunks of about so
    /// many bytes.
    pub fn new(
        env: E,
        group: u32,
        (lease, published, wall_clocks): (Arc<LeaseFeed>, Arc<Published>, Arc<WallClocks>),
        chunk_bytes: usize,
    ) -> Self {
        Connections { env, group, lease, published, wall_clocks, chunk_bytes }
    }

    fn connect(&self, peer: NodeId, member: &Member, lane: Lane) -> Connection<E> {
        Connection {
            env: self.env.clone(),
            group: self.group,
            lease: Arc::clone(&self.lease),
            published: Arc::clone(&self.published),
            wall_clocks: Arc::clone(&self.wall_clocks),
            mark: NO_MARK,
            acknowledged_next: 0,
            peer,
            member: member.clone(),
            lane,
            chunk_bytes: self.chunk_bytes,
        }
    }
}

impl<E: Env> RaftNetworkFactory<Types<E>> for Connections<E> {
    type Network = Connection<E>;

    async fn new_client(&mut self, peer: NodeId, member: &Member) -> Connection<E> {
        self.connect(peer, member, Lane::Data)
    }

    async fn new_heartbeat_client(&mut self, peer: NodeId, member: &Member) -> Connection<E> {
        self.connect(peer, member, Lane::Heartbeat)
    }

    async fn new_snapshot_client(&mut self, peer: NodeId, member: &Member) -> Connection<E> {
        self.connect(peer, member, Lane::Snapshot)
    }
}

impl<E: Env> RaftNetworkV2<Types<E>> for Connection<E> {
    type SnapshotData = ShardSnapshot;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types<E>>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types<E>>, RPCError<Types<E>>> {
        let term = request.vote.leader_id.term;
        if let Err(is_new) = self.lease.may_append(term, now::<E>()) {
            self.probe(term, is_new, option.soft_ttl()).await?;
        }
        let behind = |log_id: Option<LogId>| log_id.map_or(0, |log_id| log_id.index() + 1);
        let (first_next, last) = (behind(request.prev_log_id), request.entries.last().map(|entry| entry.log_id));
        // Before the look at the lease: as much was applied while nobody else could have acknowledged anything.
        let applied_next = self.published.applied_next();
        let sent_at = E::boot_ns().map(Moment::from_nanos);
        let asked_ns = E::monotonic_ns();
        let word = LeaderWord {
            mark: self.mark,
            applied_next: (self.mark != NO_MARK && self.lease.holds(|| sent_at)).then_some(applied_next),
            median_wall_ms: self.wall_clocks.median(asked_ns),
        };
        debug_assert!(
            word.applied_next.is_none_or(|next| next <= self.published.applied_next()),
            "applied stays applied"
        );
        let answer = self.call(Message::Append(request, word), option.soft_ttl()).await?;
        let (word, response) = message::decode_append_response(&answer).map_err(unreachable)?;
        self.lease.peer_answered(term, self.peer, now::<E>());
        self.mark = word.mark;
        let voters = || self.lease.voters_max();
        let now = (E::wall_ms(), E::monotonic_ns());
        self.wall_clocks.follower_said((self.peer, word.wall_ms, asked_ns), now, voters);
        match &response {
            AppendEntriesResponse::Success => self.acknowledges(behind(last).max(first_next)),
            AppendEntriesResponse::PartialSuccess(matched) => self.acknowledges(behind(*matched)),
            AppendEntriesResponse::Conflict if first_next <= self.acknowledged_next => self.has_forgotten(first_next),
            AppendEntriesResponse::Conflict | AppendEntriesResponse::HigherVote(_) => {}
        }
        let is_accepted = !matches!(response, AppendEntriesResponse::HigherVote(_));
        let sent_at = if rules::is_kept(Rule::AnchorAtSend) { sent_at } else { E::boot_ns().map(Moment::from_nanos) };
        if let (true, Some(sent_at)) = (is_accepted, sent_at) {
            self.lease.peer_accepted(term, self.peer, sent_at, word.promised);
        }
        Ok(response)
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types<E>>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types<E>>, RPCError<Types<E>>> {
        let answer = self.call_on(Lane::Heartbeat, Message::Vote(request), option.soft_ttl()).await?;
        message::decode_vote_response(&answer).map_err(unreachable)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types<E>>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types<E>>, RPCError<Types<E>>> {
        let answer = self.call_on(Lane::Heartbeat, Message::PreVote(request), option.soft_ttl()).await?;
        message::decode_vote_response(&answer).map_err(unreachable)
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types<E>>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types<E>>, RPCError<Types<E>>> {
        // Before the target can hear of it, and never again in this term. A leader that was removed starts a transfer
        // by itself, so this is the only place through which all of them pass.
        self.lease.transfer_starts();
        let answer = self.call(Message::Transfer(request), option.soft_ttl()).await?;
        message::decode_transfer_response(&answer).map_err(unreachable)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<CommittedLeaderId, NodeId, Member, ShardSnapshot>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types<E>>, StreamingError<Types<E>>> {
        let ShardSnapshot::Pinned(pin) = snapshot.snapshot else {
            return Err(ReplicationClosed::new("a snapshot that is being received is not sent on").into());
        };
        match select(pin!(send(self, vote, pin)), pin!(cancel)).await {
            Either::Left((Ok(vote), _)) => Ok(SnapshotResponse::new(vote)),
            Either::Left((Err(error), _)) => {
                if let SendError::State(error) = &error
                    && error.is_damage()
                {
                    self.published.note_damage(error.to_string());
                }
                tracing::warn!(shard = self.group, peer = self.peer, %error, "a snapshot is not sent");
                Err(StreamingError::Unreachable(Unreachable::new(&AnyError::new(&error))))
            }
            Either::Right((closed, _)) => Err(closed.into()),
        }
    }
}
