//! One run: a cluster, clients, harm, peace, verdict.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::fleet::{Fleet, Shape};
use super::nemesis::{Harm, Nemesis};
use super::record::Verdict;
use super::rng::Rng;
use super::workload::{Mix, Visitor, Workload};

/// How long after the last harm a write must have been acknowledged by every node. A busy machine takes its time.
const HEALED_MAX: Duration = Duration::from_secs(120);

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides what clients ask and what harm is done.
    pub seed: u64,
    /// The cluster.
    pub shape: Shape,
    /// What clients do.
    pub mix: Mix,
    /// Clients of each node.
    pub clients_per_node: u64,
    /// A client thinks for less than this between two requests, in milliseconds.
    pub think_ms: u64,
    /// The kinds of harm.
    pub harms: Vec<Harm>,
    /// How long harm is done.
    pub duration: Duration,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    plan: Plan,
    /// What was done, and how often.
    pub harms: BTreeMap<Harm, u64>,
    /// What the clients saw, judged.
    pub verdict: Verdict,
    /// Places of nodes through which nothing could be written after everything was mended.
    pub not_healed: Vec<u64>,
    seconds: f64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.verdict.wrong.is_empty() && self.not_healed.is_empty()
    }

    /// What was to be done.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Runs.
pub async fn run(plan: Plan) -> Report {
    let began = Instant::now();
    let mut fleet = Fleet::found(plan.shape.clone()).await;
    let limit = plan.shape.request_deadline + Duration::from_secs(1);
    let workload = Workload::new(plan.mix, plan.think_ms, limit);
    workload.set_up(fleet.address(1)).await;
    let clients = start_clients(&plan, &fleet, &workload);
    let mut nemesis = Nemesis::new(Rng::for_user(plan.seed, 0));
    inject(&plan, &mut fleet, &mut nemesis).await;
    let not_healed = wait_healed(&fleet, &workload).await;
    workload.end();
    for client in clients {
        client.await.expect("clients do not panic");
    }
    if not_healed.is_empty() {
        let through = fleet.ids()[0];
        Visitor::new(&workload, through, fleet.address(through), Rng::new(0)).look_back().await;
    }
    let seconds = began.elapsed().as_secs_f64();
    Report { plan, harms: nemesis.done, verdict: workload.record.judge(), not_healed, seconds }
}

/// Starts the clients of every node.
pub fn start_clients(
    plan: &Plan,
    fleet: &Fleet,
    workload: &std::sync::Arc<Workload>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let mut clients = Vec::new();
    for home in fleet.ids() {
        for number in 0..plan.clients_per_node {
            let rng = Rng::for_user(plan.seed, 1 + home * 1_000 + number);
            clients.push(tokio::spawn(Visitor::new(workload, home, fleet.address(home), rng).run()));
        }
    }
    clients
}

/// Each kind of harm once, in an order of the seed's, then any, until the time is over.
async fn inject(plan: &Plan, fleet: &mut Fleet, nemesis: &mut Nemesis) {
    let began = Instant::now();
    let mut rng = Rng::for_user(plan.seed, u64::MAX);
    let mut first = rng.distinct(plan.harms.len() as u64, plan.harms.len() as u64);
    while began.elapsed() < plan.duration && !plan.harms.is_empty() {
        let harm = first.pop().map_or_else(|| rng.pick(&plan.harms), |place| plan.harms[place as usize]);
        nemesis.strike(fleet, harm).await;
        // A while of peace, in which leaders are elected and leases begin.
        let peace = rng.between(200, 2 * plan.shape.election_timeout.as_millis() as u64);
        tokio::time::sleep(Duration::from_millis(peace)).await;
    }
}

/// Waits until a write was acknowledged at the place of every node; the places where none was.
pub async fn wait_healed(fleet: &Fleet, workload: &Workload) -> Vec<u64> {
    let mended = workload.record.now();
    let began = Instant::now();
    loop {
        let places = fleet.places();
        let waiting: Vec<u64> =
            places.into_iter().filter(|place| workload.record.last_write_through(*place) < mended).collect();
        if waiting.is_empty() || began.elapsed() > HEALED_MAX {
            return waiting;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = &self.plan.shape;
        writeln!(
            f,
            "seed {}: {} nodes{}, {} shards, election timeout {} ms, {} clients, {:.1} s",
            self.plan.seed,
            shape.nodes,
            if shape.has_namespaces { " in network namespaces" } else { "" },
            shape.shards,
            shape.election_timeout.as_millis(),
            self.plan.clients_per_node * shape.nodes,
            self.seconds
        )?;
        let harms = self.harms.iter().map(|(harm, count)| format!("{harm:?} {count}"));
        writeln!(f, "  faults: {}", harms.collect::<Vec<_>>().join(", "))?;
        write!(f, "{}", self.verdict)?;
        if !self.not_healed.is_empty() {
            write!(f, "\n  NOT HEALED: nothing was written through {:?}", self.not_healed)?;
        }
        Ok(())
    }
}
