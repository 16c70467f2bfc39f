//! Three nodes that replicate, elect, restart and read, on clocks of their own rates.
//!
//! The real [`Holder`], [`Grantor`] and [`Word`] run inside; around them stands as little Raft as makes the question
//! meaningful. What is left out is left out on the dangerous side: an append arrives at once (later arrival only makes
//! the promise last longer), and so do vote requests and their answers; acknowledgements and transfer messages,
//! which endanger the lease by being late, may come any time or never. A partition is a message never sent, a pause
//! is a node that does nothing while the clocks move on.
//!
//! A clock tick is 100 ms of true time; the lease is 440 ms, so the validity is 342 ms and the hold-off 488 ms. With clocks
//! 10 % slow and fast that is as tight as ticks can make it: three of the slow holder's ticks are 270 ms and four 360, four
//! of a fast grantor's are 440.

use std::time::Duration;

use lease::{Grantor, Holder, Moment, Outstanding, Timing, Vote, Voters, Word};

use crate::explorer::Model;
use crate::rules::Rule;

pub const NODES: usize = 3;
/// The election timeout of every node, unless the bounds say otherwise.
pub const LEASE_MS: u16 = 440;
/// A promise shorter than the validity, for [`Rule::PromiseOutlastsValidity`] switched off.
const SHORT_LEASE_MS: u16 = 260;
/// A lease of which eight tenths are as much as nine tenths of [`LEASE_MS`], for [`Rule::ValidityCoversSlew`] switched off.
const LONG_LEASE_MS: u16 = LEASE_MS * 9 / 8;
/// Milliseconds that a true clock advances in one tick.
pub const TRUE_RATE: u16 = 100;

type NodeId = u8;

/// What may happen in a run, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    pub ticks: u8,
    pub terms: u8,
    pub restarts: u8,
    pub transfers: u8,
    /// How many acknowledgements may be on their way at once.
    pub late_acks: u8,
    /// How many confirmations by a quorum round may be tried.
    pub confirms: u8,
    /// How many reads in separate steps may be tried.
    pub reads: u8,
    /// Milliseconds that each node's clock advances in one tick.
    pub rates: [u16; NODES],
    /// The election timeout that each node is told.
    pub leases_ms: [u16; NODES],
    /// And the one that it is told when it restarts.
    pub restarted_lease_ms: u16,
    /// The configurations that the group goes through, one entry each; the first one is there from the beginning.
    pub configs: Vec<Vec<Vec<NodeId>>>,
    /// The rule that is switched off, if any.
    pub off: Option<Rule>,
}

