//! Telling the other members that this node's disk has too little room, and letting them lead: see [`room`](crate::shard::room).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use shard_router::ShardId;

use crate::env::{Env, PeriodicTask};
use crate::peer::TellRoom;
use crate::peer::room::Room;
use crate::router::Router;
use crate::shard::Deadline;
use crate::shard::room::TOLD_FOR;

/// How often it is said.
const INTERVAL: Duration = Duration::from_secs(1);

/// Rounds that a node has been short before it hands over: by then it has heard of the others that are short, too.
const ROUNDS_BEFORE_HAND_OVER: u32 = 2;

/// How long a shard is left alone after a leadership was to be handed over: a leader whose transfer came to nothing takes
/// no proposals until the next election.
const REST: Duration = Duration::from_secs(10);

const _: () = assert!(INTERVAL.as_millis() * 4 < TOLD_FOR.as_millis(), "one lost message changes nothing");

/// The task that tells while there is something to tell.
pub(super) struct RoomSharing<E: Env> {
    /// Knows the room here, and the peers that are told.
    router: Arc<Router<E>>,
    /// Looks in a row that found too little room.
    rounds_short: u32,
    /// When a shard was last offered to another node.
    tried_ns: BTreeMap<u32, u64>,
}

impl<E: Env> RoomSharing<E> {
    /// That of a node.
    pub(super) fn new(router: Arc<Router<E>>) -> RoomSharing<E> {
        RoomSharing { router, rounds_short: 0, tried_ns: BTreeMap::new() }
    }
}

#[async_trait]
impl<E: Env> PeriodicTask for RoomSharing<E> {
    fn pause(&self) -> Duration {
        INTERVAL
    }

    async fn look(&mut self) {
        let is_short = self.router.room.is_short();
        if is_short || self.rounds_short > 0 {
            self.tell_peers(is_short).await;
        }
        self.rounds_short = if is_short { self.rounds_short.saturating_add(1) } else { 0 };
        if self.rounds_short > ROUNDS_BEFORE_HAND_OVER {
            self.hand_over().await;
        }
    }
}

impl<E: Env> RoomSharing<E> {
    async fn tell_peers(&self, is_short: bool) {
        let (me, members) = (self.router.me(), self.router.members());
        let room = Room { node: me, is_short };
        let deadline = Deadline::after::<E>(INTERVAL);
        let mut told = Vec::new();
        for peer in members.voters.keys().chain(members.learners.keys()).filter(|peer| **peer != me) {
            told.push(self.router.call::<TellRoom>(*peer, ShardId(0), room, deadline));
        }
        // Whoever does not hear of it now does so in a moment.
        join_all(told).await;
    }

    /// Lets others lead what this node leads, as far as the shard does not rest.
    async fn hand_over(&mut self) {
        let now_ns = E::monotonic_ns();
        self.tried_ns.retain(|_, since_ns| Duration::from_nanos(now_ns.saturating_sub(*since_ns)) < REST);
        for shard in self.router.led() {
            let number = shard.id().0;
            let successors = shard.group().overview().successors();
            let Some(to) = successors.into_iter().find(|to| !self.router.room.is_peer_short(*to)) else { continue };
            if self.tried_ns.contains_key(&number) {
                continue;
            }
            self.tried_ns.insert(number, now_ns);
            tracing::warn!(shard = number, to, "this node's disk has too little room: another one takes over");
            if let Err(error) = shard.group().transfer(to).await {
                tracing::warn!(shard = number, to, %error, "the leadership could not be handed over");
            }
        }
    }
}
