//! The step that a stopping node has reached, so that a time-out can name what holds the stop up.

use std::sync::atomic::{AtomicU8, Ordering};

/// The steps of an ordinary stop, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StopStep {
    /// Requests in flight are answered.
    Requests,
    /// Others take over what this node leads.
    HandingOver,
    /// The groups end, and with them what they have to write.
    Groups,
    /// The state is written out.
    State,
    /// The log's newest writes, and what runs in the background, end.
    Log,
}

impl StopStep {
    const ALL: [StopStep; 5] =
        [StopStep::Requests, StopStep::HandingOver, StopStep::Groups, StopStep::State, StopStep::Log];

    /// What has taken too long where the stop has come to this step.
    pub fn what_holds(self) -> &'static str {
        match self {
            StopStep::Requests => "requests of clients are not answered, or their answers not taken",
            StopStep::HandingOver => "no other node takes over what this one leads",
            StopStep::Groups => "the groups do not end: the disk of the log does not answer",
            StopStep::State => "the state is not written out: its disk is slow, or does not answer",
            StopStep::Log => "the disk of the log does not answer, or work in the background does not end",
        }
    }
}

/// The step that a node is at.
#[derive(Debug)]
pub struct StopProgress(AtomicU8);

impl Default for StopProgress {
    fn default() -> StopProgress {
        StopProgress(AtomicU8::new(StopStep::Requests as u8))
    }
}

impl StopProgress {
    pub(super) fn reaches(&self, step: StopStep) {
        self.0.fetch_max(step as u8, Ordering::Relaxed);
    }

    /// The step.
    pub fn step(&self) -> StopStep {
        let step = usize::from(self.0.load(Ordering::Relaxed));
        StopStep::ALL.get(step).copied().unwrap_or(StopStep::Log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_the_furthest_one() {
        let progress = StopProgress::default();
        assert_eq!(progress.step(), StopStep::Requests);
        for step in StopStep::ALL {
            progress.reaches(step);
            progress.reaches(StopStep::Requests);
            assert_eq!(progress.step(), step);
        }
    }
}
