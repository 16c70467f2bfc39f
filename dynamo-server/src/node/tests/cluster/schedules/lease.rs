//! Schedules to the letter, for rules of lease safety that random harm breaks too seldom to be noticed. Each steers a
//! cluster to the one moment that its rule is for: with the rule broken the deposed leader answers with what has been
//! overwritten, and with it kept it answers nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lease::RATE_ERROR_PERMILLE;
use parking_lot::Mutex;

use crate::env::sim::{SimEnv, Weather, run};
use crate::guard::EventualReads;
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::fixture::{get, put};
use crate::raft::Pace;
use crate::raft::rules::{self, Rule};
use crate::shard::Deadline;

/// The machine that leads at first, the one that is elected behind its back, and the one that helps it.
const LEADER: u64 = 1;
const SUCCESSOR: u64 = 2;
const VOTER: u64 = 3;

const KEY: &str = "a";

/// How long an election, or a change of the members, may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the deposed leader answers after its successor has acknowledged a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// What was there before.
    StaleRead,
    /// Nothing: it cannot know.
    Refused,
}

/// Runs a schedule with a rule broken.
fn play<F: Future<Output = Found>>(schedule: impl FnOnce() -> F, broken: Option<Rule>) -> Found {
    rules::break_rule(broken);
    let found = run(61, async { schedule().await });
    rules::break_rule(None);
    found
}

