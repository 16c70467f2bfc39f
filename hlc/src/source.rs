//! The one place where wall time is read.
//!
//! Everything else takes wall time as an argument, so that simulations can hand in their own. Call this from the
//! production side of whatever carries the environment, and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl WallClock {
    /// Milliseconds since the Unix epoch; 0 when the machine's clock stands before it (a hybrid clock then counts on
    /// from where it is, which is always safe).
    pub fn now_ms(self) -> u64 {
        // The lint against direct clock reads names this function as the replacement.
        #[allow(clippy::disallowed_methods)]
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_after_this_was_written() {
        assert!(WallClock.now_ms() > 1_700_000_000_000);
    }
}
