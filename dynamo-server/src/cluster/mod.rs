//! The cluster as its operator sees it: where everything stands, and the changes that are made by hand.
//!
//! Any node answers. It asks the other members how they see themselves ([`status`]) and puts what they say together;
//! and it carries a change to the leader of each shard, one shard after the other ([`change`]). Every change may be asked
//! for again: what is done already stays done, what stopped half way goes on. A node that joins ([`join`]) asks for its
//! own addition in the same way.
//!
//! Over HTTP these are pages below `/cluster/` on the port for clients; `dynamo-server cluster …` ([`command`]) is a
//! thin client of them. Only what is left when a majority is gone works offline, on a data directory ([`recover`]).
//!
//! Beside what is asked for, a member looks after itself: whether it may take part ([`admission`]), whether it is fit to
//! lead ([`fitness`]), how much room there is ([`share_room`]); and the leaders after the cluster: that they are spread
//! ([`balance`]) and that replicas are alike ([`compare`]).

mod admission;
mod balance;
pub mod change;
#[cfg(feature = "cli")]
pub mod command;
pub(crate) mod compare;
mod fitness;
mod misplaced;
mod options;
#[cfg(feature = "cli")]
pub mod recover;
mod share_room;
pub mod status;

pub use admission::Admission;
pub use change::membership::MembershipFailure;
pub use change::{ClusterChange, ClusterChangeError, join};
pub(crate) use fitness::HAND_OVER_MAX;
pub use options::ClusterOptions;
pub use status::health::{Capability, Health, Impairment, ShardHealth};
#[cfg(feature = "cli")]
pub(crate) use status::text::counted;
pub use status::{ClusterStatus, NodeReport};

use std::sync::Arc;
use std::time::Duration;

use shard_router::ShardId;

use self::admission::Admissions;
use self::balance::{Balancing, SharedBalancer};
use self::compare::{Comparing, Comparison};
use self::fitness::Fitness;
use self::share_room::RoomSharing;
use crate::env::{ANY_INCARNATION, Env, Tasks};
use crate::peer::Rpc;
use crate::raft::Wal;
use crate::raft::types::Member;
use crate::read::Reader;
use crate::router::{Called, Router};
use crate::shard::Deadline;

/// A node as a member of its cluster, and the cluster as its operator sees it.
pub struct Cluster<E: Env> {
    /// The members, as the groups know them.
    router: Arc<Router<E>>,
    /// What is done beside requests.
    tasks: Arc<Tasks<E>>,
    /// What stands between this node and its cluster.
    admissions: Arc<Admissions<E>>,
    /// What keeps it from leading.
    fitness: Arc<Fitness<E>>,
    /// What spreads the leaders over the nodes.
    balancer: SharedBalancer,
    /// Whether the replicas of shards led here are alike.
    comparison: Arc<Comparison<E>>,
    /// How long ago a leader, or a leader's quorum, may have been heard for this node to count as in contact with it.
    contact_max: Duration,
}

impl<E: Env> Cluster<E> {
    /// That of a node whose leaders are replaced within `election_timeout`.
    pub(crate) fn new(
        router: Arc<Router<E>>,
        tasks: Arc<Tasks<E>>,
        wal: Wal<E>,
        reader: Arc<Reader<E>>,
        election_timeout: Duration,
    ) -> Cluster<E> {
        Cluster {
            admissions: Arc::new(Admissions::new(Arc::clone(&router), election_timeout)),
            fitness: Arc::new(Fitness::new(Arc::clone(&router), wal, reader, Arc::clone(&tasks))),
            balancer: balance::balancer(election_timeout),
            comparison: Arc::new(Comparison::new(Arc::clone(&router), Arc::clone(&tasks))),
            contact_max: election_timeout,
            router,
            tasks,
        }
    }

