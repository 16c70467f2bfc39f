//! One Raft group on this node: the only handle that the rest of the server has of it.
//!
//! Above this file nothing knows of openraft. A group takes entries and gives outcomes, confirms read indexes, tells
//! its lease and what is applied, and shortens its log when told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use futures::FutureExt as _;
use lease::Timing;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{ClientWriteError, Fatal, InitializeError, LinearizableReadError, RaftError};
use openraft::{Config, Raft, ReadPolicy, ServerState, SnapshotPolicy};
use ordered_kv::StateStore;
use raft_log::{Log, LogError};
use shard_router::{ShardId, ShardMap};
use tokio::sync::{RwLock, RwLockReadGuard, Semaphore};

use super::lease::wall_clocks::WallClocks;
use super::lease::{LeaseFeed, now, voters};
use super::log::wal::Wal;
use super::log::{GroupLog, LogEndError, RecoveredLog};
use super::machine::Machine;
use super::machine::applied::{StateError, persisted_applied};
use super::machine::published::Published;
use super::machine::quarantine::Quarantine;
use super::machine::recovered::RecoveredState;
use super::payload::Payload;
use super::reply::Reply;
use super::rules::{self, Rule};
use super::snapshot::incoming::Incoming;
use super::snapshot::stage::Staging;
use super::transport::Connections;
use super::types::{LogId, Member, NodeId, Types};
use crate::env::Env;
use crate::env::FaultSignal;

/// The pace of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How often a leader is heard.
    pub heartbeat: Duration,
    /// The shortest wait before an election.
    pub election_timeout_min: Duration,
    /// The longest one. It is also the lease: for so long after hearing a leader a voter refuses everybody else.
    pub election_timeout_max: Duration,
}

impl Pace {
    /// The pace of a group whose elections begin after `timeout` at most: the shortest wait is half of it, and a leader is
    /// heard three times within that.
    pub fn for_election_timeout(timeout: Duration) -> Pace {
        Pace { heartbeat: timeout * 3 / 20, election_timeout_min: timeout / 2, election_timeout_max: timeout }
    }
}

/// The election timeout unless another is asked for; see `docs/decisions/failover-time.md`.
pub const ELECTION_TIMEOUT: Duration = Duration::from_millis(1_000);

impl Default for Pace {
    fn default() -> Self {
        Pace::for_election_timeout(ELECTION_TIMEOUT)
    }
}

/// A group as it lies on the disk, read and checked, before the WAL runs.
pub struct RecoveredGroup {
    /// Which shard.
    shard: ShardId,
    /// What the state store holds of it.
    state: RecoveredState,
    /// What its log holds.
    log: RecoveredLog,
    /// Why nothing of it could be read; the group stands still then.
    damage: Option<String>,
}

/// Why a group cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// Its log has lost something.
    #[error(transparent)]
    LogEnd(#[from] LogEndError),
    /// Its state cannot be read.
    #[error("shard {shard}: {source}")]
    State {
        /// The shard.
        shard: u32,
        /// What is wrong.
        source: StateError,
    },
    /// The log of all groups does not take what must be written at the start.
    #[error("shard {shard}: {source}")]
    Log {
        /// The shard.
        shard: u32,
        /// What it said.
        source: LogError,
    },
    /// Raft's settings contradict each other.
    #[error("the pace of the groups cannot be kept: {0}")]
    Pace(String),
    /// openraft does not start.
    #[error("shard {shard} does not start: {reason}")]
    Raft {
        /// The shard.
        shard: u32,
        /// What openraft says.
        reason: String,
    },
}

impl GroupError {
    /// Whether something that was stored is missing or has changed.
    pub fn is_damage(&self) -> bool {
        match self {
            GroupError::LogEnd(_) => true,
            GroupError::State { source, .. } => source.is_damage(),
            GroupError::Log { source, .. } => matches!(source, LogError::Damaged(_)),
            GroupError::Pace(_) | GroupError::Raft { .. } => false,
        }
    }

