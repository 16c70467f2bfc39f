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

#[test]
fn without_believing_most_clocks() {
    let found = (0..SEEDS_MAX).find_map(|seed| {
        let verdict = judge(Scenario::WrongWallClocks, seed, Some(Rule::MostClocksAreRight));
        verdict.wrong.filter(|wrong| wrong.contains("ahead of all right clocks"))
    });
    assert!(found.is_some());
}

#[test]
fn without_the_hold_down() {
    assert!(finds_a_stale_read(Scenario::CutLeaderAndRestartVoter, Some(Rule::HoldDown)));
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
