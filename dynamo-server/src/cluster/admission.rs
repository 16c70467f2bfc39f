//! Admission: whether a node is a founder, a member, or unknown to its cluster with the data that it has.
//!
//! Which incarnation of data belongs to a node number stands in the replicated membership. A member that is called by its
//! leader is called by its incarnation, so whoever is heard by a leader is known. A node that nobody calls asks the others
//! who they are and what it is to them, as often as it takes, and decides from their answers ([`decide`]):
//!
//! - Somebody counts it as a member: its leader will call. Somebody else may not, and know that it was removed, or be behind:
//!   nothing is decided then, but said.
//! - Another incarnation has its number, or members are known and it is none: it serves nothing and says why. It goes on
//!   asking, since the operator may make it a member (`cluster replace`).
//! - Nobody knows members: the cluster is to be founded. The founder with the lowest number writes the first entry of every
//!   group, with the incarnations of all founders, which it has asked for. It founds only when *each* of the others has
//!   answered and none of them holds a vote or an entry. So a founder that has lost its data does not found once more, not
//!   even after a restart of all nodes: whoever was there remembers on its disk.
//!
//! One founder writes this entry for all, because the founders may see different incarnations: one of them may lose its data
//! while the others ask it. Two different first entries with one log id would be two histories that Raft takes for one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::join_all;

use super::options::ClusterOptions;
use crate::env::{Env, Identity, Introduction, Standing};
use crate::raft::types::Member;
use crate::router::Router;

/// How often a node that is not called by a leader asks the others.
const LOOK: Duration = Duration::from_millis(300);

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// What stands between a node and its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// Nothing is known against it.
    #[default]
    Open,
    /// It takes no part yet, for this reason.
    Waiting(String),
    /// It must not serve, for this reason.
    Refused(String),
}

impl Admission {
    /// Why it does not serve; `None` where nothing is known against it.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Admission::Open => None,
            Admission::Waiting(reason) | Admission::Refused(reason) => Some(reason),
        }
    }
}

/// What a node knows of itself.
#[derive(Clone, Debug)]
struct View<'a> {
    /// Who it is.
    me: &'a Identity,
    /// Whether it holds a vote or an entry of any group.
    has_data: bool,
    /// Whether the memberships that lie here name it; `None` where none does.
    is_member: Option<bool>,
    /// The founding members where this node may found with them; `None` for one that joins, or of another cluster.
    founders: Option<&'a BTreeMap<u64, String>>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Be(Admission),
    /// Found the cluster with these members.
    Found(BTreeMap<u64, Member>),
}

/// Who was asked, and what came of it.
type Answers = BTreeMap<u64, Result<Introduction, String>>;

/// What a node that no leader calls does, by what the others say.
fn decide(view: &View<'_>, answers: &Answers) -> Action {
    let me = view.me;
    let mine = |answer: &&Introduction| answer.identity.cluster_id == me.cluster_id;
    let heard = || answers.iter().filter_map(|(node, answer)| Some((*node, answer.as_ref().ok().filter(mine)?)));
    let who_says = |standing| heard().find(|(_, answer)| answer.standing == standing).map(|(node, _)| node);
    let who_has_members = who_says(Standing::Stranger);
    if let Some(member) = who_says(Standing::Member) {
        let doubt = who_has_members.filter(|_| view.has_data).map(|stranger| {
            waiting(format!(
                "node {stranger} knows the members of this cluster, and node {} is none; node {member} counts it as one. One of \
                 them is behind: if this node was removed, stop it, and never use its data again",
                me.node_id
            ))
        });
        return doubt.unwrap_or(Action::Be(Admission::Open));
    }
    if let Some(node) = who_says(Standing::OtherIncarnation) {
        return refused(format!(
            "node {node} knows node {} with another data directory than this one; if its data are lost, let this one take \
             their place: dynamo-server cluster replace --node {}",
            me.node_id, me.node_id
        ));
    }
    if view.has_data && (who_has_members.is_some() || view.is_member == Some(false)) {
        return refused(removed(me.node_id));
    }
    let Some(founders) = view.founders else { return Action::Be(Admission::Open) };
    if let Some(node) = who_has_members {
        return refused(format!(
            "node {node} knows the members of this cluster, and node {} is none: a new node joins under a new number, see \
             dynamo-server join",
            me.node_id
        ));
    }
    if view.has_data {
        return Action::Be(Admission::Open);
    }
    found(me, founders, answers)
}

