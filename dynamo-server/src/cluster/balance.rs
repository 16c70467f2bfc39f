//! Spreading the leaders of the shards evenly over the nodes.
//!
//! Elections leave the leaderships wherever they fall: after a restart the node that was away leads nothing, and the
//! others do its work. Each node looks at its own view of who leads what, and the one that leads most hands one shard
//! to the one that leads least, if that one leads at least two fewer. Every such step makes the sum of the squares of
//! the loads smaller, so the steps end, and they end where no two nodes differ by more than one.
//!
//! ```text
//! node 1: ████████   hands one to 3        ███████    to 3       ██████
//! node 2: ██████     waits            ▶    ██████          ▶     ██████      done
//! node 3: ██                               ███                   ████ …
//! ```
//!
//! A transfer costs its shard a few milliseconds, so nobody is in a hurry: nothing moves while any shard is without a
//! leader, nor until the view has stood still for a while (an election, a transfer by anybody, a change of the members
//! start the while again), nor to a voter that lacks entries or was not heard lately. Views of different nodes may
//! differ for a moment; the worst that comes of it is a transfer too many, after which all wait again.
//!
//! Whoever moves leaders by hand wants them to stay: [`Balancer::pause`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::env::{Env, PeriodicTask};
use crate::router::Router;
use crate::shard::Shard;

/// How often a node looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// For how many election timeouts nothing may have changed before a leadership is moved.
const CALM_TIMEOUTS: u32 = 2;

/// For how long nothing is moved after an operator has moved something.
pub const PAUSE: Duration = Duration::from_secs(600);

/// What a node knows about a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardView {
    /// The shard.
    pub shard: u32,
    /// Its newest term.
    pub term: u64,
    /// Who leads it, as far as is known.
    pub leader: Option<u64>,
    /// Who votes on it.
    pub voters: BTreeSet<u64>,
    /// Voters that could take over at once: they have the whole log and were heard lately. Only the leader knows.
    pub successors: BTreeSet<u64>,
}

/// A leadership to hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Of which shard.
    pub shard: u32,
    /// To whom.
    pub to: u64,
}

/// What node `me` should hand over, given its view of all shards; `None` while there is nothing to do, or others have
/// more to give.
pub fn next_transfer(me: u64, shards: &[ShardView]) -> Option<Transfer> {
    let mut loads: BTreeMap<u64, usize> =
        shards.iter().flat_map(|shard| &shard.voters).map(|node| (*node, 0)).collect();
    for shard in shards {
        *loads.entry(shard.leader?).or_default() += 1;
    }
    // The one that leads most; of several the first.
    let (busiest, most) =
        loads.iter().map(|(node, load)| (*node, *load)).max_by_key(|(node, load)| (*load, u64::MAX - node))?;
    if busiest != me {
        return None;
    }
    let candidates = shards.iter().filter(|shard| shard.leader == Some(me)).flat_map(|shard| {
        let of_shard = shard.successors.intersection(&shard.voters).filter(|node| **node != me);
        of_shard.map(|node| (loads[node], *node, shard.shard))
    });
    let (least, to, shard) = candidates.min()?;
    (least + 2 <= most).then_some(Transfer { shard, to })
}

/// When to move: after a while in which nothing changed.
#[derive(Debug)]
pub struct Balancer {
    /// How long nothing may have changed before a leader is moved.
    calm_ns: u64,
    /// Term, leader and voters of each shard when it was last looked at.
    seen: Vec<(u64, Option<u64>, BTreeSet<u64>)>,
    /// Since when that is so.
    since_ns: u64,
    /// Until when an operator's choice stands.
    paused_until_ns: u64,
}

impl Balancer {
    /// Waits for `calm` before each step.
    pub fn new(calm: Duration) -> Balancer {
        Balancer { calm_ns: nanos(calm), seen: Vec::new(), since_ns: 0, paused_until_ns: 0 }
    }

    /// Moves nothing for `pause` from `now_ns` on.
    pub fn pause(&mut self, now_ns: u64, pause: Duration) {
        self.paused_until_ns = now_ns.saturating_add(nanos(pause));
    }

