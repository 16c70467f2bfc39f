//! Waiting for what must come, as long as it moves: how fast it does is the machine's affair.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// For how long there is waited, in pauses, for anything that must come.
const LONG: Duration = Duration::from_secs(60);

/// The longest pause between two attempts; the first is a millisecond.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// The pauses between attempts. They alone count: a machine that stands still for a while, or that has much else to do while an
/// attempt is made, ends no wait.
struct Pauses {
    /// What is left of [`LONG`].
    left: Duration,
    /// The next one.
    next: Duration,
}

impl Pauses {
    fn new() -> Pauses {
        Pauses { left: LONG, next: Duration::from_millis(1) }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.next;
        self.left = self.left.checked_sub(pause)?;
        self.next = (2 * pause).min(PAUSE_MAX);
        Some(pause)
    }
}

/// Tries until there is something; panics after a minute of pauses. No test loops until something has come without a bound: use
/// this, or [`eventually_blocking`].
pub async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pauses = Pauses::new();
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        tokio::time::sleep(pauses.next().unwrap_or_else(|| panic!("in vain: {what}"))).await;
    }
}

/// The same on this thread, for attempts that say why they failed.
pub fn eventually_blocking<T, E: Debug>(what: &str, mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let mut pauses = Pauses::new();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(why) => std::thread::sleep(pauses.next().unwrap_or_else(|| panic!("in vain: {what}: {why:#?}"))),
        }
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

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!(
            Pauses::new().take(8).map(|pause| pause.as_millis()).collect::<Vec<_>>(),
            [1, 2, 4, 8, 16, 32, 50, 50]
        );
        let whole: Duration = Pauses::new().sum();
        assert!(whole <= LONG && whole + PAUSE_MAX > LONG, "{whole:?}");
    }

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
