//! What tests do to a sequencer. In the programs that people run nothing can be done to it, and this vanishes when compiled.

#[cfg(not(any(test, feature = "fault-injection")))]
pub use self::absent::Faults;
#[cfg(any(test, feature = "fault-injection"))]
pub use self::injected::Faults;

#[cfg(not(any(test, feature = "fault-injection")))]
mod absent {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use crate::shard::load::Load;

    /// None.
    pub struct Faults(());

    impl Faults {
        /// Of a sequencer with these slots and this load.
        #[inline(always)]
        pub(in crate::shard) fn of(_slots: &Arc<Semaphore>, _load: &Arc<Load>) -> Faults {
            Faults(())
        }
    }
}

#[cfg(any(test, feature = "fault-injection"))]
mod injected {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use crate::shard::limits::ENTRIES_IN_FLIGHT_MAX;
    use crate::shard::load::{Load, Weight};

    /// What tests take of a sequencer's.
    pub struct Faults {
        /// One for each entry that may be under way.
        slots: Arc<Semaphore>,
        /// What lies in front of the log.
        load: Arc<Load>,
    }

    impl Faults {
        /// Of a sequencer with these slots and this load.
        pub(in crate::shard) fn of(slots: &Arc<Semaphore>, load: &Arc<Load>) -> Faults {
            Faults { slots: Arc::clone(slots), load: Arc::clone(load) }
        }

        /// Lets nothing into the log until the result is dropped, as if the shard had no leader.
        pub async fn hold(&self) -> impl Drop + use<> {
            let all = u32::try_from(ENTRIES_IN_FLIGHT_MAX).expect("a few");
            Arc::clone(&self.slots).acquire_many_owned(all).await.expect("the slots are never closed")
        }

        /// Takes up room for so many bytes until the result is dropped, as commands under way do.
        pub fn occupy(&self, bytes: usize) -> impl Drop + use<> {
            self.load.enter(bytes);
            self.load.leave_queue(bytes);
            Weight::of(&self.load, bytes)
        }
    }
}
