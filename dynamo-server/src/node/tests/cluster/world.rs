//! The machines of a simulated cluster, and what can be done to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::catalog::{Catalog, DdlCommand, KeyAttribute, KeySchema, KeyType, TableDescriptor, TableId};
use ordered_kv::{Direction, KeyRange, Reader};
use parking_lot::Mutex;

use super::super::fixture::TABLE;
use crate::env::sim::{SimEnv, SimNetwork, SimNode, Weather};
use crate::env::{Env, Storage};
use crate::node::{ClusterOptions, Node, NodeOptions};
use crate::raft::Pace;

/// Nodes of a cluster.
pub const NODES: u64 = 3;

/// How long a request may take. Shorter than in production: 30 seconds must hold many.
pub const REQUEST_DEADLINE: Duration = Duration::from_millis(1_500);

/// How often something that must come is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// How long a cluster without faults may take to elect a leader.
const ELECTION_MAX: Duration = Duration::from_secs(15);

/// A cluster.
pub struct World {
    pub network: Arc<SimNetwork>,
    machines: BTreeMap<u64, Arc<SimNode>>,
    /// The running nodes.
    nodes: Mutex<BTreeMap<u64, Arc<Node<SimEnv>>>>,
    shards: u32,
    pace: Pace,
}

/// How a cluster is built.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The rates of the machines' clocks, in thousandths.
    pub clocks: [u64; NODES as usize],
    pub shards: u32,
    pub pace: Pace,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { clocks: [1_000; NODES as usize], shards: 1, pace: Pace::default() }
    }
}

impl World {
    /// A cluster with a leader and one table.
    pub async fn found(plan: Plan) -> Arc<World> {
        let members = (1..=NODES).map(|id| (id, String::new())).collect();
        let cluster_id = ClusterOptions { node_id: 1, members, joins: None }.founding_id();
        let machine = |(id, rate)| (id, SimNode::in_cluster(id, plan.shards, rate, cluster_id));
        let machines: BTreeMap<u64, Arc<SimNode>> = (1..=NODES).zip(plan.clocks).map(machine).collect();
        let (shards, pace) = (plan.shards, plan.pace);
        let world = Arc::new(World { network: SimNetwork::new(), machines, nodes: Mutex::default(), shards, pace });
        for id in 1..=NODES {
            world.start(id).await;
        }
        world.create_table().await;
        world
    }

    pub fn machine(&self, id: u64) -> &Arc<SimNode> {
        &self.machines[&id]
    }

    /// The node with this id, if its machine is on.
    pub fn node(&self, id: u64) -> Option<Arc<Node<SimEnv>>> {
        self.nodes.lock().get(&id).cloned()
    }

    /// Switches a machine on.
    pub async fn start(&self, id: u64) {
        let members = self.machines.keys().map(|id| (*id, String::new())).collect();
        let options = NodeOptions {
            storage: Storage::Memory,
            cluster: Some(ClusterOptions { node_id: id, members, joins: None }),
            shards: self.shards,
            request_deadline: REQUEST_DEADLINE,
            pace: self.pace,
            ..NodeOptions::default()
        };
        let machine = self.machine(id);
        let env = SimEnv::in_network(machine, &self.network);
        let node = machine.scope(Node::start(options, env)).await.expect("a node starts on what it left");
        self.nodes.lock().insert(id, node);
    }

    /// Cuts a machine's power; its disk loses some of what was not synced.
    pub async fn kill(&self, id: u64) {
        self.nodes.lock().remove(&id);
        self.network.leave(id);
        self.machine(id).kill().await;
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

    /// The node that leads with its inherited log applied, of the highest term where several believe it.
    pub fn leader(&self) -> Option<u64> {
        let nodes = self.nodes.lock();
        let leading = nodes.iter().filter_map(|(id, node)| {
            let term = node.system().group().lease().leading_term()?;
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

    /// The others, in order.
    pub fn others(&self, than: u64) -> Vec<u64> {
        self.machines.keys().copied().filter(|id| *id != than).collect()
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
            machine.resume();
            if self.node(*id).is_none() {
                self.start(*id).await;
            }
        }
    }

    async fn create_table(&self) {
        let key = KeyAttribute { name: "id".to_owned(), kind: KeyType::S };
        let table = TableDescriptor::new(TableId(0), TABLE, KeySchema { partition: vec![key], sort: Vec::new() });
        loop {
            let leader = self.some_leader().await;
            let node = self.node(leader).expect("it leads");
            let command = DdlCommand::CreateTable(Box::new(table.clone()));
            let deadline = node.deadline();
            let created = self.machine(leader).scope(node.propose_ddl(command, deadline)).await;
            if created.is_ok() {
                break;
            }
        }
        while !self.nodes.lock().values().all(|node| node.catalog().table(TABLE).is_some()) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A hash of everything that each replica has in its state store, and how far it has applied.
    pub fn replicas(&self) -> Vec<(u64, u64)> {
        self.nodes.lock().values().map(|node| (node.system().group().published().applied_next(), hash(node))).collect()
    }
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