impl Bounds {
    pub fn three_voters() -> Bounds {
        Bounds {
            ticks: 8,
            terms: 2,
            restarts: 0,
            transfers: 0,
            late_acks: 0,
            confirms: 0,
            reads: 0,
            rates: [TRUE_RATE; NODES],
            leases_ms: [LEASE_MS; NODES],
            restarted_lease_ms: LEASE_MS,
            configs: vec![vec![vec![0, 1, 2]]],
            off: None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "the fields are read by Debug, in the printed trace")]
pub enum Action {
    Tick,
    TickSuspended {
        node: NodeId,
    },
    /// An append arrives and its acknowledgement comes straight back.
    Append {
        from: NodeId,
        to: NodeId,
    },
    /// A message without entries arrives and its acknowledgement comes straight back.
    Heartbeat {
        from: NodeId,
        to: NodeId,
    },
    /// An append arrives and its acknowledgement is on its way.
    AppendLate {
        from: NodeId,
        to: NodeId,
    },
    /// An append is lost.
    AppendLost {
        from: NodeId,
        to: NodeId,
    },
    AckArrives {
        index: u8,
    },
    /// Stands for a new term and asks one other node (itself, if it asks nobody).
    Stand {
        node: NodeId,
        asks: NodeId,
    },
    Restart {
        node: NodeId,
    },
    Transfer {
        from: NodeId,
    },
    TransferHeard {
        node: NodeId,
    },
    ProposeConfig {
        leader: NodeId,
    },
    ConfirmBegins {
        leader: NodeId,
        asks: NodeId,
    },
    ConfirmEnds,
    ReadBegins {
        node: NodeId,
    },
    ReadChecks,
    ReadViews,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct World {
    bounds: std::rc::Rc<Bounds>,
    ticks: u8,
    restarts: u8,
    transfers: u8,
    nodes: Vec<Node>,
    /// Acknowledgements on their way.
    acks: Vec<Ack>,
    /// The term of the transfer announced, and by whom it was heard.
    transfer: Option<(u64, [bool; NODES])>,
    confirms: u8,
    confirm: Option<Confirm>,
    reads: u8,
    read: Option<Read>,
    /// How many log entries clients were told of as committed.
    acknowledged: u8,
    stale_read: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Node {
    clock_ms: u16,
    /// The election timeout that it was told at its start.
    lease_ms: u16,
    /// The longest that it was ever told; durable. The one of the last start alone does not do: a node may restart twice
    /// while a promise from before the first time still counts.
    longest_lease_ms: u16,
    /// Durable.
    vote: Vote<NodeId>,
    /// Durable.
    log: Vec<Entry>,
    /// How many entries are applied; durable.
    applied: u8,
    leads: bool,
    is_transferring: bool,
    /// As a leader: how many entries each node is known to hold.
    matched: [u8; NODES],
    /// As a leader: when the newest message was sent to each node.
    sent: [u16; NODES],
    holder: Holder<NodeId>,
    /// What readers see, and the holder's generation and deadline when it was published.
    word: Word,
    published: (u64, Moment),
    grantor: Grantor<NodeId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    term: u64,
    /// Which configuration of the run this entry sets, if any.
    config: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ack {
    to: NodeId,
    from: NodeId,
    term: u64,
    sent_ms: u16,
    promised: Duration,
    holds: u8,
}

/// A renewal in flight: a quorum round that ends by renewing the word directly.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Confirm {
    leader: NodeId,
    captured: lease::Generation,
    sent_ms: u16,
}

/// A read in flight.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Read {
    node: NodeId,
    /// What had been acknowledged when it began: it must see at least that.
    floor: u8,
    checked: bool,
    viewed: Option<u8>,
}

fn at(ms: u16) -> Moment {
    Moment::from_nanos(ms as u64 * 1_000_000)
}

fn timing(lease_ms: u16) -> Timing {
    Timing::for_election_timeout(Duration::from_millis(lease_ms as u64)).expect("a sensible election timeout")
}

impl World {
    /// A group in which nobody leads yet.
    pub fn new(bounds: Bounds) -> World {
        let bounds = std::rc::Rc::new(bounds);
        let nodes = (0..NODES as NodeId).map(|id| Node::new(id, bounds.leases_ms[id as usize], &bounds)).collect();
        World {
            bounds,
            ticks: 0,
            restarts: 0,
            transfers: 0,
            nodes,
            acks: Vec::new(),
            transfer: None,
            confirms: 0,
            confirm: None,
            reads: 0,
            read: None,
            acknowledged: 0,
            stale_read: false,
        }
    }

    /// The same group after node 0 was elected; one other voter, if there is one, holds its first entry.
    pub fn led_by_node_0(bounds: Bounds) -> World {
        let is_alone = bounds.configs[0] == [[0]];
        let mut world = World::new(bounds);
        world.apply(Action::Stand { node: 0, asks: if is_alone { 0 } else { 1 } });
        if !is_alone {
            world.apply(Action::Append { from: 0, to: 1 });
        }
        assert_eq!(world.acknowledged, 1, "node 0 leads and has committed");
        assert!(world.has_lease(0), "node 0 has a lease");
        world
    }

    fn is_off(&self, rule: Rule) -> bool {
        self.bounds.off == Some(rule)
    }

    fn has_lease(&self, node: NodeId) -> bool {
        let node = &self.nodes[node as usize];
        node.word.holds(|| at(node.clock_ms))
    }

    fn leaders(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0..NODES as NodeId).filter(|node| self.nodes[*node as usize].leads)
    }

