//! Starting a node: stores, identity, the check of every log's end, groups, tasks.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{join_all, select};
use hlc::NodeClock;
use shard_router::{ShardId, ShardMap};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use super::off_loop::OffLoop;
use super::services::Services;
use super::{ClusterOptions, FaultSignal, Node, NodeOptions};
use crate::catalog::Catalog;
use crate::cluster::Cluster;
use crate::env::{ANY_INCARNATION, Env, Identity, OpenError, Storage, Stores, Tasks};
use crate::guard::LeaseGuard;
use crate::index::IndexRelay;
use crate::log_limit::LogLimit;
use crate::raft::types::Member;
use crate::raft::{Group, GroupContext, GroupError, RecoveredGroup, Wal, WallClocks};
use crate::read::{Reader, Runner};
use crate::router::Router;
use crate::shard::Shard;
use crate::transaction::Transactions;
use crate::upkeep::{DamageWatch, DiskUpkeep, Expiry, StreamUpkeep, TokenUpkeep};

/// How long a node that is alone waits until it leads its shards: two synced writes each.
const ELECTION_WAIT: Duration = Duration::from_secs(30);

/// The group that is asked where all say the same.
const SYSTEM: ShardId = ShardId(0);

/// The first node of a cluster.
const FIRST_NODE: u64 = 1;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The thread for Raft has ended.
    #[error("the thread for Raft has ended")]
    NoThread,
    /// Its stores cannot be opened.
    #[error("{0}{advice}", advice = advice(.0.is_damage()))]
    Open(#[from] OpenError),
    /// No shards were asked for, or more than a map can have.
    #[error("a node cannot have {0} shards")]
    Shards(u32),
    /// The data was made for another number of shards.
    #[error(
        "the data directory was made for another number of shards, {found}, than --shards {asked}: it is fixed from then on (leave --shards out to keep it)"
    )]
    OtherShards {
        /// What the data says.
        found: u32,
        /// What was asked for.
        asked: u32,
    },
    /// The data belongs to another node.
    #[error("the data directory belongs to node {found}, this is to be node {asked}")]
    OtherNode {
        /// What the data says.
        found: u64,
        /// What was asked for.
        asked: u64,
    },
    /// The data belongs to a member of a cluster, which cannot go on alone.
    #[error("the data directory belongs to node {0} of a cluster: start it with --node-id {0} and --peers")]
    IsMember(u64),
    /// The data belongs to a node that is alone, and cannot become a member of a cluster.
    #[error(
        "the data directory belongs to a node that is alone, and nodes with data of their own cannot found or join a \
         cluster: start it without --node-id and --peers, or give the cluster a new data directory"
    )]
    IsAlone,
    /// There are data, and nothing says whose.
    #[error(
        "the data directory has data but no identity (the file `node` is missing): nobody knows whose they are; restore the \
         file, or give the node a new data directory"
    )]
    NoIdentity,
    /// The node is no member of the cluster that it is to found.
    #[error("node {0} is not among the members of its cluster")]
    NoMember(u64),
    /// A group does not start.
    #[error("{0}{advice}", advice = advice(.0.is_damage()))]
    Group(#[from] GroupError),
    /// Nobody leads a shard.
    #[error("shard {0} has no leader")]
    NoLeader(u32),
    /// Something failed right after the start.
    #[error("{0}")]
    Fault(String),
}

fn advice(is_damage: bool) -> String {
    if is_damage { format!(". {ADVICE}") } else { String::new() }
}

