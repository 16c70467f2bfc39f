//! `dynamo-server recover`: the survivors of a lost majority become a cluster of their own.
//!
//! The last resort, when so many disks are lost for good that no majority will ever answer again. Each survivor's directory
//! is changed while its server is down, with the same list of survivors:
//!
//! - In every group the survivors become the only members, all of them voters ([`remake`]). Started,
//!   they elect whoever has most of each shard.
//! - The cluster gets another number, the same on every survivor: a hash of the old number and of the survivors with their
//!   incarnations. A greeting compares these numbers, so no node of the old cluster, should it come back, can vote,
//!   acknowledge or lead here, nor any survivor there.
//!
//! What only the lost nodes held is gone: nobody can know what that is. So without the new number as a confirmation the
//! command only says how far the logs go here and changes nothing. It may be interrupted: a directory in between is refused
//! by servers, and the same command goes on; where it was done already, it says so and changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use shard_router::{ShardId, ShardMap};

use crate::client::print;
use crate::env::{Identity, Stores};
use crate::fnv;
use crate::log_output::say;
use crate::raft::types::Member;
use crate::raft::{RecoveredGroup, remake};

/// Does what was asked for and prints what is, and what may be lost; 0 when the directory is changed.
pub fn run(data_dir: &Path, survivors: &[u64], confirm: Option<&str>) -> ExitCode {
    match recover(data_dir, survivors, confirm) {
        Ok(Outcome::Done(text)) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Ok(Outcome::Asked(text)) => {
            print(&text);
            ExitCode::FAILURE
        }
        Err(reason) => {
            say(&format!("dynamo-server: {reason}"));
            ExitCode::FAILURE
        }
    }
}

/// What came of it, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// The directory is changed.
    Done(String),
    /// Nothing is changed: this is what would be.
    Asked(String),
}

fn recover(data_dir: &Path, survivors: &[u64], confirm: Option<&str>) -> Result<Outcome, String> {
    if !data_dir.join("node").exists() {
        return Err(format!("{} is no data directory of a node", data_dir.display()));
    }
    let stores = Stores::open_to_recover(data_dir).map_err(|error| error.to_string())?;
    let plan = Plan::of(&stores, survivors)?;
    let begun = stores.directory.as_ref().map(|directory| directory.recovery()).transpose();
    let begun = begun.map_err(|error| error.to_string())?.flatten();
    if begun.as_ref() == Some(&plan.old_number()) {
        // Interrupted after its last step but one: the directory is changed, and its mark is left.
        plan.end(&stores, &plan.old)?;
        return plan.is_done_already(confirm);
    }
    if begun.is_none() && plan.lost.is_empty() {
        return plan.is_done_already(confirm);
    }
    if let Some(begun) = begun.filter(|begun| *begun != plan.number()) {
        return Err(format!("a recovery to cluster {begun} was begun here: name the same survivors as then"));
    }
    match confirm {
        None => Ok(Outcome::Asked(plan.warning())),
        Some(number) if number == plan.number() => {
            plan.carry_out(&stores)?;
            Ok(Outcome::Done(plan.farewell()))
        }
        Some(_) => Err(format!(
            "the number of the new cluster is {}: look again at what a run without --confirm says",
            plan.number()
        )),
    }
}

/// What is to become of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    /// The node's identity before.
    old: Identity,
    /// The number of the cluster that the survivors become.
    new_cluster: u128,
    /// Its members, by number.
    survivors: BTreeMap<u64, Member>,
    /// Those that are no members any more.
    lost: BTreeMap<u64, Member>,
    /// How far each shard's log goes here: term and index, if there is any.
    ends: BTreeMap<u32, Option<(u64, u64)>>,
}

