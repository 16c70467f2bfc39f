//! With every rule kept, no scenario within the bounds finds anything.

use super::scenarios::{Scenario, WITHIN_THE_BOUNDS};
use super::verdict::judge;

/// Seeds of each scenario in the normal check: 360 in all. A seed takes 0.65 seconds of one core in profile `checked`.
const SEEDS: u64 = 15;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number of seeds"))
}

/// Runs the seeds of a scenario: `SIM_SEED` alone, or the first `SIM_SEEDS`.
fn survives(scenario: Scenario) {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let (mut reads, mut writes, mut snapshots, mut seconds) = (0, 0, 0, 0);
    for seed in seeds.clone() {
        let verdict = judge(scenario, seed, None);
        if let Some(wrong) = &verdict.wrong {
            let test = test_of(scenario);
            panic!("{scenario:?}, seed {seed}: {wrong}\nreplay: SIM_SEED={seed} cargo test -p dynamo-server {test}");
        }
        assert!(verdict.reads > 100, "seed {seed}: only {} reads were answered", verdict.reads);
        assert!(verdict.writes > 100, "seed {seed}: only {} writes were acknowledged", verdict.writes);
        reads += verdict.reads;
        writes += verdict.writes;
        snapshots += verdict.snapshots;
        seconds += verdict.seconds;
    }
    let needs_snapshots = matches!(scenario, Scenario::AwayForLong | Scenario::SnapshotUnderFire);
    assert!(snapshots > 0 || !needs_snapshots, "no snapshot was installed");
    println!(
        "{scenario:?}: seeds {seeds:?}, {reads} reads, {writes} writes, {snapshots} snapshots, {seconds} virtual seconds"
    );
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
