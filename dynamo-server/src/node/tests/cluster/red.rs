//! With one rule broken, the scenario that the rule is for finds the stale read. A rule that nothing misses would not be
//! known to matter, and a harness that finds nothing would not be known to work.

use super::scenarios::Scenario;
use super::verdict::judge;
use crate::raft::rules::Rule;

/// Seeds that are tried at most.
const SEEDS_MAX: u64 = 60;

/// Whether some seed finds a violation of linearizability.
fn finds_a_stale_read(scenario: Scenario, broken: Option<Rule>) -> bool {
    for seed in 0..SEEDS_MAX {
        let verdict = judge(scenario, seed, broken);
        if let Some(wrong) = verdict.wrong.filter(|wrong| wrong.starts_with("key ")) {
            println!("{scenario:?} without {broken:?}: seed {seed} finds {wrong}");
            return true;
        }
    }
    false
}

/// Whether some seed finds anything, and what.
fn finds(scenario: Scenario, broken: Rule) -> Option<String> {
    let found = (0..SEEDS_MAX).find_map(|seed| judge(scenario, seed, Some(broken)).wrong.map(|wrong| (seed, wrong)));
    found.map(|(seed, wrong)| {
        println!("{scenario:?} without {broken:?}: seed {seed} finds {wrong}");
        wrong
    })
}

#[test]
fn without_waiting_for_room() {
    let found = finds(Scenario::FullDisks, Rule::WaitForRoom).expect("a node stops");
    assert!(found.contains("stopped"), "{found}");
}

/// Also in every other scenario, at the rate at which links are cut one way there.
#[test]
fn without_hearing_a_quorum() {
    for scenario in [Scenario::OneWayCuts, Scenario::StandingCandidate] {
        let found = finds(scenario, Rule::QuorumIsHeard).expect("writes stop for as long as the cut lasts");
        assert!(found.contains("while the leader hears nobody"), "{found}");
    }
}

#[test]
fn without_judging_the_log() {
    assert!(finds_a_stale_read(Scenario::RottingLogs, Some(Rule::JudgeTheLog)));
}

#[test]
fn without_looking_at_the_lease_first() {
    assert!(finds_a_stale_read(Scenario::PreemptedReads, Some(Rule::ViewAfterLease)));
}

#[test]
fn without_standing_still_at_poison() {
    let found = finds(Scenario::PoisonedReplica, Rule::PoisonStops).expect("a replica lacks an entry");
    assert!(found.starts_with("key ") || found.contains("differ"), "{found}");
}

#[test]
fn without_believing_most_clocks() {
    let found = (0..SEEDS_MAX).find_map(|seed| {
        let verdict = judge(Scenario::WrongWallClocks, seed, Some(Rule::MostClocksAreRight));
        verdict.wrong.filter(|wrong| wrong.contains("ahead of all right clocks"))
    });
    assert!(found.is_some());
}

#[test]
fn without_the_hold_off() {
    assert!(finds_a_stale_read(Scenario::CutLeaderAndRestartVoter, Some(Rule::HoldOff)));
}

#[test]
fn without_revoking_at_a_transfer() {
    assert!(finds_a_stale_read(Scenario::TransferWithLostMessages, Some(Rule::TransferRevokes)));
}

#[test]
fn without_the_own_term_gate() {
    assert!(finds_a_stale_read(Scenario::SlowNewLeader, Some(Rule::OwnTermGate)));
}

#[test]
fn without_the_anchor_at_send_time() {
    assert!(finds_a_stale_read(Scenario::LateAcknowledgements, Some(Rule::AnchorAtSend)));
}

#[test]
fn with_a_clock_far_beyond_the_bound() {
    assert!(finds_a_stale_read(Scenario::ClockFarBeyondTheBound, None));
}