    /// Whether it is damage to the records of one group, of which the others' say nothing. Where the log or the state has lost
    /// something, or the disk does not answer, no group of the node is to be trusted.
    pub fn is_damage_of_one_group(&self) -> bool {
        match self {
            GroupError::LogEnd(LogEndError::Unreadable { .. }) => true,
            GroupError::State { source, .. } => source.is_damage(),
            GroupError::LogEnd(_) | GroupError::Log { .. } | GroupError::Pace(_) | GroupError::Raft { .. } => false,
        }
    }
}

impl RecoveredGroup {
    /// Reads a group and compares its log with what the state says of it.
    ///
    /// # Errors
    /// When something is missing or damaged; the node must not start.
    pub fn read(
        shard: ShardId,
        map: &Arc<ShardMap>,
        log: &Log,
        store: &dyn StateStore,
    ) -> Result<RecoveredGroup, GroupError> {
        let state_error = |source| GroupError::State { shard: shard.0, source };
        let applied = persisted_applied(store, shard).map_err(state_error)?;
        let state = RecoveredState::read(store, shard, Arc::clone(map)).map_err(state_error)?;
        finish_installing(shard.0, log, store, applied)?;
        let log = RecoveredLog::read(log, shard.0, applied)?;
        if log.purged() > applied {
            return Err(
                LogEndError::State { group: shard.0, purged: log.purged().map_or(0, |purged| purged.index()) }.into()
            );
        }
        Ok(RecoveredGroup { shard, state, log, damage: None })
    }

    /// A group of which nothing can be read, and which therefore takes no part on this node.
    pub fn damaged(shard: ShardId, map: &Arc<ShardMap>, reason: String) -> RecoveredGroup {
        let state = RecoveredState::empty(shard, Arc::clone(map));
        RecoveredGroup { shard, state, log: RecoveredLog::default(), damage: Some(reason) }
    }

    /// Whether the group holds a vote, an entry or state.
    pub fn has_data(&self) -> bool {
        self.damage.is_some() || self.log.vote().is_some() || self.log.last().is_some() || self.state.applied.is_some()
    }

    /// The last entry of its log, purged or not.
    pub fn last(&self) -> Option<LogId> {
        self.log.last()
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The members, voters and learners, by the newest membership that lies here. Empty for a new group.
    pub fn members(&self) -> BTreeMap<NodeId, Member> {
        let owned = |(node, member): (&NodeId, &Member)| (*node, member.clone());
        match self.log.newest_members() {
            Some(members) => members.clone(),
            None => self.state.membership.membership().nodes().map(owned).collect(),
        }
    }
}

/// Ends the installation of a snapshot that a crash has interrupted after the state was replaced; one that did not come
/// so far never was.
fn finish_installing(group: u32, log: &Log, state: &dyn StateStore, applied: Option<LogId>) -> Result<(), GroupError> {
    let unreadable = |reason| LogEndError::Unreadable { group, reason };
    let incoming = Incoming::read(log, group).map_err(|error| unreadable(error.to_string()))?;
    let Some(incoming) = incoming else { return Ok(()) };
    if applied < Some(incoming.upto) {
        return Ok(());
    }
    incoming.sweep(state).map_err(|error| GroupError::State { shard: group, source: error.into() })?;
    if log.last(group) < Some(incoming.upto.index()) {
        incoming.drop_log(log, group).map_err(|source| GroupError::Log { shard: group, source })?;
    }
    Ok(())
}

/// What all groups of a node share.
#[derive(Clone)]
pub struct GroupContext<E: Env> {
    /// The world.
    pub env: E,
    /// This node.
    pub node: NodeId,
    /// The pace of every group.
    pub pace: Pace,
    /// The longest promise that this node may have given before it started; see `lease::Grantor::start`.
    pub longest_promise: Duration,
    /// The members' wall clocks, as the node knows them.
    pub wall_clocks: Arc<WallClocks>,
    /// Bytes of rows in one chunk of a snapshot.
    pub snapshot_chunk_bytes: usize,
    /// Bytes of memory that the newest entries of one group may take once they are applied.
    pub tail_bytes_max: usize,
    /// Places for large entries while they are applied.
    pub large_entries: Arc<Semaphore>,
    /// The logs.
    pub log: Arc<Log>,
    /// The state.
    pub state: Arc<dyn StateStore>,
    /// The worker that writes the logs.
    pub wal: Wal<E>,
    /// Where faults go.
    pub fault: FaultSignal,
}

/// Why a proposal has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Not taken: this node does not lead. The proposal did not and will not happen.
    #[error("this node does not lead the shard")]
    NotLeader {
        /// Who does, as far as is known.
        leader: Option<NodeId>,
    },
    /// Taken, and then the leadership was lost: it may or may not have happened, or still happen.
    #[error("whether the write happened is not known")]
    Unknown,
    /// The group has stopped on this node.
    #[error("the shard has stopped on this node")]
    Stopped,
}

