//! The machines of a simulated cluster, and what can be done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::catalog::{
    Catalog, DdlCommand, KeyAttribute, KeySchema, KeyType, StreamSettings, StreamView, TableDescriptor, TableId,
};
use dynamo_engine::stream::StreamPolicy;
use ordered_kv::{Direction, KeyRange, Reader};
use parking_lot::Mutex;
use shard_router::ShardId;

use super::super::fixture::TABLE;
use crate::env::sim::{SimEnv, SimNetwork, SimNode, Weather, chance_below};
use crate::env::{Env, Storage};
use crate::guard::EventualReads;
use crate::guard::fault::Point;
use crate::node::{ClusterOptions, LOG_BYTES_MAX, Node, NodeError, NodeOptions};
use crate::raft::snapshot::SNAPSHOT_CHUNK_BYTES;
use crate::raft::types::Member;
use crate::raft::{MemberChange, Pace};
use crate::shard::Deadline;

/// Nodes of most clusters.
pub const NODES: u64 = 3;

/// How long a request may take. Shorter than in production: 30 seconds must hold many.
pub const REQUEST_DEADLINE: Duration = Duration::from_millis(1_500);

/// How often something that must come is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// How long one attempt to change the members may take, and how often it is tried.
const CHANGE_MAX: Duration = Duration::from_secs(8);
const CHANGES_MAX: u64 = 20;

/// How long a cluster without faults may take to elect a leader.
const ELECTION_MAX: Duration = Duration::from_secs(15);

/// A cluster.
pub struct World {
    pub network: Arc<SimNetwork>,
    machines: BTreeMap<u64, Arc<SimNode>>,
    /// The members that found the cluster.
    founders: BTreeMap<u64, String>,
    cluster_id: u128,
    plan: Plan,
    /// The machines that belong to the cluster, or are about to.
    present: Mutex<BTreeSet<u64>>,
    /// The running nodes.
    nodes: Mutex<BTreeMap<u64, Arc<Node<SimEnv>>>>,
    /// Machines that are told another pace than the plan's when they start.
    paces: Mutex<BTreeMap<u64, Pace>>,
    /// Members whose disks were exchanged, and which the cluster has not taken back.
    wiped: Mutex<BTreeSet<u64>>,
}

/// How a cluster is built.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rates of the machines' clocks, in thousandths; as many machines as there are rates.
    pub clocks: Vec<u64>,
    /// How many of them found the cluster; the others stand by.
    pub founders: u64,
    pub shards: u32,
    pub pace: Pace,
    pub eventual_reads: EventualReads,
    pub log_bytes_max: u64,
    pub snapshot_chunk_bytes: usize,
    /// What the stream of the table carries; `None` for no stream.
    pub stream: Option<StreamView>,
    pub streams: StreamPolicy,
    pub ttl_interval: Option<Duration>,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            clocks: vec![1_000; NODES as usize],
            founders: NODES,
            shards: 1,
            // What the scenarios are written for.
            pace: Pace::for_election_timeout(Duration::from_secs(2)),
            eventual_reads: EventualReads::default(),
            log_bytes_max: LOG_BYTES_MAX,
            snapshot_chunk_bytes: SNAPSHOT_CHUNK_BYTES,
            stream: None,
            streams: StreamPolicy::default(),
            ttl_interval: NodeOptions::default().ttl_interval,
        }
    }
}

impl World {
    /// A cluster with a leader and one table.
    pub async fn found(plan: Plan) -> Arc<World> {
        let founders: BTreeMap<u64, String> = (1..=plan.founders).map(|id| (id, String::new())).collect();
        let cluster_id = ClusterOptions { node_id: 1, members: founders.clone(), joins: None }.founding_id();
        let machine = |(id, rate): (u64, &u64)| (id, SimNode::in_cluster(id, plan.shards, *rate, cluster_id));
        let machines: BTreeMap<u64, Arc<SimNode>> = (1..).zip(&plan.clocks).map(machine).collect();
        let world = Arc::new(World {
            network: SimNetwork::new(),
            machines,
            present: Mutex::new(founders.keys().copied().collect()),
            founders,
            cluster_id,
            plan,
            nodes: Mutex::default(),
            paces: Mutex::default(),
            wiped: Mutex::default(),
        });
        for id in 1..=world.plan.founders {
            world.start(id).await;
        }
        world.create_table().await;
        world
    }

