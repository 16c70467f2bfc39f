//! Whether a shard takes more work: judged by how long its queue makes commands wait, not by how long it is.
//!
//! A queue of commands is there to be shared by entries: a burst fills it, a few entries later it is empty again. A queue
//! that *stays* adds nothing to what the disk can do and only makes everybody wait, in the end for longer than their
//! deadlines. So, after CoDel (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012), the sequencer
//! looks at what it takes out of the queue, and tells apart
//!
//! - a queue that the drain has emptied, or whose oldest command has waited less than [`wait_max`](Admission::new):
//!   all is well, however slow the disk is;
//! - one that stands: for [`wait_max`](Admission::new) and more than [`DRAINS_MIN`] drains in a row the oldest has waited
//!   longer, something was left behind, and the wait does not melt away. That is overload.
//!
//! ```text
//!            late, and not emptied              so for a whole window, and not melting
//!   calm ───────────────────────────▶ standing ───────────────────────────────────────▶ overloaded ──╮ each window:
//!    ▲ ▲                                 │                                                │   ▲      │ the limit anew
//!    │ ╰──────── emptied or in time ─────╯                                                │   ╰──────╯
//!    ╰────────────────────────── emptied and in time ─────────────────────────────────────╯
//! ```
//!
//! While it lasts, only so much may wait as the drains of the last window would take out within `wait_max`; what comes on
//! top is refused before it enters the queue. Whoever gets in waits about that long, the disk stays fully used, and the
//! first drain that empties the queue in time ends it. A single stall (one slow sync, however long) is followed by
//! drains in quick succession, under which the wait melts away: it never gets as far as a limit.
//!
//! Everything is measured in *shares*, the part of an entry that a command takes up, in bytes: an entry is full when it
//! has either many commands or many bytes. Nothing here reads a clock.

use std::time::Duration;

use super::limits::{ENTRIES_IN_FLIGHT_MAX, ENTRY_BYTES_MAX, ENTRY_COMMANDS_MAX, QUEUE_BYTES_MAX};

/// Drains that must agree. After a stall one drain for each entry in flight follows at once, from what is still the same
/// moment for the disk.
pub const DRAINS_MIN: u32 = ENTRIES_IN_FLIGHT_MAX as u32 + 1;

/// The least that may wait: one entry, so that a limit never keeps a shard from filling its entries.
pub const LIMIT_MIN: usize = ENTRY_BYTES_MAX;

/// What may wait while all is well: anything that the queue holds.
pub const LIMIT_NONE: usize = usize::MAX;

/// The part of an entry that a command of so many bytes takes up.
pub fn share(bytes: usize) -> usize {
    bytes.max(ENTRY_BYTES_MAX / ENTRY_COMMANDS_MAX)
}

/// What the sequencer saw when it took commands out of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// When, in nanoseconds of a monotonic clock.
    pub at_ns: u64,
    /// How long the oldest of them had waited.
    pub waited_ns: u64,
    /// Their shares, together.
    pub taken: usize,
    /// Nothing was left behind.
    pub is_empty: bool,
}

/// The judge of one shard's queue.
#[derive(Debug)]
pub struct Admission {
    /// For how long commands may wait; at least 1.
    wait_max_ns: u64,
    /// Where the queue stands.
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The queue comes and goes.
    Calm,
    /// Since the beginning of this window it has stayed.
    Standing(Window),
    /// It has stayed for too long: no more than `limit` may wait.
    Overloaded { window: Window, limit: usize },
}

/// Some drains in a row.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// When the first of them was.
    since_ns: u64,
    /// How long its oldest command had waited.
    waited_ns: u64,
    /// Drains after the first.
    drains: u32,
    /// Shares that they took.
    taken: usize,
    /// One of them emptied the queue, so the disk could have done more.
    was_emptied: bool,
}

impl Admission {
    /// A judge that lets commands wait for about so long.
    pub fn new(wait_max: Duration) -> Admission {
        Admission { wait_max_ns: u64::try_from(wait_max.as_nanos()).unwrap_or(u64::MAX).max(1), state: State::Calm }
    }