    /// Starts what a node looks after; more of it where it is a member of a cluster.
    pub(crate) fn start(&self, cluster: Option<&ClusterOptions>, compare_every: Option<Duration>) {
        if let Some(given) = cluster.and_then(|cluster| cluster.members.get(&self.router.me())) {
            self.fitness.set_given_address(given);
        }
        self.tasks.start_until_stopped(Arc::clone(&self.fitness).watch());
        let Some(cluster) = cluster else { return };
        self.tasks.start_until_stopped(Arc::clone(&self.admissions).run(cluster.clone()));
        self.tasks.start_periodic(RoomSharing::new(Arc::clone(&self.router)));
        if self.router.shards.len() > 1 {
            let (router, balancer) = (Arc::clone(&self.router), Arc::clone(&self.balancer));
            self.tasks.start_periodic(Balancing { router, balancer });
        }
        if let Some(every) = compare_every {
            self.tasks.start_periodic(Comparing { comparison: Arc::clone(&self.comparison), every });
        }
    }

    /// What stands between this node and its cluster.
    pub(crate) fn admissions(&self) -> &Admissions<E> {
        &self.admissions
    }

    /// What keeps this node from leading.
    pub(crate) fn fitness(&self) -> &Fitness<E> {
        &self.fitness
    }

    /// Whether the replicas of shards led here are alike.
    pub(crate) fn comparison(&self) -> &Arc<Comparison<E>> {
        &self.comparison
    }

    /// How the node is.
    pub(crate) fn health(&self) -> Health {
        let shards: Vec<ShardHealth> = self
            .router
            .shards
            .iter()
            .map(|shard| ShardHealth {
                shard: shard.id().0,
                leading_term: shard.group().lease().leading_term(),
                leader: self.router.leader_of(shard),
                has_lease: shard.has_lease(),
                applied_next: shard.group().published().applied_next(),
            })
            .collect();
        Health { impairments: self.impairments(), shards }
    }

    /// What keeps this node from something, as far as it knows; the worst first.
    fn impairments(&self) -> Vec<Impairment> {
        let mut found = Vec::new();
        found.extend(self.router.fault.reason().map(|reason| Impairment::Stopped(reason.to_owned())));
        found.extend(self.admissions.not_admitted().map(Impairment::NotAdmitted));
        if self.tasks.is_stopping() {
            found.push(Impairment::Stopping);
        }
        found.extend(self.fitness.unfitness());
        found.extend(self.router.room.is_short().then_some(Impairment::DiskFull));
        let differences = self.comparison.differences().into_iter();
        found.extend(differences.map(|(shard, what)| Impairment::ReplicasDiffer { shard, what }));
        for shard in &self.router.shards {
            let number = shard.id().0;
            let voters = || shard.group().members().voters.into_keys().collect();
            if let Some(quarantine) = shard.group().published().quarantine() {
                found.push(Impairment::Quarantined { shard: number, what: quarantine.to_string() });
                continue;
            }
            match self.router.leader_of(shard) {
                None => found.push(Impairment::NoLeader { shard: number }),
                Some(_) if !shard.is_in_contact(self.contact_max) => {
                    found.push(Impairment::NoQuorum { shard: number });
                }
                Some(leader) if self.router.room.is_shard_short(self.router.me(), leader, voters) => {
                    found.push(Impairment::NoRoom { shard: number });
                }
                Some(_) => {}
            }
        }
        found
    }

    /// Asks whatever runs at `address` under the number of a node something that is about no shard.
    async fn question<R: Rpc>(
        &self,
        peer: u64,
        address: &str,
        request: R::Request<'_>,
        deadline: Deadline,
    ) -> Result<R::Response, String> {
        let anybody_there = Member::new(address, ANY_INCARNATION);
        match self.router.call_at::<R>(peer, anybody_there, ShardId(0), request, deadline).await {
            Called::Answer(answer) => Ok(answer),
            Called::Lost => Err("it did not answer in time".to_owned()),
            // Whoever greets says why it refuses: programs without a common version, say.
            Called::NotSent => Err(match self.router.inquire(peer, address, deadline.remaining::<E>()).await {
                Ok(_) => "it cannot be reached".to_owned(),
                Err(why) => format!("it cannot be reached: {why}"),
            }),
        }
    }
}
