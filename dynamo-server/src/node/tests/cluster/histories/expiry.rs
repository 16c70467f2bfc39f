//! Items that expire while leaders come and go, machines lose power and wall clocks are wrong by years.
//!
//! Each client stays with one node and has keys of its own, so it knows what each of its items must be: as it was
//! acknowledged, or gone once it is due. A key about which it was not told what happened is left alone from then on. In the
//! end every item that is due is gone, on every replica, and every other one is there; the queues are what the items call
//! for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dynamo_engine::item::ItemRef;
use dynamo_engine::keyspace::{Space, id_prefix, parse_ttl_queue};
use dynamo_engine::ttl;
use dynamo_protocol::error::ErrorKind;
use dynamo_protocol::ops::Operation;
use ordered_kv::{Direction, KeyRange, Reader};

use super::tables::{ask, insist};
use crate::env::Env;
use crate::env::sim::{SimEnv, chance_below, run};
use crate::node::Node;
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::fixture::{TABLE, table};
use crate::raft::rules::{self, Rule};

const SHARDS: u32 = 3;

/// How far, in milliseconds, time may be ahead of the truth where most clocks are right: see `raft/lease/wall_clocks.rs`.
const EARLY_MS_MAX: u64 = 5_000;

/// How long a client goes on.
const LIFE: Duration = Duration::from_secs(30);

/// How long everything that is due may take to go once all is well.
const SETTLE_MAX: Duration = Duration::from_secs(60);

const YEAR_MS: i64 = 365 * 86_400_000;

/// What a client knows about one item: when it expires, in seconds.
type Known = BTreeMap<String, u64>;

fn true_s() -> u64 {
    SimEnv::wall_ms() / 1_000
}

/// Seconds from now on at which an item expires: past, soon, in an hour, in a year.
fn some_expiry() -> u64 {
    let soon = 1 + chance_below(6);
    [true_s() - 60, true_s() + soon, true_s() + soon, true_s() + 3_600, true_s() + 31_536_000][chance_below(5) as usize]
}

