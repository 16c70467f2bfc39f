//! A machine that dies while it installs a snapshot: after each write that its disk makes durable, the one between the
//! new state and the dropped log included. State and log lie in two stores, so there they contradict each other.

use std::collections::BTreeSet;
use std::time::Duration;

use shard_router::ShardId;

use crate::env::sim::{SimNode, run};
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::fixture::put;
use crate::raft::persisted_applied;
use crate::raft::snapshot::incoming::Incoming;

/// Durable writes that the disk makes before it hangs, at most. A start, a vote and a whole installation take fewer.
const WRITES_MAX: u64 = 10;

/// How long the replicas may take to become equal.
const CATCHING_UP_MAX: Duration = Duration::from_secs(120);

/// How far an installation has come, by what lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    /// Nothing of it is there.
    Nothing,
    /// It is noted, and the state is the old one.
    Noted,
    /// The state is the new one, and the log ends before it.
    Installed,
    /// The log is dropped, and the note with it.
    LogDropped,
}

fn reached(machine: &SimNode, applied_before: u64) -> Reached {
    let log = machine.peek_log().expect("a log that can be read");
    let note = Incoming::read(&log, 0).expect("a note that can be read");
    let applied = persisted_applied(&*machine.state(), ShardId(0)).expect("a state that can be read");
    match note {
        Some(note) if applied >= Some(note.upto) => Reached::Installed,
        Some(_) => Reached::Noted,
        None if applied.is_some_and(|applied| applied.index() > applied_before) => Reached::LogDropped,
        None => Reached::Nothing,
    }
}

/// Lets a machine that needs a snapshot die once its disk has made so many writes; then it comes back.
async fn die_after(writes: u64) -> Reached {
    // Every look of the upkeep finds the log too long.
    let world = World::found(Plan { log_bytes_max: 0, ..Plan::default() }).await;
    let leader = world.some_leader().await;
    let away = world.others(leader)[0];
    world.kill(away).await;
    let machine = world.machine(away);
    let applied_before = persisted_applied(&*machine.state(), ShardId(0)).expect("a state that can be read");
    let applied_before = applied_before.map_or(0, |applied| applied.index());
    for number in 0..20 {
        let node = world.node(leader).expect("it runs");
        let key = (number % 3).to_string();
        world.machine(leader).scope(put(&node, &key, &number.to_string())).await.expect("two of three acknowledge");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;

    machine.freeze_disk_after(writes);
    // Where the disk hangs at once, the start does, too.
    let _ = tokio::time::timeout(Duration::from_secs(5), world.start(away)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.kill(away).await;
    let reached = reached(machine, applied_before);
    machine.thaw_disk();
    world.start(away).await;
    let settling = async {
        loop {
            let replicas = world.replicas();
            if replicas.len() == 3 && replicas.iter().all(|replica| *replica == replicas[0]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let settled = tokio::time::timeout(CATCHING_UP_MAX, settling).await;
    assert!(settled.is_ok(), "after {writes} writes, {reached:?}: the replicas differ: {:?}", world.replicas());
    reached
}

#[test]
fn wherever_an_installation_was_cut_short_the_node_starts_and_catches_up() {
    let seen: BTreeSet<Reached> = (0..WRITES_MAX).map(|writes| run(70 + writes, die_after(writes))).collect();
    // The disk does not hang between the note and the new state: no write of the log comes between them.
    for step in [Reached::Nothing, Reached::Installed, Reached::LogDropped] {
        assert!(seen.contains(&step), "no machine died at {step:?}, only at {seen:?}");
    }
}
