//! The status of the cluster: what every member says about itself, put side by side.
//!
//! Nobody sees a cluster at one moment. The members are asked at the same time, each is given a second, and who does not
//! answer is shown as such. Where they disagree about a shard, the one that leads it in the highest term is believed.

pub(super) mod health;
mod json;
pub(super) mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use super::Cluster;
use crate::env::Env;
use crate::peer::Status;
use crate::peer::status::{NodeStatus, ShardStatus};
use crate::raft::Members;
use crate::shard::{Deadline, Shard};

/// How long a member may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// The whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterStatus {
    /// Its number.
    pub cluster_id: u128,
    /// The node that asked the others.
    pub answered_by: u64,
    /// Every member of any shard, and the node that answers.
    pub nodes: BTreeMap<u64, NodeReport>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// Where it listens for its peers; empty for a node without any.
    pub address: String,
    /// How it sees itself, or why it did not say.
    pub status: Result<NodeStatus, String>,
}

/// A shard, over all members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardReport {
    /// Its number.
    pub shard: u32,
    /// The node that leads it, as far as is known.
    pub leader: Option<u64>,
    /// Whether the leader can act: it holds its lease, or has heard a majority of the voters lately. One that was cut off goes on
    /// leading until it hears of another.
    pub is_served: bool,
    /// The newest term that anybody has heard of.
    pub term: u64,
    /// Whether the leader holds its lease.
    pub has_lease: bool,
    /// Its members.
    pub members: Members,
    /// The last entry that is known to be agreed on.
    pub committed: Option<u64>,
    /// Its replicas by node.
    pub replicas: BTreeMap<u64, ReplicaReport>,
}

/// A shard on one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaReport {
    /// What it does there.
    pub role: Role,
    /// What the node says; `None` where it did not answer.
    pub status: Option<ShardStatus>,
    /// Entries that are agreed on and not applied there; `None` where that is not known: the node does not answer, and the leader,
    /// perhaps a new one, has not heard from it either.
    pub lag: Option<u64>,
}

/// What a node does in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes the writes and answers the reads.
    Leader,
    /// Votes and has a copy.
    Voter,
    /// Has a copy.
    Learner,
    /// Belongs to it no longer, or not yet.
    Stranger,
}

impl Role {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Leader => "leader",
            Role::Voter => "voter",
            Role::Learner => "learner",
            Role::Stranger => "stranger",
        }
    }
}

impl ClusterStatus {
    /// The shards, in their order.
    pub fn shards(&self) -> Vec<ShardReport> {
        let mut views: BTreeMap<u32, BTreeMap<u64, &ShardStatus>> = BTreeMap::new();
        for (node, status) in self.answers() {
            for shard in &status.shards {
                views.entry(shard.shard).or_default().insert(node, shard);
            }
        }
        views.into_iter().map(|(shard, views)| report(shard, &views)).collect()
    }

