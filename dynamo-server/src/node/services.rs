//! What other nodes ask of this one: who may ask, and what each service calls.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::codec::DecodeError;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::cluster::Cluster;
use crate::env::settings::{self, AgreedSettings};
use crate::env::{ANY_INCARNATION, Caller, Env, Identity, Introduction, PeerHost, Standing, Transport};
use crate::index::IndexRelay;
use crate::peer::{
    self, ChangeMembers, Compare, Fetch, Header, IndexWait, Join, PauseBalancing, Propose, ReadIndex, Rpc, Status,
    TellRoom, Transfer,
};
use crate::raft::ServeError;
use crate::raft::rules::{self, Rule};
use crate::raft::transport::message;
use crate::read::Reader;
use crate::router::Router;
use crate::shard::Deadline;

/// Why a peer gets no answer.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Replica(#[from] ServeError),
    #[error("a peer's request cannot be read: {0}")]
    Service(#[from] DecodeError),
    #[error("other data are meant than lie here")]
    NotMeant,
    #[error("node {node} asks for service {kind} and is no member")]
    NoMember { node: u64, kind: u8 },
}

/// What the transport knows of a node.
struct Front<E: Env> {
    /// Who this node is, for whoever greets it.
    identity: Identity,
    /// What answers; gone once the node is, though the transport may still hold this.
    services: Weak<Services<E>>,
}

impl<E: Env> PeerHost for Front<E> {
    fn introduce(&self, node: u64, incarnation: u64) -> Introduction {
        let me = self.services.upgrade();
        Introduction {
            identity: self.identity.clone(),
            has_data: me.as_ref().is_none_or(|me| me.router.has_data()),
            standing: me.map_or(Standing::Unknown, |me| me.router.standing_of(node, incarnation)),
        }
    }

    fn answer(&self, caller: Caller, request: Bytes) -> BoxFuture<'static, Option<Bytes>> {
        Box::pin(answer(Weak::clone(&self.services), caller, request))
    }

    fn hear_settings(&self, node: u64, settings: &AgreedSettings) {
        if let Some(me) = self.services.upgrade() {
            me.hear_settings(node, settings);
        }
    }
}

/// Peers of whose settings something is remembered; more than a cluster has, and no more than strangers may fill.
const HEARD_MAX: usize = 64;

/// A setting, the value here, the value there.
type Difference = (u8, u64, u64);

/// In what the settings of peers differ, as far as it was said.
#[derive(Debug, Default)]
struct HeardSettings(Mutex<BTreeMap<u64, Vec<Difference>>>);

impl HeardSettings {
    /// Whether these differences are others than were heard of the node before, and some.
    fn is_news(&self, node: u64, differences: &[Difference]) -> bool {
        let mut heard = self.0.lock();
        if differences.is_empty() {
            heard.remove(&node);
            return false;
        }
        if heard.len() >= HEARD_MAX && !heard.contains_key(&node) {
            heard.pop_first();
        }
        heard.insert(node, differences.to_vec()).is_none_or(|before| before != differences)
    }
}

/// What this node does for its peers.
pub(super) struct Services<E: Env> {
    /// Proposals, read indexes and Raft's own messages.
    router: Arc<Router<E>>,
    /// Rows that a peer's plan needs of shards led here.
    reader: Arc<Reader<E>>,
    /// Entries that a peer waits for.
    index: Arc<IndexRelay<E>>,
    /// Joins, changes of members, status, comparisons.
    cluster: Arc<Cluster<E>>,
    /// What this node expects its peers to be set up with, too.
    agreed: AgreedSettings,
    /// What was said of peers' settings.
    heard: HeardSettings,
}

impl<E: Env> Services<E> {
    /// By the parts of a node.
    pub(super) fn new(
        router: Arc<Router<E>>,
        reader: Arc<Reader<E>>,
        index: Arc<IndexRelay<E>>,
        cluster: Arc<Cluster<E>>,
        agreed: AgreedSettings,
    ) -> Services<E> {
        Services { router, reader, index, cluster, agreed, heard: HeardSettings::default() }
    }

    /// Answers peers from now on, until the last handle of the services is dropped.
    pub(super) fn listen(self: &Arc<Self>) {
        let identity = &self.router.identity;
        let front = Front { identity: identity.clone(), services: Arc::downgrade(self) };
        self.router.transport.listen(identity, Arc::new(front));
    }

    /// A peer has named its settings, as it does with each connection: where they differ from the ones here, that is said once
    /// for each difference.
    fn hear_settings(&self, node: u64, there: &AgreedSettings) {
        let differences = self.agreed.differences(there);
        if !self.heard.is_news(node, &differences) {
            return;
        }
        for (setting, here, there) in differences {
            let name = settings::name(setting);
            // No lease rests on it: each voter says for how long it promises.
            tracing::warn!("node {node} runs with {name} {there}, this one with {here}: they should be alike");
        }
    }