    /// Feeds the holder of `node` and publishes, as `SharedHolder` does.
    fn feed(&mut self, node: NodeId, event: impl FnOnce(&mut Holder<NodeId>)) {
        let node = &mut self.nodes[node as usize];
        event(&mut node.holder);
        let (generation, deadline) = (node.holder.generation(), node.holder.deadline());
        if generation != node.published.0 || deadline < node.published.1 {
            node.word = node.word.revoked();
        }
        node.word = node.word.renewed(node.word.generation(), deadline).expect("the generation is the present one");
        node.published = (generation, deadline);
    }

    /// Makes a vote durable on `node`, which ends its leadership unless the vote is its own.
    fn save_vote(&mut self, node: NodeId, vote: Vote<NodeId>) {
        let is_foreign = vote.node != node;
        if !(is_foreign && self.is_off(Rule::SavedVoteRevokes)) {
            self.feed(node, |holder| holder.vote_saved(vote));
        }
        let node = &mut self.nodes[node as usize];
        node.vote = vote;
        node.leads &= !is_foreign;
    }

    /// Whether the lease allows `voter` to vote for `candidate` now.
    fn may_grant(&self, voter: NodeId, candidate: NodeId) -> bool {
        let voter = &self.nodes[voter as usize];
        self.is_off(Rule::RefuseVotes) || voter.grantor.may_grant(at(voter.clock_ms), &candidate).is_ok()
    }

    /// The term in which `node` would be elected by `asks`, if it would.
    fn election(&self, node: NodeId, asks: NodeId) -> Option<u64> {
        let (candidate, voter) = (&self.nodes[node as usize], &self.nodes[asks as usize]);
        let has_quorum = self.quorum_of(node, |other| other == node || other == asks);
        let term = candidate.vote.term.max(voter.vote.term) + 1;
        let position = |node: &Node| (node.log.last().map_or(0, |entry| entry.term), node.log.len());
        let is_up_to_date = position(candidate) >= position(voter);
        let stands = !candidate.leads && has_quorum && is_up_to_date && term <= self.bounds.terms as u64;
        let may_stand = self.is_off(Rule::AskOneself) || self.may_grant(node, node);
        (stands && may_stand && (asks == node || self.may_grant(asks, node))).then_some(term)
    }

    /// Whether the nodes for which `has` is true are a quorum of the newest configuration in the log of `node`.
    fn quorum_of(&self, node: NodeId, has: impl Fn(NodeId) -> bool) -> bool {
        let newest = self.nodes[node as usize].log.iter().rev().find_map(|entry| entry.config).unwrap_or(0);
        let sets = &self.bounds.configs[newest as usize];
        sets.iter().all(|set| set.iter().filter(|voter| has(**voter)).count() > set.len() / 2)
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Tick => self.tick(None),
            Action::TickSuspended { node } => self.tick(Some(node)),
            Action::Append { from, to } => {
                let ack = self.append(from, to);
                self.acked(ack);
            }
            Action::Heartbeat { from, to } => {
                let ack = self.accept(from, to);
                self.acked(ack);
            }
            Action::AppendLate { from, to } => {
                let ack = self.append(from, to);
                self.acks.push(ack);
                self.acks.sort();
            }
            Action::AppendLost { from, to } => {
                self.note_sent(from, to);
            }
            Action::AckArrives { index } => {
                let ack = self.acks.remove(index as usize);
                self.acked(ack);
            }
            Action::Stand { node, asks } => self.elect(node, asks),
            Action::Restart { node } => self.restart(node),
            Action::Transfer { from } => self.begin_transfer(from),
            Action::TransferHeard { node } => {
                let (term, heard) = self.transfer.as_mut().expect("there is a transfer to hear of");
                heard[node as usize] = true;
                self.nodes[node as usize].grantor.transferred(*term);
            }
            Action::ProposeConfig { leader } => self.propose_config(leader),
            Action::ConfirmBegins { leader, asks } => {
                let node = &self.nodes[leader as usize];
                self.confirm = Some(Confirm { leader, captured: node.word.generation(), sent_ms: node.clock_ms });
                self.confirms += 1;
                self.append(leader, asks);
            }
            Action::ConfirmEnds => self.end_confirm(),
            Action::ReadBegins { node } => {
                self.reads += 1;
                self.read = Some(Read { node, floor: self.acknowledged, checked: false, viewed: None });
            }
            Action::ReadChecks => {
                let node = self.read.expect("there is a read").node;
                if self.has_lease(node) {
                    self.read.as_mut().expect("there is a read").checked = true;
                    self.finish_read();
                } else {
                    self.read = None;
                }
            }
            Action::ReadViews => {
                let read = self.read.as_mut().expect("there is a read");
                read.viewed = Some(self.nodes[read.node as usize].applied);
                self.finish_read();
            }
        }
    }

