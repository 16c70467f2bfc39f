//! Replicas that are equal, and one that is not.

use std::sync::Arc;

use dynamo_engine::keyspace::Space;
use ordered_kv::{Direction, KeyRange, WriteBatch};

use crate::cluster::compare::Compared;
use crate::env::sim::{SimEnv, run};
use crate::node::Node;
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::fixture::put;

const ITEMS: u64 = 20;

/// Flips a bit in one item, in the store of this node alone.
fn corrupt(node: &Node<SimEnv>) {
    let start = [Space::Rows as u8];
    let (mut batch, state) = (WriteBatch::new(), &node.stores.state);
    let mut cursor = state.cursor(KeyRange::from(&start[..]), Direction::Forward).unwrap();
    let (key, value) = cursor.next().unwrap().expect("there are items");
    assert_eq!(key[0], Space::Rows as u8);
    let mut flipped = value.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    batch.put(key, &flipped);
    drop(cursor);
    state.write(&batch).unwrap();
}

#[test]
fn a_replica_that_differs_is_named_and_complained_about() {
    run(91, async {
        let world = World::found(Plan::default()).await;
        let leader = world.some_leader().await;
        let node = world.node(leader).unwrap();
        let machine = world.machine(leader);
        for number in 0..ITEMS {
            machine.scope(put(&node, &format!("item-{number}"), "value")).await.unwrap();
        }
        let shard = Arc::clone(&node.router.shards[0]);
        let compare = || machine.scope(node.cluster.comparison().compare(&shard));
        assert_eq!(compare().await.unwrap(), Compared { compared: 3, difference: None });
        // More is written, and the digests are still of one entry.
        let writes = async {
            for number in 0..ITEMS {
                machine.scope(put(&node, &format!("item-{number}"), "another")).await.unwrap();
            }
        };
        let (verdict, ()) = futures::join!(compare(), writes);
        assert_eq!(verdict.unwrap(), Compared { compared: 3, difference: None });

        let victim = world.others(leader)[0];
        corrupt(&world.node(victim).unwrap());
        let verdict = compare().await.unwrap();
        let said = verdict.difference.clone().expect("it differs");
        assert!(
            said.contains("2 of 3 agree") && said.contains(&format!("; node {victim} in the rows of table")),
            "{said}"
        );
        node.cluster.comparison().note(0, verdict);
        let complaints = machine.scope(async { node.cluster.status() }).await.complaints;
        assert!(
            complaints.iter().any(|complaint| complaint.contains("the replicas of shard 0 differ")),
            "{complaints:?}"
        );
        node.cluster.comparison().note(0, Compared { compared: 3, difference: None });
        assert_eq!(machine.scope(async { node.cluster.status() }).await.complaints, Vec::<String>::new());
    });
}