/// What is said of a node with data that its cluster does not know.
pub(super) fn removed(node: u64) -> String {
    format!("node {node} was removed from its cluster: stop it, and never use its data again")
}

fn refused(reason: String) -> Action {
    Action::Be(Admission::Refused(reason))
}

/// Whether the cluster can be founded, by this node.
fn found(me: &Identity, founders: &BTreeMap<u64, String>, answers: &Answers) -> Action {
    let first = founders.keys().next().copied().unwrap_or(me.node_id);
    let (mut members, mut missing) = (BTreeMap::new(), Vec::new());
    for (node, address) in founders {
        let incarnation = match answers.get(node) {
            _ if *node == me.node_id => Ok(me.incarnation),
            None => Err("it was not asked".to_owned()),
            Some(Err(reason)) => Err(reason.clone()),
            Some(Ok(answer)) if answer.identity.node_id != *node => {
                Err(format!("node {} listens there", answer.identity.node_id))
            }
            Some(Ok(answer)) if answer.identity.cluster_id != me.cluster_id => {
                Err("it belongs to another cluster: every founder needs the same --peers".to_owned())
            }
            Some(Ok(answer)) if answer.identity.shards != me.shards => {
                Err(format!("it is set up with {} shards, this node with {}", answer.identity.shards, me.shards))
            }
            Some(Ok(answer)) if answer.has_data => Err("it has taken part in this cluster already".to_owned()),
            Some(Ok(answer)) => Ok(answer.identity.incarnation),
        };
        match incarnation {
            Ok(incarnation) => drop(members.insert(*node, Member::new(address, incarnation))),
            Err(reason) => missing.push(format!("node {node} at {address}: {reason}")),
        }
    }
    if !missing.is_empty() {
        return waiting(format!("the cluster is not founded yet; it takes all founders once ({})", missing.join("; ")));
    }
    if me.node_id != first {
        return waiting(format!("the cluster is not founded yet; node {first} founds it"));
    }
    Action::Found(members)
}

fn waiting(reason: String) -> Action {
    Action::Be(Admission::Waiting(reason))
}

/// Whether this node takes part in its cluster.
pub(crate) struct Admissions<E: Env> {
    /// The memberships here, and the way to others.
    router: Arc<Router<E>>,
    /// What was decided last.
    newest: ArcSwap<Admission>,
    /// A leader that has called within so many nanoseconds is one that calls.
    called_within_ns: u64,
}

impl<E: Env> Admissions<E> {
    /// Of a node that nothing is known against; `contact_max` is how long ago a leader may have called to be one that calls.
    pub(super) fn new(router: Arc<Router<E>>, contact_max: Duration) -> Admissions<E> {
        let called_within_ns = u64::try_from(contact_max.as_nanos()).unwrap_or(u64::MAX);
        Admissions { router, newest: ArcSwap::default(), called_within_ns }
    }

    /// Asks and decides, again and again.
    pub(super) async fn run(self: Arc<Self>, cluster: ClusterOptions) {
        loop {
            let next = self.look_around(&cluster).await;
            self.admit(next);
            E::sleep(LOOK).await;
        }
    }

    /// What stands between this node and its cluster. One atomic load.
    pub(crate) fn newest(&self) -> Arc<Admission> {
        self.newest.load_full()
    }