    fn tick(&mut self, suspended: Option<NodeId>) {
        self.ticks += 1;
        for (id, node) in self.nodes.iter_mut().enumerate() {
            if suspended != Some(id as NodeId) {
                node.clock_ms += self.bounds.rates[id];
            }
        }
    }

    /// `to` accepts the whole log of `from`, sent now, and learns how much of it is committed.
    fn append(&mut self, from: NodeId, to: NodeId) -> Ack {
        let ack = self.accept(from, to);
        let (log, applied) = (self.nodes[from as usize].log.clone(), self.nodes[from as usize].applied);
        if !self.nodes[to as usize].log.starts_with(&log) {
            self.set_log(to, &log);
        }
        self.apply_up_to(to, applied);
        Ack { holds: log.len() as u8, ..ack }
    }

    /// `to` recognises `from` as its leader and promises; nothing is said about the log.
    fn accept(&mut self, from: NodeId, to: NodeId) -> Ack {
        self.note_sent(from, to);
        let Node { vote, clock_ms: sent_ms, .. } = self.nodes[from as usize];
        if self.nodes[to as usize].vote != vote {
            self.save_vote(to, vote);
        }
        let follower = &mut self.nodes[to as usize];
        let promised = follower.grantor.accepted(at(follower.clock_ms), &from, vote.term);
        let lease_ms = self.nodes[from as usize].lease_ms;
        let promised = match self.bounds.off {
            Some(Rule::PromiseOutlastsValidity | Rule::CountWhatWasPromised) => timing(lease_ms).promise(),
            Some(Rule::ValidityCoversSlew) => timing(LONG_LEASE_MS).promise(),
            _ => promised,
        };
        Ack { to: from, from: to, term: vote.term, sent_ms, promised, holds: 0 }
    }

    /// Remembers when the newest message was sent; nobody asks unless the rule is off, and then it would only
    /// tell equal states apart.
    fn note_sent(&mut self, from: NodeId, to: NodeId) {
        if self.is_off(Rule::PairAcknowledgements) {
            let leader = &mut self.nodes[from as usize];
            leader.sent[to as usize] = leader.clock_ms;
        }
    }

    fn acked(&mut self, ack: Ack) {
        let leader = &self.nodes[ack.to as usize];
        if !leader.leads || leader.vote.term != ack.term {
            return;
        }
        let sent_ms = match self.bounds.off {
            Some(Rule::AnchorAtSendTime) => leader.clock_ms,
            Some(Rule::PairAcknowledgements) => leader.sent[ack.from as usize],
            _ => ack.sent_ms,
        };
        self.feed(ack.to, |holder| holder.acked(ack.term, &ack.from, at(sent_ms), ack.promised));
        let matched = &mut self.nodes[ack.to as usize].matched[ack.from as usize];
        *matched = ack.holds.max(*matched);
        self.commit(ack.to);
    }

    /// Commits what a quorum holds, applies it and tells the clients.
    fn commit(&mut self, leader: NodeId) {
        let node = &self.nodes[leader as usize];
        let committed = (1..=node.log.len() as u8)
            .filter(|index| node.log[*index as usize - 1].term == node.vote.term)
            .rfind(|index| self.quorum_of(leader, |other| other == leader || node.matched[other as usize] >= *index));
        if let Some(committed) = committed {
            self.apply_up_to(leader, committed);
            self.acknowledged = self.acknowledged.max(committed);
        }
    }

