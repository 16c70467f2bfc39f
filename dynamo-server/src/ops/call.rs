//! A request that is being carried out.

use std::sync::Arc;

use bytes::Bytes;
use dynamo_engine::context::RequestContext;
use dynamo_protocol::json::Room;
use dynamo_protocol::ops::Operation;
use parking_lot::Mutex;

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
    /// The room that the answer has taken, once it is large; it counts until the client has it.
    pub room: Mutex<Option<Arc<dyn Room>>>,
}

impl<E: Env> Call<'_, E> {
    /// Leaves the answer's room for whoever sends it.
    pub(super) fn keep_room(&self, room: Option<Arc<dyn Room>>) {
        if room.is_some() {
            *self.room.lock() = room;
        }
    }

    /// The context with the time of day.
    pub(super) fn dated(&self) -> RequestContext<'_> {
        RequestContext { now_ms: self.node.router.wall_ms(), ..self.context.clone() }
    }
}