/// Why leadership could not be confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadIndexError {
    /// This node does not lead.
    #[error("this node does not lead the shard")]
    NotLeader {
        /// Who does, as far as is known.
        leader: Option<NodeId>,
    },
    /// No quorum answered.
    #[error("no quorum confirmed the leadership")]
    NoQuorum,
    /// The group has stopped on this node.
    #[error("the shard has stopped on this node")]
    Stopped,
}

/// Takes what a proposal came to.
pub type Deliver = Box<dyn FnOnce(Result<Vec<Outcome>, ProposeError>) + Send>;

/// A running group.
pub struct Group<E: Env> {
    /// The shard that it replicates.
    shard: ShardId,
    /// Which shard owns what.
    map: Arc<ShardMap>,
    /// The group's openraft.
    raft: Raft<Types<E>, Machine<E>>,
    /// Its log.
    log: GroupLog<E>,
    /// Its lease, on this node.
    lease: Arc<LeaseFeed>,
    /// What others see of the applied state.
    published: Arc<Published>,
    /// A snapshot that is coming in.
    staging: Arc<Staging>,
    /// What this node's wall time is worth.
    wall_clocks: Arc<WallClocks>,
    /// Shared by those who wait for an answer of openraft's, which writes an error line for each that it leaves without one.
    calls: RwLock<()>,
    /// Raised when the node must stop.
    fault: FaultSignal,
}

impl<E: Env> Group<E> {
    /// Starts a group from what was recovered of it. It takes part from now on; on a new one,
    /// [`Group::initialize`] must follow.
    ///
    /// # Errors
    /// When openraft refuses what was recovered.
    pub async fn start(context: &GroupContext<E>, recovered: RecoveredGroup) -> Result<Group<E>, GroupError> {
        debug_assert!(
            recovered.damage.is_some() || recovered.state.applied <= recovered.log.last(),
            "the state is not ahead of its log"
        );
        let shard = recovered.shard;
        let map = Arc::clone(&recovered.state.shard.map);
        let timing = Timing::for_election_timeout(context.pace.election_timeout_max)
            .map_err(|error| GroupError::Pace(error.to_string()))?;
        let mut configs = recovered.log.memberships();
        let applied = &recovered.state.membership;
        if let Some(log_id) = applied.log_id() {
            configs.retain(|(index, _)| *index > log_id.index());
            configs.insert(0, (log_id.index(), voters(applied.membership())));
        }
        debug_assert!(configs.windows(2).all(|pair| pair[0].0 < pair[1].0), "memberships are in the order of the log");
        let timing = (timing, context.longest_promise);
        let vote = recovered.log.vote();
        let lease = Arc::new(LeaseFeed::start(context.node, timing, configs, vote, now::<E>(), E::random()));
        // Nobody stands before its grantor was asked: see `gate_elections`.
        let config = Config { enable_elect: false, ..config(&context.pace)? };
        let published = Arc::new(recovered.state.publish());
        if let Some(reason) = &recovered.damage {
            tracing::error!(shard = shard.0, reason, "the shard stands still on this node: its records cannot be read");
            published.set_quarantine(Quarantine::Data(reason.clone()));
            lease.shut_down();
        }
        let told = (Arc::clone(&lease), Arc::clone(&published));
        let log = GroupLog::new(shard.0, Arc::clone(&context.log), context.wal.clone(), told, recovered.log);
        log.set_tail_bytes_max(context.tail_bytes_max);
        let machine = Machine::new(
            Arc::clone(&context.state),
            log.clone(),
            recovered.state,
            (Arc::clone(&lease), Arc::clone(&published)),
            Arc::clone(&context.large_entries),
            context.fault.clone(),
        );
        let wall_clocks = Arc::clone(&context.wall_clocks);
        let tells = (Arc::clone(&lease), Arc::clone(&published), Arc::clone(&wall_clocks));
        let network = Connections::new(context.env.clone(), shard.0, tells, context.snapshot_chunk_bytes);
        let raft = Raft::new(context.node, Arc::new(config), network, log.clone(), machine)
            .await
            .map_err(|error| GroupError::Raft { shard: shard.0, reason: error.to_string() })?;
        published.set_running();
        if published.quarantine().is_some() {
            // It takes no part; what is wrong is said elsewhere.
            drop(raft.shutdown().await);
        }
        let staging = Arc::new(Staging::new(Arc::clone(&context.state)));
        let fault = context.fault.clone();
        Ok(Group { shard, map, raft, log, lease, published, staging, wall_clocks, calls: RwLock::default(), fault })
    }