impl<E: Env> Node<E> {
    /// Starts a node. When this returns it answers its peers; a node that is alone leads all its shards and serves
    /// requests.
    ///
    /// # Errors
    /// [`NodeError`], with nothing left running.
    pub async fn start(options: NodeOptions, env: E) -> Result<Arc<Node<E>>, NodeError> {
        let mut stores = E::in_place(|| env.open(&options.storage, &options.stores))?;
        let identity = identify::<E>(&stores, &options)?;
        let fault = FaultSignal::default();
        let map = ShardMap::even(identity.shards as usize).ok_or(NodeError::Shards(identity.shards))?;
        let map = Arc::new(map);
        let recovered = E::in_place(|| recover(&stores, &map))?;
        if stores.identity.is_none() {
            if recovered.iter().any(RecoveredGroup::has_data) {
                return Err(NodeError::NoIdentity);
            }
            E::in_place(|| stores.adopt(identity.clone()))?;
        }
        let is_alone = options.cluster.is_none();
        let in_place = is_alone && (options.raft_on.is_some() || options.storage == Storage::Memory);
        let longest_promise = remember_promise::<E>(&stores, options.pace.election_timeout_max)?;
        let wall_clocks = Arc::new(WallClocks::new(identity.node_id));
        let clock = Arc::new(NodeClock::new());
        // The log's worker in place is a task of the thread that it may hold up.
        let of_raft = options.raft_on.as_ref().map(Handle::enter);
        let wal = Wal::start(Arc::clone(&stores.log), fault.clone(), in_place);
        drop(of_raft);
        let context = GroupContext {
            env: env.clone(),
            node: identity.node_id,
            pace: options.pace,
            longest_promise,
            wall_clocks: Arc::clone(&wall_clocks),
            snapshot_chunk_bytes: options.snapshot_chunk_bytes,
            large_entries: Arc::new(Semaphore::new(options.large_entries_max)),
            tail_bytes_max: options.stores.log_tails_bytes / map.shards().len(),
            log: Arc::clone(&stores.log),
            state: Arc::clone(&stores.state),
            wal: wal.clone(),
            fault: fault.clone(),
        };
        let (cluster, identity_of_groups) = (options.cluster.clone(), identity.clone());
        let started =
            start_shards(context, recovered, cluster, identity_of_groups, Arc::clone(&clock), options.request_deadline);
        let shards = match &options.raft_on {
            None => started.await?,
            Some(thread) => thread.spawn(started).await.map_err(|_| NodeError::NoThread)??,
        };
        debug_assert!(
            shards.iter().map(|shard| shard.id().0).eq(0..map.shards().len() as u32),
            "every shard of the map is here, in the order of their numbers"
        );
        let router = Arc::new(Router {
            identity,
            shards,
            guard: LeaseGuard::new(options.read_mode, map.shards().len()),
            map,
            is_alone,
            transport: env.transport().clone(),
            clock,
            wall_clocks,
            wall_log: LogLimit::default(),
            memory: Arc::clone(&options.memory),
            room: Arc::default(),
            fault,
            damage: OnceLock::new(),
        });
        for note in stores.damage.notes() {
            router.note_damage(note.shard.map(ShardId), &note.what);
        }
        let node = Arc::new(Node::assemble(&options, router, Arc::new(stores), wal));
        node.start_parts(&options, longest_promise);
        Ok(node)
    }

    /// Puts the parts together, each with those that it needs.
    fn assemble(options: &NodeOptions, router: Arc<Router<E>>, stores: Arc<Stores>, wal: Wal<E>) -> Node<E> {
        let stopping = watch::Sender::new(false);
        let tasks = Arc::new(Tasks::new(stopping.subscribe()));
        let memory = Arc::clone(&options.memory);
        let background = Arc::new(Semaphore::new(options.background_reads_max));
        let index = Arc::new(IndexRelay::new(Arc::clone(&router), Arc::clone(&stores)));
        let transactions = Arc::new(Transactions::new(Arc::clone(&router), Arc::clone(&index), Arc::clone(&tasks)));
        let runner = Runner::new(
            Arc::clone(&stores),
            options.blocking_reads_max,
            Arc::clone(&background),
            Arc::clone(&memory),
            Arc::clone(&router),
        );
        let reader =
            Arc::new(Reader::new(Arc::clone(&router), Arc::clone(&transactions), options.eventual_reads, runner));
        let cluster = Arc::new(Cluster::new(
            Arc::clone(&router),
            Arc::clone(&tasks),
            wal.clone(),
            Arc::clone(&reader),
            options.pace.election_timeout_max,
        ));
        let services = Arc::new(Services::new(
            Arc::clone(&router),
            Arc::clone(&reader),
            Arc::clone(&index),
            Arc::clone(&cluster),
            options.agreed(),
        ));
        Node {
            catalog: Catalog::new(Arc::clone(&router)),
            off_loop: OffLoop::new(Arc::clone(&memory)),
            expiry: Arc::default(),
            request_deadline: options.request_deadline,
            ttl_update_window: options.ttl_update_window,
            router,
            reader,
            transactions,
            cluster,
            index,
            services,
            background,
            memory,
            stores,
            wal,
            tasks,
            stopping,
            stop_progress: Arc::default(),
        }
    }

