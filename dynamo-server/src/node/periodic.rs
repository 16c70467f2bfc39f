//! What a node does again and again beside requests: one loop for all of it, one way to stop.
//!
//! A task says how long to wait and looks once; the loop waits, ends with the node, and looks again. What a look decides
//! is pure code beside the task ([`super::balance`] is the model), its work is bounded, and what it changes goes through
//! the log.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;

use super::Node;
use crate::env::Env;

/// Something that a node looks after every so often.
#[async_trait]
pub(super) trait PeriodicTask<E: Env>: Send {
    /// How long to wait before the next look.
    fn pause(&self) -> Duration;

    /// One look.
    async fn look(&mut self, node: &Arc<Node<E>>);
}

/// Looks until the node is gone or stops.
pub(super) async fn run<E: Env>(node: Weak<Node<E>>, mut task: Box<dyn PeriodicTask<E>>) {
    loop {
        E::sleep(task.pause()).await;
        let Some(node) = node.upgrade() else { return };
        if *node.stopping.borrow() {
            return;
        }
        task.look(&node).await;
    }
}
