//! A follower whose disk hangs while the others commit what it has only in memory, and then the power is cut: what it has
//! applied must not outlive the log that it was applied from, or the node would take its own log for a damaged one.

use std::time::Duration;

use crate::env::sim::run;
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::fixture::put;

/// The state store keeps as much as chance will have it of what was not flushed.
const SEEDS: u64 = 10;

async fn lose_the_end_of_a_log() {
    let world = World::found(Plan::default()).await;
    let leader = world.some_leader().await;
    let late = world.others(leader)[0];
    world.machine(late).freeze_disk_after(0);
    for number in 0..20 {
        let node = world.node(leader).expect("it runs");
        let value = number.to_string();
        world.machine(leader).scope(put(&node, "a", &value)).await.expect("two of three acknowledge");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.kill(late).await;
    world.machine(late).thaw_disk();
    world.start(late).await;
}

#[test]
fn the_applied_state_does_not_outlive_the_log() {
    for seed in 0..SEEDS {
        run(300 + seed, lose_the_end_of_a_log());
    }
}
