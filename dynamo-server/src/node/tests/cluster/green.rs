//! With every rule kept, no scenario within the bounds finds anything.

use std::collections::BTreeMap;
use std::fmt;

use super::scenarios::{Scenario, WITHIN_THE_BOUNDS};
use super::verdict::{Verdict, judge};

/// Seeds of each scenario in the normal check: 360 in all. A seed takes 0.65 seconds of one core in profile `checked`.
const SEEDS: u64 = 15;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// What came of the seeds of a scenario.
#[derive(Default)]
struct Sum {
    seeds: u64,
    reads: u64,
    writes: u64,
    operations: u64,
    snapshots: u64,
    seconds: u64,
    messages: u64,
    lost: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Sum {
    fn add(&mut self, verdict: &Verdict) {
        self.seeds += 1;
        self.reads += verdict.reads;
        self.writes += verdict.writes;
        self.operations += verdict.operations();
        self.snapshots += verdict.snapshots;
        self.seconds += verdict.seconds;
        self.messages += verdict.trace.1;
        self.lost += verdict.trace.2;
        for (kind, count) in &verdict.faults {
            *self.faults.entry(kind).or_default() += count;
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sum { reads, writes, operations, snapshots, seconds, messages, lost, .. } = self;
        write!(
            f,
            "{operations} operations ({reads} reads, {writes} writes, the others unknown), {snapshots} snapshots, "
        )?;
        write!(f, "{lost} of {messages} messages lost, {seconds} virtual seconds; faults:")?;
        self.faults.iter().try_for_each(|(kind, count)| write!(f, " {count} {kind},"))?;
        write!(f, " no violation")
    }
}

/// Runs the seeds of a scenario: `SIM_SEED` alone, or `SIM_SEEDS` of them from `SIM_FROM` (0) on, or as many as it takes until
/// all scenarios together have done `SIM_OPERATIONS`, each its part.
fn survives(scenario: Scenario) {
    let parts = WITHIN_THE_BOUNDS.len() as u64;
    let (from, seeds, operations) = match (number("SIM_SEED"), number("SIM_OPERATIONS")) {
        (Some(seed), _) => (seed, 1, 0),
        (None, Some(operations)) => (number("SIM_FROM").unwrap_or(0), 1, operations.div_ceil(parts)),
        (None, None) => (number("SIM_FROM").unwrap_or(0), number("SIM_SEEDS").unwrap_or(SEEDS), 0),
    };
    let mut sum = Sum::default();
    while sum.seeds < seeds || sum.operations < operations {
        let seed = from + sum.seeds;
        let verdict = judge(scenario, seed, None);
        if let Some(wrong) = &verdict.wrong {
            let test = test_of(scenario);
            panic!("{scenario:?}, seed {seed}: {wrong}\nreplay: SIM_SEED={seed} cargo test -p dynamo-server {test}");
        }
        assert!(verdict.reads > 100, "seed {seed}: only {} reads were answered", verdict.reads);
        assert!(verdict.writes > 100, "seed {seed}: only {} writes were acknowledged", verdict.writes);
        sum.add(&verdict);
    }
    let needs_snapshots = matches!(scenario, Scenario::AwayForLong | Scenario::SnapshotUnderFire);
    assert!(sum.snapshots > 0 || !needs_snapshots, "no snapshot was installed");
    println!("{scenario:?}: seeds {from}..{}, {sum}", from + sum.seeds);
}

macro_rules! scenarios {
    ($($test:ident: $scenario:ident),+ $(,)?) => {
        $(
            #[test]
            fn $test() {
                survives(Scenario::$scenario);
            }
        )+

        fn test_of(scenario: Scenario) -> &'static str {
            match scenario {
                $(Scenario::$scenario => concat!("cluster::green::", stringify!($test)),)+
                other => panic!("{other:?} is not survived"),
            }
        }
    };
}

scenarios! {
    cut_leader_and_restart_voter: CutLeaderAndRestartVoter,
    slow_follower_disks: SlowFollowerDisks,
    transfer_with_lost_messages: TransferWithLostMessages,
    skewed_clocks: SkewedClocks,
    suspended_leader: SuspendedLeader,
    standing_candidate: StandingCandidate,
    everything: Everything,
    late_acknowledgements: LateAcknowledgements,
    slow_new_leader: SlowNewLeader,
    removed_leader: RemovedLeader,
    growing_cluster: GrowingCluster,
    away_for_long: AwayForLong,
    snapshot_under_fire: SnapshotUnderFire,
    many_transfers: ManyTransfers,
    differing_settings: DifferingSettings,
    wrong_wall_clocks: WrongWallClocks,
    hung_disks: HungDisks,
    lost_disk: LostDisk,
    exchanged_disks: ExchangedDisks,
    full_disks: FullDisks,
    rotting_logs: RottingLogs,
    poisoned_replica: PoisonedReplica,
    preempted_reads: PreemptedReads,
    one_way_cuts: OneWayCuts,
}

#[test]
fn every_scenario_within_the_bounds_has_its_test() {
    for scenario in WITHIN_THE_BOUNDS {
        test_of(scenario);
    }
}

#[test]
fn a_seed_replays_exactly() {
    let once = judge(Scenario::Everything, 4, None);
    assert_eq!(once, judge(Scenario::Everything, 4, None));
    assert_ne!(once.trace.0, judge(Scenario::Everything, 5, None).trace.0);
}
