//! A leader under load is cut off by packets that are really dropped, in three ways one after the other: both ways, its own
//! only, those to it only. The others elect another leader and go on; the old one acknowledges nothing that only it has;
//! its connections, of which no side is told that nothing comes through, are given up rather than waited for; afterwards
//! everybody takes writes again, and the checkers find nothing.
//!
//! Needs network namespaces; where they cannot be had, the test says so and is passed over.

use std::time::{Duration, Instant};

use tests::cluster::fleet::{Fleet, Shape};
use tests::cluster::host::namespace;
use tests::cluster::rng::Rng;
use tests::cluster::run::{Plan, start_clients, wait_healed};
use tests::cluster::workload::{Mix, Visitor, Workload};

use crate::faults::seed;

/// How long the others may take to go on without the leader, and connections to be given up. The kernel alone would
/// keep them for a quarter of an hour.
const PATIENCE: Duration = Duration::from_secs(60);

/// For how long nothing may come through a leader that has been deposed.
const MINORITY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Cut {
    BothWays,
    Mute,
    Deaf,
}

#[test]
fn a_leader_is_cut_off_by_dropped_packets() {
    let scenario = async {
        let plan = plan(3);
        let fleet = Fleet::found(plan.shape.clone()).await;
        let cuts = Rng::for_user(plan.seed, 0).distinct(3, 3);
        let cuts = cuts.into_iter().map(|place| [Cut::BothWays, Cut::Mute, Cut::Deaf][place as usize]);
        strike_each(plan, fleet, cuts).await;
    };
    namespace::inside("dropped_packets::a_leader_is_cut_off_by_dropped_packets", scenario);
}

/// As long as it voted alone it heard a quorum at all times. Once it does not, nobody else may have to wait for it.
#[test]
fn a_leader_that_has_founded_alone_hears_nobody() {
    let scenario = async {
        let plan = plan(1);
        let mut fleet = Fleet::found(plan.shape.clone()).await;
        for _ in 0..2 {
            let new = fleet.add_place();
            fleet.join(new).unwrap_or_else(|log| panic!("node {new} does not join:\n{log}"));
            fleet.wait_joined(new).await;
        }
        assert_eq!(fleet.some_leader(0).await, 1, "nothing has happened to the founder");
        strike_each(plan, fleet, [Cut::Deaf]).await;
    };
    namespace::inside("dropped_packets::a_leader_that_has_founded_alone_hears_nobody", scenario);
}

fn plan(founders: u64) -> Plan {
    Plan {
        seed: seed(),
        shape: Shape {
            nodes: founders,
            shards: 1,
            election_timeout: Duration::from_millis(600),
            has_namespaces: true,
            ..Shape::default()
        },
        mix: Mix::ALL,
        clients_per_node: 3,
        think_ms: 30,
        harms: Vec::new(),
        duration: Duration::ZERO,
    }
}

async fn strike_each(plan: Plan, mut fleet: Fleet, cuts: impl IntoIterator<Item = Cut>) {
    let workload = Workload::new(plan.mix, plan.think_ms, plan.shape.request_deadline + Duration::from_secs(1));
    workload.set_up(fleet.address(1)).await;
    let clients = start_clients(&plan, &fleet, &workload);
    for cut in cuts {
        strike(&fleet, &workload, cut).await;
        fleet.mend().await;
        let mended = Instant::now();
        assert_eq!(wait_healed(&fleet, &workload).await, Vec::<u64>::new(), "{cut:?}: every node takes writes again");
        println!("  every node takes writes {:.1} s after the cut has ended", mended.elapsed().as_secs_f64());
    }
    workload.end();
    for client in clients {
        client.await.expect("clients do not panic");
    }
    Visitor::new(&workload, 1, fleet.address(1), Rng::new(0)).look_back().await;
    let verdict = workload.record.judge();
    println!("seed {}\n{verdict}", plan.seed);
    assert_eq!(verdict.wrong, Vec::<String>::new(), "{verdict}");
}

/// Cuts the leader off and sees to it that the cut does what it should.
async fn strike(fleet: &Fleet, workload: &Workload, cut: Cut) {
    let leader = fleet.some_leader(0).await;
    let others = fleet.others(leader);
    let dropped_at = |ids: &[u64]| ids.iter().map(|id| fleet.dropped(*id)).sum::<u64>();
    let before = (dropped_at(&[leader]), dropped_at(&others));
    match cut {
        Cut::BothWays => fleet.isolate(leader).await,
        Cut::Mute => fleet.mute(leader).await,
        Cut::Deaf => fleet.deafen(leader).await,
    }
    // The majority goes on: another one leads, and a write reaches it through each of them.
    let began = Instant::now();
    let successor = loop {
        let mut leading = None;
        for other in &others {
            leading = leading.or(fleet.shards(*other).await.iter().any(|view| view.leads).then_some(*other));
        }
        match leading {
            Some(successor) => break successor,
            None => assert!(began.elapsed() < PATIENCE, "{cut:?}: nobody leads in place of node {leader}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let deposed = workload.record.now();
    wait(cut, "the majority does not go on", || {
        others.iter().all(|other| workload.record.last_write_through(*other) > deposed)
    })
    .await;
    // The minority, with clients that ask it all the time, does not.
    let last = workload.record.last_write_through(leader);
    tokio::time::sleep(MINORITY).await;
    assert_eq!(workload.record.last_write_through(leader), last, "{cut:?}: a write through node {leader} alone");
    wait(cut, "connections are waited for", || {
        others.iter().all(|other| fleet.connections(leader, *other) + fleet.connections(*other, leader) == 0)
    })
    .await;
    let given_up = began.elapsed().as_secs_f64();
    let dropped = (dropped_at(&[leader]) - before.0, dropped_at(&others) - before.1);
    println!("{cut:?}: node {leader} deposed by node {successor}, no connection left after {given_up:.1} s");
    println!("  packets dropped: {} to the leader, {} from it", dropped.0, dropped.1);
    let is_real = match cut {
        Cut::BothWays => dropped.0 > 0 && dropped.1 > 0,
        Cut::Mute => dropped.0 == 0 && dropped.1 > 0,
        Cut::Deaf => dropped.0 > 0 && dropped.1 == 0,
    };
    assert!(is_real, "{cut:?}: the kernel has dropped {dropped:?} packets to and from node {leader}");
}

async fn wait(cut: Cut, what: &str, mut is_done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_done() {
        assert!(began.elapsed() < PATIENCE, "{cut:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
