//! Wall clocks that were all ahead and are set right: hybrid time stays ahead of them, and everything goes on. A leader whose
//! clock is behind dates as most clocks do; and how long a token is remembered depends on no wall clock at all.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::catalog::TableDescriptor;
use dynamo_engine::command::{Change, ClientToken, Command, ItemWrite, Transaction};
use dynamo_engine::item::ItemBody;
use dynamo_engine::keyspace::{KeyPart, row_key, token_of};
use shard_router::ShardId;

use crate::env::Env;
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
    tokio::time::sleep(Duration::from_secs(5)).await;
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
    tokio::time::sleep(Duration::from_secs(10)).await;
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

/// A leader whose clock has been an hour behind for longer than a token is kept.
async fn slow_leader(nodes: u64) -> (Arc<World>, u64) {
    let plan = Plan { clocks: vec![1_000; nodes as usize], founders: nodes, shards: 1, ..Plan::default() };
    let world = World::found(plan).await;
    let slow = world.some_leader().await;
    world.machine(slow).set_wall_ahead(-HOUR_MS);
    tokio::time::sleep(Duration::from_secs(900)).await;
    assert_eq!(world.leader(), Some(slow), "nothing has happened to it");
    (world, slow)
}

/// A transaction under a token, proposed where its shard is led.
async fn once(world: &World) -> Outcome {
    loop {
        let leader = world.some_leader().await;
        let node = world.node(leader).expect("it runs");
        let table = table(&node);
        let token = ClientToken { token: "once".into(), request_hash: 7, table: table.id };
        let (place, actions) = (token.ring_token(), vec![write(&table, "k")]);
        let command = Command::Transact(Transaction { client_token: Some(token), actions });
        // A leader that was deposed meanwhile does nothing.
        if let Ok(outcome) = world.machine(leader).scope(proposed(&node, place, command)).await {
            return outcome;
        }
    }
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Transacted { .. })
}

fn is_replay(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Replayed { .. })
}

#[test]
fn a_leader_whose_clock_is_behind_dates_as_most_clocks_do() {
    let behind_ms = || {
        run(92, async {
            let (world, slow) = slow_leader(3).await;
            let node = world.node(slow).expect("it runs");
            SimEnv::wall_ms() - world.machine(slow).scope(async { node.router.wall_ms() }).await
        })
    };
    assert!(behind_ms() <= 1_100, "{}", behind_ms());
    rules::break_rule(Some(Rule::SlowLeadersCatchUp));
    let without = behind_ms();
    rules::break_rule(None);
    assert_eq!(without, HOUR_MS as u64, "the test does not see the fault");
}

/// Whatever becomes of the clocks and the leaders: within ten minutes the transaction is not done again, and later it is.
async fn within_its_time(nodes: u64, upset: impl AsyncFnOnce(&World, u64)) {
    let (world, slow) = slow_leader(nodes).await;
    assert!(is_done(&once(&world).await));
    upset(&world, slow).await;
    for _ in 0..9 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(is_replay(&once(&world).await), "{nodes} nodes");
    }
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert!(is_done(&once(&world).await), "{nodes} nodes: it is over some time");
}

/// The clock is set right; with several nodes, with every member there or one away; and the leadership moves, or all restart.
#[test]
fn a_token_does_not_expire_by_a_wall_clock() {
    let set_right = |world: &World, slow: u64| world.machine(slow).set_wall_ahead(0);
    for nodes in [1, 3] {
        run(93, within_its_time(nodes, async |world, slow| set_right(world, slow)));
        run(94, within_its_time(nodes, async |world, slow| world.machine(slow).set_wall_ahead(24 * HOUR_MS)));
        run(
            95,
            within_its_time(nodes, async |world, slow| {
                set_right(world, slow);
                for id in world.machines() {
                    world.restart(id).await;
                }
            }),
        );
    }
    run(
        96,
        within_its_time(3, async |world, slow| {
            let next = world.others(slow)[0];
            while world.leader() != Some(next) {
                world.transfer(0, next).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }),
    );
}

/// With one of three away no majority of right clocks corrects a leader whose clock is behind.
#[test]
fn a_token_does_not_expire_by_the_clock_of_a_leader_that_hears_one() {
    run(97, async {
        let (world, slow) = slow_leader(3).await;
        world.kill(world.others(slow)[0]).await;
        tokio::time::sleep(Duration::from_secs(900)).await;
        assert!(is_done(&once(&world).await));
        world.machine(slow).set_wall_ahead(0);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(is_replay(&once(&world).await));
    });
}

/// Nobody has to ask for it: what has expired goes, and with it what the leader proposes.
#[test]
fn tokens_go_by_themselves() {
    run(98, async {
        let (world, slow) = slow_leader(3).await;
        let remembers =
            |id: u64| world.node(id).expect("it runs").router.system().group().published().has_client_tokens();
        assert!(is_done(&once(&world).await));
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(remembers(slow));
        tokio::time::sleep(Duration::from_secs(180)).await;
        assert!(world.machines().into_iter().all(|id| !remembers(id)));
        let node = world.node(slow).expect("it runs");
        let applied = || node.router.system().group().published().applied_next();
        let before = applied();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(applied(), before, "an idle shard writes nothing");
    });
}