    /// Looks at `shards` at the moment `now_ns` of a clock that only rises, and says what node `me` should hand over now.
    pub fn look(&mut self, now_ns: u64, me: u64, shards: &[ShardView]) -> Option<Transfer> {
        let seen: Vec<_> = shards.iter().map(|shard| (shard.term, shard.leader, shard.voters.clone())).collect();
        if seen != self.seen {
            self.seen = seen;
            self.since_ns = now_ns;
        }
        debug_assert!(self.since_ns <= now_ns, "the clock only rises");
        let is_calm = now_ns.saturating_sub(self.since_ns) >= self.calm_ns;
        if !is_calm || now_ns < self.paused_until_ns {
            return None;
        }
        let transfer = next_transfer(me, shards)?;
        let is_mine = |shard: &ShardView| shard.shard == transfer.shard && shard.leader == Some(me);
        let could_lead = |shard: &&ShardView| shard.voters.contains(&transfer.to) && transfer.to != me;
        debug_assert!(
            shards.iter().filter(|shard| is_mine(shard)).any(|shard| could_lead(&shard)),
            "what is handed over is led here, and goes to another voter"
        );
        // A transfer that fails changes nothing in the view; the next attempt waits all the same.
        self.since_ns = now_ns;
        Some(transfer)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The balancer of a node, which its services may pause.
pub(super) type SharedBalancer = Arc<Mutex<Balancer>>;

/// A balancer for groups whose elections begin after `election_timeout` at most.
pub(super) fn balancer(election_timeout: Duration) -> SharedBalancer {
    Arc::new(Mutex::new(Balancer::new(election_timeout * CALM_TIMEOUTS)))
}

/// The task that carries out what the balancer decides.
pub(super) struct Balancing<E: Env> {
    /// Who leads what, as far as this node knows.
    pub(super) router: Arc<Router<E>>,
    /// What decides; paused by operators.
    pub(super) balancer: SharedBalancer,
}

#[async_trait]
impl<E: Env> PeriodicTask for Balancing<E> {
    fn pause(&self) -> Duration {
        // Nodes that were started together do not look at the same moment.
        INTERVAL + Duration::from_millis(E::random() % 100)
    }

    async fn look(&mut self) {
        let router = &self.router;
        let transfer = self.balancer.lock().look(E::monotonic_ns(), router.me(), &shard_views(router));
        if let Some(Transfer { shard, to }) = transfer
            && let Some(shard) = router.shards.get(shard as usize)
        {
            tracing::info!(shard = shard.id().0, to, "another node leads fewer shards: it takes this one over");
            if let Err(error) = shard.group().transfer(to).await {
                tracing::warn!(shard = shard.id().0, to, %error, "the leadership could not be handed over");
            }
        }
    }
}

fn shard_views<E: Env>(router: &Router<E>) -> Vec<ShardView> {
    let view = |shard: &Arc<Shard<E>>| {
        let overview = shard.group().overview();
        ShardView {
            shard: shard.id().0,
            term: overview.term,
            leader: overview.leader,
            successors: overview.successors().into_iter().filter(|to| !router.room.is_peer_short(*to)).collect(),
            voters: overview.members.voters.into_keys().collect(),
        }
    };
    router.shards.iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shard(shard: u32, leader: u64, voters: &[u64]) -> ShardView {
        let voters: BTreeSet<u64> = voters.iter().copied().collect();
        ShardView { shard, term: 1, leader: Some(leader), successors: voters.clone(), voters }
    }

    fn loads(shards: &[ShardView], nodes: u64) -> Vec<usize> {
        (1..=nodes).map(|node| shards.iter().filter(|shard| shard.leader == Some(node)).count()).collect()
    }

    #[test]
    fn one_node_that_leads_everything_hands_over_until_all_are_even() {
        let mut shards: Vec<_> = (0..16).map(|number| shard(number, 2, &[1, 2, 3])).collect();
        let mut steps = 0;
        while let Some(transfer) = (1..=3).find_map(|me| next_transfer(me, &shards)) {
            shards[transfer.shard as usize].leader = Some(transfer.to);
            steps += 1;
        }
        assert_eq!((loads(&shards, 3), steps), (vec![5, 6, 5], 10));
    }

    #[test]
    fn no_leader_moves_without_a_leader_or_a_successor() {
        let mut shards: Vec<_> = (0..4).map(|number| shard(number, 1, &[1, 2])).collect();
        assert!(next_transfer(1, &shards).is_some());
        assert_eq!(next_transfer(2, &shards), None, "only the one that leads most");
        shards[3].leader = None;
        assert_eq!(next_transfer(1, &shards), None);
        shards[3].leader = Some(1);
        shards.iter_mut().for_each(|shard| shard.successors.clear());
        assert_eq!(next_transfer(1, &shards), None);
    }

    #[test]
    fn a_difference_of_one_is_left_alone() {
        let shards = [shard(0, 1, &[1, 2, 3]), shard(1, 2, &[1, 2, 3])];
        assert!((1..=3).all(|me| next_transfer(me, &shards).is_none()), "two shards for three nodes");
    }

    #[test]
    fn a_step_waits_for_calm_and_an_operator_is_respected() {
        let mut shards: Vec<_> = (0..4).map(|number| shard(number, 1, &[1, 2])).collect();
        let mut balancer = Balancer::new(Duration::from_nanos(10));
        assert_eq!(balancer.look(100, 1, &shards), None, "just seen");
        assert_eq!(balancer.look(109, 1, &shards), None);
        shards[2].term = 2;
        assert_eq!(balancer.look(110, 1, &shards), None, "an election in between");
        assert_eq!(balancer.look(119, 1, &shards), None);
        assert_eq!(balancer.look(120, 1, &shards), Some(Transfer { shard: 0, to: 2 }));
        assert_eq!(balancer.look(121, 1, &shards), None, "one at a time, even if it failed");
        assert!(balancer.look(130, 1, &shards).is_some());
        balancer.pause(131, Duration::from_nanos(100));
        assert_eq!(balancer.look(230, 1, &shards), None, "paused");
        assert!(balancer.look(231, 1, &shards).is_some());
    }

    /// A cluster with random leaders and random voters that can take over.
    fn cluster() -> impl Strategy<Value = (u64, Vec<ShardView>)> {
        (1..7_u64).prop_flat_map(|nodes| {
            let one = (1..=nodes, proptest::collection::btree_set(1..=nodes, 0..=nodes as usize));
            proptest::collection::vec(one, 1..40).prop_map(move |shards| {
                let all: BTreeSet<u64> = (1..=nodes).collect();
                let view = |(number, (leader, successors)): (usize, (u64, BTreeSet<u64>))| ShardView {
                    shard: number as u32,
                    term: 1,
                    leader: Some(leader),
                    voters: all.clone(),
                    successors,
                };
                (nodes, shards.into_iter().enumerate().map(view).collect())
            })
        })
    }

    proptest! {
        /// Whatever is moved goes from the busiest to a successor with at least two fewer; at most one node moves.
        #[test]
        fn every_step_is_sensible((nodes, shards) in cluster()) {
            let before = loads(&shards, nodes);
            let most = before.iter().copied().max().unwrap();
            let steps: Vec<_> = (1..=nodes).filter_map(|me| next_transfer(me, &shards).map(|step| (me, step))).collect();
            prop_assert!(steps.len() <= 1);
            if let Some((me, Transfer { shard, to })) = steps.first() {
                let shard = &shards[*shard as usize];
                prop_assert_eq!(shard.leader, Some(*me));
                prop_assert_eq!(before[*me as usize - 1], most);
                prop_assert!(shard.successors.contains(to) && to != me);
                prop_assert!(before[*to as usize - 1] + 2 <= most);
            }
        }

        /// Where everybody can take over, the steps end, and all nodes lead the same number of shards but for one.
        #[test]
        fn the_steps_end_in_balance((nodes, mut shards) in cluster()) {
            shards.iter_mut().for_each(|shard| shard.successors = shard.voters.clone());
            let mut steps = 0;
            while let Some(transfer) = (1..=nodes).find_map(|me| next_transfer(me, &shards)) {
                shards[transfer.shard as usize].leader = Some(transfer.to);
                steps += 1;
                prop_assert!(steps <= shards.len(), "each shard moves once at most");
            }
            let loads = loads(&shards, nodes);
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1, "{loads:?}");
        }
    }
}
