//! Asking a peer how it sees itself and its shards.
//!
//! ```text
//! request   nothing
//! response  node · cluster (16, BE) · incarnation (8, BE) · version · fault? · disk full (1) · n complaints · lease ms ·
//!           n shards
//!   shard     number · leads (1) · lease (1) · term · leader? · members · last? · committed? · applied? · n followers
//!   members   joint (1) · n voters, n learners: node · address · incarnation
//!   follower  node · matched? · heard (1)
//! ```

use dynamo_engine::record;

use super::Rpc;
use crate::raft::{Follower, GroupOverview, Members};

/// A node, as it sees itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its number.
    pub node: u64,
    /// The number of its cluster.
    pub cluster_id: u128,
    /// Drawn when its data was made.
    pub incarnation: u64,
    /// The version of its program.
    pub version: String,
    /// The fault that stopped it.
    pub stopped: Option<String>,
    /// Whether it refuses writes because its disk is full.
    pub disk_full: bool,
    /// What else keeps it from something, one sentence each: see `Impairment` in `dynamo-server/src/cluster/status/health.rs`.
    pub complaints: Vec<String>,
    /// For how long it promises a leader not to elect another, in milliseconds.
    pub lease_ms: u64,
    /// Its shards, in their order.
    pub shards: Vec<ShardStatus>,
}

/// A shard on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardStatus {
    /// Its number.
    pub shard: u32,
    /// Whether the node leads it, with everything inherited applied.
    pub leads: bool,
    /// Whether a lease lets the node's reads through right now.
    pub has_lease: bool,
    /// Where its group stands on the node.
    pub group: GroupOverview,
}

/// The service; anybody may ask.
pub struct Status;

impl Rpc for Status {
    const KIND: u8 = 42;
    type Request<'a> = ();
    type Received = ();
    type Response = NodeStatus;
}

record! {
    struct NodeStatus {
        node, cluster_id, incarnation be, version, stopped, disk_full, complaints, lease_ms, shards,
    }
    struct ShardStatus { shard, leads, has_lease, group }
    struct GroupOverview { term, leader, members, last, committed, applied, followers }
    struct Members { is_joint, voters, learners }
    struct Follower { matched, is_heard }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::raft::types::Member;

    use super::super::rpc::assert_read_back;
    use super::*;

    #[test]
    fn a_status_is_read_back_and_cut_ones_refused() {
        let group = GroupOverview {
            term: 7,
            leader: Some(1),
            members: Members {
                voters: BTreeMap::from([(1, Member::new("a:1", 7)), (2, Member::new("b:2", 300))]),
                learners: BTreeMap::from([(3, Member::new("c:3", 9))]),
                is_joint: true,
            },
            last: Some(300),
            committed: Some(299),
            applied: None,
            followers: BTreeMap::from([(2, Follower { matched: Some(298), is_heard: true }), (3, Follower::default())]),
        };
        let status = NodeStatus {
            node: 1,
            cluster_id: 0xfeed,
            incarnation: 9,
            version: "0.1.0".to_owned(),
            stopped: Some("the disk".to_owned()),
            disk_full: true,
            complaints: vec!["shard 3 is quarantined".to_owned()],
            lease_ms: 1_000,
            shards: vec![ShardStatus::default(), ShardStatus { shard: 15, leads: true, has_lease: false, group }],
        };
        assert_read_back(&status);
    }
}
