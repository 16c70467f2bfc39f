//! A request that is being carried out.

use bytes::Bytes;
use dynamo_engine::context::RequestContext;
use dynamo_protocol::ops::Operation;

use crate::env::Env;
use crate::node::Node;
use crate::shard::Deadline;

/// One request on its way: what the envelope said, and the one deadline that all of its steps share.
pub struct Call<'a, E: Env> {
    /// The node that received it.
    pub node: &'a Node<E>,
    /// What is asked.
    pub operation: Operation,
    /// Region and account, for ARNs.
    pub context: &'a RequestContext<'a>,
    /// The `Host` header: the address under which the caller knows this server.
    pub host: &'a str,
    /// The request's JSON.
    pub body: &'a Bytes,
    /// When it must have been answered.
    pub deadline: Deadline,
}

impl<E: Env> Call<'_, E> {
    /// The context with the time of day.
    pub(super) fn dated(&self) -> RequestContext<'_> {
        RequestContext { now_ms: self.node.router.wall_ms(), ..self.context.clone() }
    }
}