    /// Tells a machine another pace from its next start on.
    pub fn set_pace(&self, id: u64, pace: Pace) {
        self.paces.lock().insert(id, pace);
    }

    /// The highest physical part, in milliseconds since 1970, of what the running nodes' shards may have stamped.
    pub fn ceiling_ms(&self) -> u64 {
        let nodes = self.nodes.lock();
        let shards = nodes.values().flat_map(|node| node.router.shards.iter());
        shards.map(|shard| shard.group().published().ceiling().physical_ms()).max().unwrap_or(0)
    }

    /// The machines of the world, also those that stand by or have left.
    pub fn machines(&self) -> Vec<u64> {
        self.machines.keys().copied().collect()
    }

    /// The machines that belong to the cluster.
    pub fn present(&self) -> Vec<u64> {
        self.present.lock().iter().copied().collect()
    }

    pub fn machine(&self, id: u64) -> &Arc<SimNode> {
        &self.machines[&id]
    }

    /// The node with this id, if its machine is on.
    pub fn node(&self, id: u64) -> Option<Arc<Node<SimEnv>>> {
        self.nodes.lock().get(&id).cloned()
    }

    /// How the node of a machine is set up.
    pub fn options(&self, id: u64) -> NodeOptions {
        let cluster = match self.founders.contains_key(&id) {
            true => ClusterOptions { node_id: id, members: self.founders.clone(), joins: None },
            false => {
                let members = BTreeMap::from([(id, String::new())]);
                ClusterOptions { node_id: id, members, joins: Some(self.cluster_id) }
            }
        };
        NodeOptions {
            storage: Storage::Memory,
            cluster: Some(cluster),
            shards: self.plan.shards,
            request_deadline: REQUEST_DEADLINE,
            pace: self.paces.lock().get(&id).copied().unwrap_or(self.plan.pace),
            eventual_reads: self.plan.eventual_reads,
            log_bytes_max: self.plan.log_bytes_max,
            snapshot_chunk_bytes: self.plan.snapshot_chunk_bytes,
            streams: self.plan.streams,
            ttl_interval: self.plan.ttl_interval,
            ..NodeOptions::default()
        }
    }

    /// Switches a machine on.
    pub async fn start(&self, id: u64) {
        self.try_start(id).await.expect("a node starts on what it left");
    }

    /// Switches a machine on, if its node starts.
    pub async fn try_start(&self, id: u64) -> Result<(), NodeError> {
        let machine = self.machine(id);
        let env = SimEnv::in_network(machine, &self.network);
        let node = machine.scope(Node::start(self.options(id), env)).await?;
        self.nodes.lock().insert(id, node);
        Ok(())
    }

    /// Holds reads up on every machine, between lease and view, for less than so long.
    pub fn preempt_reads(&self, ms_max: u64) {
        for node in self.nodes.lock().values() {
            let pause = Duration::from_millis(chance_below(ms_max));
            node.guard().faults().pause_at(Point::BehindLease, pause);
        }
    }

    /// Nodes that were stopped by a fault, and by which.
    pub fn stopped(&self) -> Vec<String> {
        let stopped = |(id, node): (&u64, &Arc<Node<SimEnv>>)| {
            let health = node.health();
            health.stopped().map(|reason| format!("node {id} stopped: {reason}"))
        };
        self.nodes.lock().iter().filter_map(stopped).collect()
    }

    /// Whether a shard stands still on a machine.
    fn stands_still(&self, id: u64) -> bool {
        self.node(id).is_some_and(|node| node.counters().shards_quarantined > 0)
    }

