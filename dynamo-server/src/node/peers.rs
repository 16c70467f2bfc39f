//! What other nodes ask of this one.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::Node;
use crate::env::{Env, PeerHandler, Transport};
use crate::raft::{ServeError, message};

impl<E: Env> Node<E> {
    /// Answers peers from now on, until the last handle of the node is dropped.
    pub(super) fn listen_to_peers(self: &Arc<Self>, transport: &E::Transport) {
        let node = Arc::downgrade(self);
        let handler: PeerHandler = Arc::new(move |request| Box::pin(answer(Weak::clone(&node), request)));
        transport.listen(&self.identity, handler);
    }

    async fn serve_peer(&self, request: &Bytes) -> Result<Option<Bytes>, ServeError> {
        let group = message::group_of(request)?;
        if self.fault.reason().is_some() {
            return Err(ServeError::Stopped);
        }
        match self.shards.iter().find(|shard| shard.id().0 == group) {
            Some(shard) => Ok(Some(shard.group().serve(request).await?)),
            None => Ok(None),
        }
    }
}

async fn answer<E: Env>(node: Weak<Node<E>>, request: Bytes) -> Option<Bytes> {
    let node = node.upgrade()?;
    match node.serve_peer(&request).await {
        Ok(response) => response,
        Err(ServeError::Stopped) => None,
        Err(error) => {
            tracing::warn!(%error, "a peer gets no answer");
            None
        }
    }
}
