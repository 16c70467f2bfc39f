//! A member whose disk is lost is replaced, and whoever asks is interrupted half way: asked again, it is done to the end.

use std::time::Duration;

use crate::cluster::ClusterChange;
use crate::env::Deadline;
use crate::env::sim::{SimEnv, run};
use crate::node::tests::cluster::world::{Plan, World};
use crate::raft::MemberChange;
use crate::raft::types::Member;

const LOST: u64 = 2;

/// The simulated network needs none; but no two members may have the same.
const ADDRESS: &str = "another:1";

#[test]
fn an_interrupted_replacement_ends_with_the_vote() {
    run(181, async {
        let world = World::found(Plan { shards: 3, ..Plan::default() }).await;
        world.wipe(LOST).await;
        world.start(LOST).await;
        world.some_leader().await;
        let first =
            MemberChange::Replace { node: LOST, member: Member::new(ADDRESS, world.machine(LOST).incarnation()) };
        world.change(&first).await;
        let asked = world.others(LOST)[0];
        let node = world.node(asked).expect("it runs");
        let again = ClusterChange::Replace { node: LOST, address: Some(ADDRESS.to_owned()) };
        let deadline = Deadline::after::<SimEnv>(Duration::from_secs(20));
        let said = world.machine(asked).scope(node.cluster.change(&again, deadline)).await.expect("it is done");
        for shard in &node.router.shards {
            assert!(shard.group().members().voters.contains_key(&LOST), "no vote, although {said}");
        }
    });
}
