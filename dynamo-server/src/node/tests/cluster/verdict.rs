//! One seed of one scenario from beginning to end, and what is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hlc::SKEW_BOUND_MS;

use super::clients::{self, Record};
use super::scenarios::Scenario;
use super::world::{World, true_ns};
use crate::env::Env;
use crate::env::sim::{SimEnv, faults, run};
use crate::raft::rules::{self, Rule};

/// How long clients go on after everything was mended.
const HEALTHY: Duration = Duration::from_secs(8);

/// Virtual seconds that a replica may take beyond that. Where a replica forgets a snapshot with its last message under way,
/// the sender tries for a minute before it begins again.
const CATCHING_UP_MAX_S: u32 = 150;

/// How long the replicas have to become equal once nobody writes any more.
const SETTLING: Duration = Duration::from_secs(5);

/// What came of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong, if anything.
    pub wrong: Option<String>,
    /// The hash of all messages, their number, and how many were lost.
    pub trace: (u64, u64, u64),
    pub reads: u64,
    pub writes: u64,
    pub unknown: u64,
    pub snapshots: u64,
    /// What was injected, and how often.
    pub faults: BTreeMap<&'static str, u64>,
    /// Virtual seconds.
    pub seconds: u64,
}

impl Verdict {
    /// Operations of clients of which the outcome was checked: those that were done or perhaps done.
    pub fn operations(&self) -> u64 {
        self.reads + self.writes + self.unknown
    }
}

/// Runs a seed, with a rule broken.
pub fn judge(scenario: Scenario, seed: u64, broken: Option<Rule>) -> Verdict {
    rules::break_rule(broken);
    let verdict = run(seed, live(scenario));
    rules::break_rule(None);
    verdict
}

async fn live(scenario: Scenario) -> Verdict {
    let began = true_ns();
    let world = World::found(scenario.plan()).await;
    let record = Arc::new(Record::default());
    let clients = clients::start(&world, &record);
    tokio::time::sleep(Duration::from_secs(2)).await;
    scenario.harm(&world, &record).await;
    let mended = true_ns();
    tokio::time::sleep(HEALTHY).await;
    record.stop();
    for client in clients {
        client.await.expect("clients do not panic");
    }
    tokio::time::sleep(SETTLING).await;
    let mut replicas = world.replicas();
    for _ in 0..CATCHING_UP_MAX_S {
        if replicas.iter().all(|replica| *replica == replicas[0]) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        replicas = world.replicas();
    }
    let (ceiling_ms, now_ms) = (world.ceiling_ms(), SimEnv::wall_ms());
    let wrong = if let Some(violation) = record.violation() {
        Some(violation)
    } else if let Some(stopped) = world.stopped().pop() {
        Some(stopped)
    } else if let Some(wrong) = record.blamed() {
        Some(wrong)
    } else if ceiling_ms > now_ms + SKEW_BOUND_MS {
        Some(format!("a shard's time is {} ms ahead of all right clocks", ceiling_ms - now_ms))
    } else if record.last_write_ns.load(Ordering::Relaxed) <= mended {
        Some("nothing was written after everything was mended".to_owned())
    } else if replicas.iter().any(|replica| *replica != replicas[0]) {
        Some(format!("the replicas differ: (applied, hash) {replicas:?}"))
    } else {
        None
    };
    Verdict {
        wrong,
        trace: world.network.trace(),
        reads: record.reads.load(Ordering::Relaxed),
        writes: record.writes.load(Ordering::Relaxed),
        unknown: record.unknown.load(Ordering::Relaxed),
        snapshots: record.snapshots.load(Ordering::Relaxed),
        faults: faults(),
        seconds: (true_ns() - began) / 1_000_000_000,
    }
}
