//! How many requests are being answered.
//!
//! Every thread counts in a place of its own, so that counting costs no traffic between processors; only who asks for
//! the sum looks at all of them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Places; with more threads some share one, which is slower and no less right.
const PLACES: usize = 32;

/// The requests that a node is answering.
#[derive(Debug, Default)]
pub struct InFlight {
    /// Each thread counts in one of them.
    places: [Counter; PLACES],
}

/// A cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Counter(AtomicU64);

/// A request that is being answered, until it is dropped.
#[derive(Debug)]
pub struct Answering<'a>(&'a Counter);

thread_local! {
    static PLACE: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % PLACES
    };
}

impl InFlight {
    /// Counts a request. It may end on another thread.
    pub fn enter(&self) -> Answering<'_> {
        let place = &self.places[PLACE.with(|place| *place)];
        place.0.fetch_add(1, Ordering::Relaxed);
        Answering(place)
    }

    /// Whether exactly one request is being answered. What begins or ends meanwhile on other threads may be missed.
    pub fn is_one(&self) -> bool {
        self.places.iter().map(|place| place.0.load(Ordering::Relaxed)).sum::<u64>() == 1
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        let before = self.0.0.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "a request ends once");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_from_any_thread_until_they_end() {
        let in_flight = InFlight::default();
        assert!(!in_flight.is_one());
        let first = in_flight.enter();
        assert!(in_flight.is_one());
        std::thread::scope(|scope| {
            let second = scope.spawn(|| in_flight.enter()).join().expect("it ran");
            assert!(!in_flight.is_one());
            drop(first);
            assert!(in_flight.is_one());
            drop(second);
        });
        assert!(!in_flight.is_one());
    }
}
