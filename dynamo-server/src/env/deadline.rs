//! The one deadline of a request.

use std::time::Duration;

use super::Env;

/// When a request must have been answered. Made once, when the request arrives, and handed down: every step gets what
/// is left of it and nothing arms it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// On the clock of [`Env::monotonic_ns`].
    at_ns: u64,
}

impl Deadline {
    /// The moment that lies `after` from now.
    pub fn after<E: Env>(after: Duration) -> Self {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Deadline { at_ns: E::monotonic_ns().saturating_add(nanos) }
    }

    /// What is left; zero when it is over.
    pub fn remaining<E: Env>(self) -> Duration {
        Duration::from_nanos(self.at_ns.saturating_sub(E::monotonic_ns()))
    }

    /// Whether nothing is left.
    pub fn is_over<E: Env>(self) -> bool {
        self.remaining::<E>().is_zero()
    }
}
