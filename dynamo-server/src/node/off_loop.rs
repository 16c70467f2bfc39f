//! Work that would hold an event loop up.
//!
//! Reading and planning a request takes some nanoseconds for each byte of its body; up to [`INLINE_BYTES_MAX`] that is
//! less than it costs to hand it to another thread and back, and no other client feels it. What is larger is done in the
//! background, a few at a time, so that the loops keep at least half of the processors.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::env::Env;
use crate::memory::Budget;
use crate::shard::{Deadline, ShardError};

/// Requests with bodies up to this size are planned on the event loop that read them: some 200 microseconds, and a
/// millisecond where nearly all of it is expressions.
pub(crate) const INLINE_BYTES_MAX: usize = 40 * 1024;

/// What a byte of a body may become in memory while it is read and planned: a list of the smallest elements is the worst
/// (`docs/limits.md`; the engine's tests of cost hold all requests to it).
pub(crate) const DECODED_BYTES_PER_BYTE: usize = 20;

/// How much such work is done at a time.
fn places() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

/// Where such work is done.
pub(crate) struct OffLoop {
    /// One for each piece of work at a time; half as many as there are processors.
    places: Arc<Semaphore>,
    /// What the bodies of requests, and answers, may take together.
    memory: Arc<Budget>,
}

impl OffLoop {
    /// With room in this memory.
    pub(super) fn new(memory: Arc<Budget>) -> OffLoop {
        OffLoop { places: Arc::new(Semaphore::new(places())), memory }
    }

    /// Reads a body of so many bytes in the background, with room in memory for what that may take.
    ///
    /// # Errors
    /// As [`OffLoop::run`], also where there is no such room.
    pub(crate) async fn read<E: Env, R: Send + 'static>(
        &self,
        body_bytes: usize,
        deadline: Deadline,
        read: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ShardError> {
        let place = self.place::<E>(deadline).await?;
        // Not before there is a place: who waits for one holds its body only.
        let decoded_bytes = self.memory.fitting(body_bytes.saturating_mul(DECODED_BYTES_PER_BYTE));
        let taken = self.memory.take(decoded_bytes).ok_or(ShardError::Overloaded)?;
        Ok(done::<E, _>(place, move || {
            let result = read();
            drop(taken);
            result
        })
        .await)
    }

    /// Does `work` in the background.
    ///
    /// # Errors
    /// [`ShardError::Overloaded`] where others keep the pool busy until the deadline.
    pub(crate) async fn run<E: Env, R: Send + 'static>(
        &self,
        deadline: Deadline,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ShardError> {
        Ok(done::<E, _>(self.place::<E>(deadline).await?, work).await)
    }

    async fn place<E: Env>(&self, deadline: Deadline) -> Result<OwnedSemaphorePermit, ShardError> {
        let place = E::timeout(deadline.remaining::<E>(), Arc::clone(&self.places).acquire_owned()).await;
        place.and_then(Result::ok).ok_or(ShardError::Overloaded)
    }
}

/// Does `work` in the background, at a place of its own.
async fn done<E: Env, R: Send + 'static>(place: OwnedSemaphorePermit, work: impl FnOnce() -> R + Send + 'static) -> R {
    E::background(move || {
        let result = work();
        drop(place);
        result
    })
    .await
}
