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

use std::collections::BTreeMap;

use bytes::Bytes;
use dynamo_engine::codec::{
    DecodeError, get_bool, get_list, get_option, get_str, get_u32, get_u64, put_bool, put_list, put_option, put_str,
    put_u64,
};

use super::Rpc;
use super::rpc::{Decode, Encode};
use crate::raft::types::Member;
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
    /// What else keeps it from something, one sentence each: see `Impairment` in `dynamo-server/src/node/health.rs`.
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

impl Encode for NodeStatus {
    fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.node);
        out.extend_from_slice(&self.cluster_id.to_be_bytes());
        out.extend_from_slice(&self.incarnation.to_be_bytes());
        put_str(out, &self.version);
        put_option(out, self.stopped.as_ref(), |out, reason| put_str(out, reason));
        put_bool(out, self.disk_full);
        put_list(out, &self.complaints, |out, complaint| put_str(out, complaint));
        put_u64(out, self.lease_ms);
        put_list(out, &self.shards, put_shard);
    }
}

impl Decode for NodeStatus {
    fn decode(input: &mut &[u8], _message: &Bytes) -> Result<NodeStatus, DecodeError> {
        Ok(NodeStatus {
            node: get_u64(input)?,
            cluster_id: u128::from_be_bytes(get_array(input)?),
            incarnation: u64::from_be_bytes(get_array(input)?),
            version: get_str(input)?,
            stopped: get_option(input, get_str)?,
            disk_full: get_bool(input)?,
            complaints: get_list(input, get_str)?,
            lease_ms: get_u64(input)?,
            shards: get_list(input, get_shard)?,
        })
    }
}

fn get_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (array, rest) = input.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
    *input = rest;
    Ok(*array)
}

fn put_shard(out: &mut Vec<u8>, shard: &ShardStatus) {
    let ShardStatus { shard, leads, has_lease, group } = shard;
    put_u64(out, u64::from(*shard));
    put_bool(out, *leads);
    put_bool(out, *has_lease);
    put_u64(out, group.term);
    put_number(out, group.leader);
    put_bool(out, group.members.is_joint);
    put_members(out, &group.members.voters);
    put_members(out, &group.members.learners);
    put_number(out, group.last);
    put_number(out, group.committed);
    put_number(out, group.applied);
    let followers: Vec<_> = group.followers.iter().collect();
    put_list(out, &followers, |out, (node, follower)| {
        put_u64(out, **node);
        put_number(out, follower.matched);
        put_bool(out, follower.is_heard);
    });
}

fn get_shard(input: &mut &[u8]) -> Result<ShardStatus, DecodeError> {
    let (shard, leads, has_lease) = (get_u32(input)?, get_bool(input)?, get_bool(input)?);
    let (term, leader) = (get_u64(input)?, get_option(input, get_u64)?);
    let is_joint = get_bool(input)?;
    let members = Members { is_joint, voters: get_members(input)?, learners: get_members(input)? };
    let (last, committed) = (get_option(input, get_u64)?, get_option(input, get_u64)?);
    let applied = get_option(input, get_u64)?;
    let followers = get_list(input, |input| {
        let node = get_u64(input)?;
        Ok((node, Follower { matched: get_option(input, get_u64)?, is_heard: get_bool(input)? }))
    })?;
    let followers = followers.into_iter().collect();
    let group = GroupOverview { term, leader, members, last, committed, applied, followers };
    Ok(ShardStatus { shard, leads, has_lease, group })
}

fn put_number(out: &mut Vec<u8>, number: Option<u64>) {
    put_option(out, number.as_ref(), |out, number| put_u64(out, *number));
}

fn put_members(out: &mut Vec<u8>, members: &BTreeMap<u64, Member>) {
    let members: Vec<_> = members.iter().collect();
    put_list(out, &members, |out, (node, member)| {
        put_u64(out, **node);
        put_str(out, &member.address);
        put_u64(out, member.incarnation);
    });
}

fn get_members(input: &mut &[u8]) -> Result<BTreeMap<u64, Member>, DecodeError> {
    let get_member = |input: &mut &[u8]| Ok((get_u64(input)?, Member::new(get_str(input)?, get_u64(input)?)));
    Ok(get_list(input, get_member)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
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
            shards: vec![ShardStatus { shard: 15, leads: true, has_lease: false, group }, ShardStatus::default()],
        };
        assert_read_back(&status);
    }
}
