//! Waiting for room on the disk: what finds none is no fault, and is tried again.
//!
//! Clients' writes are refused meanwhile ([`room`](crate::shard::room)) and reads go on. What was begun waits where it is: an
//! entry that is to be applied, a snapshot that is to be installed. It goes on as soon as somebody has made room.

use std::time::Duration;

use crate::env::Env;
use crate::log_limit::LogLimit;

/// How long until the next attempt. A failed one costs little, and whoever waits has waited for an operator.
const PAUSE: Duration = Duration::from_millis(250);

/// Somebody who tries again until there is room.
#[derive(Default)]
pub(in crate::raft) struct Patience {
    /// Lines about the wait.
    said: LogLimit,
}

impl Patience {
    /// Waits before the next attempt at `what`, which found no room, and says so now and then.
    pub(in crate::raft) async fn wait<E: Env>(&mut self, what: &str, reason: &str) {
        if let Some(left_out) = self.said.permits::<E>() {
            tracing::error!(reason, left_out, "{what} as soon as there is room on the disk");
        }
        E::sleep(PAUSE).await;
    }
}
