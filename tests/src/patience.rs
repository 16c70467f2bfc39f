//! Waiting for what must come, as long as it moves: how fast it does is the machine's affair.

use std::time::{Duration, Instant};

/// How long anything may take that must come on a machine with much else to do.
const LONG: Duration = Duration::from_secs(60);

/// The longest pause between two attempts; the first is a millisecond.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Tries until there is something; panics after a minute. No test loops until something has come without a bound: use this.
pub async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let (began, mut pause) = (Instant::now(), Duration::from_millis(1));
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        assert!(began.elapsed() < LONG, "in vain: {what}");
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(PAUSE_MAX);
    }
}

/// Ends a wait for something of which nothing was seen to move for so long.
pub struct Patience<T> {
    /// For how long nothing may move.
    limit: Duration,
    /// What was seen last; nothing at first.
    seen: Option<T>,
    /// When it was another one.
    moved: Instant,
}

impl<T: Clone + PartialEq> Patience<T> {
    /// Waits at most this long for each step.
    pub fn new(limit: Duration) -> Patience<T> {
        Patience { limit, seen: None, moved: Instant::now() }
    }

    /// Whether the wait is over, now that this is seen. Seeing nothing is no step.
    pub fn is_over(&mut self, seen: &Option<T>) -> bool {
        self.is_over_at(Instant::now(), seen)
    }

    fn is_over_at(&mut self, now: Instant, seen: &Option<T>) -> bool {
        if seen.is_some() && *seen != self.seen {
            self.seen.clone_from(seen);
            self.moved = now;
        }
        now.saturating_duration_since(self.moved) > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(9);

    #[test]
    fn progress_may_take_any_time() {
        let mut patience = Patience::new(Duration::from_secs(10));
        let began = patience.moved;
        for step in 1..=100 {
            assert!(!patience.is_over_at(began + STEP * step, &Some(step)), "step {step}");
        }
    }

    #[test]
    fn waits_without_progress_end() {
        for seen in [Some(7), None] {
            let mut patience = Patience::new(Duration::from_secs(10));
            let began = patience.moved;
            assert!(!patience.is_over_at(began, &seen));
            assert!(!patience.is_over_at(began + STEP, &seen));
            assert!(patience.is_over_at(began + STEP * 2, &seen));
        }
    }
}
