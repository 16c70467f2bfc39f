//! How a node is, for probes and people.

use std::fmt;

/// One shard on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardHealth {
    /// Its number.
    pub shard: u32,
    /// The term in which this node leads it, with everything inherited applied.
    pub leading_term: Option<u64>,
    /// The node that leads it, as far as is known.
    pub leader: Option<u64>,
    /// Whether reads are let through by a lease right now.
    pub has_lease: bool,
    /// The index behind the last applied entry.
    pub applied_next: u64,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether the process does what it should.
    pub live: bool,
    /// Whether requests can be served.
    pub ready: bool,
    /// The fault that stopped the node.
    pub stopped: Option<String>,
    /// Whether writes are refused because the disk is full.
    pub disk_full: bool,
    /// The shards on this node.
    pub shards: Vec<ShardHealth>,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stopped {
            Some(reason) => write!(f, "stopped: {reason}")?,
            None if self.ready => f.write_str("ready")?,
            None => f.write_str("not ready")?,
        }
        if self.disk_full {
            f.write_str("; writes are refused: the disk is full")?;
        }
        for shard in &self.shards {
            write!(f, "\nshard {}: applied {}", shard.shard, shard.applied_next)?;
            match (shard.leading_term, shard.leader) {
                (Some(term), _) => write!(f, ", leads term {term}")?,
                (None, Some(leader)) => write!(f, ", led by node {leader}")?,
                (None, None) => f.write_str(", no leader is known")?,
            }
            f.write_str(if shard.has_lease { ", lease" } else { ", no lease" })?;
        }
        Ok(())
    }
}
