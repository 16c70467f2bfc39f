//! The guard through the public API: real servers in this process, raw HTTP, faults injected shard by shard.

mod cluster;
mod errors;
mod hits;
mod pauses;
pub(crate) mod rig;
