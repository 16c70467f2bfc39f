//! Stopping all tasks of a machine where they are.
//!
//! Every task of a simulated machine is wrapped: while the machine is suspended, being polled means to wait for its
//! end. Timers that fire and messages that arrive meanwhile are found afterwards, all at once, as after SIGCONT.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Whether a machine is suspended, and who waits for the end of it.
#[derive(Default)]
pub(super) struct Suspension {
    /// `None` while the machine runs.
    waiting: Mutex<Option<Vec<Waker>>>,
}

impl Suspension {
    pub(super) fn begin(&self) {
        self.waiting.lock().get_or_insert_default();
    }

    pub(super) fn end(&self) {
        let waiting = self.waiting.lock().take();
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// `future`, which stands still while the machine does.
    pub(super) fn guard<F: Future>(self: &Arc<Self>, future: F) -> Guarded<F> {
        Guarded { suspension: Arc::clone(self), future: Box::pin(future) }
    }

    /// Whether the machine is suspended; `waker` is told when it no longer is.
    fn holds(&self, waker: &Waker) -> bool {
        match &mut *self.waiting.lock() {
            Some(waiting) => {
                waiting.push(waker.clone());
                true
            }
            None => false,
        }
    }
}

/// A task's future that stands still while its machine is suspended.
pub(super) struct Guarded<F> {
    /// Of the machine that it runs on.
    suspension: Arc<Suspension>,
    /// What is polled while the machine runs.
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Guarded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.suspension.holds(context.waker()) {
            return Poll::Pending;
        }
        self.future.as_mut().poll(context)
    }
}