    fn apply_up_to(&mut self, node: NodeId, index: u8) {
        while self.nodes[node as usize].applied < index.min(self.nodes[node as usize].log.len() as u8) {
            let entry = self.nodes[node as usize].log[self.nodes[node as usize].applied as usize];
            self.nodes[node as usize].applied += 1;
            let applied = self.nodes[node as usize].applied;
            self.feed(node, |holder| {
                holder.own_term_applied(entry.term);
                if entry.config.is_some() {
                    holder.config_applied(applied as u64);
                }
            });
        }
    }

    /// Replaces the log, telling the holder of the configurations that go and come.
    fn set_log(&mut self, node: NodeId, log: &[Entry]) {
        let old = std::mem::replace(&mut self.nodes[node as usize].log, log.to_vec());
        let common = old.iter().zip(log).take_while(|(one, other)| one == other).count();
        if self.is_off(Rule::CountEveryConfiguration) {
            return;
        }
        let bounds = self.bounds.clone();
        self.feed(node, |holder| {
            holder.configs_truncated(common as u64 + 1);
            for (index, entry) in log.iter().enumerate().skip(common) {
                if let Some(config) = entry.config {
                    holder.config_appended(index as u64 + 1, voters(&bounds, config));
                }
            }
        });
    }

    fn push(&mut self, leader: NodeId, config: Option<u8>) {
        let mut log = self.nodes[leader as usize].log.clone();
        log.push(Entry { term: self.nodes[leader as usize].vote.term, config });
        self.set_log(leader, &log);
        self.commit(leader);
    }

    fn elect(&mut self, node: NodeId, asks: NodeId) {
        let term = self.election(node, asks).expect("the election is possible");
        let mut vote = Vote { term, node, committed: false };
        self.save_vote(node, vote);
        if asks != node {
            self.save_vote(asks, vote);
        }
        vote.committed = true;
        self.save_vote(node, vote);
        let leader = &mut self.nodes[node as usize];
        leader.leads = true;
        leader.is_transferring = false;
        leader.matched = [0; NODES];
        if self.is_off(Rule::OwnTermGate) {
            self.feed(node, |holder| holder.own_term_applied(term));
        }
        self.push(node, None);
    }

    fn restart(&mut self, node: NodeId) {
        self.restarts += 1;
        let off = self.bounds.off;
        let bounds = self.bounds.clone();
        let old = &self.nodes[node as usize];
        let configs = old.configs(&bounds);
        let last_vote_for = match off {
            Some(Rule::HoldOffUnlessFollowedNobody) => None,
            _ => (old.vote.term > 0).then_some(old.vote.node),
        };
        let outstanding = match off {
            Some(Rule::HoldOffAfterRestart) => Outstanding::Impossible,
            _ => Outstanding::judge(&node, configs.iter().map(|(_, voters)| voters), last_vote_for.as_ref()),
        };
        let lease_ms = bounds.restarted_lease_ms;
        let mut fresh = Node::new(node, lease_ms, &bounds);
        let promised_before = match off {
            Some(Rule::HoldOffForThePromiseBefore) => Duration::ZERO,
            _ => timing(old.longest_lease_ms).promise(),
        };
        fresh.longest_lease_ms = old.longest_lease_ms.max(lease_ms);
        let timing = grantor_timing(lease_ms, &bounds);
        fresh.grantor = Grantor::start(timing, at(old.clock_ms), outstanding, promised_before);
        fresh.holder = Holder::new(node, holder_timing(lease_ms, &bounds), configs);
        fresh.published = (fresh.holder.generation(), fresh.holder.deadline());
        fresh.clock_ms = old.clock_ms;
        fresh.vote = old.vote;
        fresh.log = old.log.clone();
        fresh.applied = old.applied;
        self.nodes[node as usize] = fresh;
        self.read = self.read.filter(|read| read.node != node);
        self.confirm = self.confirm.filter(|confirm| confirm.leader != node);
    }