    /// What is wrong, one sentence each; empty for a cluster that is well.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let shards = self.shards();
        for (node, report) in &self.nodes {
            match &report.status {
                Err(reason) => complaints.push(format!("node {node} at {} does not answer: {reason}", report.address)),
                Ok(status) if status.cluster_id != self.cluster_id => {
                    complaints.push(format!("node {node} belongs to another cluster"));
                }
                Ok(NodeStatus { stopped: Some(reason), .. }) => {
                    complaints.push(format!("node {node} stopped: {reason}"))
                }
                Ok(status) if self.has_other_data(*node, status, &shards) => complaints.push(format!(
                    "node {node} at {} runs on other data than the member's: if those are lost, let it take their place: \
                     dynamo-server cluster replace --node {node}",
                    report.address
                )),
                Ok(status) if status.disk_full => {
                    complaints.push(format!(
                        "node {node} has too little room on its disk: it takes no writes that need some"
                    ));
                }
                Ok(_) => {}
            }
        }
        for (node, status) in self.answers().filter(|(node, status)| !self.has_other_data(*node, status, &shards)) {
            complaints.extend(status.complaints.iter().map(|complaint| format!("node {node}: {complaint}")));
        }
        complaints.extend(self.differing_leases());
        for shard in shards.iter().filter(|shard| !shard.is_served) {
            let cut_off =
                shard.leader.map(|leader| format!(" but node {leader}, which hears no majority of its voters"));
            complaints.push(format!("shard {} has no leader{}", shard.shard, cut_off.unwrap_or_default()));
        }
        for shard in &shards {
            complaints.extend(self.unheard(shard));
        }
        for node in self.nodes.keys() {
            let MemberShards { votes_on, learns } = place_of(*node, &shards);
            let is_whole = [votes_on, learns].iter().all(|part| *part == 0 || *part == shards.len());
            if !is_whole {
                complaints.push(format!(
                    "node {node} votes on {votes_on} and learns {learns} of {} shards: a change is not through, ask again",
                    shards.len()
                ));
            }
        }
        complaints
    }

    /// Safe, since each says for how long it promises; but the shortest decides how soon anybody is elected.
    fn differing_leases(&self) -> Option<String> {
        let lengths: BTreeSet<u64> = self.answers().map(|(_, status)| status.lease_ms).collect();
        let each: Vec<String> =
            self.answers().map(|(node, status)| format!("node {node} {} ms", status.lease_ms)).collect();
        (lengths.len() > 1).then(|| format!("the election timeouts differ: {}", each.join(", ")))
    }

    /// Voters that answer for themselves, but not to the leader of a shard: they are of no use to it.
    fn unheard(&self, shard: &ShardReport) -> Vec<String> {
        let Some(leader) = shard.leader else { return Vec::new() };
        let view = shard.replicas.get(&leader).and_then(|replica| replica.status.as_ref());
        let followers = view.map(|view| &view.group.followers).into_iter().flatten();
        let is_unheard = |node: &u64| self.nodes.get(node).is_some_and(|report| report.status.is_ok());
        followers
            .filter(|(node, follower)| {
                !follower.is_heard && shard.members.voters.contains_key(node) && is_unheard(node)
            })
            .map(|(node, _)| {
                format!("shard {}: its leader, node {leader}, gets no answers from node {node}", shard.shard)
            })
            .collect()
    }

    /// Members that could not be asked, or run on other data than the member's: they do not count.
    pub fn silent(&self) -> BTreeSet<u64> {
        let shards = self.shards();
        let is_silent = |(node, report): &(&u64, &NodeReport)| match &report.status {
            Ok(status) => self.has_other_data(**node, status, &shards),
            Err(_) => true,
        };
        self.nodes.iter().filter(is_silent).map(|(node, _)| *node).collect()
    }

    /// Whether some shard knows the node's number with another incarnation than it says of itself.
    fn has_other_data(&self, node: u64, status: &NodeStatus, shards: &[ShardReport]) -> bool {
        shards.iter().any(|shard| shard.members.get(node).is_some_and(|member| !member.is(status.incarnation)))
    }

    fn answers(&self) -> impl Iterator<Item = (u64, &NodeStatus)> {
        self.nodes.iter().filter_map(|(node, report)| Some((*node, report.status.as_ref().ok()?)))
    }
}

/// On how many shards a node has which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberShards {
    /// Those that it votes on.
    pub votes_on: usize,
    /// Those that it only has a copy of.
    pub learns: usize,
}

/// The part of `node` in all `shards`.
pub fn place_of(node: u64, shards: &[ShardReport]) -> MemberShards {
    let count = |is_in: &dyn Fn(&Members) -> bool| shards.iter().filter(|shard| is_in(&shard.members)).count();
    MemberShards {
        votes_on: count(&|members| members.voters.contains_key(&node)),
        learns: count(&|members| members.learners.contains_key(&node)),
    }
}

/// The most entries that `node` lacks of any shard that it has; `None` where it has none, or its lag is not known of each.
pub fn lag_max_of(node: u64, shards: &[ShardReport]) -> Option<u64> {
    let lags: Option<Vec<u64>> =
        shards.iter().filter_map(|shard| shard.replicas.get(&node)).map(|replica| replica.lag).collect();
    lags?.into_iter().max()
}

impl<E: Env> Cluster<E> {
    /// Asks all members of the cluster that this node belongs to.
    pub async fn gather_status(&self) -> ClusterStatus {
        let own = self.status();
        let mut addresses = BTreeMap::new();
        for shard in &own.shards {
            addresses.extend(shard.group.members.iter().map(|(node, member)| (node, member.address.clone())));
        }
        let me = own.node;
        let mut questions = Vec::new();
        for (peer, address) in addresses.iter().filter(|(peer, _)| **peer != me) {
            questions.push(self.ask(*peer, address));
        }
        let mut nodes: BTreeMap<u64, NodeReport> = join_all(questions).await.into_iter().collect();
        let address = addresses.remove(&me).unwrap_or_default();
        let cluster_id = own.cluster_id;
        nodes.insert(me, NodeReport { address, status: Ok(own) });
        ClusterStatus { cluster_id, answered_by: me, nodes }
    }