    /// Cuts a machine's power; its disk loses some of what was not synced.
    pub async fn kill(&self, id: u64) {
        self.nodes.lock().remove(&id);
        self.network.leave(id);
        self.machine(id).kill().await;
    }

    /// Cuts a machine's power and puts an empty disk into it. It is off afterwards.
    pub async fn wipe(&self, id: u64) {
        self.kill(id).await;
        self.machine(id).wipe();
        self.wiped.lock().insert(id);
    }

    /// Lets the cluster take back a machine with another disk.
    async fn replace(&self, id: u64) {
        self.change(&MemberChange::Replace { node: id, member: self.member(id) }).await;
        self.change(&MemberChange::Promote { node: id }).await;
        self.wiped.lock().remove(&id);
    }

    fn member(&self, id: u64) -> Member {
        Member::new("", self.machine(id).incarnation())
    }

    /// Stops a node in order.
    pub async fn stop(&self, id: u64) {
        let node = self.nodes.lock().remove(&id).expect("it runs");
        self.machine(id).scope(node.shutdown()).await;
        self.network.leave(id);
    }

    pub async fn restart(&self, id: u64) {
        self.kill(id).await;
        self.start(id).await;
    }

    /// Makes a machine that stands by a learner of every group, while the cluster goes on.
    pub async fn admit(&self, id: u64) {
        self.present.lock().insert(id);
        self.start(id).await;
        self.change(&MemberChange::AddLearner { node: id, member: self.member(id) }).await;
    }

    /// Makes a machine that stands by a voter of every group, while the cluster goes on.
    pub async fn join(&self, id: u64) {
        self.admit(id).await;
        self.change(&MemberChange::Promote { node: id }).await;
    }

    /// A machine that was removed is switched off for good.
    pub async fn retire(&self, id: u64) {
        self.present.lock().remove(&id);
        self.kill(id).await;
    }

