//! Confirming the leadership by asking a quorum, once for everybody who waits.
//!
//! A read that finds no lease needs a quorum to say that this node leads, and then the state to have caught up with
//! what was committed by then. One such round serves every read that arrived **before it began**; those that arrive
//! while it runs are served together by the next one. So a thousand waiting reads cost one round trip, and completing
//! each is one send.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Deadline, ShardError};
use crate::env::Env;
use crate::raft::Group;

/// Reads that wait for a round. More than this means that no quorum answers and clients pile up; they are told to come
/// back.
pub const WAITERS_MAX: usize = 16_384;

/// How long one round may take. Its reads have deadlines of their own, which may be shorter.
const ROUND_MAX: std::time::Duration = std::time::Duration::from_secs(5);

type Answer = Result<(), ShardError>;

/// The rounds of one shard.
#[derive(Default)]
pub struct ReadRounds {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    is_running: bool,
    waiting: Vec<oneshot::Sender<Answer>>,
}

impl ReadRounds {
    /// Waits for a round that begins after this call: after it, the state of `group` on this node shows everything
    /// that was acknowledged before the call. Returns whether another read had to be waited with (for metrics).
    ///
    /// # Errors
    /// When nobody confirms in time.
    pub async fn confirm<E: Env>(
        self: &Arc<Self>,
        group: &Arc<Group<E>>,
        deadline: Deadline,
    ) -> Result<bool, ShardError> {
        let (answer, confirmed) = oneshot::channel();
        let is_first = {
            let mut inner = self.inner.lock();
            if inner.waiting.len() >= WAITERS_MAX {
                return Err(ShardError::Overloaded);
            }
            inner.waiting.push(answer);
            !std::mem::replace(&mut inner.is_running, true)
        };
        if is_first {
            E::spawn(Arc::clone(self).run(Arc::clone(group)));
        }
        match E::timeout(deadline.remaining::<E>(), confirmed).await {
            Some(Ok(answer)) => answer.map(|()| !is_first),
            Some(Err(_)) => Err(ShardError::Stopped),
            None => Err(ShardError::NotConfirmed),
        }
    }

    /// Runs rounds while anybody waits.
    async fn run<E: Env>(self: Arc<Self>, group: Arc<Group<E>>) {
        loop {
            let waiting = {
                let mut inner = self.inner.lock();
                if inner.waiting.is_empty() {
                    inner.is_running = false;
                    return;
                }
                std::mem::take(&mut inner.waiting)
            };
            let answer = match E::timeout(ROUND_MAX, round(&group)).await {
                Some(answer) => answer,
                None => Err(ShardError::NotConfirmed),
            };
            // A waiter whose time was over has gone.
            waiting.into_iter().for_each(|waiter| drop(waiter.send(answer.clone())));
        }
    }
}

async fn round<E: Env>(group: &Group<E>) -> Answer {
    let index = group.read_index().await?;
    group.published().wait_applied(index).await;
    Ok(())
}
