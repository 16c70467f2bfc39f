//! The holder against its definition over the whole history: every history of a few events, and random long ones.

use std::time::Duration;

use lease::{Holder, Moment, Timing, Vote, Voters};
use proptest::prelude::*;

const LEASE: Duration = Duration::from_millis(100);
const VALIDITY_MS: u64 = 70;
const ME: u8 = 1;

#[derive(Clone, Copy, Debug)]
enum Event {
    Vote {
        term: u64,
        node: u8,
        committed: bool,
    },
    OwnTermApplied {
        term: u64,
    },
    Acked {
        term: u64,
        peer: u8,
        sent_ms: u64,
    },
    /// Appends the next configuration of [`CONFIGS`].
    ConfigAppended,
    /// Applies the oldest configuration that is not applied.
    ConfigApplied,
    TransferStarted,
    ShutDown,
}

/// Configurations in the order in which a history appends them; the first is there from the start.
const CONFIGS: [&[&[u8]]; 4] = [&[&[1]], &[&[1], &[1, 2, 3]], &[&[1, 2, 3]], &[&[2, 3]]];

fn voters(config: usize) -> Voters<u8> {
    Voters::joint(CONFIGS[config].iter().map(|set| set.iter().copied()))
}

/// The history in words: what follows from the definition alone.
struct Definition<'a> {
    history: &'a [Event],
}

impl Definition<'_> {
    /// The position of the vote that began the present leadership, and its term.
    fn leadership(&self) -> Option<(usize, u64)> {
        let mut leadership: Option<(usize, u64)> = None;
        for (index, event) in self.history.iter().enumerate() {
            match *event {
                Event::Vote { term, node: ME, committed: true } if leadership.is_some_and(|(_, held)| held == term) => {
                }
                Event::Vote { term, node: ME, committed: true } => {
                    let closed = self.history[..index].iter().any(|event| matches!(event, Event::ShutDown));
                    leadership = (!closed && self.is_still_winnable(index, term)).then_some((index, term));
                }
                Event::Vote { .. } | Event::TransferStarted | Event::ShutDown => leadership = None,
                _ => {}
            }
        }
        leadership
    }

    /// Whether `term` can be won at `index`: nothing before spent it.
    fn is_still_winnable(&self, index: usize, term: u64) -> bool {
        self.history[..index].iter().enumerate().all(|(before, event)| match *event {
            Event::Vote { term: other, node: ME, committed: true } => {
                // Either it never began a leadership, or that leadership is over by now and was of an earlier term.
                other < term || !self.began_to_lead(before)
            }
            Event::Vote { term: other, node: ME, committed: false } => other <= term,
            Event::Vote { term: other, .. } => other < term,
            _ => true,
        })
    }

    fn began_to_lead(&self, index: usize) -> bool {
        let upto = Definition { history: &self.history[..=index] };
        upto.leadership().is_some_and(|(start, _)| start == index)
    }

    fn deadline(&self) -> Moment {
        let Some((start, term)) = self.leadership() else { return Moment::NEVER };
        let since = &self.history[start..];
        let is_open = since.iter().any(|event| matches!(event, Event::OwnTermApplied { term: own } if *own == term));
        let appended = self.history.iter().filter(|event| matches!(event, Event::ConfigAppended)).count();
        let applied = self.history.iter().filter(|event| matches!(event, Event::ConfigApplied)).count();
        if !is_open {
            return Moment::NEVER;
        }
        let newest_ack = |node: u8| {
            let of_node = since.iter().filter_map(|event| match *event {
                Event::Acked { term: of, peer, sent_ms } if of == term && peer == node => Some(sent_ms),
                _ => None,
            });
            if node == ME { Some(u64::MAX) } else { of_node.max() }
        };
        let mut earliest = u64::MAX;
        for set in CONFIGS[applied..=appended].iter().flat_map(|config| config.iter()) {
            let mut sent: Vec<Option<u64>> = set.iter().map(|node| newest_ack(*node)).collect();
            sent.sort();
            sent.reverse();
            match sent[set.len() / 2] {
                Some(quorum) => earliest = earliest.min(quorum),
                None => return Moment::NEVER,
            }
        }
        if earliest == u64::MAX { Moment::FOREVER } else { Moment::from_nanos((earliest + VALIDITY_MS) * 1_000_000) }
    }
}