    /// Starts what the parts do beside requests.
    fn start_parts(&self, options: &NodeOptions, longest_promise: Duration) {
        self.services.listen();
        let (tasks, router, stores) = (&self.tasks, || Arc::clone(&self.router), || Arc::clone(&self.stores));
        let bounds = (options.log_bytes_max, options.free_bytes_min);
        tasks.start(DiskUpkeep::new(router(), stores(), self.wal.clone(), bounds, tasks.stopping()).run());
        tasks.start_periodic(DamageWatch::new(router(), stores()));
        for shard in &self.router.shards {
            let group = Arc::clone(shard.group());
            tasks.start_until_stopped(async move { group.gate_elections().await });
        }
        self.catalog.start(tasks);
        self.index.start(tasks);
        self.transactions.start();
        self.cluster.start(options.cluster.as_ref(), options.compare_replicas_every);
        if let Some(interval) = options.ttl_interval {
            let (background, counters) = (Arc::clone(&self.background), Arc::clone(&self.expiry));
            tasks.start_periodic(Expiry::new(router(), stores(), background, counters, interval));
        }
        tasks.start_periodic(StreamUpkeep::new(router(), stores(), options.streams));
        tasks.start_periodic(TokenUpkeep::new(router()));
        self.forget_promise(longest_promise, options.pace.election_timeout_max);
    }

    /// Once the promises from before the start are over, a lease that was longer than this one binds no more restarts.
    fn forget_promise(&self, longest: Duration, own: Duration) {
        if longest <= own {
            return;
        }
        let lease = Arc::clone(&self.stores.lease);
        self.tasks.start_until_stopped(async move {
            E::sleep(longest * 2).await;
            if let Err(error) = E::blocking(move || lease.record(own)).await {
                tracing::warn!(%error, "the length of the lease cannot be recorded; restarts hold back for the longer one");
            }
        });
    }
}

/// Starts the groups, and a sequencer for each, whose tasks belong to the runtime that this runs on.
async fn start_shards<E: Env>(
    context: GroupContext<E>,
    recovered: Vec<RecoveredGroup>,
    cluster: Option<ClusterOptions>,
    identity: Identity,
    clock: Arc<NodeClock>,
    request_deadline: Duration,
) -> Result<Vec<Arc<Shard<E>>>, NodeError> {
    let groups = start_groups(&context, recovered, cluster.as_ref(), &identity).await?;
    let open = |group| Shard::new(group, Arc::clone(&clock), Arc::clone(&context.wall_clocks), request_deadline);
    Ok(groups.into_iter().map(|group| Arc::new(open(group))).collect())
}

/// The longest promise that this node may have given before, with the one that it gives from now on on the disk.
fn remember_promise<E: Env>(stores: &Stores, own: Duration) -> Result<Duration, NodeError> {
    let longest = stores.lease.longest().map_or(own, |before| before.max(own));
    E::in_place(|| stores.lease.record(longest)).map_err(OpenError::from)?;
    Ok(longest)
}

/// The identity of the data; a new one, not yet written down, for new data.
fn identify<E: Env>(stores: &Stores, options: &NodeOptions) -> Result<Identity, NodeError> {
    let shards = options.shards;
    let asked = options.cluster.as_ref().map(|cluster| cluster.node_id);
    if let (Some(asked), Some(cluster)) = (asked, &options.cluster)
        && !cluster.members.contains_key(&asked)
    {
        return Err(NodeError::NoMember(asked));
    }
    if let Some(identity) = stores.identity.clone() {
        if identity.shards != shards && !options.keeps_shards {
            return Err(NodeError::OtherShards { found: identity.shards, asked: shards });
        }
        if let Some(asked) = asked.filter(|asked| *asked != identity.node_id) {
            return Err(NodeError::OtherNode { found: identity.node_id, asked });
        }
        return Ok(identity);
    }
    let cluster_id = match &options.cluster {
        None => u128::from(E::random()) << 64 | u128::from(E::random()),
        Some(cluster) => cluster.joins.unwrap_or_else(|| cluster.founding_id()),
    };
    Ok(Identity { cluster_id, node_id: asked.unwrap_or(FIRST_NODE), incarnation: new_incarnation::<E>(), shards })
}

/// A number that no data have had before: drawn, since nobody could be asked who remembers all of them.
fn new_incarnation<E: Env>() -> u64 {
    E::random().max(ANY_INCARNATION + 1)
}

/// Reads all groups and compares their logs with their states. Damage to the records of one shard is that shard's alone, which
/// then stands still on this node; but not of the system group, without which nobody knows who the members are.
fn recover(stores: &Stores, map: &Arc<ShardMap>) -> Result<Vec<RecoveredGroup>, GroupError> {
    let read = |shard| match RecoveredGroup::read(shard, map, &stores.log, &*stores.state) {
        Err(error) if shard != SYSTEM && error.is_damage_of_one_group() => {
            Ok(RecoveredGroup::damaged(shard, map, error.to_string()))
        }
        read => read,
    };
    map.shards().into_keys().map(read).collect()
}

/// What to do where a node does not start because of its data.
const ADVICE: &str = "Nothing was changed. In a cluster the other nodes have what this one lacks: start it with an empty data \
                      directory and tell a member `cluster replace`; a node that is alone needs its directory back from a copy";

