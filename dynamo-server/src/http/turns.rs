//! How long a connection holds up its event loop.
//!
//! A loop serves its connections in turns, one poll each. What is polled should end within some tens of microseconds, or
//! leave the loop; one that does not makes all others wait. So each turn is timed, and those of [`STALL_MIN`] and more
//! are counted: whatever takes long on a loop shows on the page of metrics, whether anybody thought of it or not. Two
//! readings of the clock, some 50 ns a turn.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use prometheus::Histogram;

use crate::env::Env;

/// A turn that takes as long is noted.
pub const STALL_MIN: Duration = Duration::from_millis(1);

/// A future whose turns are timed.
pub struct Timed<E, F> {
    future: Pin<Box<F>>,
    stalls: Histogram,
    env: PhantomData<fn() -> E>,
}

impl<E: Env, F: Future> Timed<E, F> {
    /// The same future.
    pub fn new(future: F, stalls: Histogram) -> Timed<E, F> {
        Timed { future: Box::pin(future), stalls, env: PhantomData }
    }
}

impl<E: Env, F: Future> Future for Timed<E, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let own = self.get_mut();
        let began_ns = E::monotonic_ns();
        let polled = own.future.as_mut().poll(context);
        let took = Duration::from_nanos(E::monotonic_ns().saturating_sub(began_ns));
        if took >= STALL_MIN {
            own.stalls.observe(took.as_secs_f64());
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use prometheus::HistogramOpts;

    use super::*;
    use crate::env::TokioEnv;

    #[tokio::test]
    async fn a_turn_that_holds_the_loop_is_noted_and_waiting_is_not() {
        let stalls = Histogram::with_opts(HistogramOpts::new("stalls", "in a test")).unwrap();
        let quick = async { tokio::time::sleep(2 * STALL_MIN).await };
        Timed::<TokioEnv, _>::new(quick, stalls.clone()).await;
        assert_eq!(stalls.get_sample_count(), 0, "a wait is no turn");
        let slow = async { std::thread::sleep(2 * STALL_MIN) };
        Timed::<TokioEnv, _>::new(slow, stalls.clone()).await;
        assert_eq!(stalls.get_sample_count(), 1);
        assert!(stalls.get_sample_sum() >= 2.0 * STALL_MIN.as_secs_f64());
    }
}
