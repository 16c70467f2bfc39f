//! What tests do to the rounds of reads. In the programs that people run nothing can be done to them, and this vanishes when
//! compiled.

#[cfg(not(any(test, feature = "fault-injection")))]
pub use self::absent::Delay;
#[cfg(any(test, feature = "fault-injection"))]
pub use self::injected::Delay;

#[cfg(not(any(test, feature = "fault-injection")))]
mod absent {
    use crate::env::Env;

    /// None.
    #[derive(Default)]
    pub struct Delay(());

    impl Delay {
        /// Waits as long as a round is to be held up: not at all.
        #[inline(always)]
        #[expect(clippy::extra_unused_type_parameters, reason = "the one that is injected waits in this environment")]
        pub async fn pass<E: Env>(&self) {}
    }
}

#[cfg(any(test, feature = "fault-injection"))]
mod injected {
    use std::time::Duration;

    use parking_lot::Mutex;

    use crate::env::Env;

    /// How long each round is held up.
    #[derive(Default)]
    pub struct Delay(Mutex<Duration>);

    impl Delay {
        /// Holds every round up for so long before it asks.
        pub fn set(&self, delay: Duration) {
            *self.0.lock() = delay;
        }

        /// Waits as long as a round is to be held up.
        pub async fn pass<E: Env>(&self) {
            let delay = *self.0.lock();
            if !delay.is_zero() {
                E::sleep(delay).await;
            }
        }
    }
}