    async fn serve_peer(&self, caller: Caller, request: Bytes) -> Result<Option<Bytes>, Refusal> {
        if self.router.has_failed() {
            return Err(ServeError::Stopped.into());
        }
        let is_meant = caller.means == ANY_INCARNATION || caller.means == self.router.identity.incarnation;
        if !is_meant && rules::is_kept(Rule::Incarnations) {
            return Err(Refusal::NotMeant);
        }
        if peer::is_service(&request) {
            return Ok(Some(self.serve_request(caller, &request).await?));
        }
        let group = message::group_of(&request).map_err(ServeError::from)?;
        match self.router.shards.get(group as usize) {
            Some(shard) => Ok(Some(shard.group().serve(caller, request).await?)),
            None => Ok(None),
        }
    }

    async fn serve_request(&self, caller: Caller, request: &Bytes) -> Result<Bytes, Refusal> {
        let mut body = &request[..];
        let header = Header::decode(&mut body)?;
        if !self.may_ask(caller, &header) {
            return Err(Refusal::NoMember { node: caller.node, kind: header.kind });
        }
        self.router.observe_clock(header.clock);
        let body = &request.slice_ref(body);
        match header.kind {
            Propose::KIND => {
                self.respond::<Propose, _>(body, |commands| self.router.propose_for_peer(header, commands)).await
            }
            Fetch::KIND => self.respond::<Fetch, _>(body, |request| self.reader.fetch_for_peer(header, request)).await,
            IndexWait::KIND => {
                self.respond::<IndexWait, _>(body, |positions| self.index.wait_for_peers_entries(header, positions))
                    .await
            }
            ReadIndex::KIND => self.respond::<ReadIndex, _>(body, |()| self.router.read_index(header)).await,
            ChangeMembers::KIND => {
                self.respond::<ChangeMembers, _>(body, |change| self.cluster.change_members_for_peer(header, change))
                    .await
            }
            Status::KIND => self.respond::<Status, _>(body, |()| ready(self.cluster.status())).await,
            Transfer::KIND => {
                let deadline = Deadline::after::<E>(header.remaining);
                self.respond::<Transfer, _>(body, |to| self.cluster.transfer_here(header.shard, to, deadline)).await
            }
            Compare::KIND => {
                self.respond::<Compare, _>(body, |request| {
                    ready(self.cluster.comparison().take_part(header.shard, request))
                })
                .await
            }
            TellRoom::KIND => {
                self.respond::<TellRoom, _>(body, |room| {
                    self.router.room.peer_says(room.node, room.is_short, E::monotonic_ns());
                    ready(())
                })
                .await
            }
            PauseBalancing::KIND => {
                self.respond::<PauseBalancing, _>(body, |ms| {
                    self.cluster.pause_balancing(Duration::from_millis(ms));
                    ready(())
                })
                .await
            }
            // Boxed: it calls peers itself, and its future would contain itself otherwise.
            Join::KIND => {
                let join = |request| Box::pin(self.cluster.join_for_peer(caller, header, request));
                self.respond::<Join, _>(body, join).await
            }
            tag => Err(DecodeError::Tag { what: "service", tag }.into()),
        }
    }

    /// Reads a request, has it served, and makes the message of the response.
    async fn respond<R: Rpc, F: Future<Output = R::Response>>(
        &self,
        body: &Bytes,
        serve: impl FnOnce(R::Received) -> F,
    ) -> Result<Bytes, Refusal> {
        let response = serve(peer::whole(body)?).await;
        Ok(peer::response(self.router.clock_reading(), &response))
    }

    /// Whether a caller may ask for a service: its status anybody, to be added whoever asks for itself, everything else
    /// only members.
    fn may_ask(&self, caller: Caller, header: &Header) -> bool {
        if matches!(header.kind, Status::KIND | Join::KIND) {
            return true;
        }
        // As a rule the shard itself knows; while members change, some know more than others.
        let of_shard =
            self.router.shard(header.shard).map(|shard| shard.group().standing_of(caller.node, caller.incarnation));
        of_shard == Ok(Standing::Member) || self.router.standing_of(caller.node, caller.incarnation) == Standing::Member
    }
}

async fn answer<E: Env>(services: Weak<Services<E>>, caller: Caller, request: Bytes) -> Option<Bytes> {
    let services = services.upgrade()?;
    match services.serve_peer(caller, request).await {
        Ok(response) => response,
        Err(Refusal::Replica(ServeError::Stopped)) => None,
        // It asks again and again; the status of the cluster complains about it.
        Err(
            error @ (Refusal::NotMeant | Refusal::NoMember { .. } | Refusal::Replica(ServeError::OtherIncarnation(_))),
        ) => {
            tracing::debug!(%error, "a peer gets no answer");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "a peer gets no answer");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_said_once_until_it_is_another_one() {
        let heard = HeardSettings::default();
        let said =
            [[(1, 2, 3)], [(1, 2, 3)], [(1, 2, 4)], [(1, 2, 4)]].map(|differences| heard.is_news(7, &differences));
        assert_eq!(said, [true, false, true, false]);
        assert!(heard.is_news(8, &[(1, 2, 4)]), "another node");
        assert!(!heard.is_news(7, &[]));
        assert!(heard.is_news(7, &[(1, 2, 4)]), "it was mended in between");
        for node in 100..100 + 2 * HEARD_MAX as u64 {
            heard.is_news(node, &[(1, 2, 3)]);
        }
        assert_eq!(heard.0.lock().len(), HEARD_MAX);
    }
}
