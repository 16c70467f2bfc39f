//! How far a log is durable, and waiting for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The end of the durable part of one group's log.
#[derive(Debug)]
pub struct Durable {
    /// The index behind the last durable entry.
    next: AtomicU64,
    /// Told when `next` has risen.
    moved: Notify,
}

impl Durable {
    /// A log that is durable up to before `next`.
    pub fn new(next: u64) -> Durable {
        Durable { next: AtomicU64::new(next), moved: Notify::new() }
    }

    /// The index behind the last durable entry.
    pub fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Everything before `next` has become durable.
    pub fn reach(&self, next: u64) {
        let before = self.next.swap(next, Ordering::AcqRel);
        debug_assert!(before <= next, "what is durable stays so");
        self.moved.notify_waiters();
    }

    /// Waits until the entry `index` is durable; for ever, if the log fails first.
    pub async fn wait(&self, index: u64) {
        while self.next() <= index {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // From here on nothing is missed.
            moved.as_mut().enable();
            if self.next() > index {
                return;
            }
            moved.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_waiter_wakes_once_its_entry_is_durable() {
        let durable = Durable::new(5);
        assert!(durable.wait(4).now_or_never().is_some());
        let mut waits = Box::pin(durable.wait(6));
        assert!(waits.as_mut().now_or_never().is_none());
        durable.reach(6);
        assert!(waits.as_mut().now_or_never().is_none());
        durable.reach(7);
        assert!(waits.now_or_never().is_some());
    }
}