    /// Changes the members of every group, asking one node after the other until one has done it; not the one that is
    /// to be removed.
    pub async fn change(&self, change: &MemberChange) {
        let mut last = None;
        for _ in 0..CHANGES_MAX {
            let asked: Vec<u64> = self.present().into_iter().filter(|id| !removes(change, *id)).collect();
            let asked = asked[chance_below(asked.len() as u64) as usize];
            if let Some(node) = self.node(asked) {
                let change = change.clone();
                let changing = self.machine(asked).spawn(async move {
                    let deadline = Deadline::after::<SimEnv>(CHANGE_MAX);
                    node.cluster.change_members(&change, deadline).await
                });
                match changing.await {
                    Ok(Ok(())) => return,
                    // A machine may die meanwhile.
                    other => last = other.ok(),
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("the members do not change: {change:?}, {last:?}");
    }

    /// Hands the leadership of a shard to this node, if it can be.
    pub async fn transfer(&self, shard: u32, target: u64) {
        let leading = |node: &Arc<Node<SimEnv>>| {
            let shard = node.router.shard(ShardId(shard)).ok()?;
            shard.group().lease().leading_term().map(|_| Arc::clone(shard.group()))
        };
        let found = self.nodes.lock().iter().find_map(|(id, node)| leading(node).map(|group| (*id, group)));
        if let Some((id, group)) = found.filter(|(id, _)| *id != target) {
            // A machine that was deposed or died meanwhile transfers nothing.
            let _ = self.machine(id).spawn(async move { group.transfer(target).await }).await;
        }
    }

    /// Snapshots that the running nodes have installed since they started.
    pub fn snapshots(&self) -> u64 {
        let nodes = self.nodes.lock();
        let count = |node: &Arc<Node<SimEnv>>| -> u64 {
            node.router.shards.iter().map(|shard| shard.group().snapshots_installed()).sum()
        };
        nodes.values().map(count).sum()
    }

    /// The node that leads with its inherited log applied, of the highest term where several believe it.
    pub fn leader(&self) -> Option<u64> {
        let nodes = self.nodes.lock();
        let leading = nodes.iter().filter_map(|(id, node)| {
            let term = node.router.system().group().lease().leading_term()?;
            Some((term, *id))
        });
        leading.max().map(|(_, id)| id)
    }

    /// Waits for a leader.
    pub async fn some_leader(&self) -> u64 {
        let waited = tokio::time::timeout(ELECTION_MAX, async {
            loop {
                match self.leader() {
                    Some(leader) => return leader,
                    None => tokio::time::sleep(LOOK).await,
                }
            }
        });
        waited.await.expect("a cluster without faults elects a leader")
    }

    /// The others that belong to the cluster, in order.
    pub fn others(&self, than: u64) -> Vec<u64> {
        self.present().into_iter().filter(|id| *id != than).collect()
    }

    /// Cuts a machine off from all others; its clients still reach it.
    pub fn isolate(&self, id: u64) {
        self.network.isolate(id, self.machines.keys().copied());
    }

    /// The same weather on every link.
    pub fn set_weather(&self, weather: Weather) {
        for (from, to) in self.machines.keys().flat_map(|from| self.machines.keys().map(move |to| (*from, *to))) {
            self.network.set_weather((from, to), weather);
        }
    }

    /// Everything that was done to the network, disks and machines is undone.
    pub async fn mend(&self) {
        self.network.heal();
        for (id, machine) in &self.machines {
            machine.slow_disk(None);
            machine.set_wall_ahead(0);
            machine.thaw_disk();
            if let Some(node) = self.node(*id) {
                node.guard().faults().clear();
            }
            machine.make_room();
            machine.choke_on(None);
            machine.resume();
            if self.stands_still(*id) {
                // As an operator does.
                self.wipe(*id).await;
            }
            if self.node(*id).is_none() && self.present.lock().contains(id) {
                self.start(*id).await;
            }
        }
        let wiped = self.wiped.lock().clone();
        for id in wiped {
            self.replace(id).await;
        }
    }

    async fn create_table(&self) {
        let key = KeyAttribute { name: "id".to_owned(), kind: KeyType::S };
        let mut table = TableDescriptor::new(TableId(0), TABLE, KeySchema { partition: vec![key], sort: Vec::new() });
        table.stream = self.plan.stream.map(|view| StreamSettings { enabled: true, view, since_ms: 0 });
        loop {
            let leader = self.some_leader().await;
            let node = self.node(leader).expect("it leads");
            let command = DdlCommand::CreateTable(Box::new(table.clone()));
            let deadline = node.deadline();
            let created = self.machine(leader).scope(node.catalog.change(command, deadline)).await;
            if created.is_ok() {
                break;
            }
        }
        let installed = async {
            while !self.nodes.lock().values().all(|node| node.catalog.installed().table(TABLE).is_some()) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(ELECTION_MAX, installed).await.expect("every node gets to know the table");
    }

    /// How far each replica has applied each of its shards, and a hash of everything that it has in its state store.
    pub fn replicas(&self) -> Vec<(Vec<u64>, u64)> {
        let applied = |node: &Arc<Node<SimEnv>>| {
            node.router.shards.iter().map(|shard| shard.group().published().applied_next()).collect()
        };
        self.nodes.lock().values().map(|node| (applied(node), hash(node))).collect()
    }
}

fn removes(change: &MemberChange, id: u64) -> bool {
    matches!(change, MemberChange::Remove { node } | MemberChange::Replace { node, .. } if *node == id)
}

/// FNV-1a over all rows.
fn hash(node: &Node<SimEnv>) -> u64 {
    let reader: &dyn Reader = &*node.stores.state;
    let mut cursor = reader.cursor(KeyRange::between(&[], &[0xff; 32]), Direction::Forward).unwrap();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    while let Some((key, value)) = cursor.next().unwrap() {
        for byte in key.iter().chain(value) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

/// The clock that all clients share: true virtual time, in nanoseconds from 1.
pub fn true_ns() -> u64 {
    // Outside of every machine the environment's clock is the true one.
    SimEnv::monotonic_ns()
}
