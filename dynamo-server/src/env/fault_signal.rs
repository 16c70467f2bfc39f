//! A fault of this node: the disk lied, a broken invariant. The node stops rather than diverge.
//!
//! An outcome (a condition that failed) is part of the agreed answer and equal on every replica; a fault belongs to
//! one node. Whoever meets one raises it here; the first one wins, everything that would acknowledge or answer looks
//! at it, and the process that runs the node waits for it and exits.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// The place where a node's first fault is kept.
#[derive(Clone, Default)]
pub struct FaultSignal {
    /// Shared by all clones.
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The first reason; later ones follow from it.
    first: OnceLock<String>,
    /// Told when there is one.
    raised: Notify,
}

impl FaultSignal {
    /// Stops the node. Later faults are only logged.
    pub fn raise(&self, reason: impl Into<String>) {
        let reason = reason.into();
        tracing::error!(%reason, "a fault stops this node");
        if self.inner.first.set(reason).is_ok() {
            self.inner.raised.notify_waiters();
        }
    }

    /// Why the node must stop, `None` while it is sound. One atomic load.
    pub fn reason(&self) -> Option<&str> {
        self.inner.first.get().map(String::as_str)
    }

    /// Waits until a fault is raised.
    pub async fn raised(&self) -> String {
        loop {
            let waiting = self.inner.raised.notified();
            tokio::pin!(waiting);
            // Registered before the look, so that a fault in between is not missed.
            waiting.as_mut().enable();
            if let Some(reason) = self.reason() {
                return reason.to_owned();
            }
            waiting.await;
        }
    }
}
