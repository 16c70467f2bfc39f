//! The search for an order, on the cell with conditional writes.

use checker::search::{Cell, CellAction, Model, Verdict, check};
use checker::{History, Outcome};
use proptest::prelude::*;

type Op = (u64, u64, CellAction, Outcome);

const OK: Outcome = Outcome::Ok;
const STEPS: u64 = 1_000_000;

fn verdict(operations: &[Op]) -> Verdict {
    let mut history = History::new();
    for (start, end, action, outcome) in operations {
        history.push(*start, *end, *action, *outcome);
    }
    check(&Cell, &history, STEPS)
}

fn put_if(expected: impl Into<Option<i64>>, new: i64, held: bool) -> CellAction {
    CellAction::PutIf { expected: expected.into(), new, held }
}

use CellAction::{Add, Delete, Put, Read};

#[test]
fn known_good_histories_pass() {
    let cases: [(&str, &[Op]); 6] = [
        (
            "one of two conditional writes wins",
            &[(1, 9, put_if(None, 1, true), OK), (2, 8, put_if(None, 2, false), OK), (10, 11, Read(Some(1)), OK)],
        ),
        (
            "an unknown conditional write may have won",
            &[
                (1, 2, put_if(None, 1, true), Outcome::Unknown),
                (3, 4, put_if(None, 2, false), OK),
                (5, 6, Read(Some(1)), OK),
            ],
        ),
        (
            "deletes are not distinguishable",
            &[
                (1, 2, Put(1), OK),
                (3, 4, Delete, OK),
                (5, 6, Read(None), OK),
                (7, 8, Put(2), OK),
                (9, 20, Delete, OK),
                (10, 19, Read(Some(2)), OK),
                (11, 18, Read(None), OK),
            ],
        ),
        ("additions in some order", &[(1, 9, Add { by: 1, sum: 3 }, OK), (2, 8, Add { by: 2, sum: 2 }, OK)]),
        (
            "an unknown addition happened once",
            &[(1, 2, Add { by: 5, sum: 0 }, Outcome::Unknown), (3, 4, Add { by: 1, sum: 6 }, OK)],
        ),
        (
            "an unknown addition never happened",
            &[(1, 2, Add { by: 5, sum: 0 }, Outcome::Unknown), (3, 4, Add { by: 1, sum: 1 }, OK)],
        ),
    ];
    for (name, operations) in cases {
        assert!(verdict(operations).is_linearizable(), "{name}");
    }
}

#[test]
fn known_bad_histories_fail() {
    let cases: [(&str, &[Op]); 6] = [
        ("two winners", &[(1, 9, put_if(None, 1, true), OK), (2, 8, put_if(None, 2, true), OK)]),
        ("a condition failed for no reason", &[(1, 2, put_if(None, 1, false), OK)]),
        ("a lost addition", &[(1, 9, Add { by: 1, sum: 1 }, OK), (2, 8, Add { by: 1, sum: 1 }, OK)]),
        (
            "an unknown addition happened twice",
            &[(1, 2, Add { by: 5, sum: 0 }, Outcome::Unknown), (3, 4, Read(Some(5)), OK), (5, 6, Read(Some(10)), OK)],
        ),
        ("a stale read", &[(1, 2, Put(1), OK), (3, 4, Delete, OK), (5, 6, Read(Some(1)), OK)]),
        ("a failed write was seen", &[(1, 2, Put(1), Outcome::Failed), (3, 4, Read(Some(1)), OK)]),
    ];
    for (name, operations) in cases {
        assert!(matches!(verdict(operations), Verdict::Violated { .. }), "{name}: {:?}", verdict(operations));
    }
}

#[test]
fn a_search_that_is_too_long_says_so() {
    let operations: Vec<Op> = (0..20).map(|number| (1, 100, Add { by: 1 << number, sum: -1 }, OK)).collect();
    let mut history = History::new();
    for (start, end, action, outcome) in operations {
        history.push(start, end, action, outcome);
    }
    // No sum fits, so the first level is all there is; with reads that fit nothing the sets explode.
    assert!(matches!(check(&Cell, &history, 10), Verdict::GaveUp { steps: 10 }));
}

/// Tries every order of those answered, with every subset of the unknown ones.
fn by_brute_force(history: &History<CellAction>, placed: &mut Vec<usize>, state: Option<i64>) -> bool {
    let entries = history.entries();
    let open = |number: &usize| !placed.contains(number) && entries[*number].outcome != Outcome::Failed;
    let remaining: Vec<usize> = (0..entries.len()).filter(open).collect();
    if remaining.iter().all(|number| entries[*number].outcome == Outcome::Unknown) {
        return true;
    }
    for number in remaining.iter().copied() {
        if remaining.iter().any(|other| entries[*other].precedes(&entries[number])) {
            continue;
        }
        if let Some(after) = Cell.apply(&state, &entries[number].action, entries[number].outcome) {
            placed.push(number);
            let found = by_brute_force(history, placed, after);
            placed.pop();
            if found {
                return true;
            }
        }
    }
    false
}

fn action() -> impl Strategy<Value = CellAction> {
    let value = || prop::option::of(0i64..3);
    prop_oneof![
        value().prop_map(Read),
        (0i64..3).prop_map(Put),
        Just(Delete),
        (value(), 0i64..3, any::<bool>()).prop_map(|(expected, new, held)| PutIf { expected, new, held }),
        (0i64..3).prop_map(|sum| Add { by: 1, sum }),
    ]
}

use CellAction::PutIf;

fn small_history() -> impl Strategy<Value = History<CellAction>> {
    let outcome = prop_oneof![6 => Just(OK), 1 => Just(Outcome::Failed), 2 => Just(Outcome::Unknown)];
    prop::collection::vec((1u64..20, 0u64..12, action(), outcome), 0..7).prop_map(|operations| {
        let mut history = History::new();
        for (start, length, action, outcome) in operations {
            history.push(start, start + length, action, outcome);
        }
        history
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn agrees_with_trying_every_order(history in small_history()) {
        let expected = by_brute_force(&history, &mut Vec::new(), None);
        match check(&Cell, &history, STEPS) {
            Verdict::Linearizable(order) => {
                prop_assert!(expected);
                let mut state = Cell.initial();
                for number in order {
                    let entry = &history.entries()[number];
                    state = Cell.apply(&state, &entry.action, entry.outcome).expect("the order explains every answer");
                }
            }
            Verdict::Violated { .. } => prop_assert!(!expected),
            Verdict::GaveUp { .. } => prop_assert!(false, "seven operations are few"),
        }
    }
}
