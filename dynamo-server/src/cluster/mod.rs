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
pub mod command;
pub(crate) mod compare;
mod fitness;
mod health;
pub mod join;
mod json;
mod membership;
pub mod recover;
mod share_room;
pub mod status;
mod text;
mod transfer;

pub use admission::Admission;
pub use change::{ClusterChange, ClusterChangeError};
pub use health::{Capability, Health, Impairment, ShardHealth};
pub use membership::MembershipFailure;
pub use status::{ClusterStatus, NodeReport};
pub(crate) use text::counted;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shard_router::ShardId;

use self::admission::Admissions;
use self::balance::{Balancing, SharedBalancer};
use self::compare::{Comparing, Comparison};
use self::fitness::Fitness;
use self::share_room::RoomSharing;
use crate::env::{ANY_INCARNATION, Env, Tasks};
use crate::fnv;
use crate::peer::Rpc;
use crate::raft::Wal;
use crate::raft::types::Member;
use crate::read::Reader;
use crate::router::{Called, Router};
use crate::shard::Deadline;

/// How long a node that stops leading waits until others lead what it led. Two messages and two synced writes, as a rule.
pub(crate) const HAND_OVER_MAX: Duration = Duration::from_secs(1);

/// The cluster that a node belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOptions {
    /// This node.
    pub node_id: u64,
    /// Where the members listen for their peers, this node included. Founding members must each be given the same, and the
    /// one with the lowest number founds the cluster once all of them run; who belongs to it later is in its log.
    pub members: BTreeMap<u64, String>,
    /// The number of a cluster that exists already ([`Identity::cluster_id`](crate::env::Identity), the same on every
    /// member): a new node begins empty and waits to be added. `None` for a founding member, and for a node that comes
    /// back.
    pub joins: Option<u128>,
}

impl ClusterOptions {
    /// The number of the cluster that these members found: the same for each of them, without a word between them
    /// (FNV-1a, 128 bits, over the members in the order of their ids). It is written down once and then stays, whatever
    /// becomes of the members.
    pub fn founding_id(&self) -> u128 {
        let members = self.members.iter().map(|(node, address)| format!("{node}={address},"));
        fnv::hash_128(&members.collect::<String>())
    }
}

/// A node as a member of its cluster, and the cluster as its operator sees it.
pub struct Cluster<E: Env> {
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