/// Drops the events that cannot happen: configurations that do not exist, applied before they are appended.
fn possible(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    let (mut appended, mut applied) = (0, 0);
    events
        .into_iter()
        .filter(|event| match event {
            Event::ConfigAppended => {
                appended += 1;
                appended < CONFIGS.len()
            }
            Event::ConfigApplied if applied < appended.min(CONFIGS.len() - 1) => {
                applied += 1;
                true
            }
            Event::ConfigApplied => false,
            _ => true,
        })
        .collect()
}

fn check(history: &[Event]) {
    let timing = Timing::for_election_timeout(LEASE).unwrap();
    let mut holder = Holder::new(ME, timing, [(0, voters(0))]);
    let (mut appended, mut applied) = (0, 0);
    for event in history {
        let (generation, deadline) = (holder.generation(), holder.deadline());
        match *event {
            Event::Vote { term, node, committed } => holder.vote_saved(Vote { term, node, committed }),
            Event::OwnTermApplied { term } => holder.own_term_applied(term),
            Event::Acked { term, peer, sent_ms } => {
                holder.acked(term, &peer, Moment::from_nanos(sent_ms * 1_000_000), LEASE);
            }
            Event::ConfigAppended => {
                appended += 1;
                holder.config_appended(appended, voters(appended as usize));
            }
            Event::ConfigApplied => {
                applied += 1;
                holder.config_applied(applied);
            }
            Event::TransferStarted => holder.transfer_started(),
            Event::ShutDown => holder.shut_down(),
        }
        let is_shorter = holder.deadline() < deadline;
        assert!(!is_shorter || holder.generation() > generation, "what shortens revokes: {event:?} in {history:?}");
    }
    assert_eq!(holder.deadline(), Definition { history }.deadline(), "after {history:?}");
}

const EVENTS: [Event; 13] = [
    Event::Vote { term: 1, node: 1, committed: true },
    Event::Vote { term: 2, node: 1, committed: true },
    Event::Vote { term: 2, node: 1, committed: false },
    Event::Vote { term: 1, node: 2, committed: true },
    Event::Vote { term: 2, node: 3, committed: false },
    Event::OwnTermApplied { term: 1 },
    Event::OwnTermApplied { term: 2 },
    Event::Acked { term: 1, peer: 2, sent_ms: 7 },
    Event::Acked { term: 2, peer: 3, sent_ms: 5 },
    Event::ConfigAppended,
    Event::ConfigApplied,
    Event::TransferStarted,
    Event::ShutDown,
];

/// 13 + 13^2 + ... + 13^4 histories.
#[test]
fn agrees_with_the_definition_over_every_history_of_four_events() {
    for length in 0..=4u32 {
        for code in 0..EVENTS.len().pow(length) {
            let events = (0..length).map(|place| EVENTS[code / EVENTS.len().pow(place) % EVENTS.len()]);
            check(&possible(events));
        }
    }
}

/// The same, of a node that already leads, where most of the interesting histories are.
#[test]
fn agrees_with_the_definition_over_every_history_of_four_events_of_a_leader() {
    for length in 0..=4u32 {
        for code in 0..EVENTS.len().pow(length) {
            let events = (0..length).map(|place| EVENTS[code / EVENTS.len().pow(place) % EVENTS.len()]);
            check(&possible([EVENTS[0], EVENTS[5]].into_iter().chain(events)));
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1u64..6).prop_map(|term| Event::Vote { term, node: ME, committed: true }),
        1 => (1u64..6, 1u8..4).prop_map(|(term, node)| Event::Vote { term, node, committed: false }),
        1 => (1u64..6, 2u8..4).prop_map(|(term, node)| Event::Vote { term, node, committed: true }),
        3 => (1u64..6).prop_map(|term| Event::OwnTermApplied { term }),
        6 => (1u64..6, 2u8..4, 0u64..1_000).prop_map(|(term, peer, sent_ms)| Event::Acked { term, peer, sent_ms }),
        1 => Just(Event::ConfigAppended),
        1 => Just(Event::ConfigApplied),
        1 => Just(Event::TransferStarted),
    ]
}

proptest! {
    #[test]
    fn agrees_with_the_definition_over_random_histories(events in prop::collection::vec(event(), 0..40)) {
        check(&possible(events));
    }
}
