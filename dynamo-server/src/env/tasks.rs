//! Background tasks: what runs beside requests, and one way to stop all of it.
//!
//! A part of a node starts its tasks here. A task that looks after something every so often says how long to wait and
//! looks once ([`PeriodicTask`]); the loop, its end with the node, and time itself are this module's. What a look decides is
//! pure code beside the task (`cluster/balance.rs` is the model), its work is bounded, and what it changes goes through
//! the log. All tasks end when the node stops, or is dropped without being stopped.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::select;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Env;

/// Something that is looked after every so often.
#[async_trait]
pub(crate) trait PeriodicTask: Send + 'static {
    /// How long to wait before the next look.
    fn pause(&self) -> Duration;

    /// One look.
    async fn look(&mut self);
}

/// The tasks of a node.
pub(crate) struct Tasks<E> {
    /// Becomes true when the node stops; its sender goes with the node.
    stopping: watch::Receiver<bool>,
    /// Finished ones are forgotten now and then.
    handles: Mutex<Vec<AbortHandle>>,
    /// Where they are spawned.
    env: PhantomData<fn() -> E>,
}

impl<E: Env> Tasks<E> {
    /// Tasks that end with the sender of `stopping`, or when it says so.
    pub fn new(stopping: watch::Receiver<bool>) -> Tasks<E> {
        Tasks { stopping, handles: Mutex::default(), env: PhantomData }
    }

    /// Whether the node stops.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// What becomes true when the node stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    /// Starts a task that ends by itself, and with the node's stop at the latest.
    pub fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        let handle = E::spawn(task).abort_handle();
        let mut handles = self.handles.lock();
        handles.retain(|task| !task.is_finished());
        handles.push(handle);
    }

    /// Starts a task that goes on until the node stops or is dropped without being stopped.
    pub fn start_until_stopped(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut stopping = self.stopping();
        self.start(async move {
            let stopped = stopping.wait_for(|is_stopping| *is_stopping);
            drop(select(pin!(task), pin!(stopped)).await);
        });
    }

    /// Starts a task that looks again and again until the node stops.
    pub fn start_periodic(&self, mut task: impl PeriodicTask) {
        self.start_until_stopped(async move {
            loop {
                E::sleep(task.pause()).await;
                task.look().await;
            }
        });
    }

    /// Ends all tasks where they wait.
    pub fn abort(&self) {
        self.handles.lock().iter().for_each(AbortHandle::abort);
    }

    /// Whether all tasks have ended and let go of what they held.
    pub fn have_ended(&self) -> bool {
        self.handles.lock().iter().all(AbortHandle::is_finished)
    }
}