/// Starts all groups at the same time: each needs a few synced writes, which they then share.
async fn start_groups<E: Env>(
    context: &GroupContext<E>,
    recovered: Vec<RecoveredGroup>,
    cluster: Option<&ClusterOptions>,
    identity: &Identity,
) -> Result<Vec<Group<E>>, NodeError> {
    let mut starts = Vec::with_capacity(recovered.len());
    for group in recovered {
        starts.push(start_group(context, group, cluster, identity));
    }
    let (mut groups, mut failure) = (Vec::new(), None);
    for started in join_all(starts).await {
        match started {
            Ok(group) => groups.push(group),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if let (None, Some(cluster)) = (&failure, cluster) {
        failure = go_on_founding(&groups, cluster, identity).await.err();
    }
    match failure {
        None => Ok(groups),
        Some(error) => {
            for group in groups {
                group.shutdown().await;
            }
            Err(error)
        }
    }
}

async fn start_group<E: Env>(
    context: &GroupContext<E>,
    group: RecoveredGroup,
    cluster: Option<&ClusterOptions>,
    identity: &Identity,
) -> Result<Group<E>, NodeError> {
    match cluster {
        None => start_alone(context, group, identity.incarnation).await,
        Some(cluster) => start_member(context, group, cluster).await,
    }
}

/// Starts a group whose only member is this node, and waits until it leads.
async fn start_alone<E: Env>(
    context: &GroupContext<E>,
    group: RecoveredGroup,
    incarnation: u64,
) -> Result<Group<E>, NodeError> {
    let shard = group.shard().0;
    if group.members().keys().any(|node| *node != context.node) {
        return Err(NodeError::IsMember(context.node));
    }
    let group = Group::start(context, group).await?;
    group.wait_hold_off().await;
    group.initialize(BTreeMap::from([(context.node, Member::new("", incarnation))])).await?;
    if group.stand().await.is_err() && group.published().quarantine().is_none() {
        return Err(fault_of(context, shard));
    }
    // One that stands still at an entry never leads; the others serve.
    let is_settled = {
        let (leads, stands_still) = (pin!(group.lease().wait_leading()), pin!(group.published().wait_quarantined()));
        E::timeout(ELECTION_WAIT, select(leads, stands_still)).await.is_some()
    };
    match is_settled {
        true => Ok(group),
        false => {
            group.shutdown().await;
            Err(fault_of(context, shard))
        }
    }
}

/// Starts a group of a cluster. Who leads it is found out later, by the members together; who the first members are, see
/// `cluster/admission.rs`.
async fn start_member<E: Env>(
    context: &GroupContext<E>,
    group: RecoveredGroup,
    cluster: &ClusterOptions,
) -> Result<Group<E>, NodeError> {
    let members = group.members();
    match (members.get(&context.node).map(|member| &member.address), cluster.members.get(&context.node)) {
        (Some(known), Some(given)) if known.is_empty() && !given.is_empty() => return Err(NodeError::IsAlone),
        (Some(known), Some(given)) if known != given && group.shard() == SYSTEM => {
            tracing::warn!(
                "the members know this node by {known}, and it is given {given} now, which changes nothing for them"
            );
        }
        _ => {}
    }
    Ok(Group::start(context, group).await?)
}

/// A founder that died while it founded has done so in some groups only, each of which has the same members. It goes on.
async fn go_on_founding<E: Env>(
    groups: &[Group<E>],
    cluster: &ClusterOptions,
    identity: &Identity,
) -> Result<(), NodeError> {
    let is_first = cluster.members.keys().next() == Some(&identity.node_id);
    if !is_first || cluster.joins.is_some() || cluster.founding_id() != identity.cluster_id {
        return Ok(());
    }
    let members = groups.iter().map(|group| group.members()).find(|members| members.get(identity.node_id).is_some());
    let Some(members) = members else { return Ok(()) };
    let members: BTreeMap<u64, Member> = members.iter().map(|(node, member)| (node, member.clone())).collect();
    let is_new = |group: &&Group<E>| {
        let stands_still = group.published().quarantine().is_some();
        !stands_still && group.log().last().is_none() && group.log().vote().is_none()
    };
    for group in groups.iter().filter(is_new) {
        group.initialize(members.clone()).await?;
    }
    Ok(())
}

fn fault_of<E: Env>(context: &GroupContext<E>, shard: u32) -> NodeError {
    match context.fault.reason() {
        Some(reason) => NodeError::Fault(reason.to_owned()),
        None => NodeError::NoLeader(shard),
    }
}
