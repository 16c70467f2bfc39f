//! What a node is told of its cluster when it starts.

use std::collections::BTreeMap;

use crate::fnv;

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
