//! Telling the other members that this node's disk has too little room, and letting them lead: see [`room`](super::room).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use shard_router::ShardId;

use super::Node;
use super::periodic::PeriodicTask;
use super::room::TOLD_FOR;
use crate::env::Env;
use crate::peer::TellRoom;
use crate::peer::room::Room;
use crate::shard::Deadline;

/// How often it is said.
const INTERVAL: Duration = Duration::from_secs(1);

/// Rounds that a node has been short before it hands over: by then it has heard of the others that are short, too.
const ROUNDS_BEFORE_HAND_OVER: u32 = 2;

/// How long a shard is left alone after a leadership was to be handed over: a leader whose transfer came to nothing takes
/// no proposals until the next election.
const REST: Duration = Duration::from_secs(10);

const _: () = assert!(INTERVAL.as_millis() * 4 < TOLD_FOR.as_millis(), "one lost message changes nothing");

/// The task that tells while there is something to tell.
#[derive(Default)]
pub(super) struct RoomSharing {
    /// Looks in a row that found too little room.
    rounds_short: u32,
    /// When a shard was last offered to another node.
    tried_ns: BTreeMap<u32, u64>,
}

#[async_trait]
impl<E: Env> PeriodicTask<E> for RoomSharing {
    fn pause(&self) -> Duration {
        INTERVAL
    }

    async fn look(&mut self, node: &Arc<Node<E>>) {
        let is_short = node.room.is_short();
        if is_short || self.rounds_short > 0 {
            node.tell_peers_of_room(is_short).await;
        }
        self.rounds_short = if is_short { self.rounds_short.saturating_add(1) } else { 0 };
        if self.rounds_short > ROUNDS_BEFORE_HAND_OVER {
            node.hand_over_to_those_with_room(&mut self.tried_ns).await;
        }
    }
}

impl<E: Env> Node<E> {
    /// Takes note of what a peer says about its disk.
    pub(super) fn peer_says_of_room(&self, said: Room) {
        self.room.peer_says(said.node, said.is_short, E::monotonic_ns());
    }

    async fn tell_peers_of_room(&self, is_short: bool) {
        let (me, members) = (self.identity.node_id, self.members());
        let room = Room { node: me, is_short };
        let deadline = Deadline::after::<E>(INTERVAL);
        let mut told = Vec::new();
        for peer in members.voters.keys().chain(members.learners.keys()).filter(|peer| **peer != me) {
            told.push(self.call::<TellRoom>(*peer, ShardId(0), room, deadline));
        }
        // Whoever does not hear of it now does so in a moment.
        join_all(told).await;
    }

    /// Lets others lead what this node leads; `tried_ns` says since when a shard rests.
    async fn hand_over_to_those_with_room(&self, tried_ns: &mut BTreeMap<u32, u64>) {
        let now_ns = E::monotonic_ns();
        tried_ns.retain(|_, since_ns| Duration::from_nanos(now_ns.saturating_sub(*since_ns)) < REST);
        for shard in self.shards.iter().filter(|shard| shard.group().lease().leading_term().is_some()) {
            let number = shard.id().0;
            let successors = shard.group().overview().successors();
            let Some(to) = successors.into_iter().find(|to| !self.room.is_peer_short(*to)) else { continue };
            if tried_ns.contains_key(&number) {
                continue;
            }
            tried_ns.insert(number, now_ns);
            tracing::warn!(shard = number, to, "this node's disk has too little room: another one takes over");
            if let Err(error) = shard.group().transfer(to).await {
                tracing::warn!(shard = number, to, %error, "the leadership could not be handed over");
            }
        }
    }
}