    /// Takes note of a drain; gives the shares that may wait from now on.
    pub fn observe(&mut self, drain: Drain) -> usize {
        self.validate(drain);
        let is_late = drain.waited_ns >= self.wait_max_ns;
        self.state = match self.state {
            State::Calm if is_late && !drain.is_empty => State::Standing(Window::begin(drain)),
            State::Calm => State::Calm,
            State::Standing(_) if drain.is_empty || !is_late => State::Calm,
            State::Standing(window) => {
                let window = window.with(drain);
                match window.is_complete(drain, self.wait_max_ns) {
                    false => State::Standing(window),
                    true if window.melts(drain) => State::Standing(Window::begin(drain)),
                    true => {
                        State::Overloaded { limit: window.limit(drain, self.wait_max_ns), window: Window::begin(drain) }
                    }
                }
            }
            State::Overloaded { .. } if drain.is_empty && !is_late => State::Calm,
            State::Overloaded { window, limit } => {
                let window = window.with(drain);
                match window.is_complete(drain, self.wait_max_ns) {
                    false => State::Overloaded { window, limit },
                    true => {
                        let measured = window.limit(drain, self.wait_max_ns);
                        let limit = if window.was_emptied { measured.max(limit) } else { measured };
                        State::Overloaded { limit, window: Window::begin(drain) }
                    }
                }
            }
        };
        self.limit()
    }

    /// Checks how the state must relate to a drain that comes after it; called in debug builds.
    fn validate(&self, drain: Drain) {
        let (State::Standing(window) | State::Overloaded { window, .. }) = self.state else { return };
        debug_assert!(window.since_ns <= drain.at_ns, "drains come one after the other");
        debug_assert!(self.limit() >= LIMIT_MIN, "a limit never keeps a shard from filling an entry");
        debug_assert!(
            self.limit() == LIMIT_NONE || self.limit() <= QUEUE_BYTES_MAX,
            "a limit is no more than the queue"
        );
    }

    /// The shares that may wait.
    pub fn limit(&self) -> usize {
        match self.state {
            State::Calm | State::Standing(_) => LIMIT_NONE,
            State::Overloaded { limit, .. } => limit,
        }
    }
}

impl Window {
    fn begin(drain: Drain) -> Window {
        Window { since_ns: drain.at_ns, waited_ns: drain.waited_ns, drains: 0, taken: 0, was_emptied: false }
    }

    fn with(self, drain: Drain) -> Window {
        Window {
            drains: self.drains.saturating_add(1),
            taken: self.taken.saturating_add(drain.taken),
            was_emptied: self.was_emptied || drain.is_empty,
            ..self
        }
    }

    fn span_ns(&self, last: Drain) -> u64 {
        last.at_ns.saturating_sub(self.since_ns)
    }

    fn is_complete(&self, last: Drain, wait_max_ns: u64) -> bool {
        self.drains >= DRAINS_MIN && self.span_ns(last) >= wait_max_ns
    }

    /// Whether the wait grows shorter by at least half a second in a second: what came in during a stall is being worked
    /// off, with at least a third of the strength to spare.
    fn melts(&self, last: Drain) -> bool {
        last.waited_ns.saturating_add(self.span_ns(last) / 2) <= self.waited_ns
    }

