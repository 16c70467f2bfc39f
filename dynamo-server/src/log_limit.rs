//! Log lines about what goes on and on: one now and then, with the number of those left out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::env::Env;

/// How long nothing more is said.
const QUIET: Duration = Duration::from_secs(10);

/// Bounds how often one kind of line is written.
#[derive(Debug, Default)]
pub struct LogLimit {
    /// When the next one may be, on the monotonic clock.
    next_ns: AtomicU64,
    /// Lines that were not written since the last one.
    left_out: AtomicU64,
}

impl LogLimit {
    /// Whether a line may be written now: how many were left out since the last one.
    pub fn permits<E: Env>(&self) -> Option<u64> {
        let now_ns = E::monotonic_ns();
        let next_ns = self.next_ns.load(Ordering::Relaxed);
        let after_ns = now_ns.saturating_add(QUIET.as_nanos() as u64);
        let is_first = now_ns >= next_ns
            && self.next_ns.compare_exchange(next_ns, after_ns, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_first {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::sim::{SimEnv, run};

    #[test]
    fn a_thousand_lines_are_one_and_a_number() {
        run(1, async {
            let limit = LogLimit::default();
            let said: Vec<u64> = (0..1_000).filter_map(|_| limit.permits::<SimEnv>()).collect();
            assert_eq!(said, [0]);
            SimEnv::sleep(QUIET).await;
            assert_eq!(limit.permits::<SimEnv>(), Some(999));
        });
    }
}
