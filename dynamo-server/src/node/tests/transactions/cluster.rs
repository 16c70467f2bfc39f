//! Three machines with four shards: the coordinator's dies at each step of its way, with whatever shards it led, and
//! the others finish what it left.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::catalog::Catalog;

use super::super::fixture::{TABLE, get, proposed};
use super::{
    REQUEST_DEADLINE, SETTLED_AFTER, SHARDS, command, create_command, left_behind, one_on_each_shard, put_action,
    transact, transaction, values,
};
use crate::env::sim::{SimEnv, SimNetwork, SimNode, run};
use crate::env::{Env, Storage, Task};
use crate::node::{ClusterOptions, Node, NodeOptions};
use crate::transaction::{Failpoint, set_trap};

pub(super) const NODES: u64 = 3;

/// The machine whose node coordinates, and dies.
pub(super) const FIRST: u64 = 1;

/// How often something that must come is looked for.
const LOOK: Duration = Duration::from_millis(5);

pub(super) struct Machines {
    network: Arc<SimNetwork>,
    pub(super) machines: BTreeMap<u64, Arc<SimNode>>,
}

impl Machines {
    pub(super) fn new() -> Machines {
        let members = (1..=NODES).map(|id| (id, String::new())).collect();
        let cluster_id = ClusterOptions { node_id: FIRST, members, joins: None }.founding_id();
        let machine = |id| (id, SimNode::in_cluster(id, SHARDS, 1_000, cluster_id));
        Machines { network: SimNetwork::new(), machines: (1..=NODES).map(machine).collect() }
    }

    pub(super) async fn start(&self, id: u64) -> Arc<Node<SimEnv>> {
        let members = self.machines.keys().map(|id| (*id, String::new())).collect();
        let options = NodeOptions {
            storage: Storage::Memory,
            cluster: Some(ClusterOptions { node_id: id, members, joins: None }),
            shards: SHARDS,
            request_deadline: REQUEST_DEADLINE,
            ..NodeOptions::default()
        };
        let machine = &self.machines[&id];
        let env = SimEnv::in_network(machine, &self.network);
        machine.scope(Node::start(options, env)).await.expect("a node starts")
    }

    /// Starts all of them.
    pub(super) async fn start_all(&self) -> BTreeMap<u64, Arc<Node<SimEnv>>> {
        let mut nodes = BTreeMap::new();
        for id in 1..=NODES {
            nodes.insert(id, self.start(id).await);
        }
        nodes
    }

    pub(super) async fn kill(&self, id: u64) {
        self.network.leave(id);
        self.machines[&id].kill().await;
    }

    /// Creates the table through the first node and puts one item on each shard, with the value `old`.
    async fn fill(&self, first: &Node<SimEnv>) -> Vec<String> {
        let filling = async {
            create_table(first).await;
            let ids = one_on_each_shard(first, "a");
            put_all(first, &ids, "old").await;
            ids
        };
        self.machines[&FIRST].scope(filling).await
    }

    /// Lets the first node put the value `new` to all of these items, and catches it at `step`, where it stays.
    async fn catch_at(&self, step: Failpoint, first: Arc<Node<SimEnv>>, ids: &[String]) -> Task<()> {
        let is_reached = Rc::new(Cell::new(false));
        let reached = Rc::clone(&is_reached);
        set_trap(Some(Rc::new(move |at| at == step && !reached.replace(true))));
        let new: Vec<String> = ids.iter().map(|id| put_action(id, "new")).collect();
        let coordinator = self.machines[&FIRST].spawn(async move {
            let plan = transaction(&first, &new, None);
            let token = plan.writes[0].token;
            drop(proposed(&first, token, command(plan)).await);
        });
        while !is_reached.get() {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        coordinator
    }
}

pub(super) async fn create_table(node: &Node<SimEnv>) {
    // Nobody may lead yet.
    while node.catalog.installed().table(TABLE).is_none() {
        drop(node.catalog.change(create_command(), node.deadline()).await);
        SimEnv::sleep(LOOK).await;
    }
}

/// Puts all items in one transaction, until it goes through.
async fn put_all(node: &Node<SimEnv>, ids: &[String], value: &str) {
    let actions: Vec<String> = ids.iter().map(|id| put_action(id, value)).collect();
    while !matches!(transact(node, &actions, None).await, Ok(Ok(_))) {
        SimEnv::sleep(LOOK).await;
    }
}

async fn lose_the_coordinators_machine(step: Failpoint) {
    let machines = Machines::new();
    let mut nodes = machines.start_all().await;
    let first = nodes.remove(&FIRST).expect("it was started");
    let ids = machines.fill(&first).await;
    // The coordinator of that one is not quite done when its client is.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(left_behind(&first), (0, 0));
    let coordinator = machines.catch_at(step, first, &ids).await;
    machines.kill(FIRST).await;
    drop(coordinator);
    tokio::time::sleep(SETTLED_AFTER).await;

    let expected = if step >= Failpoint::AfterDecide { "new" } else { "old" };
    for (id, node) in &nodes {
        for item in &ids {
            let body = machines.machines[id].scope(get(node, item)).await.expect("two of three serve");
            assert!(body.contains(&format!(r#""value":{{"S":"{expected}"}}"#)), "after {step:?}, node {id}: {body}");
        }
        assert_eq!(left_behind(node), (0, 0), "after {step:?}, node {id}");
    }
    let back = machines.start(FIRST).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(values(&back, &ids), vec![Some(expected.to_owned()); SHARDS as usize], "after {step:?}");
    assert_eq!(left_behind(&back), (0, 0));
}

#[test]
fn others_finish_what_a_dead_machine_coordinated() {
    for (seed, step) in (141..).zip(Failpoint::ALL) {
        run(seed, lose_the_coordinators_machine(step));
    }
    set_trap(None);
}

/// A read waits where the item's shard is led; another node that asks there gives up an attempt after a second and begins
/// anew. Before that the read must have ended what it waits for.
#[test]
fn a_read_through_another_node_ends_what_it_waits_for() {
    run(148, async {
        let machines = Machines::new();
        let nodes = machines.start_all().await;
        let first = Arc::clone(&nodes[&FIRST]);
        let ids = machines.fill(&first).await;
        // Until the leaders have settled down.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let _coordinator = machines.catch_at(Failpoint::BeforeDecide, first, &ids).await;
        set_trap(None);
        let leads = |id: u64, shard: usize| nodes[&id].router.shards[shard].group().lease().leading_term().is_some();
        let pairs = (1..=NODES).flat_map(|id| (0..ids.len()).map(move |shard| (id, shard)));
        let (id, shard) = pairs.into_iter().find(|(id, shard)| !leads(*id, *shard)).expect("nobody leads everything");
        let body = machines.machines[&id].scope(get(&nodes[&id], &ids[shard])).await.expect("within the deadline");
        assert!(body.contains(r#""value":{"S":"old"}"#), "{body}");
    });
    set_trap(None);
}