    /// What drains like these take within `wait_max`.
    fn limit(&self, last: Drain, wait_max_ns: u64) -> usize {
        let taken = self.taken as u128 * u128::from(wait_max_ns) / u128::from(self.span_ns(last).max(1));
        usize::try_from(taken).unwrap_or(usize::MAX).clamp(LIMIT_MIN, QUEUE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;
    const WAIT_MAX: Duration = Duration::from_secs(1);
    const WAIT_MAX_NS: u64 = 1_000 * MS;

    /// A queue in front of a server that takes one entry at a time, as the sequencer does.
    struct Queue {
        admission: Admission,
        limit: usize,
        /// When each came, and its share.
        waiting: VecDeque<(u64, usize)>,
        load: usize,
        now_ns: u64,
        refused: u64,
        /// The longest wait of any that was let in, and the shares that were served.
        waited_max_ns: u64,
        served: usize,
    }

    impl Queue {
        fn new() -> Queue {
            Queue {
                admission: Admission::new(WAIT_MAX),
                limit: LIMIT_NONE,
                waiting: VecDeque::new(),
                load: 0,
                now_ns: 0,
                refused: 0,
                waited_max_ns: 0,
                served: 0,
            }
        }

        fn arrive(&mut self, at_ns: u64, share: usize) {
            let bound = self.limit.min(QUEUE_BYTES_MAX);
            if self.load > 0 && self.load + share > bound {
                self.refused += 1;
                return;
            }
            self.load += share;
            self.waiting.push_back((at_ns, share));
        }

        /// Takes an entry out, and gives how many commands that were.
        fn drain(&mut self) -> usize {
            let Some(&(first_ns, _)) = self.waiting.front() else { return 0 };
            let (mut taken, mut count) = (0, 0);
            while let Some(&(_, share)) = self.waiting.front() {
                if count > 0 && taken + share > ENTRY_BYTES_MAX {
                    break;
                }
                self.waiting.pop_front();
                (taken, count) = (taken + share, count + 1);
            }
            self.load -= taken;
            self.served += taken;
            let waited_ns = self.now_ns - first_ns;
            self.waited_max_ns = self.waited_max_ns.max(waited_ns);
            let is_empty = self.waiting.is_empty();
            self.limit = self.admission.observe(Drain { at_ns: self.now_ns, waited_ns, taken, is_empty });
            count
        }

        /// Lets an open stream of commands of this share come in, one every `every_ns`, while entries take `entry_ns`.
        fn stream(&mut self, share: usize, every_ns: u64, entry_ns: u64, until_ns: u64) {
            let mut next_ns = self.now_ns + every_ns;
            while self.now_ns < until_ns {
                self.drain();
                self.now_ns += entry_ns;
                while next_ns <= self.now_ns {
                    self.arrive(next_ns, share);
                    next_ns += every_ns;
                }
            }
        }
    }

    fn drain(at_ms: u64, waited_ms: u64, is_empty: bool) -> Drain {
        Drain { at_ns: at_ms * MS, waited_ns: waited_ms * MS, taken: LIMIT_MIN, is_empty }
    }

    /// What each state makes of each kind of drain.
    #[test]
    fn the_table_of_transitions() {
        let (calm, standing, overloaded) = ("calm", "standing", "overloaded");
        let name = |admission: &Admission| match admission.state {
            State::Calm => calm,
            State::Standing(_) => standing,
            State::Overloaded { .. } => overloaded,
        };
        let brought_to = |state| {
            let mut admission = Admission::new(WAIT_MAX);
            let drains = if state == calm {
                0
            } else if state == standing {
                1
            } else {
                1 + u64::from(DRAINS_MIN)
            };
            for number in 0..drains {
                admission.observe(drain(number * 1_000, 2_000, false));
            }
            assert_eq!(name(&admission), state);
            admission
        };
        let (late, emptied_late) = (drain(99_000, 2_000, false), drain(99_000, 2_000, true));
        let (in_time, emptied_in_time) = (drain(99_000, 999, false), drain(99_000, 999, true));
        let table = [
            (calm, late, standing),
            (calm, emptied_late, calm),
            (calm, in_time, calm),
            (calm, emptied_in_time, calm),
            (standing, late, standing),
            (standing, emptied_late, calm),
            (standing, in_time, calm),
            (standing, emptied_in_time, calm),
            (overloaded, late, overloaded),
            (overloaded, emptied_late, overloaded),
            (overloaded, in_time, overloaded),
            (overloaded, emptied_in_time, calm),
        ];
        for (before, seen, after) in table {
            let mut admission = brought_to(before);
            let limit = admission.observe(seen);
            assert_eq!(name(&admission), after, "from {before} by {seen:?}");
            assert_eq!(limit == LIMIT_NONE, after != overloaded);
        }
    }

    #[test]
    fn the_limit_is_what_is_drained_in_the_time() {
        let mut admission = Admission::new(WAIT_MAX);
        let mut limit = LIMIT_NONE;
        for number in 0..=20 {
            // Four entries a second.
            limit = admission.observe(drain(number * 250, 3_000, false));
        }
        assert_eq!(limit, 4 * LIMIT_MIN);
        for number in 0..=20 {
            limit = admission.observe(drain(6_000 + number * 10_000, 3_000, false));
        }
        assert_eq!(limit, LIMIT_MIN, "an entry may always wait");
    }

    #[test]
    fn a_wait_that_melts_away_is_no_overload() {
        let mut admission = Admission::new(WAIT_MAX);
        // Five seconds of arrivals at two thirds of the strength, after a stall of as long.
        for number in 0..80_u64 {
            let limit = admission.observe(drain(number * 100, 5_000 - number * 50, false));
            assert_eq!(limit, LIMIT_NONE, "drain {number}");
        }
        let mut admission = Admission::new(WAIT_MAX);
        let limits = (0..80_u64).map(|number| admission.observe(drain(number * 100, 5_000 - number * 10, false)));
        assert!(limits.last().is_some_and(|limit| limit < LIMIT_NONE), "but one that hardly does is");
    }

    proptest! {
        /// Clients that wait for their answers, and whose commands fit into one entry together: never refused, on
        /// whatever disk. 512 connections that put, 20 that write batches of 25.
        #[test]
        fn commands_of_one_entry_are_never_refused(
            clients in 1..=ENTRY_COMMANDS_MAX,
            entries_ms in prop::collection::vec(1..20_000_u64, 1..200),
        ) {
            let mut queue = Queue::new();
            (0..clients).for_each(|_| queue.arrive(0, share(1)));
            for entry_ms in entries_ms {
                let answered = queue.drain();
                queue.now_ns += entry_ms * MS;
                (0..answered).for_each(|_| queue.arrive(queue.now_ns, share(1)));
            }
            prop_assert_eq!((queue.refused, queue.limit), (0, LIMIT_NONE));
        }

        /// One stall of any length in front of a server that is at most half busy: nothing is refused that the queue
        /// has room for.
        #[test]
        fn a_single_stall_is_never_refused(
            entry_ms in 1..200_u64,
            busy_percent in 1..=50_u64,
            stall_ms in 0..30_000_u64,
            calm_ms in 0..5_000_u64,
        ) {
            let mut queue = Queue::new();
            let per_entry = (ENTRY_COMMANDS_MAX / 8) as u64;
            let every_ns = entry_ms * MS * 100 / (per_entry * busy_percent);
            queue.stream(share(1) * 8, every_ns, entry_ms * MS, calm_ms * MS);
            let end_ns = queue.now_ns + 2 * stall_ms * MS;
            queue.stream(share(1) * 8, every_ns, stall_ms * MS + 1, queue.now_ns + 1);
            let full = queue.refused;
            while queue.now_ns < end_ns {
                queue.stream(share(1) * 8, every_ns, entry_ms * MS, queue.now_ns + 1);
                prop_assert_eq!(queue.limit, LIMIT_NONE);
            }
            prop_assert_eq!(queue.refused, full);
        }

        /// More than the server can do, for as long as one likes: whoever is let in waits a bounded time, no work is
        /// lost, the rest is refused, and it is over with the load.
        #[test]
        fn a_lasting_overload_is_refused_and_passes(
            entry_ms in 1..300_u64,
            load_percent in 150..1_000_u64,
        ) {
            let mut queue = Queue::new();
            let per_entry = (ENTRY_COMMANDS_MAX / 8) as u64;
            let every_ns = entry_ms * MS * 100 / (per_entry * load_percent);
            let arrive = share(1) * 8;
            // What came in before the overload was seen has gone through by then.
            queue.stream(arrive, every_ns, entry_ms * MS, 60_000 * MS);
            prop_assert!(queue.refused > 0);
            let (refused, served) = (queue.refused, queue.served);
            queue.waited_max_ns = 0;
            let before_ns = queue.now_ns;
            queue.stream(arrive, every_ns, entry_ms * MS, before_ns + 60_000 * MS);
            prop_assert!(queue.refused > refused);
            let bound = 2 * WAIT_MAX_NS + 4 * entry_ms * MS;
            prop_assert!(queue.waited_max_ns <= bound, "{} ms", queue.waited_max_ns / MS);
            let strength = (queue.now_ns - before_ns) / (entry_ms * MS) * ENTRY_BYTES_MAX as u64;
            prop_assert!((queue.served - served) as u64 * 10 >= strength * 9, "the disk was not used");
            // Nobody comes any more, then one.
            while queue.drain() > 0 {
                queue.now_ns += entry_ms * MS;
            }
            queue.arrive(queue.now_ns, arrive);
            queue.drain();
            prop_assert_eq!(queue.limit, LIMIT_NONE);
        }
    }
}
