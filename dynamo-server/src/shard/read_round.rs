//! Confirming the leadership by asking a quorum, once for everybody who waits.
//!
//! A read that finds no lease needs a quorum to say that this node leads, and then the state to have caught up with
//! what was committed by then. One such round serves every read that arrived **before it began**; those that arrive
//! while it runs are served together afterwards: by the lease that the round has renewed, where leases are trusted, or
//! by one more round. So a thousand waiting reads cost one round trip, and completing each is one send.

mod faults;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use self::faults::Delay;
use super::{Deadline, ShardError};
use crate::env::Env;
use crate::raft::Group;

/// Reads that wait for a round. More than this means that no quorum answers and clients pile up; they are told to come
/// back.
pub const WAITERS_MAX: usize = 16_384;

/// How long one round may take. Its reads have deadlines of their own, which may be shorter.
const ROUND_MAX: std::time::Duration = std::time::Duration::from_secs(5);

type Confirmation = Result<(), ShardError>;

/// The rounds of one shard.
#[derive(Default)]
pub struct ReadRounds {
    /// A lock for some moves, never over an await.
    inner: Mutex<Inner>,
    /// Rounds that asked a quorum.
    count: AtomicU64,
    /// How long tests hold each round up.
    delay: Delay,
}

#[derive(Default)]
struct Inner {
    /// Whether a task runs rounds.
    is_running: bool,
    /// Those who take part in the next round.
    waiting: Vec<oneshot::Sender<Confirmation>>,
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
        trusts_lease: bool,
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
            E::spawn(Arc::clone(self).run(Arc::clone(group), trusts_lease));
        }
        match E::timeout(deadline.remaining::<E>(), confirmed).await {
            Some(Ok(answer)) => answer.map(|()| !is_first),
            Some(Err(_)) => Err(ShardError::Stopped),
            None => Err(ShardError::NotConfirmed),
        }
    }

    /// How long tests hold each round up.
    pub fn delay(&self) -> &Delay {
        &self.delay
    }

    /// How often a quorum was asked.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Runs rounds while anybody waits.
    async fn run<E: Env>(self: Arc<Self>, group: Arc<Group<E>>, trusts_lease: bool) {
        // Whoever asked first has just seen that there is no lease.
        let mut is_first = true;
        loop {
            let waiting = {
                let mut inner = self.inner.lock();
                debug_assert!(inner.is_running, "one task runs a shard's rounds");
                debug_assert!(inner.waiting.len() <= WAITERS_MAX, "those who wait are bounded");
                if inner.waiting.is_empty() {
                    inner.is_running = false;
                    return;
                }
                std::mem::take(&mut inner.waiting)
            };
            // Looked at after those who wait have come, so the lease covers them.
            let answer = if !is_first && trusts_lease && has_lease(&group) {
                Ok(())
            } else {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.delay.pass::<E>().await;
                E::timeout(ROUND_MAX, round(&group)).await.unwrap_or(Err(ShardError::NotConfirmed))
            };
            is_first = false;
            // A waiter whose time was over has gone.
            waiting.into_iter().for_each(|waiter| drop(waiter.send(answer.clone())));
        }
    }
}

fn has_lease<E: Env>(group: &Group<E>) -> bool {
    group.lease().holds(|| E::boot_ns().map(lease::Moment::from_nanos))
}

async fn round<E: Env>(group: &Group<E>) -> Confirmation {
    let index = group.read_index().await?;
    group.published().wait_applied(index).await;
    Ok(())
}
