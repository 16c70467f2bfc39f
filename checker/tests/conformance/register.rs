//! The fast register checker.

use checker::register::{Action, Violation, check, check_each};
use checker::search::{self, Model};
use checker::{History, Outcome};
use proptest::prelude::*;

type Op = (u64, u64, Action, Outcome);

fn history(operations: &[Op]) -> History<Action> {
    let mut history = History::new();
    for (start, end, action, outcome) in operations {
        history.push(*start, *end, *action, *outcome);
    }
    history
}

fn write(start: u64, end: u64, value: u64) -> Op {
    (start, end, Action::Write(value), Outcome::Ok)
}

fn read(start: u64, end: u64, value: impl Into<Option<u64>>) -> Op {
    (start, end, Action::Read(value.into()), Outcome::Ok)
}

fn unknown((start, end, action, _): Op) -> Op {
    (start, end, action, Outcome::Unknown)
}

fn failed((start, end, action, _): Op) -> Op {
    (start, end, action, Outcome::Failed)
}

#[test]
fn known_good_histories_pass() {
    let cases: [(&str, &[Op]); 8] = [
        ("nothing happened", &[]),
        ("one after the other", &[read(1, 2, None), write(3, 4, 1), read(5, 6, 1)]),
        ("a read sees a write that is under way", &[write(1, 10, 1), read(2, 3, 1), read(4, 5, 1)]),
        ("or not yet", &[write(1, 10, 1), read(2, 3, None), read(4, 5, 1)]),
        ("a write without an answer may take effect late", &[unknown(write(1, 2, 1)), read(5, 6, None), read(7, 8, 1)]),
        ("or never", &[unknown(write(1, 2, 1)), write(3, 4, 2), read(5, 6, 2)]),
        ("what failed and nobody saw never was", &[failed(write(1, 2, 1)), read(3, 4, None)]),
        ("concurrent writes in either order", &[write(1, 9, 1), write(2, 8, 2), read(10, 11, 1), read(12, 13, 1)]),
    ];
    for (name, operations) in cases {
        assert_eq!(check(&history(operations)), Ok(()), "{name}");
    }
}

#[test]
fn known_bad_histories_fail() {
    let stale = |violation: &Violation| matches!(violation, Violation::Stale { .. });
    type Expected = fn(&Violation) -> bool;
    let cases: [(&str, &[Op], Expected); 10] = [
        ("stale read", &[write(1, 2, 1), write(3, 4, 2), read(5, 6, 1)], stale),
        ("lost acknowledged write", &[write(1, 2, 1), read(3, 4, None)], stale),
        ("going back in time", &[write(1, 9, 1), read(2, 3, 1), read(4, 5, None)], stale),
        (
            "two readers disagree",
            &[write(1, 20, 1), write(2, 20, 2), read(3, 4, 1), read(5, 6, 2), read(7, 8, 1)],
            stale,
        ),
        (
            "an unknown write that was seen cannot be undone",
            &[unknown(write(1, 2, 1)), read(3, 4, 1), read(5, 6, None)],
            stale,
        ),
        (
            "an old unknown write comes back after a newer one was seen to replace it",
            &[unknown(write(1, 2, 1)), read(3, 4, 1), write(5, 6, 2), read(7, 8, 2), read(9, 10, 1)],
            stale,
        ),
        ("phantom", &[read(1, 2, 7)], |v| matches!(v, Violation::Phantom { read: 0, value: 7 })),
        ("failed write seen", &[failed(write(1, 2, 7)), read(3, 4, 7)], |v| {
            matches!(v, Violation::FailedWriteSeen { read: 1, write: 0 })
        }),
        ("read from the future", &[read(1, 2, 7), write(3, 4, 7)], |v| {
            matches!(v, Violation::FromTheFuture { read: 0, write: 1 })
        }),
        ("a number used twice", &[write(1, 2, 7), write(3, 4, 7)], |v| {
            matches!(v, Violation::WrittenTwice { value: 7, one: 0, other: 1 })
        }),
    ];
    for (name, operations, expected) in cases {
        let violation = check(&history(operations)).expect_err(name);
        assert!(expected(&violation), "{name}: {violation}");
        println!("{name}: {violation}");
    }
}

#[test]
fn keys_are_checked_one_by_one() {
    let good = history(&[write(1, 2, 1)]);
    let bad = history(&[read(1, 2, 9)]);
    assert_eq!(check_each([("a", &good), ("b", &good)]), Ok(()));
    assert_eq!(check_each([("a", &good), ("b", &bad)]), Err(("b", Violation::Phantom { read: 0, value: 9 })));
}

/// The same register for the search.
struct Register;

impl Model for Register {
    type State = Option<u64>;
    type Action = Action;

    fn initial(&self) -> Option<u64> {
        None
    }

    fn apply(&self, state: &Option<u64>, action: &Action, outcome: Outcome) -> Option<Option<u64>> {
        match action {
            Action::Write(value) => Some(Some(*value)),
            Action::Read(seen) => (outcome != Outcome::Ok || seen == state).then_some(*state),
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![6 => Just(Outcome::Ok), 1 => Just(Outcome::Failed), 2 => Just(Outcome::Unknown)]
}

/// Up to nine operations at random times; the values read are any that were written, mostly.
fn small_history() -> impl Strategy<Value = History<Action>> {
    let operation = (1u64..30, 0u64..12, any::<bool>(), 0u64..5, outcome());
    prop::collection::vec(operation, 0..9).prop_map(|operations| {
        let mut history = History::new();
        for (number, (start, length, writes, value, outcome)) in operations.into_iter().enumerate() {
            let action =
                if writes { Action::Write(number as u64 + 1) } else { Action::Read((value > 0).then_some(value)) };
            history.push(start, start + length, action, outcome);
        }
        history
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// The theorem, against trying every order.
    #[test]
    fn agrees_with_the_search(history in small_history()) {
        let searched = search::check(&Register, &history, 1_000_000);
        prop_assert_eq!(check(&history).is_ok(), searched.is_linearizable(), "{:?}", check(&history));
    }
}

/// A real register: operations take effect at an instant between start and end, in the order of a list.
fn simulated(seed: u64, operations: u64) -> Vec<Op> {
    let mut random = seed;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut state = None;
    (0..operations)
        .map(|number| {
            let instant = 1_000 + number * 10;
            let (start, end) = (instant - next(100), instant + next(100));
            if next(3) == 0 {
                let takes_effect = next(8) != 0;
                if takes_effect {
                    state = Some(number + 1);
                }
                let write = write(start, end, number + 1);
                if takes_effect && next(8) != 0 { write } else { unknown(write) }
            } else {
                read(start, end, state)
            }
        })
        .collect()
}

#[test]
fn histories_of_a_real_register_pass_and_a_tampered_read_is_found() {
    for seed in 0..20 {
        let mut operations = simulated(seed, 3_000);
        assert_eq!(check(&history(&operations)), Ok(()), "seed {seed}");
        let old =
            operations.iter().find_map(|op| if let Action::Read(Some(value)) = op.2 { Some(value) } else { None });
        let last = operations.iter().rposition(|op| matches!(op.2, Action::Read(_))).unwrap();
        operations[last].2 = Action::Read(old);
        assert!(check(&history(&operations)).is_err(), "seed {seed}");
    }
}

#[test]
fn two_hundred_thousand_operations_take_seconds_at_most() {
    assert_eq!(check(&history(&simulated(7, 200_000))), Ok(()));
}
