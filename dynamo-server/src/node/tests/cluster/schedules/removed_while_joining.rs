//! A node that is removed while it waits for its vote: it stays away, as the operator was told.

use std::time::Duration;

use crate::cluster::join::Joiner;
use crate::env::sim::run;
use crate::node::tests::cluster::world::{Plan, World};
use crate::raft::MemberChange;

const JOINING: u64 = 4;

fn is_member(world: &World, is_learner: bool) -> bool {
    let node = world.node(world.leader().expect("nothing happened to the members")).expect("it leads");
    let of = |members: crate::raft::Members| match is_learner {
        true => members.learners.contains_key(&JOINING),
        false => members.get(JOINING).is_some(),
    };
    if is_learner {
        node.router.shards.iter().all(|shard| of(shard.group().members()))
    } else {
        node.router.shards.iter().any(|shard| of(shard.group().members()))
    }
}

#[test]
fn a_node_removed_before_its_vote_does_not_return() {
    run(182, async {
        let world = World::found(Plan { clocks: vec![1_000; 4], shards: 3, ..Plan::default() }).await;
        let leader = world.some_leader().await;
        for shard in 0..3 {
            world.transfer(shard, leader).await;
        }
        world.start(JOINING).await;
        // It is told everything, and acknowledges nothing.
        world.machine(JOINING).freeze_disk_after(0);
        let members = (1..=3).map(|id| (id, String::new())).collect();
        let joiner = Joiner { members, peer_address: "d:4".to_owned(), promote: true };
        let node = world.node(JOINING).expect("it runs");
        world.machine(JOINING).scope(async { node.cluster.join(joiner) }).await;
        while !is_member(&world, true) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.change(&MemberChange::Remove { node: JOINING }).await;
        world.machine(JOINING).thaw_disk();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(!is_member(&world, false), "it came back");
    });
}
