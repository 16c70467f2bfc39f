//! The grantor against its definition over the whole history.

use std::time::Duration;

use lease::{Grantor, Moment, Outstanding, Timing};

const LEASE_MS: u64 = 100;
const CANDIDATES: [u8; 3] = [1, 2, 3];

#[derive(Clone, Copy, Debug)]
enum Event {
    Wait(u64),
    Accepted { leader: u8, term: u64 },
    Transferred { term: u64 },
}

const EVENTS: [Event; 8] = [
    Event::Wait(40),
    Event::Wait(70),
    Event::Accepted { leader: 2, term: 1 },
    Event::Accepted { leader: 3, term: 2 },
    Event::Accepted { leader: 3, term: 3 },
    Event::Transferred { term: 1 },
    Event::Transferred { term: 2 },
    Event::Wait(1),
];

fn ms(ms: u64) -> Moment {
    Moment::from_nanos(ms * 1_000_000)
}

/// By definition: of the messages accepted whose term was not given away before, the last one of the newest term binds, if it
/// is younger than a lease, of somebody else than the candidate, and its term was not given away after.
fn may_grant(history: &[Event], candidate: u8, held_down: bool) -> bool {
    let now: u64 = history.iter().map(|event| if let Event::Wait(span) = event { *span } else { 0 }).sum();
    if held_down && now < LEASE_MS * 111 / 100 {
        return false;
    }
    let released = |upto: &[Event]| {
        upto.iter().filter_map(|event| if let Event::Transferred { term } = event { Some(*term) } else { None }).max()
    };
    let mut clock = 0;
    let mut binding = None;
    for (index, event) in history.iter().enumerate() {
        match event {
            Event::Wait(span) => clock += span,
            Event::Accepted { leader, term }
                if Some(*term) > released(&history[..index])
                    && binding.is_none_or(|(_, newest, _)| newest <= *term) =>
            {
                binding = Some((*leader, *term, clock));
            }
            _ => {}
        }
    }
    match binding {
        Some((leader, term, since)) if Some(term) > released(history) => leader == candidate || now >= since + LEASE_MS,
        _ => true,
    }
}

fn check(history: &[Event], outstanding: Outstanding) {
    let timing = Timing::for_election_timeout(Duration::from_millis(LEASE_MS)).unwrap();
    let mut now = 5;
    let mut grantor = Grantor::start(timing, ms(now), outstanding, Duration::ZERO);
    for event in history {
        match *event {
            Event::Wait(span) => now += span,
            Event::Accepted { leader, term } => drop(grantor.accepted(ms(now), &leader, term)),
            Event::Transferred { term } => grantor.transferred(term),
        }
    }
    for candidate in CANDIDATES {
        let expected = may_grant(history, candidate, outstanding == Outstanding::Possible);
        assert_eq!(grantor.may_grant(ms(now), &candidate).is_ok(), expected, "{candidate} after {history:?}");
    }
}

#[test]
fn agrees_with_the_definition_over_every_history_of_five_events() {
    for length in 0..=5u32 {
        for code in 0..EVENTS.len().pow(length) {
            let history: Vec<Event> =
                (0..length).map(|place| EVENTS[code / EVENTS.len().pow(place) % EVENTS.len()]).collect();
            check(&history, Outstanding::Possible);
            check(&history, Outstanding::Impossible);
        }
    }
}
