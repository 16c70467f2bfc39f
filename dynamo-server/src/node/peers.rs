//! What other nodes ask of this one.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use dynamo_engine::codec::DecodeError;
use futures::future::BoxFuture;

use super::Node;
use crate::env::settings::{self, AgreedSettings};
use crate::env::{Caller, Env, Identity, Introduction, PeerHost, Standing, Transport};
use crate::peer::{self, Header};
use crate::raft::{ServeError, message};

/// Why a peer gets no answer.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Replica(#[from] ServeError),
    #[error("a peer's request cannot be read: {0}")]
    Service(#[from] DecodeError),
}

/// What the transport knows of a node.
struct Front<E: Env> {
    identity: Identity,
    node: Weak<Node<E>>,
}

impl<E: Env> PeerHost for Front<E> {
    fn introduce(&self, node: u64, incarnation: u64) -> Introduction {
        let me = self.node.upgrade();
        Introduction {
            identity: self.identity.clone(),
            has_data: me.as_ref().is_none_or(|me| me.has_data()),
            standing: me.map_or(Standing::Unknown, |me| me.standing_of(node, incarnation)),
        }
    }

    fn answer(&self, caller: Caller, request: Bytes) -> BoxFuture<'static, Option<Bytes>> {
        Box::pin(answer(Weak::clone(&self.node), caller, request))
    }

    fn hear_settings(&self, node: u64, settings: &AgreedSettings) {
        if let Some(me) = self.node.upgrade() {
            me.hear_settings(node, settings);
        }
    }
}

impl<E: Env> Node<E> {
    /// Answers peers from now on, until the last handle of the node is dropped.
    pub(super) fn listen_to_peers(self: &Arc<Self>, transport: &E::Transport) {
        let front = Front { identity: self.identity.clone(), node: Arc::downgrade(self) };
        transport.listen(&self.identity, Arc::new(front));
    }

    /// Whether this node has taken part in a group: it holds a vote or an entry.
    fn has_data(&self) -> bool {
        self.shards.iter().any(|shard| shard.group().log().vote().is_some() || shard.group().log().last().is_some())
    }

    /// What the node of this number and incarnation is, by the memberships that are known here.
    fn standing_of(&self, _node: u64, _incarnation: u64) -> Standing {
        Standing::Unknown
    }

    /// A peer has named its settings: where they differ from the ones here, that is said.
    fn hear_settings(&self, node: u64, there: &AgreedSettings) {
        for (setting, here, there) in self.agreed.differences(there) {
            let name = settings::name(setting);
            // No lease rests on it: each voter says for how long it promises.
            tracing::warn!("node {node} runs with {name} {there}, this one with {here}: they should be alike");
        }
    }

    async fn serve_peer(&self, request: &Bytes) -> Result<Option<Bytes>, Refusal> {
        if self.fault.reason().is_some() {
            return Err(ServeError::Stopped.into());
        }
        if peer::is_service(request) {
            return Ok(Some(self.serve_request(request).await?));
        }
        let group = message::group_of(request).map_err(ServeError::from)?;
        match self.shards.iter().find(|shard| shard.id().0 == group) {
            Some(shard) => Ok(Some(shard.group().serve(request).await?)),
            None => Ok(None),
        }
    }

    async fn serve_request(&self, mut request: &[u8]) -> Result<Bytes, DecodeError> {
        let header = Header::decode(&mut request)?;
        self.observe_clock(header.clock);
        match header.kind {
            peer::PROPOSE => peer::propose::serve(self, header, request).await,
            peer::FETCH => peer::fetch::serve(self, header, request).await,
            peer::INDEX_WAIT => peer::index_wait::serve(self, header, request).await,
            peer::READ_INDEX => peer::read_index::serve(self, header, request).await,
            peer::CHANGE_MEMBERS => peer::change_members::serve(self, header, request).await,
            peer::STATUS => peer::status::serve(self, header, request).await,
            peer::TRANSFER => peer::transfer::serve(self, header, request).await,
            peer::ROOM => peer::room::serve(self, header, request).await,
            peer::PAUSE_BALANCING => peer::transfer::serve_pause(self, header, request).await,
            // Boxed: it asks peers itself, and its future would contain itself otherwise.
            peer::JOIN => Box::pin(peer::join::serve(self, header, request)).await,
            tag => Err(DecodeError::Tag { what: "service", tag }),
        }
    }
}

async fn answer<E: Env>(node: Weak<Node<E>>, _caller: Caller, request: Bytes) -> Option<Bytes> {
    let node = node.upgrade()?;
    match node.serve_peer(&request).await {
        Ok(response) => response,
        Err(Refusal::Replica(ServeError::Stopped)) => None,
        Err(error) => {
            tracing::warn!(%error, "a peer gets no answer");
            None
        }
    }
}