impl Plan {
    fn of(stores: &Stores, survivors: &[u64]) -> Result<Plan, String> {
        let old = stores.identity.clone().ok_or("the data directory has no identity")?;
        let map = ShardMap::even(old.shards as usize).ok_or("the data directory has no shards")?;
        let groups = groups(stores, &Arc::new(map))?;
        let mut members: BTreeMap<u64, Member> = BTreeMap::new();
        for group in &groups {
            members.extend(group.members());
        }
        if members.get(&old.node_id).is_none_or(|member| member.address.is_empty()) {
            return Err(format!(
                "node {} is alone, or no member of its cluster: there is nothing to recover",
                old.node_id
            ));
        }
        if !survivors.contains(&old.node_id) {
            return Err(format!("this is node {}, and it is not among the survivors", old.node_id));
        }
        if let Some(stranger) = survivors.iter().find(|node| !members.contains_key(node)) {
            return Err(format!("node {stranger} is no member: the members are {}", list(members.keys())));
        }
        let (survivors, lost): (BTreeMap<_, _>, BTreeMap<_, _>) =
            members.into_iter().partition(|(node, _)| survivors.contains(node));
        let mut text = format!("{:032x} is left to ", old.cluster_id);
        for (node, member) in &survivors {
            let _ = write!(text, "{node}={}/{:016x},", member.address, member.incarnation);
        }
        let ends = groups.iter().map(|group| (group.shard().0, group.last()));
        let ends = ends.map(|(shard, last)| (shard, last.map(|last| (last.committed_leader_id().term, last.index()))));
        Ok(Plan { new_cluster: fnv::hash_128(&text), survivors, lost, ends: ends.collect(), old })
    }

    /// Nobody is lost: the survivors are the members, by an earlier run of the same command perhaps.
    fn is_done_already(&self, confirm: Option<&str>) -> Result<Outcome, String> {
        let number = self.old_number();
        let what = format!(
            "node {} belongs to cluster {number}, whose only members are node {}: there is nothing to recover",
            self.old.node_id,
            list(self.survivors.keys())
        );
        match confirm {
            Some(confirm) if confirm != number => Err(format!("{what}, and that is not the cluster {confirm}")),
            _ => Ok(Outcome::Done(format!("{what} (any more)"))),
        }
    }

    fn old_number(&self) -> String {
        format!("{:032x}", self.old.cluster_id)
    }

    fn number(&self) -> String {
        format!("{:032x}", self.new_cluster)
    }

    fn warning(&self) -> String {
        let (survivors, lost) = (list(self.survivors.keys()), list(self.lost.keys()));
        let mut text = format!(
            "NOTHING IS CHANGED YET. This makes node {survivors} a cluster of its own, and node {lost} is lost for ever.\n\n\
             Every write that was acknowledged by lost nodes and had not reached a survivor IS LOST, and so are parts of\n\
             transactions that were under way; a write that was never acknowledged may be there. Nobody can tell which: if one\n\
             of node {lost} may come back with its disk, wait for it instead.\n\n\
             This survivor is node {}. Its logs end so; each shard goes on from the survivor whose log goes furthest:\n",
            self.old.node_id
        );
        for (shard, end) in &self.ends {
            let _ = match end {
                Some((term, index)) => writeln!(text, "  shard {shard}: term {term}, entry {index}"),
                None => writeln!(text, "  shard {shard}: empty"),
            };
        }
        let _ = write!(
            text,
            "\nNode {lost} can never vote again: survivors belong to another cluster from then on. To go on, stop the servers \
             of\nnode {survivors} and run this on each of them with the same --survivors and\n  --confirm {}",
            self.number()
        );
        text
    }

    fn farewell(&self) -> String {
        format!(
            "node {} belongs to cluster {} now, with node {}. Do the same on each of them, then start them as before; let new \
             nodes join for the lost ones, whose data directories must never be used again",
            self.old.node_id,
            self.number(),
            list(self.survivors.keys())
        )
    }

    fn carry_out(&self, stores: &Stores) -> Result<(), String> {
        let directory = stores.directory.as_ref().ok_or("there is no data directory")?;
        directory.begin_recovery(&self.number()).map_err(|error| error.to_string())?;
        for shard in self.ends.keys() {
            remake::remake(&stores.log, &*stores.state, ShardId(*shard), &self.survivors)
                .map_err(|error| format!("shard {shard}: {error}; run this again"))?;
        }
        let identity = Identity { cluster_id: self.new_cluster, ..self.old.clone() };
        self.end(stores, &identity)
    }

    fn end(&self, stores: &Stores, identity: &Identity) -> Result<(), String> {
        let directory = stores.directory.as_ref().ok_or("there is no data directory")?;
        directory.end_recovery(identity).map_err(|error| error.to_string())
    }
}

fn groups(stores: &Stores, map: &Arc<ShardMap>) -> Result<Vec<RecoveredGroup>, String> {
    let read = |shard| RecoveredGroup::read(shard, map, &stores.log, &*stores.state);
    map.shards().into_keys().map(read).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn list<'a>(nodes: impl Iterator<Item = &'a u64>) -> String {
    nodes.map(u64::to_string).collect::<Vec<_>>().join(", ")
}
