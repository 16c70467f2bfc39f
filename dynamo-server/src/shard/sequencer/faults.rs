//! What tests do to a sequencer. In the programs that people run nothing can be done to it, and this vanishes when compiled.

#[cfg(not(any(test, feature = "fault-injection")))]
pub use self::absent::Slots;
#[cfg(any(test, feature = "fault-injection"))]
pub use self::injected::Slots;

#[cfg(not(any(test, feature = "fault-injection")))]
mod absent {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    /// None that tests could take.
    pub struct Slots(());

    impl Slots {
        /// Of a sequencer with these.
        #[inline(always)]
        pub fn of(_slots: &Arc<Semaphore>) -> Slots {
            Slots(())
        }
    }
}

#[cfg(any(test, feature = "fault-injection"))]
mod injected {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use tokio::sync::Semaphore;

    use crate::shard::limits::ENTRIES_IN_FLIGHT_MAX;
    use crate::shard::sequencer::{Sequencer, Weight};

    /// One for each entry that may be under way.
    pub struct Slots(Arc<Semaphore>);

    impl Slots {
        /// Of a sequencer with these.
        pub fn of(slots: &Arc<Semaphore>) -> Slots {
            Slots(Arc::clone(slots))
        }
    }

    impl Sequencer {
        /// Lets nothing into the log until the result is dropped, as if the shard had no leader.
        pub async fn hold(&self) -> impl Drop + use<> {
            let all = u32::try_from(ENTRIES_IN_FLIGHT_MAX).expect("a few");
            Arc::clone(&self._slots.0).acquire_many_owned(all).await.expect("the slots are never closed")
        }

        /// Takes up room for so many bytes until the result is dropped, as commands under way do.
        pub fn occupy(&self, bytes: usize) -> impl Drop + use<> {
            self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
            Weight { load: Arc::clone(&self.load), bytes }
        }
    }
}