    /// Gives a new group its first members. Nothing happens to a group that has some already.
    ///
    /// # Errors
    /// When openraft refuses.
    pub async fn initialize(&self, members: BTreeMap<NodeId, Member>) -> Result<(), GroupError> {
        match self.raft.initialize(members).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(_) if self.published.quarantine().is_some() => Ok(()),
            Err(error) => Err(GroupError::Raft { shard: self.shard.0, reason: error.to_string() }),
        }
    }

    /// Waits for the end of the hold-off: a voter that restarts has forgotten what it promised to whom. Returns at once for
    /// a voter that is alone and can have promised nothing to anybody.
    pub async fn wait_hold_off(&self) {
        E::sleep(self.lease.hold_off(now::<E>())).await;
    }

    /// Lets the group stand for election whenever its own grantor would vote for it, and only then. Never returns.
    ///
    /// A group starts with its elections off, and each promise switches them off again. So nothing here depends on a
    /// moment: whenever this task looks, late or early, it does what is right then, and looks again when that may change.
    ///
    /// openraft by itself waits for one more election timeout, drawn by chance, after the lease of a leader that is silent.
    /// What chance is for is that two do not stand at the same time; here they take turns instead, right after the lease.
    pub async fn gate_elections(&self) {
        loop {
            let allow = || self.raft.runtime_config().elect(true);
            match self.lease.let_stand(now::<E>(), allow) {
                Ok(()) => {
                    let took_turn = match self.turn() {
                        Some(wait) => E::timeout(wait, self.lease.promises_change()).await.is_none(),
                        None => false,
                    };
                    if took_turn {
                        // An error means that the group has stopped, and this task is about to be.
                        drop(self.stand().await);
                        // Should nothing come of it: the next turn.
                        let _ = E::timeout(ELECTION, self.lease.promises_change()).await;
                    } else if self.turn().is_none() {
                        self.lease.promises_change().await;
                    }
                }
                // A promise that is lifted is looked at early; what comes of waiting is seen by the next look.
                Err(until) => drop(E::timeout(until.since(now::<E>()), self.lease.promises_change()).await),
            }
        }
    }

    /// How long this node waits before it stands, so that of several one comes first; `None` where it leads already, or does
    /// not vote with others.
    fn turn(&self) -> Option<Duration> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let me = metrics.id;
        let voters: Vec<NodeId> = metrics.membership_config.voter_ids().collect();
        let place = voters.iter().position(|voter| *voter == me)?;
        if metrics.state == ServerState::Leader || voters.len() < 2 {
            return None;
        }
        let vote = metrics.vote;
        // The one behind the leader that fell silent comes first: not always the same.
        let leader = voters.iter().position(|voter| *voter == vote.leader_id.voted_for).unwrap_or(0);
        let turn = (place + voters.len() - leader - 1) % voters.len();
        let votes_for_another = !vote.committed && vote.leader_id.voted_for != me;
        let jitter = Duration::from_millis(E::random() % TURN_JITTER_MS);
        Some(
            TURN * u32::try_from(turn).unwrap_or(u32::MAX)
                + jitter
                + if votes_for_another { ELECTION } else { Duration::ZERO },
        )
    }

    /// Stands for election without waiting for a timeout. Nothing happens while this node has promised a leader not to
    /// elect anybody else, or openraft hears one; a voter that is alone wins at once.
    ///
    /// # Errors
    /// When the group has stopped.
    pub async fn stand(&self) -> Result<(), ProposeError> {
        let me = *self.raft.node_id();
        if rules::is_kept(Rule::AskOneself) && self.lease.may_grant(now::<E>(), me).is_err() {
            return Ok(());
        }
        self.raft.trigger().elect(true).await.map_err(|_| ProposeError::Stopped)
    }

    /// Proposes an entry; `deliver` is called with what came of it, on the task that applied it, or dropped when the
    /// group stops first.
    ///
    /// # Errors
    /// When the group has stopped.
    pub async fn propose(&self, payload: Payload, deliver: Deliver) -> Result<(), ProposeError> {
        let reply = Reply::new(move |result: openraft::raft::ClientWriteResult<Types<E>>| {
            deliver(match result {
                Ok(response) => Ok(response.data.0),
                Err(ClientWriteError::ForwardToLeader(forward)) => {
                    Err(ProposeError::NotLeader { leader: forward.leader_id })
                }
                Err(_) => Err(ProposeError::Unknown),
            });
        });
        self.raft.client_write_ff(payload, Some(reply)).await.map_err(|fatal| self.stopped(&fatal))
    }

    /// A group that stopped without being told to has met a fault, if only a panic of its own.
    fn stopped(&self, fatal: &Fatal<Types<E>>) -> ProposeError {
        if !matches!(fatal, Fatal::Stopped) && !self.published.is_stopping() && self.published.quarantine().is_none() {
            self.fault.raise(format!("shard {}: {fatal}", self.shard.0));
        }
        ProposeError::Stopped
    }

    /// To be held while an answer of openraft's is waited for; `None` once the group is being stopped.
    pub(super) async fn call(&self) -> Option<RwLockReadGuard<'_, ()>> {
        let call = self.calls.read().await;
        (!self.published.is_stopping()).then_some(call)
    }

    /// Confirms with a quorum that this node leads, and gives the index that a read must wait for.
    ///
    /// # Errors
    /// When the leadership is not confirmed.
    pub async fn read_index(&self) -> Result<u64, ReadIndexError> {
        let Some(_call) = self.call().await else { return Err(ReadIndexError::Stopped) };
        match self.raft.get_read_log_id(ReadPolicy::ReadIndex).await {
            Ok((read, _)) => Ok(read.log_id().index()),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                Err(ReadIndexError::NotLeader { leader: forward.leader_id })
            }
            Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => Err(ReadIndexError::NoQuorum),
            Err(RaftError::Fatal(_)) => Err(ReadIndexError::Stopped),
        }
    }

    /// Drops the log up to and with `applied`, which must be persisted in the state store.
    ///
    /// # Errors
    /// When the group has stopped.
    pub async fn purge(&self, applied: u64) -> Result<(), ProposeError> {
        debug_assert!(applied < self.published.applied_next(), "only what is applied is purged");
        // openraft purges only up to a snapshot; ours is a pin and costs nothing.
        let trigger = self.raft.trigger();
        trigger.snapshot().await.map_err(|_| ProposeError::Stopped)?;
        let covers = |metrics: &openraft::RaftMetrics<Types<E>>| {
            metrics.snapshot.is_some_and(|snapshot| snapshot.index() >= applied)
        };
        self.raft
            .wait(Some(SNAPSHOT_WAIT))
            .metrics(covers, "the pin that the log is purged to")
            .await
            .map_err(|_| ProposeError::Unknown)?;
        trigger.purge_log(applied).await.map_err(|_| ProposeError::Stopped)
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    pub(super) fn raft(&self) -> &Raft<Types<E>, Machine<E>> {
        &self.raft
    }

    /// Snapshots of a leader that were installed here since the start.
    pub fn snapshots_installed(&self) -> u64 {
        self.staging.count()
    }

    /// Who owns which part of the ring.
    pub(super) fn map(&self) -> &Arc<ShardMap> {
        &self.map
    }

    pub(super) fn staging(&self) -> &Arc<Staging> {
        &self.staging
    }

    pub(super) fn wall_clocks(&self) -> &WallClocks {
        &self.wall_clocks
    }

    /// The lease.
    pub fn lease(&self) -> &LeaseFeed {
        &self.lease
    }

    /// What is applied.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// The log.
    pub fn log(&self) -> &GroupLog<E> {
        &self.log
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.raft.metrics().borrow_watched().current_leader
    }

    /// The node to ask instead of this one; `None` where this is the one, or none is known. Where openraft knows none, perhaps
    /// because it waits for a disk that hangs, the one counts whose messages arrive.
    pub fn other_leader(&self) -> Option<NodeId> {
        let known = self.leader().filter(|leader| leader != self.raft.node_id());
        known.or_else(|| self.lease.follows(now::<E>()))
    }

    /// Says whether this node is fit to lead: one that is not does not stand for election.
    pub fn set_fit(&self, is_fit: bool) {
        self.lease.set_fit(is_fit, || self.raft.runtime_config().elect(false));
        if is_fit {
            self.raft.runtime_config().heartbeat(true);
        }
    }

    /// Leads no longer, if it does: without heartbeats the followers elect another. For a leader that cannot hand over.
    pub fn fall_silent(&self) {
        self.raft.runtime_config().heartbeat(false);
    }

    /// Raises a fault where the group's Raft task has ended without being told to, by a panic say. A follower would not be
    /// noticed otherwise, since nobody proposes to it. A shard that stands still at an entry has ended its own task, and
    /// only that shard.
    pub fn check_running(&self) {
        if self.published.is_stopping() || self.published.quarantine().is_some() {
            return;
        }
        let mut metrics = self.raft.metrics();
        let is_over = loop {
            match metrics.changed().now_or_never() {
                Some(Ok(())) => {}
                Some(Err(_)) => break true,
                None => break metrics.borrow_watched().running_state.is_err(),
            }
        };
        let is_expected = || self.published.is_stopping() || self.published.quarantine().is_some();
        if is_over && !is_expected() {
            let state = metrics.borrow_watched().running_state.clone();
            let reason = state.err().map_or_else(|| "it panicked".to_owned(), |fatal| fatal.to_string());
            self.fault.raise(format!("shard {}: its Raft task has ended: {reason}", self.shard.0));
        }
    }

    /// Ends the Raft task without telling anybody, as a panic does.
    #[cfg(test)]
    pub async fn end_abruptly(&self) {
        self.raft.shutdown().await.expect("it runs");
    }

    /// Hands the leadership to `target`, as far as this node has it. The lease is gone before the target hears of it;
    /// until the next election this node takes no proposals.
    ///
    /// # Errors
    /// When the group has stopped.
    pub async fn transfer(&self, target: NodeId) -> Result<(), ProposeError> {
        self.raft.trigger().transfer_leader(target).await.map_err(|_| ProposeError::Stopped)
    }

    /// Where this node leads, lets the voter lead that has most of the log, and waits at most `limit` until it does; so
    /// that nobody has to wait for an election when this node stops.
    pub async fn hand_over(&self, limit: Duration) {
        let Some(target) = self.successor() else { return };
        let is_over = |metrics: &openraft::RaftMetrics<Types<E>>| {
            metrics.current_leader.is_some_and(|leader| leader != metrics.id)
        };
        let handed_over = match self.transfer(target).await {
            Ok(()) => self.raft.wait(Some(limit)).metrics(is_over, "a successor that leads").await.is_ok(),
            Err(_) => false,
        };
        tracing::info!(shard = self.shard.0, target, handed_over, "the leadership is handed over");
    }

    /// The other voter with most of the log; `None` where this node does not lead or is alone.
    fn successor(&self) -> Option<NodeId> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let me = metrics.id;
        let voters: Vec<NodeId> = metrics.membership_config.voter_ids().filter(|voter| *voter != me).collect();
        let replicated = metrics.replication.as_ref().filter(|_| metrics.current_leader == Some(me))?;
        voters.into_iter().max_by_key(|voter| replicated.get(voter).copied().flatten())
    }

    /// Leaves the group on this node for good, because of what lies here of it; others lead first, if they do within `limit`.
    pub async fn give_up(&self, why: String, limit: Duration) {
        // Nothing is served here from now on, and nobody begins this a second time.
        self.lease.shut_down();
        self.hand_over(limit).await;
        let quarantine = Quarantine::Data(why);
        tracing::error!(shard = self.shard.0, %quarantine, "the shard stands still on this node: others serve it");
        self.published.set_quarantine(quarantine);
        let _none_under_way = E::timeout(CALLS_MAX, self.calls.write()).await;
        drop(self.raft.shutdown().await);
    }

    /// Says that the group is about to be stopped: nothing waits for room on the disk any more, and what ends is no fault.
    pub fn announce_stop(&self) {
        self.published.set_stopping();
    }

    /// Stops taking part. The lease is gone before anything else happens.
    pub async fn shutdown(&self) {
        self.published.set_stopping();
        self.lease.shut_down();
        self.staging.close();
        // Those that hang, at a disk say, are not waited for.
        let _none_under_way = E::timeout(CALLS_MAX, self.calls.write()).await;
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(shard = self.shard.0, %error, "a group did not stop in order");
        }
    }
}

