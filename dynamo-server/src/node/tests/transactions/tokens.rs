//! Requests under one client token. Whatever shards their items lie on, whatever node they come to, however many at once
//! and whatever died between them: one of them is done, once; the same request is answered as if it were done now, and
//! every other one is refused.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dynamo_protocol::error::ErrorKind;

use super::super::fixture::proposed;
use super::cluster::{FIRST, Machines, NODES, create_table};
use super::{
    SETTLED_AFTER, SHARDS, add_all, command, counter, left_behind, one_on_each_shard, start, token_on, transact,
    transaction,
};
use crate::env::Env;
use crate::env::sim::{SimEnv, SimNode, chance_below, run};
use crate::node::Node;
use crate::transaction::{Failpoint, set_trap};

/// What a client is told in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    Replayed,
    Mismatch,
}

/// Asks until there is an answer that says how it stands: nobody may lead yet, the answer may be lost, and another
/// transaction, also one whose coordinator has died, may be in the way.
async fn ask(node: &Node<SimEnv>, actions: &[String], token: &str) -> End {
    loop {
        match transact(node, actions, Some(token)).await {
            Ok(Ok(body)) if body.contains("ReadCapacityUnits") => return End::Replayed,
            Ok(Ok(_)) => return End::Done,
            Ok(Err(error)) if error.kind() == ErrorKind::IdempotentParameterMismatch => return End::Mismatch,
            Ok(Err(_)) | Err(_) => SimEnv::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Until no leader moves any more.
const AT_REST: Duration = Duration::from_secs(60);

/// Three nodes that serve the table and have been left alone for `settle`, and an item on each shard.
async fn three(settle: Duration) -> (Machines, BTreeMap<u64, Arc<Node<SimEnv>>>, Vec<String>) {
    let machines = Machines::new();
    let nodes = machines.start_all().await;
    machines.machines[&FIRST].scope(create_table(&nodes[&FIRST])).await;
    let ids = one_on_each_shard(&nodes[&FIRST], "a");
    tokio::time::sleep(settle).await;
    (machines, nodes, ids)
}

impl Machines {
    async fn ask(&self, nodes: &BTreeMap<u64, Arc<Node<SimEnv>>>, at: u64, ids: &[String], token: &str) -> End {
        self.machines[&at].scope(ask(&nodes[&at], &add_all(ids), token)).await
    }

    async fn counter(&self, nodes: &BTreeMap<u64, Arc<Node<SimEnv>>>, at: u64, id: &str) -> u64 {
        self.machines[&at].scope(counter(&nodes[&at], id)).await
    }
}

#[test]
fn on_one_machine_wherever_items_and_token_lie() {
    run(191, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        machine
            .scope(async {
                super::create_table(&node).await;
                for record_shard in 0..SHARDS {
                    let ids = one_on_each_shard(&node, &format!("item-{record_shard}-"));
                    let token = token_on(&node, record_shard, &format!("token-{record_shard}-"));
                    assert_eq!(ask(&node, &add_all(&ids[..1]), &token).await, End::Done);
                    assert_eq!(ask(&node, &add_all(&ids[..1]), &token).await, End::Replayed);
                    for other in [&ids[1..2], &ids[2..3], &ids[3..], &ids[..2], &ids[1..], &ids[..]] {
                        assert_eq!(ask(&node, &add_all(other), &token).await, End::Mismatch, "{other:?}");
                    }
                    let backwards: Vec<String> = ids.iter().rev().cloned().collect();
                    let token = token_on(&node, record_shard, &format!("another-{record_shard}-"));
                    assert_eq!(ask(&node, &add_all(&ids), &token).await, End::Done);
                    assert_eq!(ask(&node, &add_all(&ids), &token).await, End::Replayed);
                    assert_eq!(ask(&node, &add_all(&backwards), &token).await, End::Mismatch, "the order counts");
                    let mut counters = Vec::new();
                    for id in &ids {
                        counters.push(counter(&node, id).await);
                    }
                    assert_eq!(counters, [2, 1, 1, 1]);
                }
            })
            .await;
    });
}

#[test]
fn another_node_and_the_next_life_of_all_nodes_know_the_token() {
    run(192, async {
        let (machines, nodes, ids) = three(AT_REST).await;
        let mut tokens = Vec::new();
        for record_shard in 0..SHARDS {
            let token = token_on(&nodes[&FIRST], record_shard, "tok");
            assert_eq!(machines.ask(&nodes, FIRST, &ids[..1], &token).await, End::Done);
            assert_eq!(machines.ask(&nodes, 2, &ids[..1], &token).await, End::Replayed);
            assert_eq!(machines.ask(&nodes, 3, &ids[1..2], &token).await, End::Mismatch);
            assert_eq!(machines.ask(&nodes, 2, &ids[1..], &token).await, End::Mismatch);
            tokens.push(token);
        }
        drop(nodes);
        for id in 1..=NODES {
            machines.kill(id).await;
        }
        let nodes = machines.start_all().await;
        for (at, token) in (1..=NODES).cycle().zip(&tokens) {
            assert_eq!(machines.ask(&nodes, at, &ids[2..3], token).await, End::Mismatch, "first of all by node {at}");
            assert_eq!(machines.ask(&nodes, at % NODES + 1, &ids[..1], token).await, End::Replayed);
        }
        for (id, expected) in ids.iter().zip([u64::from(SHARDS), 0, 0, 0]) {
            assert_eq!(machines.counter(&nodes, FIRST, id).await, expected);
        }
    });
}

/// All three nodes are asked at the same time: for the same, or each for something else.
#[test]
fn of_those_that_come_at_once_one_is_done() {
    for (seed, is_same) in [(193, true), (194, false)] {
        run(seed, async {
            let (machines, nodes, _) = three(AT_REST).await;
            for round in 0..20 {
                let ids = one_on_each_shard(&nodes[&FIRST], &format!("round-{round}-"));
                let token = token_on(&nodes[&FIRST], round % SHARDS, &format!("round-{round}-"));
                let mut asked = Vec::new();
                for id in 1..=NODES {
                    let wanted = if is_same { &ids[..2] } else { &ids[id as usize..=id as usize] };
                    let (node, actions, token) = (Arc::clone(&nodes[&id]), add_all(wanted), token.clone());
                    asked.push(machines.machines[&id].spawn(async move {
                        SimEnv::sleep(Duration::from_micros(chance_below(2_000))).await;
                        ask(&node, &actions, &token).await
                    }));
                }
                let ends: Vec<End> =
                    futures::future::join_all(asked).await.into_iter().map(|end| end.expect("it ended")).collect();
                let lost = if is_same { End::Replayed } else { End::Mismatch };
                let count = |wanted: End| ends.iter().filter(|end| **end == wanted).count();
                assert_eq!((count(End::Done), count(lost)), (1, 2), "round {round}: {ends:?}");
                let mut sum = 0;
                for id in &ids {
                    sum += machines.counter(&nodes, FIRST, id).await;
                }
                assert_eq!(sum, if is_same { 2 } else { 1 }, "round {round}");
            }
        });
    }
}

/// The token lives on shard 0, where no item does.
async fn lose_the_coordinators_machine(step: Failpoint) {
    let (machines, mut nodes, ids) = three(Duration::from_secs(1)).await;
    let ids = ids[1..].to_vec();
    let first = nodes.remove(&FIRST).expect("it was started");
    let token = token_on(&first, 0, "tok");
    let is_reached = Rc::new(Cell::new(false));
    let reached = Rc::clone(&is_reached);
    set_trap(Some(Rc::new(move |at| at == step && !reached.replace(true))));
    let plan = transaction(&first, &add_all(&ids), Some(&token));
    let coordinator = machines.machines[&FIRST].spawn(async move {
        let at = plan.writes[0].token;
        drop(proposed(&first, at, command(plan)).await);
    });
    while !is_reached.get() {
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    machines.kill(FIRST).await;
    drop(coordinator);
    // At once, while what it left is still held.
    let end = machines.ask(&nodes, 2, &ids, &token).await;
    // What is done anew may be asked for once more, where the answer is lost with a leader.
    let is_committed = step >= Failpoint::AfterDecide;
    assert!(end == End::Replayed || end == End::Done && !is_committed, "after {step:?}: {end:?}");
    assert_eq!(machines.ask(&nodes, 3, &ids[..1], &token).await, End::Mismatch, "after {step:?}");
    tokio::time::sleep(SETTLED_AFTER).await;
    nodes.insert(FIRST, machines.start(FIRST).await);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(machines.ask(&nodes, FIRST, &ids, &token).await, End::Replayed, "after {step:?}");
    assert_eq!(machines.ask(&nodes, FIRST, &ids[1..], &token).await, End::Mismatch, "after {step:?}");
    for id in &ids {
        assert_eq!(machines.counter(&nodes, 2, id).await, 1, "after {step:?}");
    }
    // The requests just answered held something, too, and followers hear of its end a moment after the leaders.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (id, node) in &nodes {
        assert_eq!(left_behind(node), (0, 0), "after {step:?}, node {id}");
    }
}

#[test]
fn a_token_outlives_the_machine_that_coordinated() {
    for (seed, step) in (201..).zip(Failpoint::ALL) {
        run(seed, lose_the_coordinators_machine(step));
    }
    set_trap(None);
}