    fn begin_transfer(&mut self, from: NodeId) {
        self.transfers += 1;
        if !self.is_off(Rule::TransferRevokes) {
            self.feed(from, |holder| holder.transfer_started());
        }
        let term = self.nodes[from as usize].vote.term;
        if self.is_off(Rule::NoLeaseAfterTransfer) {
            // What a tracker without memory would do: revoke once, then go on counting acknowledgements.
            let bounds = self.bounds.clone();
            let configs = self.nodes[from as usize].configs(&bounds);
            let lease_ms = self.nodes[from as usize].lease_ms;
            self.feed(from, |holder| {
                *holder = Holder::new(from, timing(lease_ms), configs);
                holder.vote_saved(Vote { term, node: from, committed: true });
                holder.own_term_applied(term);
            });
        }
        self.nodes[from as usize].is_transferring = true;
        self.transfer = Some((term, [false; NODES]));
    }

    fn propose_config(&mut self, leader: NodeId) {
        let next = self.next_config(leader).expect("there is a next configuration");
        self.push(leader, Some(next));
    }

    /// The next configuration that `leader` may propose: the one after the newest in its log, once that is applied.
    fn next_config(&self, leader: NodeId) -> Option<u8> {
        let node = &self.nodes[leader as usize];
        let newest = node.log.iter().rev().find_map(|entry| entry.config).unwrap_or(0);
        let is_settled = node.applied as usize == node.log.len() && !node.is_transferring;
        (is_settled && (newest as usize) + 1 < self.bounds.configs.len()).then_some(newest + 1)
    }

    fn end_confirm(&mut self) {
        let confirm = self.confirm.take().expect("there is a confirmation to end");
        let is_off = self.is_off(Rule::GenerationBeforeOperation);
        let node = &mut self.nodes[confirm.leader as usize];
        let captured = if is_off { node.word.generation() } else { confirm.captured };
        if let Some(renewed) = node.word.renewed(captured, at(confirm.sent_ms).plus(timing(node.lease_ms).validity())) {
            node.word = renewed;
        }
    }

    fn finish_read(&mut self) {
        if let Some(Read { checked: true, viewed: Some(viewed), floor, .. }) = self.read {
            self.stale_read |= viewed < floor;
            self.read = None;
        }
    }

    fn leader_actions(&self, leader: NodeId, actions: &mut Vec<Action>) {
        let node = &self.nodes[leader as usize];
        for other in (0..NODES as NodeId).filter(|other| *other != leader) {
            if self.nodes[other as usize].vote.term <= node.vote.term {
                actions.push(Action::Append { from: leader, to: other });
                actions.push(Action::Heartbeat { from: leader, to: other });
                if self.acks.len() < self.bounds.late_acks as usize {
                    actions.push(Action::AppendLate { from: leader, to: other });
                }
                let has_quorum = self.quorum_of(leader, |voter| voter == leader || voter == other);
                let may_confirm = self.confirm.is_none() && self.confirms < self.bounds.confirms && has_quorum;
                if may_confirm && node.holder.may_hold() {
                    actions.push(Action::ConfirmBegins { leader, asks: other });
                }
            }
            if self.is_off(Rule::PairAcknowledgements) {
                actions.push(Action::AppendLost { from: leader, to: other });
            }
        }
        if self.transfers < self.bounds.transfers && !node.is_transferring {
            actions.push(Action::Transfer { from: leader });
        }
        if self.next_config(leader).is_some() {
            actions.push(Action::ProposeConfig { leader });
        }
    }

    fn node_actions(&self, node: NodeId, actions: &mut Vec<Action>) {
        for asks in 0..NODES as NodeId {
            if self.election(node, asks).is_some() {
                actions.push(Action::Stand { node, asks });
            }
        }
        if self.restarts < self.bounds.restarts {
            actions.push(Action::Restart { node });
        }
        if self
            .transfer
            .is_some_and(|(term, heard)| !heard[node as usize] && self.nodes[node as usize].vote.term <= term)
        {
            actions.push(Action::TransferHeard { node });
        }
        if self.read.is_none() && self.reads < self.bounds.reads {
            actions.push(Action::ReadBegins { node });
        }
    }

