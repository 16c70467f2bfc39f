//! What other nodes ask of this one.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use dynamo_engine::codec::DecodeError;

use super::Node;
use crate::env::{Env, PeerHandler, Transport};
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

impl<E: Env> Node<E> {
    /// Answers peers from now on, until the last handle of the node is dropped.
    pub(super) fn listen_to_peers(self: &Arc<Self>, transport: &E::Transport) {
        let node = Arc::downgrade(self);
        let handler: PeerHandler = Arc::new(move |request| Box::pin(answer(Weak::clone(&node), request)));
        transport.listen(&self.identity, handler);
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

async fn answer<E: Env>(node: Weak<Node<E>>, request: Bytes) -> Option<Bytes> {
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