    async fn ask(&self, peer: u64, address: &str) -> (u64, NodeReport) {
        let deadline = Deadline::after::<E>(ANSWER_MAX);
        // Whatever runs there may answer: that it is not the member's data is to be seen.
        let status = self.question::<Status>(peer, address, (), deadline).await;
        (peer, NodeReport { address: address.to_owned(), status })
    }

    /// How this node sees itself at this moment.
    pub(crate) fn status(&self) -> NodeStatus {
        let health = self.health();
        NodeStatus {
            node: self.router.me(),
            cluster_id: self.router.identity.cluster_id,
            incarnation: self.router.identity.incarnation,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stopped: health.stopped().map(str::to_owned),
            disk_full: health.is_disk_full(),
            complaints: health.complaints(),
            lease_ms: u64::try_from(self.router.system().group().lease().promise_length().as_millis())
                .unwrap_or(u64::MAX),
            shards: self.router.shards.iter().map(|shard| shard_status(shard)).collect(),
        }
    }
}

fn shard_status<E: Env>(shard: &Shard<E>) -> ShardStatus {
    ShardStatus {
        shard: shard.id().0,
        leads: shard.group().lease().leading_term().is_some(),
        has_lease: shard.has_lease(),
        group: shard.group().overview(),
    }
}

/// Puts the views of one shard together.
fn report(shard: u32, views: &BTreeMap<u64, &ShardStatus>) -> ShardReport {
    let leader = views.iter().filter(|(_, view)| view.leads).max_by_key(|(_, view)| view.group.term);
    let believed = leader.or_else(|| views.iter().max_by_key(|(_, view)| (view.group.term, view.group.last)));
    let group = believed.map(|(_, view)| view.group.clone()).unwrap_or_default();
    let committed = views.values().filter_map(|view| view.group.committed).max();
    let members = group.members.voters.keys().chain(group.members.learners.keys()).chain(views.keys());
    let leader = leader.map(|(node, _)| *node);
    let replica = |node: u64| {
        let status = views.get(&node).map(|view| (*view).clone());
        let role = match () {
            () if leader == Some(node) => Role::Leader,
            () if group.members.voters.contains_key(&node) => Role::Voter,
            () if group.members.learners.contains_key(&node) => Role::Learner,
            () => Role::Stranger,
        };
        // An empty replica lacks the entry 0, too.
        let reached = match &status {
            Some(status) => Some(status.group.applied.map_or(0, |applied| applied + 1)),
            None => group.followers.get(&node).and_then(|follower| follower.matched).map(|matched| matched + 1),
        };
        let lag = reached.map(|reached| committed.map_or(0, |committed| committed + 1).saturating_sub(reached));
        (node, ReplicaReport { role, status, lag })
    };
    ShardReport {
        shard,
        leader,
        term: views.values().map(|view| view.group.term).max().unwrap_or(0),
        is_served: leader.is_some_and(|leader| {
            let view = views[&leader];
            view.has_lease || view.group.is_majority_heard_by(leader)
        }),
        has_lease: leader.is_some_and(|leader| views[&leader].has_lease),
        committed,
        replicas: members.copied().collect::<BTreeSet<u64>>().into_iter().map(replica).collect(),
        members: group.members,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::raft::types::Member;
    use crate::raft::{Follower, GroupOverview};

    fn members() -> Members {
        let voters = [1, 2, 3].map(|node| (node, Member::new(format!("127.0.0.1:700{node}"), 0xbeef))).into();
        Members { voters, learners: BTreeMap::new(), is_joint: false }
    }

    fn shard(shard: u32, leader: Option<u64>, leads: bool, term: u64, applied: u64) -> ShardStatus {
        let followers = match leads {
            true => BTreeMap::from([(3, Follower { matched: Some(5), is_heard: false })]),
            false => BTreeMap::new(),
        };
        let group = GroupOverview {
            term,
            leader,
            members: members(),
            last: Some(applied),
            committed: Some(applied),
            applied: Some(applied),
            followers,
        };
        ShardStatus { shard, leads, has_lease: leads, group }
    }

    /// Three members, one of which does not answer; shard 0 is led by node 2, shard 1 by nobody.
    pub(in super::super) fn example() -> ClusterStatus {
        let node = |node, shards| NodeStatus {
            node,
            cluster_id: 0xfeed,
            incarnation: 0xbeef,
            version: "0.1.0".to_owned(),
            shards,
            ..NodeStatus::default()
        };
        let first = node(1, vec![shard(0, Some(1), true, 3, 8), shard(1, None, false, 2, 1)]);
        let second = node(2, vec![shard(0, Some(2), true, 4, 10), shard(1, None, false, 3, 1)]);
        let report = |node: u64, status| (node, NodeReport { address: format!("127.0.0.1:700{node}"), status });
        let silent = Err("it cannot be reached".to_owned());
        let nodes = BTreeMap::from([report(1, Ok(first)), report(2, Ok(second)), report(3, silent)]);
        ClusterStatus { cluster_id: 0xfeed, answered_by: 1, nodes }
    }

    #[test]
    fn the_leader_of_the_highest_term_is_believed() {
        let shards = example().shards();
        assert_eq!((shards[0].leader, shards[0].term, shards[0].committed), (Some(2), 4, Some(10)));
        let lags: Vec<_> = shards[0].replicas.values().map(|replica| replica.lag).collect();
        assert_eq!(lags, [Some(2), Some(0), Some(5)], "the leader tells of a node that does not answer");
        let roles: Vec<_> = shards[0].replicas.values().map(|replica| replica.role).collect();
        assert_eq!(roles, [Role::Voter, Role::Leader, Role::Voter]);
        assert_eq!((shards[1].leader, shards[1].term), (None, 3));
        assert_eq!(shards[1].replicas[&3].lag, None, "nobody has heard of it");
        assert_eq!([1, 2, 3, 4].map(|node| lag_max_of(node, &shards)), [Some(2), Some(0), None, None]);
    }

    /// Since it was elected: what it sent before it was, another one was told.
    #[test]
    fn a_leader_that_has_not_heard_of_a_follower_does_not_know_its_lag() {
        let mut unheard = example();
        if let Some(Ok(second)) = unheard.nodes.get_mut(&2).map(|report| &mut report.status) {
            second.shards[0].group.followers.insert(3, Follower::default());
        }
        assert_eq!(unheard.shards()[0].replicas[&3].lag, None);
    }

    #[test]
    fn the_status_names_every_problem() {
        assert_eq!(
            example().complaints(),
            ["node 3 at 127.0.0.1:7003 does not answer: it cannot be reached", "shard 1 has no leader"]
        );
        assert_eq!(example().silent(), BTreeSet::from([3]));
        let mut cut_off = example();
        if let Some(Ok(second)) = cut_off.nodes.get_mut(&2).map(|report| &mut report.status) {
            second.shards[0].group.followers.insert(1, Follower::default());
        }
        assert!(cut_off.complaints().contains(&"shard 0: its leader, node 2, gets no answers from node 1".to_owned()));
        let mut alone = example();
        if let Some(Ok(second)) = alone.nodes.get_mut(&2).map(|report| &mut report.status) {
            second.shards[0].has_lease = false;
        }
        let none_heard = "shard 0 has no leader but node 2, which hears no majority of its voters";
        assert!(alone.complaints().contains(&none_heard.to_owned()), "{:?}", alone.complaints());
        if let Some(Ok(second)) = alone.nodes.get_mut(&2).map(|report| &mut report.status) {
            second.shards[0].group.followers.insert(1, Follower { matched: None, is_heard: true });
        }
        assert_eq!(alone.complaints(), example().complaints(), "it can ask a majority");
        let mut lost = example();
        if let Some(Ok(second)) = lost.nodes.get_mut(&2).map(|report| &mut report.status) {
            second.incarnation = 0xf00d;
        }
        assert!(lost.complaints()[0].ends_with("cluster replace --node 2"), "{:?}", lost.complaints());
        assert_eq!(lost.silent(), BTreeSet::from([2, 3]), "what it says does not count");
        let mut half_removed = example();
        for report in half_removed.nodes.values_mut().filter_map(|report| report.status.as_mut().ok()) {
            report.shards[1].group.members.voters.remove(&3);
        }
        let said = half_removed.complaints().pop();
        assert!(said.as_ref().is_some_and(|said| said.starts_with("node 3 votes on 1 and learns 0 of 2")), "{said:?}");
    }
}