/// Writes and reads items of its own until the time is over.
async fn live(world: &World, home: u64) -> Result<Known, String> {
    let (mut known, mut next, until) = (Known::new(), 0, true_s() + LIFE.as_secs());
    while true_s() < until {
        let renews = chance_below(3) == 0 && !known.is_empty();
        let id = match renews {
            true => known.keys().nth(chance_below(known.len() as u64) as usize).cloned().unwrap_or_default(),
            false => format!("{home}-{next}"),
        };
        next += 1;
        let expiry = some_expiry();
        let put = format!(r#"{{"TableName":"{TABLE}","Item":{{"id":{{"S":"{id}"}},"ttl":{{"N":"{expiry}"}}}}}}"#);
        // While it is written, whatever it was may go.
        known.remove(&id);
        if ask(world, home, Operation::PutItem, &put).await.is_ok() {
            known.insert(id, expiry);
        }
        if let Some((id, expiry)) = known.iter().nth(chance_below(known.len().max(1) as u64) as usize) {
            look(world, home, id, *expiry).await?;
        }
        tokio::time::sleep(Duration::from_millis(chance_below(120))).await;
    }
    Ok(known)
}

/// Whether an item is there; one that is not due must be.
async fn look(world: &World, home: u64, id: &str, expiry: u64) -> Result<Option<bool>, String> {
    let get = format!(r#"{{"TableName":"{TABLE}","Key":{{"id":{{"S":"{id}"}}}},"ConsistentRead":true}}"#);
    let Ok(found) = ask(world, home, Operation::GetItem, &get).await else { return Ok(None) };
    let now_ms = SimEnv::wall_ms();
    let is_there = found.contains(r#""Item""#);
    match is_there || expiry * 1_000 <= now_ms + EARLY_MS_MAX {
        true => Ok(Some(is_there)),
        false => Err(format!("{id} was to stay until {expiry}, and is gone at {now_ms} ms")),
    }
}

/// Moves and breaks leaders, and sets one clock wrong at a time, until it is told to stop.
async fn harm(world: &World, stopped: &AtomicBool) {
    let mut wrong = 1;
    while !stopped.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(300 + chance_below(1_500))).await;
        match chance_below(6) {
            0 | 1 => {
                world.machine(wrong).set_wall_ahead(0);
                // Most clocks are right, and are known to be for a while.
                tokio::time::sleep(Duration::from_millis(2_500)).await;
                wrong = 1 + chance_below(3);
                let ahead_ms = [3 * YEAR_MS, 7_200_000, -3_600_000, 1_500][chance_below(4) as usize];
                world.machine(wrong).set_wall_ahead(ahead_ms);
                world.transfer(chance_below(SHARDS.into()) as u32, wrong).await;
            }
            2 => world.restart(wrong).await,
            3 => world.restart(1 + chance_below(3)).await,
            4 => world.isolate(1 + chance_below(3)),
            _ => world.network.heal(),
        }
    }
    world.mend().await;
}

/// The rows of a table in one space of a node.
fn rows(node: &Node<SimEnv>, space: Space) -> Vec<(Vec<u8>, Vec<u8>)> {
    let reader: &dyn Reader = &*node.stores.state;
    let prefix = id_prefix(space, table(node).id.0);
    let mut cursor = reader.cursor(KeyRange::prefix(&prefix), Direction::Forward).unwrap();
    let mut rows = Vec::new();
    while let Some((key, row)) = cursor.next().unwrap() {
        rows.push((key.to_vec(), row.to_vec()));
    }
    rows
}

/// What is wrong with a node's items and queues once everything that is due has had time to go.
fn unsettled(node: &Node<SimEnv>) -> Option<String> {
    let item =
        |(key, row): (Vec<u8>, Vec<u8>)| Some((ttl::expiry_ms(&ItemRef::parse(&row).unwrap(), "ttl").unwrap()?, key));
    let wanted: BTreeSet<(u64, Vec<u8>)> = rows(node, Space::Rows).into_iter().filter_map(item).collect();
    let queued = rows(node, Space::TtlQueue).into_iter().map(|(key, _)| parse_ttl_queue(&key).unwrap()).collect();
    let due = ttl::due(SimEnv::wall_ms());
    let late = wanted.iter().filter(|(expiry_ms, _)| due.contains(expiry_ms)).count();
    if late > 0 {
        return Some(format!("{late} of {} items are due and there", wanted.len()));
    }
    (wanted != queued).then(|| format!("{} items call for {} queue rows", wanted.len(), queued.len()))
}

async fn settle(world: &World) -> Result<(), String> {
    let mut wrong = None;
    let waited = tokio::time::timeout(SETTLE_MAX, async {
        loop {
            wrong = (1..=3).find_map(|id| world.node(id).map_or(Some("off".to_owned()), |node| unsettled(&node)));
            let replicas = world.replicas();
            if let Some(wrong) = &mut wrong {
                let counts = (1..=3).map(|id| world.node(id).map(|node| node.expiry.totals()));
                *wrong += &format!("; deleted, lag, held: {:?}", counts.collect::<Vec<_>>());
            }
            if wrong.is_none() && replicas.iter().all(|replica| *replica == replicas[0]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    waited.await.map_err(|_| wrong.unwrap_or_else(|| format!("the replicas differ: {:?}", world.replicas())))
}

async fn enable(world: &World) -> Result<(), String> {
    let specification = r#"{"AttributeName":"ttl","Enabled":true}"#;
    let body = format!(r#"{{"TableName":"{TABLE}","TimeToLiveSpecification":{specification}}}"#);
    insist(world, 1, (Operation::UpdateTimeToLive, body), ErrorKind::Validation).await.map(drop)
}

/// How many items were left that must be there.
async fn survive() -> Result<usize, String> {
    let ttl_interval = Some(Duration::from_millis(300));
    let world = World::found(Plan { shards: SHARDS, ttl_interval, ..Plan::default() }).await;
    // Some are there before.
    let stopped = AtomicBool::new(false);
    let clients = async {
        let enabled = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            enable(&world).await
        };
        let lives = futures::join!(live(&world, 1), live(&world, 2), live(&world, 3), enabled);
        stopped.store(true, Ordering::Relaxed);
        lives
    };
    let ((one, two, three, enabled), ()) = futures::join!(clients, harm(&world, &stopped));
    enabled?;
    // What was to expire soon has.
    tokio::time::sleep(Duration::from_secs(8)).await;
    settle(&world).await?;
    let mut left = 0;
    for known in [one?, two?, three?] {
        for (id, expiry) in known {
            let is_there = look(&world, 1 + chance_below(3), &id, expiry).await?;
            let is_due = expiry * 1_000 < SimEnv::wall_ms();
            if is_there == Some(is_due) {
                return Err(format!("{id}, which expires at {expiry}: {is_there:?} at {}", true_s()));
            }
            left += usize::from(!is_due);
        }
    }
    Ok(left)
}

fn judge(seed: u64, broken: Option<Rule>) -> Result<usize, String> {
    rules::break_rule(broken);
    let survived = run(seed, survive());
    rules::break_rule(None);
    survived
}

#[test]
fn exactly_the_due_items_are_deleted() {
    let seeds = std::env::var("SIM_SEEDS").map_or(4, |seeds| seeds.parse().expect("a number of seeds"));
    for seed in 0..seeds {
        let left = judge(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        assert!(left > 10, "seed {seed}: only {left} items that had to stay");
    }
}

/// A leader whose clock is years ahead and that believes itself deletes what is not due.
#[test]
fn without_believing_most_clocks_items_vanish() {
    let found = (0..20).find_map(|seed| judge(seed, Some(Rule::MostClocksAreRight)).err());
    let found = found.expect("some seed finds it");
    assert!(found.contains("was to stay until"), "{found}");
}