/// How long a stopping group waits for calls of openraft's to be answered: messages of peers, as a rule.
const CALLS_MAX: Duration = Duration::from_millis(500);

/// How much later than the one before it each voter stands for election: longer than an election takes where nothing is wrong
/// but that the leader is silent, so that the next one has heard of it.
const TURN: Duration = Duration::from_millis(150);

/// Nodes that restart at the same time draw apart.
const TURN_JITTER_MS: u64 = 30;

/// How long somebody else's election may take before this node stands as well.
const ELECTION: Duration = Duration::from_millis(500);

/// How long a purge waits for its pin: it takes one turn of the task that applies.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(10);

/// Entries that one message to a peer carries; an entry holds many commands, so a few fill a message.
const ENTRIES_PER_MESSAGE_MAX: u64 = 64;

fn config(pace: &Pace) -> Result<Config, GroupError> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        cluster_name: "dynamo-server".to_owned(),
        heartbeat_interval: millis(pace.heartbeat),
        election_timeout_min: millis(pace.election_timeout_min),
        election_timeout_max: millis(pace.election_timeout_max),
        max_payload_entries: ENTRIES_PER_MESSAGE_MAX,
        // We decide when to purge: see `upkeep`. openraft must keep everything by itself: after each pin it would else
        // purge up to the pin's entry, which is applied but not yet persisted, and a kill would lose acknowledged
        // writes.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        // A restarted leader would resume its term without an election, and its lease with it.
        enable_leader_restore: Some(false),
        enable_pre_vote: Some(true),
        // Followers are sent entries while the leader's own disk still writes them.
        broadcast_submitted_on_append: Some(true),
        // Each queue is allocated in full per group; a shard has one sequencer with few entries in flight.
        api_channel_size: Some(1024),
        notification_channel_size: Some(4096),
        // An empty disk is another member (`Rule::Incarnations`); one that was put back to an older copy of itself is sent
        // what it lacks. Left alone, it would be a voter that never again counts.
        allow_log_reversion: Some(true),
        // A ring for a feature that is off.
        log_stage_capacity: Some(1),
        ..Config::default()
    };
    config.validate().map_err(|error| GroupError::Pace(error.to_string()))
}
