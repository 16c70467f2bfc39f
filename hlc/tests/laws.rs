//! Laws of the clock, over random histories of several leaders with wall clocks that jump.

use hlc::{CEILING_WINDOW_MS, Clock, ClockError, NodeClock, PHYSICAL_MS_MAX, SKEW_BOUND_MS, Timestamp};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    /// The wall clock of the present leader jumps to here.
    WallJumps(u64),
    /// The present leader writes an entry with this many stamped commands; it reaches the log or it is lost.
    Entry { commands: u8, is_lost: bool },
    /// The present leader promises a timestamp outside the log, under the applied ceiling.
    Promise,
    /// A message brings a timestamp.
    Observe(u64),
    /// The commit of a transaction across groups is applied.
    Decided(u64),
    /// Another node takes over, with its own wall clock.
    TakeOver(u64),
}

const START_MS: u64 = 1_000_000;

fn wall() -> impl Strategy<Value = u64> {
    prop_oneof![START_MS..START_MS + 20_000, 0u64..10]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => wall().prop_map(Event::WallJumps),
        6 => (1u8..5, any::<bool>()).prop_map(|(commands, is_lost)| Event::Entry { commands, is_lost }),
        3 => Just(Event::Promise),
        2 => wall().prop_map(Event::Observe),
        1 => wall().prop_map(Event::Decided),
        2 => wall().prop_map(Event::TakeOver),
    ]
}

/// The history of a group: what is visible to anyone (stamped in an entry that reached the log, or promised outside)
/// rises strictly over all leaders and is below the ceiling in the log.
fn check(events: &[Event]) {
    let mut wall_ms = START_MS;
    let mut applied_ceiling = Timestamp::ZERO;
    let mut clock = Clock::resume(applied_ceiling);
    let mut newest = Timestamp::ZERO;
    for event in events {
        let before = clock.clone();
        match *event {
            Event::WallJumps(to) => wall_ms = to,
            Event::Entry { commands, is_lost } => {
                for _ in 0..commands {
                    let stamp = clock.tick_or_raise(wall_ms).expect("time is not used up");
                    assert!(stamp > newest, "{events:?}");
                    assert!(stamp < clock.ceiling(), "{events:?}");
                    if !is_lost {
                        newest = stamp;
                    }
                }
                if is_lost {
                    // The leader that loses an entry has lost its leadership.
                    clock = Clock::resume(applied_ceiling);
                } else {
                    applied_ceiling = clock.ceiling();
                }
            }
            Event::Promise => {
                assert!(clock.ceiling() >= applied_ceiling);
                if clock.ceiling() == applied_ceiling
                    && let Ok(stamp) = clock.tick(wall_ms)
                {
                    assert!(stamp > newest, "{events:?}");
                    assert!(stamp < applied_ceiling, "{events:?}");
                    newest = stamp;
                }
            }
            Event::Observe(ms) => {
                let remote = Timestamp::new(ms, 3);
                let is_taken = clock.observe(remote, wall_ms).is_ok();
                assert_eq!(is_taken, ms <= wall_ms + SKEW_BOUND_MS);
                assert!(is_taken || clock == before, "what is refused changes nothing");
                assert!(!is_taken || clock.last() >= remote);
            }
            Event::Decided(ms) => {
                clock.observe_decided(Timestamp::new(ms, 7));
                applied_ceiling = applied_ceiling.max(Timestamp::new(ms, 8));
                clock.raise_ceiling(applied_ceiling);
            }
            Event::TakeOver(ms) => {
                wall_ms = ms;
                clock = Clock::resume(applied_ceiling);
            }
        }
    }
}

/// Every history of up to six events out of nine that lie at the edges.
#[test]
fn no_two_leaders_issue_the_same_or_an_inverted_timestamp_in_any_short_history() {
    let edge_ms = START_MS + CEILING_WINDOW_MS;
    let events = [
        Event::WallJumps(START_MS - 1),
        Event::WallJumps(edge_ms),
        Event::Entry { commands: 1, is_lost: false },
        Event::Entry { commands: 2, is_lost: true },
        Event::Promise,
        Event::Observe(START_MS + SKEW_BOUND_MS),
        Event::Decided(edge_ms),
        Event::TakeOver(START_MS - 7),
        Event::TakeOver(edge_ms - 1),
    ];
    for length in 0..=6u32 {
        for code in 0..events.len().pow(length) {
            let history: Vec<Event> =
                (0..length).map(|place| events[code / events.len().pow(place) % events.len()].clone()).collect();
            check(&history);
        }
    }
}

proptest! {
    #[test]
    fn no_two_leaders_issue_the_same_or_an_inverted_timestamp(events in prop::collection::vec(event(), 1..80)) {
        check(&events);
    }

    /// A group that renews as often as it likes while wall time stands still does not run away into the future: the
    /// ceiling is at most one tick above what was issued, or a window above wall time.
    #[test]
    fn the_ceiling_never_runs_away(stamps in 1usize..500, set_back_ms in 0u64..10_000) {
        let mut clock = Clock::resume(Timestamp::new(START_MS, 0));
        for _ in 0..stamps {
            let stamp = clock.tick_or_raise(START_MS - set_back_ms).unwrap();
            let by_wall = Timestamp::new(START_MS - set_back_ms + CEILING_WINDOW_MS, 0);
            prop_assert!(clock.ceiling() <= stamp.next().unwrap().max(by_wall));
        }
    }

    #[test]
    fn a_refused_tick_changes_nothing(ceiling in any::<u64>(), wall_ms in any::<u64>()) {
        let mut clock = Clock::resume(Timestamp(ceiling));
        let before = clock.clone();
        match clock.tick(wall_ms) {
            Ok(stamp) => prop_assert!(stamp < before.ceiling() && stamp >= before.last()),
            Err(ClockError::CeilingReached { ceiling }) => {
                prop_assert_eq!(ceiling, before.ceiling());
                prop_assert_eq!(&clock, &before);
            }
            Err(ClockError::Exhausted) => {
                prop_assert!(wall_ms >= PHYSICAL_MS_MAX || before.last().0 >= u64::MAX - 1);
                prop_assert_eq!(&clock, &before);
            }
        }
    }

    #[test]
    fn parts_and_text_say_the_same(raw in any::<u64>()) {
        let stamp = Timestamp(raw);
        prop_assert_eq!(Timestamp::new(stamp.physical_ms(), stamp.logical()), stamp);
        prop_assert_eq!(stamp.to_string().parse::<Timestamp>(), Ok(stamp));
    }

    #[test]
    fn the_order_of_timestamps_is_that_of_their_parts(one in any::<u64>(), other in any::<u64>()) {
        let parts = |raw| (Timestamp(raw).physical_ms(), Timestamp(raw).logical());
        prop_assert_eq!(Timestamp(one).cmp(&Timestamp(other)), parts(one).cmp(&parts(other)));
    }

    /// Messages carry causality: whatever way a timestamp takes through nodes, the next reading is not below it.
    #[test]
    fn readings_follow_what_was_observed(hops in prop::collection::vec((0usize..3, wall()), 1..30)) {
        let nodes = [NodeClock::new(), NodeClock::new(), NodeClock::new()];
        let mut carried = Timestamp::ZERO;
        for (node, wall_ms) in hops {
            if nodes[node].observe(carried, wall_ms).is_ok() {
                let reading = nodes[node].reading(wall_ms);
                prop_assert!(reading >= carried);
                carried = reading;
            }
        }
    }
}
