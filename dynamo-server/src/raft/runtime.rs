//! openraft's runtime, made from the environment's clock, tasks and chance.
//!
//! Channels and locks are the same in every environment, tokio's but for those of [`watch`](super::watch): they are
//! deterministic by themselves. Time is the environment's: an instant is a number of nanoseconds of
//! [`Env::monotonic_ns`], which in a simulation may run at a rate of its own per node.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use openraft::{AsyncRuntime, OptionalSend};
use openraft_rt_tokio::TokioRuntime;

use crate::env::Env;
use crate::turns::{Timed, stalls};

/// openraft's [`AsyncRuntime`] over an [`Env`].
pub struct EnvRuntime<E> {
    /// What openraft's tasks run on.
    runtime: TokioRuntime,
    /// Whose clock and chance they see.
    env: PhantomData<fn() -> E>,
}

impl<E> fmt::Debug for EnvRuntime<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvRuntime")
    }
}

/// A moment of the environment's monotonic clock.
pub struct Moment<E> {
    /// On the monotonic clock.
    nanos: u64,
    /// Whose clock.
    env: PhantomData<fn() -> E>,
}

impl<E> Moment<E> {
    fn at(nanos: u64) -> Self {
        Moment { nanos, env: PhantomData }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<E: Env> openraft::Instant for Moment<E> {
    fn now() -> Self {
        Moment::at(E::monotonic_ns())
    }
}

impl<E> Add<Duration> for Moment<E> {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Moment::at(self.nanos.saturating_add(nanos(duration)))
    }
}

impl<E> AddAssign<Duration> for Moment<E> {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl<E> Sub<Duration> for Moment<E> {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Moment::at(self.nanos.saturating_sub(nanos(duration)))
    }
}

impl<E> SubAssign<Duration> for Moment<E> {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl<E> Sub for Moment<E> {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }
}

impl<E> Clone for Moment<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Moment<E> {}

impl<E> fmt::Debug for Moment<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ns", self.nanos)
    }
}

impl<E> PartialEq for Moment<E> {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl<E> Eq for Moment<E> {}

impl<E> PartialOrd for Moment<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Moment<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// Random numbers of the environment, in the shape that openraft asks for.
pub struct Chance<E>(PhantomData<fn() -> E>);

impl<E: Env> rand::TryRng for Chance<E> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((E::random() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(E::random())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let random = E::random().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
        Ok(())
    }
}

/// The time of a [`Deadlined`] future was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is over")]
pub struct TimeOver;

/// A future that is given up when its time is over.
pub struct Deadlined<F> {
    /// What may be given up.
    future: Pin<Box<F>>,
    /// Until then.
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl<F: Future> Future for Deadlined<F> {
    type Output = Result<F::Output, TimeOver>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = self.future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        self.sleep.as_mut().poll(context).map(|()| Err(TimeOver))
    }
}

impl<E: Env> AsyncRuntime for EnvRuntime<E> {
    type JoinError = tokio::task::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = tokio::task::JoinHandle<T>;
    type Sleep = tokio::time::Sleep;
    type Instant = Moment<E>;
    type TimeoutError = TimeOver;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = Deadlined<T>;
    type ThreadLocalRng = Chance<E>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        E::spawn(Timed::<E, _>::new(future, stalls().clone()))
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        E::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        E::sleep(deadline - Moment::at(E::monotonic_ns()))
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(duration: Duration, future: F) -> Self::Timeout<R, F> {
        Deadlined { future: Box::pin(future), sleep: Box::pin(E::sleep(duration)) }
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(deadline: Self::Instant, future: F) -> Self::Timeout<R, F> {
        Self::timeout(deadline - Moment::at(E::monotonic_ns()), future)
    }

    fn is_panic(error: &Self::JoinError) -> bool {
        error.is_panic()
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        Chance(PhantomData)
    }

    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = super::watch::Channels;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn new(threads: usize) -> Self {
        EnvRuntime { runtime: TokioRuntime::new(threads), env: PhantomData }
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.runtime.block_on(future)
    }
}