/// The value that a machine answers with; `None` when it does not answer.
async fn read(world: &World, id: u64) -> Option<String> {
    let node = world.node(id)?;
    let body = world.machine(id).scope(get(&node, KEY)).await.ok()?;
    let (_, rest) = body.split_once(r#""value":{"S":""#)?;
    rest.split('"').next().map(str::to_owned)
}

async fn write(world: &World, id: u64, value: &str) {
    let node = world.node(id).expect("it runs");
    world.machine(id).scope(put(&node, KEY, value)).await.expect("a leader with its majority acknowledges");
}

/// Lets the successor stand until it leads, writes there, and asks the deposed leader.
async fn overtake(world: &World) -> Found {
    let node = world.node(SUCCESSOR).expect("it runs");
    let standing = async {
        while node.router.system().group().lease().leading_term().is_none() {
            // Refused by itself while it hears a leader, and by the others while they have promised one.
            let _ = world.machine(SUCCESSOR).scope(node.router.system().group().stand()).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, standing).await.expect("it is elected at last");
    write(world, SUCCESSOR, "new").await;
    match read(world, LEADER).await.as_deref() {
        Some("old") => Found::StaleRead,
        None => Found::Refused,
        other => panic!("a leader that is cut off cannot know {other:?}"),
    }
}

/// Lets the machine lead on which the schedule is written.
async fn let_lead(world: &World) {
    let leading = async {
        while world.leader() != Some(LEADER) {
            world.transfer(0, LEADER).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(PATIENCE, leading).await.expect("it leads at last");
}

/// Cuts the successor off for so long that it has promised nothing any more, and then the leader, which the voter alone has
/// heard: only the voter's promise keeps the two others from electing the successor.
async fn leave_the_voters_promise(world: &World, after: Duration) {
    world.isolate(SUCCESSOR);
    tokio::time::sleep(after).await;
    assert_eq!(read(world, LEADER).await.as_deref(), Some("old"), "the voter alone makes its majority");
    world.isolate(LEADER);
    world.network.restore((SUCCESSOR, VOTER));
    world.network.restore((VOTER, SUCCESSOR));
}

/// The successor has heard nobody for long, so it promises nothing; the voter has just heard the leader, which counts on
/// that. Now the leader is cut off, and the successor asks the voter again and again.
///
/// The clocks run at these rates, the leader's first. Within the bound the worst is a slow leader, which counts on its lease for
/// longer than it thinks, and a fast voter, which promises for less.
async fn asked_again_and_again(clocks: [u64; 3]) -> Found {
    let world = World::found(Plan { clocks: clocks.to_vec(), ..Plan::default() }).await;
    let_lead(&world).await;
    write(&world, LEADER, "old").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    leave_the_voters_promise(&world, Duration::from_millis(2_500)).await;
    overtake(&world).await
}

const WORST_CLOCKS: [u64; 3] = [1_000 - RATE_ERROR_PERMILLE, 1_000 + RATE_ERROR_PERMILLE, 1_000 + RATE_ERROR_PERMILLE];

#[test]
fn grantors_promise() {
    let schedule = || asked_again_and_again([1_000; 3]);
    assert_eq!(play(schedule, Some(Rule::GrantorPromises)), Found::StaleRead);
    assert_eq!(play(schedule, None), Found::Refused);
}

/// It is the clocks that the promise must be longer for.
#[test]
fn the_promise_is_longer_than_the_validity() {
    let schedule = || asked_again_and_again(WORST_CLOCKS);
    assert_eq!(play(schedule, Some(Rule::PromiseOutlastsValidity)), Found::StaleRead);
    assert_eq!(play(schedule, None), Found::Refused);
    let equal_clocks = || asked_again_and_again([1_000; 3]);
    assert_eq!(play(equal_clocks, Some(Rule::PromiseOutlastsValidity)), Found::Refused);
}

/// A sole voter, whose lease needs nobody and never ends, becomes three at once. The entry with the three has reached the
/// two others, which need the first one no longer; what they answer is on its way when the first one is cut off.
///
/// The rule is broken only then: the first one must know the members that it begins with.
async fn three_instead_of_one(broken: Option<Rule>) -> Found {
    let world = World::found(Plan { founders: 1, ..Plan::default() }).await;
    write(&world, LEADER, "old").await;
    for learner in [SUCCESSOR, VOTER] {
        world.admit(learner).await;
    }
    rules::break_rule(broken);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for learner in [SUCCESSOR, VOTER] {
        let late = Weather { delay_us_min: 150_000, delay_us_max: 150_000, loss_permille: 0 };
        world.network.set_weather((learner, LEADER), late);
    }
    let node = world.node(LEADER).expect("it runs");
    let _changing = world.machine(LEADER).spawn(async move {
        let voters = BTreeSet::from([LEADER, SUCCESSOR, VOTER]);
        node.router.system().group().replace_voters(voters, Deadline::after::<SimEnv>(PATIENCE)).await
    });
    let is_through = |world: &Arc<World>, id| {
        let members = world.node(id).expect("it runs").router.system().group().members();
        members.voters.len() == 3 && !members.is_joint
    };
    let changing = async {
        while !is_through(&world, SUCCESSOR) || !is_through(&world, VOTER) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changing).await.expect("the last entry of the change arrives");
    world.isolate(LEADER);
    overtake(&world).await
}

#[test]
fn every_membership_that_may_be_active_counts() {
    assert_eq!(play(|| three_instead_of_one(Some(Rule::EveryMembership)), None), Found::StaleRead);
    assert_eq!(play(|| three_instead_of_one(None), None), Found::Refused);
}

/// The paces of a node that was restarted in a rolling change of its election timeout, and of one that was not yet.
fn long() -> Pace {
    Pace::for_election_timeout(Duration::from_secs(5))
}

fn short() -> Pace {
    Pace::for_election_timeout(Duration::from_millis(1_600))
}

/// The leader is told a longer election timeout than the others. It is cut off from one of them until that one has promised
/// nothing for long, and then from the other one.
async fn leader_with_a_longer_lease() -> Found {
    let world = World::found(Plan { pace: short(), ..Plan::default() }).await;
    world.set_pace(LEADER, long());
    world.restart(LEADER).await;
    let_lead(&world).await;
    write(&world, LEADER, "old").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    leave_the_voters_promise(&world, Duration::from_millis(2_500)).await;
    overtake(&world).await
}

#[test]
fn a_leader_counts_on_what_was_promised() {
    assert_eq!(play(leader_with_a_longer_lease, Some(Rule::CountWhatWasPromised)), Found::StaleRead);
    assert_eq!(play(leader_with_a_longer_lease, None), Found::Refused);
}

/// The voter has promised for a long time, and is told a shorter one when it restarts.
async fn voter_restarted_with_a_shorter_lease() -> Found {
    let world = World::found(Plan { pace: long(), ..Plan::default() }).await;
    let_lead(&world).await;
    write(&world, LEADER, "old").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    leave_the_voters_promise(&world, Duration::from_secs(6)).await;
    world.set_pace(VOTER, short());
    world.restart(VOTER).await;
    overtake(&world).await
}

#[test]
fn a_restarted_voter_holds_off_for_what_it_promised_before() {
    let broken = Some(Rule::HoldOffForThePromiseBefore);
    assert_eq!(play(voter_restarted_with_a_shorter_lease, broken), Found::StaleRead);
    assert_eq!(play(voter_restarted_with_a_shorter_lease, None), Found::Refused);
}

/// The leader of two removes itself, so that the other one needs nobody any more. The entry that says so has arrived, the
/// answer has not, when the leader is cut off.
async fn leader_that_removes_itself() -> Found {
    let world = World::found(Plan { clocks: vec![1_000; 2], founders: 2, ..Plan::default() }).await;
    let_lead(&world).await;
    write(&world, LEADER, "old").await;
    let late = Weather { delay_us_min: 150_000, delay_us_max: 150_000, loss_permille: 0 };
    world.network.set_weather((SUCCESSOR, LEADER), late);
    let node = world.node(LEADER).expect("it runs");
    let _changing = world.machine(LEADER).spawn(async move {
        let voters = BTreeSet::from([SUCCESSOR]);
        node.router.system().group().replace_voters(voters, Deadline::after::<SimEnv>(PATIENCE)).await
    });
    let is_alone = |world: &Arc<World>| {
        let members = world.node(SUCCESSOR).expect("it runs").router.system().group().members();
        members.voters.len() == 1 && !members.is_joint
    };
    let changing = async {
        while !is_alone(&world) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changing).await.expect("the last entry of the change arrives");
    world.isolate(LEADER);
    overtake(&world).await
}

#[test]
fn a_grantor_does_not_elect_itself() {
    assert_eq!(play(leader_that_removes_itself, Some(Rule::AskOneself)), Found::StaleRead);
    assert_eq!(play(leader_that_removes_itself, None), Found::Refused);
}

/// What a replica answers that was cut off for seconds and then hears its leader's heartbeats, but no entries yet.
async fn heard_but_not_caught_up() -> Option<String> {
    let world = World::found(Plan { eventual_reads: EventualReads::AnyReplica, ..Plan::default() }).await;
    let_lead(&world).await;
    write(&world, LEADER, "old").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.isolate(SUCCESSOR);
    write(&world, LEADER, "new").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let entries_lost = Arc::new(Mutex::new(0_u64));
    let lost = Arc::clone(&entries_lost);
    world.network.heal();
    world.network.lose(move |link, message| {
        let carries_entries = link == (LEADER, SUCCESSOR) && message.len() > 64;
        *lost.lock() += u64::from(carries_entries);
        carries_entries
    });
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(*entries_lost.lock() > 0, "what it lacks was sent and lost");
    read(&world, SUCCESSOR).await
}

/// Answers seconds old where it is not known how old they are; none of that otherwise.
#[test]
fn a_replica_knows_how_old_its_answers_are() {
    let play = |broken| {
        rules::break_rule(broken);
        let found = run(67, heard_but_not_caught_up());
        rules::break_rule(None);
        found
    };
    assert_eq!(play(Some(Rule::KnownAge)).as_deref(), Some("old"));
    assert_ne!(play(None).as_deref(), Some("old"));
}

/// The voter misses a write that the two others acknowledge. Both die, the disk of one is lost, and the empty disk and the
/// voter are a majority by their numbers.
async fn empty_disk_and_a_voter_behind() -> Found {
    let world = World::found(Plan::default()).await;
    let_lead(&world).await;
    write(&world, LEADER, "old").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.isolate(VOTER);
    write(&world, LEADER, "new").await;
    world.kill(LEADER).await;
    world.wipe(SUCCESSOR).await;
    world.start(SUCCESSOR).await;
    world.network.heal();
    tokio::time::sleep(PATIENCE).await;
    match read(&world, VOTER).await.as_deref() {
        Some("old") => Found::StaleRead,
        None => Found::Refused,
        other => panic!("a voter that missed the write cannot know {other:?}"),
    }
}

#[test]
fn only_the_members_own_disks_count() {
    assert_eq!(play(empty_disk_and_a_voter_behind, Some(Rule::Incarnations)), Found::StaleRead);
    assert_eq!(play(empty_disk_and_a_voter_behind, None), Found::Refused);
}
