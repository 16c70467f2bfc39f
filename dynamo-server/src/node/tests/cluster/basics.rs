//! What a cluster does when nothing goes wrong, and what its nodes say of each other.

use std::time::Duration;

use super::super::fixture::{get, put};
use super::world::{Plan, World};
use crate::env::sim::run;

#[test]
fn one_leads_and_the_others_name_it() {
    run(31, async {
        let world = World::found(Plan::default()).await;
        let leader = world.some_leader().await;
        let node = world.node(leader).unwrap();
        world.machine(leader).scope(put(&node, "a", "1")).await.unwrap();
        let body = world.machine(leader).scope(get(&node, "a")).await.unwrap();
        assert!(body.contains(r#""value":{"S":"1"}"#), "{body}");
        assert!(node.health().is_ready());
        for other in world.others(leader) {
            let node = world.node(other).unwrap();
            let value = other.to_string();
            world.machine(other).scope(put(&node, "a", &value)).await.unwrap();
            let body = world.machine(other).scope(get(&node, "a")).await.unwrap();
            assert!(body.contains(&format!(r#""value":{{"S":"{value}"}}"#)), "{body}");
            let health = node.health();
            assert!(health.is_ready(), "{health}");
            assert_eq!(health.shards[0].leader, Some(leader));
        }
    });
}

#[test]
fn a_leader_serves_under_its_lease_and_asks_nobody() {
    run(32, async {
        let world = World::found(Plan::default()).await;
        let leader = world.some_leader().await;
        let node = world.node(leader).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = node.counters();
        for _ in 0..100 {
            world.machine(leader).scope(get(&node, "a")).await.unwrap();
        }
        let after = node.counters();
        assert_eq!(after.lease_hits - before.lease_hits, 100);
        assert_eq!(after.lease_misses, before.lease_misses);
    });
}

#[test]
fn another_leads_when_the_leader_dies_and_nothing_acknowledged_is_gone() {
    run(33, async {
        let world = World::found(Plan::default()).await;
        let first = world.some_leader().await;
        let node = world.node(first).unwrap();
        world.machine(first).scope(put(&node, "a", "1")).await.unwrap();
        drop(node);
        world.kill(first).await;
        let second = world.some_leader().await;
        assert_ne!(first, second);
        let node = world.node(second).unwrap();
        let body = world.machine(second).scope(get(&node, "a")).await.unwrap();
        assert!(body.contains(r#""value":{"S":"1"}"#), "{body}");
        world.machine(second).scope(put(&node, "a", "2")).await.unwrap();

        world.start(first).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let replicas = world.replicas();
        assert_eq!(replicas.len(), 3);
        assert!(replicas.iter().all(|replica| *replica == replicas[0]), "{replicas:?}");
    });
}

#[test]
fn a_transfer_moves_the_leadership_at_once() {
    run(34, async {
        let world = World::found(Plan::default()).await;
        let first = world.some_leader().await;
        let target = world.others(first)[0];
        let node = world.node(first).unwrap();
        world.machine(first).scope(node.system().group().transfer(target)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(world.leader(), Some(target));
        assert!(!world.machine(first).scope(async { node.system().has_lease() }).await);
    });
}

/// With an election timeout of one to two seconds nobody would lead for as long if the leader just went away.
#[test]
fn a_leader_that_stops_in_order_hands_over_first() {
    run(35, async {
        let world = World::found(Plan::default()).await;
        let first = world.some_leader().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let soon = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.leader()
        };
        let ((), second) = futures::join!(world.stop(first), soon);
        let second = second.expect("another leads before any election timeout is over");
        let node = world.node(second).unwrap();
        world.machine(second).scope(put(&node, "a", "1")).await.unwrap();
    });
}
