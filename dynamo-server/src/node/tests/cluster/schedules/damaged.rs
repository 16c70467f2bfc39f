//! Records of one shard that cannot be read when their node starts: that shard stands still on this node, everything else
//! serves. Records of the system group keep the node from starting, with a message that says what to do.

use std::time::Duration;

use dynamo_engine::keyspace::local;
use ordered_kv::{StateStore, WriteBatch};
use shard_router::ShardId;

use crate::env::sim::{SimEnv, run};
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::fixture::{get, put};
use crate::node::{Capability, Impairment, Node};

const DAMAGED: u64 = 2;

/// Keys in all shards.
const KEYS: u64 = 16;

async fn world() -> std::sync::Arc<World> {
    let world = World::found(Plan { shards: 3, ..Plan::default() }).await;
    write(&world, "before").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world
}

async fn write(world: &World, value: &str) {
    let leader = world.some_leader().await;
    let node = world.node(leader).expect("it runs");
    for key in 0..KEYS {
        let mut left = 40;
        while world.machine(leader).scope(put(&node, &key.to_string(), value)).await.is_err() {
            left -= 1;
            assert!(left > 0, "key {key} cannot be written");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

/// Changes the first byte of a record of the shard, which says its format.
async fn damage(world: &World, shard: ShardId) {
    world.stop(DAMAGED).await;
    let state = world.machine(DAMAGED).state();
    for key in [local::applied(shard), local::membership(shard)] {
        let mut batch = WriteBatch::new();
        batch.put(&key, &[0xff; 3]);
        state.write(&batch).unwrap();
    }
    state.flush().unwrap();
}

#[test]
fn records_of_one_shard_stop_that_shard_on_that_node() {
    run(171, async {
        let world = world().await;
        damage(&world, ShardId(1)).await;
        world.start(DAMAGED).await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        let node = world.node(DAMAGED).unwrap();
        let health = node.health();
        let stands_still = |impairment: &&Impairment| matches!(impairment, Impairment::Quarantined { .. });
        let found: Vec<String> = health.impairments.iter().filter(stands_still).map(ToString::to_string).collect();
        assert!(
            matches!(&found[..], [one] if one.starts_with("shard 1 stands still") && one.contains("Replace")),
            "{found:?}"
        );
        assert!(health.is_live() && health.is_ready_for(Capability::Catalog), "{health}");
        // The others have it, and the node itself asks them.
        write(&world, "after").await;
        for key in 0..KEYS {
            let answer = world.machine(DAMAGED).scope(get(&node, &key.to_string())).await.expect("it is forwarded");
            assert!(answer.contains("after"), "key {key}: {answer}");
        }
        let applied = |id: u64| world.node(id).unwrap().health().shards[1].applied_next;
        assert_eq!(applied(DAMAGED), 0, "it takes no part");
        assert_eq!(applied(1), applied(3));
    });
}

#[test]
fn records_of_the_system_group_keep_the_node_from_starting() {
    run(172, async {
        let world = world().await;
        damage(&world, ShardId(0)).await;
        let machine = world.machine(DAMAGED);
        let env = SimEnv::in_network(machine, &world.network);
        let refused = machine.scope(Node::start(world.options(DAMAGED), env)).await.err().expect("it does not start");
        let text = refused.to_string();
        assert!(text.contains("shard 0") && text.contains("cluster replace"), "{text}");
        write(&world, "after").await;
    });
}

/// As the process does before it ends: nobody has to wait until the promises to the leader run out.
#[test]
fn a_node_that_a_fault_stops_lets_others_lead() {
    run(173, async {
        let world = world().await;
        let leader = world.some_leader().await;
        let node = world.node(leader).unwrap();
        let term = |id: u64| world.node(id).and_then(|node| node.router.system().group().lease().leading_term());
        let before = term(leader).expect("it leads");
        node.router.fault.raise("the disk");
        let began = tokio::time::Instant::now();
        world.machine(leader).scope(node.hand_over()).await;
        let later = world.others(leader).into_iter().filter_map(term).max();
        assert!(later.is_some_and(|term| term > before), "{later:?} after {:?}", began.elapsed());
        let promises = Plan::default().pace.election_timeout_max;
        assert!(began.elapsed() <= promises, "{:?}", began.elapsed());
    });
}