    fn read_actions(&self, read: Read, actions: &mut Vec<Action>) {
        let view_first = self.is_off(Rule::CheckBeforeView);
        let may_check = !read.checked && (!view_first || read.viewed.is_some());
        let may_view = read.viewed.is_none() && (view_first || read.checked);
        if may_check {
            actions.push(Action::ReadChecks);
        }
        if may_view {
            actions.push(Action::ReadViews);
        }
    }
}

impl Node {
    fn new(id: NodeId, lease_ms: u16, bounds: &Bounds) -> Node {
        let holder = Holder::new(id, holder_timing(lease_ms, bounds), [(0, voters(bounds, 0))]);
        let timing = grantor_timing(lease_ms, bounds);
        Node {
            clock_ms: 0,
            lease_ms,
            longest_lease_ms: lease_ms,
            vote: Vote { term: 0, node: id, committed: false },
            log: Vec::new(),
            applied: 0,
            leads: false,
            is_transferring: false,
            matched: [0; NODES],
            sent: [0; NODES],
            published: (holder.generation(), holder.deadline()),
            holder,
            word: Word::REVOKED,
            grantor: Grantor::start(timing, Moment::NEVER, Outstanding::Impossible, Duration::ZERO),
        }
    }

    /// The configurations that may be active, as this node would find them on its disk.
    fn configs(&self, bounds: &Bounds) -> Vec<(u64, Voters<NodeId>)> {
        let mut configs = vec![(0, voters(bounds, 0))];
        for (position, entry) in self.log.iter().enumerate() {
            if let Some(config) = entry.config {
                let index = position as u64 + 1;
                if index <= self.applied as u64 {
                    configs.clear();
                }
                configs.push((index, voters(bounds, config)));
            }
        }
        configs
    }
}

fn voters(bounds: &Bounds, config: u8) -> Voters<NodeId> {
    Voters::joint(bounds.configs[config as usize].iter().cloned())
}

fn grantor_timing(lease_ms: u16, bounds: &Bounds) -> Timing {
    timing(if bounds.off == Some(Rule::PromiseOutlastsValidity) { SHORT_LEASE_MS } else { lease_ms })
}

fn holder_timing(lease_ms: u16, bounds: &Bounds) -> Timing {
    timing(if bounds.off == Some(Rule::ValidityCoversSlew) { LONG_LEASE_MS } else { lease_ms })
}

impl Model for World {
    type Action = Action;

    fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.ticks < self.bounds.ticks {
            actions.push(Action::Tick);
            if self.is_off(Rule::ClockCountsSuspend) {
                actions.extend((0..NODES as NodeId).map(|node| Action::TickSuspended { node }));
            }
        }
        for leader in self.leaders() {
            self.leader_actions(leader, &mut actions);
        }
        for node in 0..NODES as NodeId {
            self.node_actions(node, &mut actions);
        }
        actions.extend((0..self.acks.len() as u8).map(|index| Action::AckArrives { index }));
        if self.confirm.is_some() {
            actions.push(Action::ConfirmEnds);
        }
        if let Some(read) = self.read {
            self.read_actions(read, &mut actions);
        }
        actions
    }

    fn after(&self, action: Action) -> World {
        let mut world = self.clone();
        world.apply(action);
        world
    }

    /// No two leases are valid; a node that has one has applied all that anyone was told of; no read was stale.
    fn violation(&self) -> Option<String> {
        let holders: Vec<NodeId> = (0..NODES as NodeId).filter(|node| self.has_lease(*node)).collect();
        if holders.len() > 1 {
            return Some(format!("nodes {holders:?} have leases at once"));
        }
        for node in holders {
            let applied = self.nodes[node as usize].applied;
            if applied < self.acknowledged {
                let acknowledged = self.acknowledged;
                return Some(format!("node {node} would answer from entry {applied} of {acknowledged} acknowledged"));
            }
        }
        self.stale_read.then(|| "a read returned less than was acknowledged before it began".to_owned())
    }
}
