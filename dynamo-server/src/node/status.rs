//! What a node says about itself and its shards when the status of the cluster is asked for.

use super::Node;
use crate::env::Env;
use crate::peer::status::{NodeStatus, ShardStatus};
use crate::shard::Shard;

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
