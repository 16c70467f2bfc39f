//! A node that joins a running cluster.
//!
//! It knows some members, and where they listen. From any of them it learns the number of the cluster and how many
//! shards it has; with that it makes its data directory and starts with empty groups that found nothing. Then it asks a
//! member to be added, receives everything, and asks to be promoted. It asks until it is what it wants to be, so a member
//! that fails meanwhile, or a restart of its own, does no harm; asked to join once more, a member has nothing to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{Cluster, ClusterChange};
use crate::env::{Caller, Env, Identity, Transport as _};
use crate::peer::join::{JoinRequest, Joined};
use crate::peer::{Header, Join};
use crate::shard::Deadline;

/// How long a member may take for one attempt: a learner with much data has to catch up before it is promoted, which is
/// asked for again.
const ATTEMPT_MAX: Duration = Duration::from_secs(20);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the members are asked for the cluster's number before the node gives up.
const INQUIRY_MAX: Duration = Duration::from_secs(30);

/// How long one inquiry may take.
const INQUIRY_ATTEMPT_MAX: Duration = Duration::from_secs(2);

/// A node that joins: whom it asks, and for what.
#[derive(Clone, Debug)]
pub struct Joiner {
    /// Members to ask, and where they listen.
    pub members: BTreeMap<u64, String>,
    /// Where this node listens.
    pub peer_address: String,
    /// Whether to become a voter.
    pub promote: bool,
}

/// Asks the members which cluster they belong to, until one of them answers.
///
/// # Errors
/// What each of them said, when none could tell in time; and when what they say does not fit together.
pub async fn inquire<E: Env>(env: &E, members: &BTreeMap<u64, String>) -> Result<Identity, String> {
    let deadline = Deadline::after::<E>(INQUIRY_MAX);
    loop {
        let mut answers: Vec<Identity> = Vec::new();
        let mut failures = Vec::new();
        for (node, address) in members {
            let asked = env.transport().inquire(*node, address, INQUIRY_ATTEMPT_MAX).await;
            match asked.map(|introduction| introduction.identity) {
                Ok(identity) if identity.node_id != *node => {
                    return Err(format!(
                        "at {address} listens node {}, not node {node}: check --peers",
                        identity.node_id
                    ));
                }
                Ok(identity) => answers.push(identity),
                Err(reason) => failures.push(format!("node {node} at {address}: {reason}")),
            }
        }
        if let Some(first) = answers.first() {
            return match answers.iter().find(|other| other.cluster_id != first.cluster_id) {
                Some(other) => Err(format!(
                    "node {} and node {} belong to different clusters: check --peers",
                    first.node_id, other.node_id
                )),
                None => Ok(first.clone()),
            };
        }
        if deadline.is_over::<E>() {
            return Err(format!("no member of the cluster could be asked ({})", failures.join("; ")));
        }
        tracing::warn!("no member of the cluster can be asked yet: {}", failures.join("; "));
        E::sleep(PAUSE * 4).await;
    }
}

impl<E: Env> Cluster<E> {
    /// Asks to become what `joiner` says, in the background, until it is so.
    pub fn join(self: &Arc<Self>, joiner: Joiner) {
        self.tasks.start_until_stopped(joiner.run(Arc::clone(self)));
    }
}

impl Joiner {
    /// Asks until the node is what it wants to be.
    async fn run<E: Env>(self, cluster: Arc<Cluster<E>>) {
        let (mut last_reason, mut was_added) = (String::new(), false);
        loop {
            let (me, is_done) = (cluster.router.me(), self.is_done(&cluster));
            // What lies here may be older than its removal: one that a leader calls is a member.
            if is_done && cluster.admissions.is_called() {
                let role = if self.promote { "a voter" } else { "a learner" };
                tracing::info!(node = me, "joined: this node is {role} of all its shards");
                return;
            }
            // Who was removed does not come back with the same data.
            let may_ask = !is_done && !cluster.admissions.is_refused();
            let asked = if may_ask { self.ask(&cluster, &mut was_added).await } else { Ok(()) };
            if let Err(reason) = asked {
                if reason != last_reason {
                    tracing::warn!("not a member yet: {reason}");
                }
                last_reason = reason;
            }
            E::sleep(PAUSE).await;
        }
    }

    /// Whether the node's own groups say that it is what it wants to be.
    fn is_done<E: Env>(&self, cluster: &Cluster<E>) -> bool {
        let me = cluster.router.me();
        cluster.status().shards.iter().all(|shard| {
            let members = &shard.group.members;
            members.voters.contains_key(&me) || (!self.promote && members.learners.contains_key(&me))
        })
    }

    /// Asks the members, one after the other, until one of them has done everything.
    ///
    /// To be added is asked for until it was done once. Who is no member afterwards was removed meanwhile, and an operator
    /// was told so: asking again would bring it back.
    async fn ask<E: Env>(&self, cluster: &Cluster<E>, was_added: &mut bool) -> Result<(), String> {
        let me = cluster.router.me();
        let mut reasons = Vec::new();
        for (member, address) in &self.members {
            let mut asked = Ok(());
            if !*was_added {
                let add = JoinRequest::Add { node: me, address: self.peer_address.clone() };
                asked = ask_one(cluster, *member, address, &add).await;
                *was_added = asked.is_ok();
            }
            if self.promote && asked.is_ok() {
                asked = ask_one(cluster, *member, address, &JoinRequest::Promote { node: me }).await;
            }
            match asked {
                Ok(()) => return Ok(()),
                Err(reason) => reasons.push(format!("node {member} at {address}: {reason}")),
            }
        }
        Err(reasons.join("; "))
    }
}

async fn ask_one<E: Env>(
    cluster: &Cluster<E>,
    member: u64,
    address: &str,
    request: &JoinRequest,
) -> Result<(), String> {
    let deadline = Deadline::after::<E>(ATTEMPT_MAX);
    cluster.question::<Join>(member, address, request, deadline).await?.0
}

impl<E: Env> Cluster<E> {
    /// Carries out what a joining node asks for itself.
    pub(crate) async fn join_for_peer(&self, caller: Caller, header: Header, request: JoinRequest) -> Joined {
        if request.node() != caller.node {
            return Joined(Err("a node asks for itself only".to_owned()));
        }
        let change = match request {
            JoinRequest::Add { node, address } => {
                ClusterChange::Add { node, address, incarnation: Some(caller.incarnation) }
            }
            JoinRequest::Promote { node } => ClusterChange::Promote { node },
        };
        let changed = self.change(&change, Deadline::after::<E>(header.remaining)).await;
        Joined(changed.map(drop).map_err(|error| error.to_string()))
    }
}
