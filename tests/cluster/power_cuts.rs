//! The power of all nodes is cut at once while clients write: what was acknowledged is there afterwards. It is what the log has
//! synced, and nothing else, that comes back: without the sync acknowledged writes are missing.
//!
//! Needs file systems that can be mounted from images; where they cannot be had, the tests say so and are passed over.

use std::time::Duration;

use tests::cluster::fleet::Shape;
use tests::cluster::host::power::PowerDisk;
use tests::cluster::nemesis::Harm;
use tests::cluster::run::{Plan, Report, run};
use tests::cluster::workload::Mix;

use crate::faults::seed;

/// Clusters that are tried until an acknowledged write is missed.
const TRIES: u64 = 5;

/// Power cuts that a run must have had.
const CUTS_MIN: u64 = 3;

async fn cut(seed: u64, faults: &str, mix: Mix) -> Report {
    let plan = Plan {
        seed,
        shape: Shape {
            shards: 2,
            election_timeout: Duration::from_millis(600),
            faults: faults.to_owned(),
            has_power_disks: true,
            ..Shape::default()
        },
        mix,
        clients_per_node: 3,
        think_ms: 10,
        harms: vec![Harm::PowerCutAll, Harm::PowerCut],
        duration: Duration::from_secs(20),
    };
    run(plan).await
}

fn can_be_had() -> bool {
    let trial = PowerDisk::trial();
    if let Err(reason) = &trial {
        tests::pass_over(&format!("power cuts, for which no disks can be had here: {reason}"));
    }
    trial.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_power_cut_of_all_nodes() {
    if !can_be_had() {
        return;
    }
    let report = cut(seed(), "", Mix::ALL).await;
    println!("{report}");
    assert!(report.is_good(), "{report}");
    assert!(report.harms.values().sum::<u64>() >= CUTS_MIN, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_sync_acknowledged_writes_are_missing() {
    if !can_be_had() {
        return;
    }
    for seed in seed()..seed() + TRIES {
        // Without the accounts, which would be missing, too.
        let report = cut(seed, "break sync-first", Mix::ITEMS).await;
        println!("{report}");
        if !report.verdict.wrong.is_empty() {
            return;
        }
    }
    panic!("nothing is missing although nothing was synced: the power cuts take nothing away");
}
