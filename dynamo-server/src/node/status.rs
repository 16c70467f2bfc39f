//! What a node says about itself and its shards when the status of the cluster is asked for.

use super::Node;
use crate::env::Env;
use crate::raft::GroupOverview;
use crate::shard::Shard;

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
    /// What else keeps it from something, one sentence each: see [`Impairment`](super::Impairment).
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

impl<E: Env> Node<E> {
    /// How this node sees itself at this moment.
    pub fn status(&self) -> NodeStatus {
        let health = self.health();
        NodeStatus {
            node: self.identity.node_id,
            cluster_id: self.identity.cluster_id,
            incarnation: self.identity.incarnation,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stopped: health.stopped().map(str::to_owned),
            disk_full: health.is_disk_full(),
            complaints: health.complaints(),
            lease_ms: u64::try_from(self.system().group().lease().promise_length().as_millis()).unwrap_or(u64::MAX),
            shards: self.shards.iter().map(|shard| shard_status(shard)).collect(),
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
