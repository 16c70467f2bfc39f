//! How long a message of a snapshot waits for its answer before it goes out again.
//!
//! The transfer sets its own pace, as TCP's retransmission does (RFC 6298): some times the last answer that came to a
//! message sent once, never quickly less than before, and twice as long after each one that did not come. An answer to a
//! message that was repeated says nothing about the pace, since nobody knows which of them it answers (Karn). So a lost
//! message costs about as much as some of its neighbours took, and a slow peer is not flooded with copies.

use std::time::Duration;

/// The shortest wait: as long as a busy peer may take a breath. What a loss costs on a quick network.
pub const WAIT_MIN: Duration = Duration::from_millis(500);

/// The longest wait.
pub const WAIT_MAX: Duration = Duration::from_secs(5);

/// Before anything was answered.
const WAIT_FIRST: Duration = Duration::from_secs(1);

/// So many times the last answer: chunks differ, and so do the moments of a disk.
const MARGIN: u32 = 4;

/// The pace of one transfer.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long the next message rests.
    wait: Duration,
}

impl Patience {
    /// Of a transfer that begins.
    pub fn new() -> Patience {
        Patience { wait: WAIT_FIRST }
    }

    /// How long to wait for the next answer.
    pub fn wait(&self) -> Duration {
        debug_assert!((WAIT_MIN..=WAIT_MAX).contains(&self.wait), "a wait lies between its bounds");
        self.wait
    }

    /// A message that was sent once was answered after so long.
    pub fn answered(&mut self, after: Duration) {
        self.wait = after.saturating_mul(MARGIN).max(self.wait / 2).clamp(WAIT_MIN, WAIT_MAX);
    }

    /// No answer came in time.
    pub fn missed(&mut self) {
        self.wait = (self.wait * 2).min(WAIT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn patience_follows_the_pace() {
        let mut patience = Patience::new();
        assert_eq!(patience.wait(), ms(1_000));
        patience.answered(ms(2));
        assert_eq!(patience.wait(), WAIT_MIN);
        patience.answered(ms(300));
        assert_eq!(patience.wait(), ms(1_200));
        patience.answered(ms(1));
        assert_eq!(patience.wait(), ms(600), "one quick answer does not make all of them quick");
        patience.missed();
        patience.missed();
        assert_eq!(patience.wait(), ms(2_400));
        (0..10).for_each(|_| patience.missed());
        assert_eq!(patience.wait(), WAIT_MAX);
        patience.answered(ms(60_000));
        assert_eq!(patience.wait(), WAIT_MAX);
    }
}
