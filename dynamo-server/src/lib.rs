//! An open database that speaks the DynamoDB API: durable single node, in-memory, or a cluster

pub mod env;
pub mod guard;
pub mod node;
pub mod raft;
pub mod shard;
