//! How long a task holds up its event loop.
//!
//! A loop serves its connections in turns, one poll each, and on small machines the tasks of the Raft groups as well, those
//! that apply entries among them. What is polled should end within some tens of microseconds, or leave the loop; one that
//! does not makes all others wait. So each turn of a connection and of a group's tasks is timed, and those of
//! [`STALL_MIN`] and more are counted: whatever takes long on a loop shows on the page of metrics, whether anybody
//! thought of it or not. Two readings of the clock, some 50 ns a turn.
//!
//! The counts are the process's: loops and groups are, too.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts};

use crate::env::Env;

/// A turn that takes as long is noted.
pub const STALL_MIN: Duration = Duration::from_millis(1);

/// Upper bounds of the histogram, in seconds.
const BUCKETS_S: [f64; 9] = [2e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 500e-3, 1.0, 5.0];

/// The long turns of this process.
///
/// # Panics
/// Never: the name is valid.
pub fn stalls() -> &'static Histogram {
    static STALLS: LazyLock<Histogram> = LazyLock::new(|| {
        let help = "Time that one turn of a connection, or of a Raft group's task, held its event loop, from 1 ms on";
        let options = HistogramOpts::new("dynamo_event_loop_stall_seconds", help).buckets(BUCKETS_S.to_vec());
        Histogram::with_opts(options).expect("the name is valid")
    });
    &STALLS
}

/// A future whose turns are timed.
pub struct Timed<E, F> {
    /// What is polled.
    future: Pin<Box<F>>,
    /// Where long turns are noted.
    stalls: Histogram,
    /// Whose clock times them.
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
        #[cfg(test)]
        let _turn = crate::meter::Turn::of(crate::meter::Whose::Any);
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