    /// Whether this node must not serve: the cluster does not know its data.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(**self.newest.load(), Admission::Refused(_))
    }

    /// Why this node takes no part in its cluster. It does as soon as a leader has called it, which the log says before anybody is
    /// told that the node is ready: whoever asks does not wait for the next look.
    pub(super) fn not_admitted(&self) -> Option<String> {
        if self.newest.load().reason().is_some() && self.is_called() {
            self.admit(Admission::Open);
        }
        self.newest.load().reason().map(str::to_owned)
    }

    fn admit(&self, next: Admission) {
        let before = self.newest.load();
        if **before == next {
            return;
        }
        match &next {
            Admission::Open => tracing::info!("node {} takes part in its cluster", self.router.me()),
            Admission::Waiting(reason) => tracing::info!("node {} waits: {reason}", self.router.me()),
            Admission::Refused(reason) => tracing::error!("node {} serves nothing: {reason}", self.router.me()),
        }
        self.newest.store(Arc::new(next));
    }

    async fn look_around(&self, cluster: &ClusterOptions) -> Admission {
        if self.is_called() {
            return Admission::Open;
        }
        let answers = self.introductions(cluster).await;
        let may_found = cluster.joins.is_none() && cluster.founding_id() == self.router.identity.cluster_id;
        let view = View {
            me: &self.router.identity,
            has_data: self.router.has_data(),
            is_member: match self.router.standing_of(self.router.me(), self.router.identity.incarnation) {
                Standing::Unknown => None,
                standing => Some(standing == Standing::Member),
            },
            founders: may_found.then_some(&cluster.members),
        };
        // A leader may have called meanwhile.
        let step = if self.is_called() { Action::Be(Admission::Open) } else { decide(&view, &answers) };
        match step {
            Action::Be(admission) => admission,
            Action::Found(members) => self.found(members).await,
        }
    }

    /// Whether a leader has called lately, or this node leads itself: its incarnation is the member's.
    pub(super) fn is_called(&self) -> bool {
        let now = E::monotonic_ns();
        let is_recent = |heard: lease::Moment| now.saturating_sub(heard.as_nanos()) < self.called_within_ns;
        self.router.shards.iter().any(|shard| {
            let lease = shard.group().lease();
            lease.leading_term().is_some() || lease.heard_at().is_some_and(is_recent)
        })
    }

    /// Asks everybody who may know: those that this node was told of, and those that it knows as members.
    async fn introductions(&self, cluster: &ClusterOptions) -> Answers {
        let mut places = cluster.members.clone();
        for shard in &self.router.shards {
            places.extend(shard.group().members().iter().map(|(node, member)| (node, member.address.clone())));
        }
        places.remove(&self.router.me());
        let questions = places
            .iter()
            .map(|(node, address)| async move { (*node, self.router.inquire(*node, address, ANSWER_MAX).await) });
        join_all(questions).await.into_iter().collect()
    }

    async fn found(&self, members: BTreeMap<u64, Member>) -> Admission {
        tracing::info!("node {} founds the cluster with {} members", self.router.me(), members.len());
        let founding = self.router.shards.iter().map(|shard| shard.group().initialize(members.clone()));
        match join_all(founding).await.into_iter().find_map(Result::err) {
            None => Admission::Open,
            Some(error) => Admission::Waiting(format!("the cluster could not be founded: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: u128 = 9;

    fn identity(node_id: u64) -> Identity {
        Identity { cluster_id: CLUSTER, node_id, incarnation: 100 + node_id, shards: 4 }
    }

    fn founders() -> BTreeMap<u64, String> {
        (1..=3).map(|node| (node, format!("h:{node}"))).collect()
    }

    /// What node 1, with or without data, does when nodes 2 and 3 answer so.
    fn step(has_data: bool, two: (bool, Standing), three: Option<(bool, Standing)>) -> Action {
        let answer = |node, (has_data, standing)| Ok(Introduction { identity: identity(node), has_data, standing });
        let three = three.map_or(Err("it does not answer".to_owned()), |three| answer(3, three));
        let (me, founders) = (identity(1), founders());
        let view = View { me: &me, has_data, is_member: None, founders: Some(&founders) };
        decide(&view, &BTreeMap::from([(2, answer(2, two)), (3, three)]))
    }

    const NEW: (bool, Standing) = (false, Standing::Unknown);

    fn reason(step: Action) -> String {
        match step {
            Action::Be(Admission::Refused(reason)) => format!("refused: {reason}"),
            Action::Be(Admission::Waiting(reason)) => format!("waiting: {reason}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_founder_founds_once_all_have_answered_and_none_has_data() {
        let Action::Found(members) = step(false, NEW, Some(NEW)) else { panic!("it founds") };
        assert_eq!(members[&1], Member::new("h:1", 101));
        assert_eq!(members[&3], Member::new("h:3", 103));
        assert!(reason(step(false, NEW, None)).contains("node 3 at h:3: it does not answer"));
        let voted = reason(step(false, (true, Standing::Unknown), Some(NEW)));
        assert!(voted.starts_with("waiting: ") && voted.contains("taken part"), "{voted}");
        let (me, founders) = (identity(2), founders());
        let view = View { me: &me, has_data: false, is_member: None, founders: Some(&founders) };
        let empty =
            |node| (node, Ok(Introduction { identity: identity(node), has_data: false, standing: Standing::Unknown }));
        let waits = decide(&view, &BTreeMap::from([empty(1), empty(3)]));
        assert!(reason(waits).contains("node 1 founds it"));
    }

    #[test]
    fn a_founder_that_lost_its_data_founds_nothing_whoever_answers() {
        let lost = (true, Standing::OtherIncarnation);
        for other in [None, Some(NEW), Some(lost)] {
            let refused = reason(step(false, lost, other));
            assert!(refused.starts_with("refused: ") && refused.contains("cluster replace --node 1"), "{refused}");
        }
    }

    #[test]
    fn a_node_that_is_no_member_any_more_serves_nothing() {
        let removed = reason(step(true, (true, Standing::Stranger), None));
        assert!(removed.starts_with("refused: ") && removed.contains("was removed"), "{removed}");
        let unknown = reason(step(false, (true, Standing::Stranger), None));
        assert!(unknown.contains("join"), "{unknown}");
        let me = identity(4);
        let view = View { me: &me, has_data: true, is_member: Some(false), founders: None };
        assert!(reason(decide(&view, &BTreeMap::new())).contains("was removed"), "it knows by itself");
    }

    #[test]
    fn one_that_somebody_knows_as_a_member_waits_for_its_leader() {
        let member = (true, Standing::Member);
        let behind = reason(step(true, (true, Standing::Stranger), Some(member)));
        assert!(
            behind.starts_with("waiting: ") && behind.contains("node 1 is none; node 3 counts it as one"),
            "{behind}"
        );
        assert_eq!(step(true, (true, Standing::Unknown), None), Action::Be(Admission::Open));
        let joins = View { me: &identity(4), has_data: false, is_member: None, founders: None };
        let stranger = Introduction { identity: identity(1), has_data: true, standing: Standing::Stranger };
        assert_eq!(decide(&joins, &BTreeMap::from([(1, Ok(stranger))])), Action::Be(Admission::Open), "it joins");
    }

    #[test]
    fn answers_of_another_cluster_are_ignored() {
        let other = Introduction {
            identity: Identity { cluster_id: 8, ..identity(2) },
            has_data: true,
            standing: Standing::OtherIncarnation,
        };
        let (me, founders) = (identity(1), founders());
        let view = View { me: &me, has_data: false, is_member: None, founders: Some(&founders) };
        let waits = reason(decide(&view, &BTreeMap::from([(2, Ok(other))])));
        assert!(waits.starts_with("waiting: ") && waits.contains("another cluster"), "{waits}");
    }
}
