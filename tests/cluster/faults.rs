//! Everything at once: clients, harm, verdict.
//!
//! The long run: `NEMESIS_MINUTES=30 NEMESIS_SEED=1 cargo test --release -p tests --test cluster long -- --ignored
//! --nocapture`. It prints a report for every round of two minutes, each with a new cluster and a seed that follows from
//! the first one, and stops at the first violation. `NEMESIS_HARMS=JoinAndRemove,Transfer` does only these kinds of
//! harm, `NEMESIS_MIX=items` leaves transactions out. Where network namespaces can be had, every other round has its nodes
//! in namespaces and loses packets between them instead of messages; `NEMESIS_NETNS=0` has none such, `1` wants to know if
//! they cannot be had. Where file systems can be mounted from images, all nodes have disks of their own, and their power is cut, too.
//! `NEMESIS_REPORT=PATH` keeps a table of the rounds there, for `bench/results`.

use std::time::{Duration, Instant};

use tests::cluster::fleet::Shape;
use tests::cluster::host::namespace::{self, Place};
use tests::cluster::host::power::PowerDisk;
use tests::cluster::journal::Journal;
use tests::cluster::nemesis::Harm;
use tests::cluster::run::{Plan, run};
use tests::cluster::workload::Mix;

/// Operations that a run must have answered, so that its verdict is about something.
const ANSWERED_MIN: u64 = 200;

/// Transactions of each kind that the short run must have answered, so that it is about serializability, too.
const TRANSACTIONS_MIN: u64 = 20;

/// Seconds of injected faults of one round of the long run.
const ROUND: Duration = Duration::from_secs(110);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_run_finds_nothing() {
    let plan = Plan {
        seed: seed(),
        shape: Shape { shards: 2, election_timeout: Duration::from_millis(600), ..Shape::default() },
        mix: Mix::ALL,
        clients_per_node: 3,
        think_ms: 30,
        harms: Harm::SHORT.to_vec(),
        duration: Duration::from_secs(22),
    };
    let report = run(plan).await;
    println!("{report}");
    assert!(report.is_good(), "{report}");
    assert!(report.verdict.answered() > ANSWERED_MIN, "{report}");
    for operation in ["TransactWriteItems", "TransactGetItems"] {
        assert!(report.verdict.answered_of(operation) > TRANSACTIONS_MIN, "{operation}: {report}");
    }
}

#[test]
#[ignore = "the long run: 30 minutes unless NEMESIS_MINUTES says otherwise; the short one is in the normal check"]
fn long() {
    let has_namespaces = match variable("NEMESIS_NETNS") {
        Some(0) => false,
        wish => match namespace::enter("faults::long") {
            Place::Inside => true,
            Place::Done(has_passed) => return assert!(has_passed, "see above"),
            Place::Closed(reason) => {
                assert_eq!(wish, None, "no network namespaces can be had here: {reason}");
                tests::pass_over(&format!("rounds in network namespaces, which cannot be had here: {reason}"));
                false
            }
        },
    };
    let has_power_disks = match PowerDisk::trial() {
        Ok(()) => true,
        Err(reason) => {
            tests::pass_over(&format!("power cuts, for which no disks can be had here: {reason}"));
            false
        }
    };
    namespace::runtime().block_on(rounds(has_namespaces, has_power_disks));
}

async fn rounds(has_namespaces: bool, has_power_disks: bool) {
    let minutes = variable("NEMESIS_MINUTES").unwrap_or(30);
    let began = Instant::now();
    let mut journal = Journal::new(named("NEMESIS_REPORT").map(Into::into));
    for round in 0.. {
        if began.elapsed() >= Duration::from_secs(60 * minutes) {
            println!("{journal}");
            return;
        }
        let seed = seed() + round;
        let shape = Shape { has_namespaces: has_namespaces && round % 2 == 0, has_power_disks, ..shape_of(seed) };
        let plan = Plan {
            seed,
            mix: if named("NEMESIS_MIX").as_deref() == Some("items") { Mix::ITEMS } else { Mix::ALL },
            clients_per_node: 3,
            think_ms: 25,
            harms: harms(&shape),
            duration: ROUND.min(Duration::from_secs(60 * minutes).saturating_sub(began.elapsed())),
            shape,
        };
        let report = run(plan).await;
        println!("{report}\n");
        journal.add(&report);
        assert!(report.is_good(), "{report}");
    }
}

/// Three and five nodes, few and many shards, short and usual leases.
fn shape_of(seed: u64) -> Shape {
    Shape {
        nodes: if seed % 4 == 3 { 5 } else { 3 },
        shards: [3, 8, 1, 4][(seed % 4) as usize],
        election_timeout: Duration::from_millis([1_000, 1_500, 600, 2_000][(seed / 4 % 4) as usize]),
        ..Shape::default()
    }
}

fn harms(shape: &Shape) -> Vec<Harm> {
    let mut harms = match named("NEMESIS_HARMS") {
        Some(names) => names.split(',').map(harm_of).collect(),
        None => Harm::ALL.to_vec(),
    };
    harms.retain(|harm| harm.is_possible(shape));
    harms
}

fn harm_of(name: &str) -> Harm {
    let named = Harm::ALL.into_iter().find(|harm| format!("{harm:?}") == name);
    named.unwrap_or_else(|| panic!("{name} is none of {:?}", Harm::ALL))
}

pub(crate) fn seed() -> u64 {
    variable("NEMESIS_SEED").unwrap_or(1)
}

fn variable(name: &str) -> Option<u64> {
    let text = named(name)?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

fn named(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
