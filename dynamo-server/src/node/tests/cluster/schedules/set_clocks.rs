//! Wall clocks that were all ahead and are set right: hybrid time stays ahead of them, and everything goes on. A leader whose
//! clock is behind: what is to be remembered for ten minutes is remembered by the next leader.

use dynamo_engine::apply::Outcome;
use dynamo_engine::catalog::TableDescriptor;
use dynamo_engine::command::{Change, ClientToken, Command, ItemWrite, Transaction};
use dynamo_engine::item::ItemBody;
use dynamo_engine::keyspace::{KeyPart, row_key, token_of};
use shard_router::ShardId;

use crate::env::sim::{SimEnv, run};
use crate::node::Node;
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::fixture::{item, proposed, put, table};
use crate::raft::rules::{self, Rule};

const HOUR_MS: i64 = 3_600_000;
const SHARDS: u32 = 4;

/// The first name whose item is on this shard.
fn name_on(node: &Node<SimEnv>, shard: u32) -> String {
    let table = table(node).id.0;
    let is_there = |name: &String| node.router.shard_of(token_of(table, &[KeyPart::S(name)])).id() == ShardId(shard);
    (0..).map(|number| format!("k{number}")).find(is_there).expect("every shard has keys")
}

/// Writes an item on each of two shards in one transaction.
async fn transact(node: &Node<SimEnv>, shards: [u32; 2]) {
    let table = table(node);
    let of = |name: &str| token_of(table.id.0, &[KeyPart::S(name)]);
    let names = shards.map(|shard| name_on(node, shard));
    let actions = names.iter().map(|name| write(&table, name)).collect();
    let command = Command::Transact(Transaction { client_token: None, actions });
    let answer = proposed(node, of(&names[0]), command).await;
    assert!(matches!(answer, Ok(Outcome::Transacted { .. })), "{answer:?}");
}

fn write(table: &TableDescriptor, id: &str) -> ItemWrite {
    ItemWrite {
        table: table.id,
        schema_version: table.schema_version,
        key: row_key(table.id.0, &[KeyPart::S(id)], &[]),
        condition: None,
        change: Change::Put(ItemBody::encode(&item(id, "v"))),
    }
}

/// Shards 0 and 1 get ahead by a transaction, 2 by a write, 3 not at all.
async fn set_right(nodes: u64, restart: bool) {
    let plan = Plan { clocks: vec![1_000; nodes as usize], founders: nodes, shards: SHARDS, ..Plan::default() };
    let world = World::found(plan).await;
    let set = |ahead_ms| world.machines().into_iter().for_each(|id| world.machine(id).set_wall_ahead(ahead_ms));
    set(HOUR_MS);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let node = world.node(1).expect("it runs");
    world.machine(1).scope(transact(&node, [0, 1])).await;
    world.machine(1).scope(async { put(&node, &name_on(&node, 2), "v").await.expect("acknowledged") }).await;
    drop(node);
    set(0);
    if restart {
        for id in world.machines() {
            world.restart(id).await;
        }
    }
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    for id in world.machines() {
        let node = world.node(id).expect("it runs");
        for shards in [[0, 1], [1, 2], [3, 0], [2, 3]] {
            world.machine(id).scope(transact(&node, shards)).await;
        }
    }
}

#[test]
fn transactions_go_on_after_all_clocks_were_ahead() {
    for (nodes, restart) in [(1, false), (1, true), (3, false), (3, true)] {
        run(91, set_right(nodes, restart));
    }
}

/// What the next leader answers to a transaction that a leader whose clock is an hour behind has done a moment ago.
async fn replayed_after_a_slow_leader() -> Outcome {
    let world = World::found(Plan { clocks: vec![1_000; 3], founders: 3, shards: 1, ..Plan::default() }).await;
    let slow = world.some_leader().await;
    world.machine(slow).set_wall_ahead(-HOUR_MS);
    // Hybrid time goes on from where the clock was right; that has to be longer ago than a token is kept.
    tokio::time::sleep(std::time::Duration::from_secs(900)).await;
    assert_eq!(world.leader(), Some(slow), "nothing has happened to it");
    let node = world.node(slow).expect("it runs");
    let table = table(&node);
    let token = ClientToken { token: "once".into(), request_hash: 7, table: table.id };
    let (place, actions) = (token.ring_token(), vec![write(&table, "k")]);
    let command = Command::Transact(Transaction { client_token: Some(token), actions });
    let first = world.machine(slow).scope(proposed(&node, place, command.clone())).await;
    assert!(matches!(first, Ok(Outcome::Transacted { .. })), "{first:?}");
    drop(node);

    let next = world.others(slow)[0];
    while world.leader() != Some(next) {
        world.transfer(0, next).await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let node = world.node(next).expect("it runs");
    let second = world.machine(next).scope(proposed(&node, place, command)).await;
    second.expect("answered")
}

#[test]
fn a_token_outlives_a_leader_whose_clock_is_behind() {
    let answer = run(92, replayed_after_a_slow_leader());
    assert!(matches!(answer, Outcome::Replayed { .. }), "{answer:?}");
    rules::break_rule(Some(Rule::SlowLeadersCatchUp));
    let answer = run(92, replayed_after_a_slow_leader());
    rules::break_rule(None);
    assert!(matches!(answer, Outcome::Transacted { .. }), "the test does not see the fault: {answer:?}");
}
