//! The serializability checker.

use std::collections::BTreeMap;

use checker::serial::{Anomaly, Dependency, RealTime, Step, Transaction, check};
use checker::{History, Outcome};
use proptest::prelude::*;

const X: u64 = 1;
const Y: u64 = 2;
const OK: Outcome = Outcome::Ok;

type Op<'a> = (u64, u64, &'a [Step], Outcome);

fn history(operations: &[Op<'_>]) -> History<Transaction> {
    let mut history = History::new();
    for (start, end, steps, outcome) in operations {
        history.push(*start, *end, steps.to_vec(), *outcome);
    }
    history
}

fn append(key: u64, element: u64) -> Step {
    Step::Append { key, element }
}

fn read(key: u64, list: &[u64]) -> Step {
    Step::Read { key, list: list.to_vec() }
}

#[test]
fn known_good_histories_pass_in_every_sense() {
    let transfer = [read(X, &[]), read(Y, &[]), append(X, 1), append(Y, 1)];
    let cases: [(&str, &[Op<'_>]); 5] = [
        ("nothing happened", &[]),
        (
            "a transaction on two keys is seen whole",
            &[(1, 2, &transfer, OK), (3, 4, &[read(X, &[1]), read(Y, &[1])], OK)],
        ),
        (
            "a failed transaction leaves nothing",
            &[(1, 2, &[append(X, 1), append(Y, 1)], Outcome::Failed), (3, 4, &[read(X, &[]), read(Y, &[])], OK)],
        ),
        (
            "one of unknown outcome happened late",
            &[
                (1, 2, &[append(X, 1), append(Y, 1)], Outcome::Unknown),
                (3, 4, &[read(X, &[])], OK),
                (5, 6, &[read(X, &[1]), read(Y, &[1])], OK),
            ],
        ),
        (
            "two appends of one transaction stand together",
            &[(1, 2, &[append(X, 1), append(X, 2)], OK), (3, 4, &[read(X, &[1, 2])], OK)],
        ),
    ];
    for (name, operations) in cases {
        for real_time in [RealTime::Ignored, RealTime::WhereTheyConflict, RealTime::Respected] {
            assert_eq!(check(&history(operations), real_time), Ok(()), "{name}, real time {real_time:?}");
        }
    }
}

#[test]
fn known_bad_histories_fail() {
    type Expected = fn(&Anomaly) -> bool;
    let cycle: Expected = |anomaly| matches!(anomaly, Anomaly::Cycle(_));
    let cases: [(&str, &[Op<'_>], Expected); 12] = [
        (
            "write skew: both read what the other changes",
            &[
                (1, 9, &[read(Y, &[]), append(X, 1)], OK),
                (2, 8, &[read(X, &[]), append(Y, 2)], OK),
                (10, 11, &[read(X, &[1]), read(Y, &[2])], OK),
            ],
            cycle,
        ),
        (
            "torn snapshot: one half of a transaction is seen",
            &[
                (1, 2, &[append(X, 1), append(Y, 1)], OK),
                (3, 4, &[read(X, &[1]), read(Y, &[])], OK),
                (5, 6, &[read(Y, &[1])], OK),
            ],
            cycle,
        ),
        (
            "lost update: both read the same and both append",
            &[
                (1, 9, &[read(X, &[]), append(X, 1)], OK),
                (2, 8, &[read(X, &[]), append(X, 2)], OK),
                (10, 11, &[read(X, &[1, 2])], OK),
            ],
            cycle,
        ),
        (
            "writes in different orders on two keys",
            &[
                (1, 9, &[append(X, 1), append(Y, 1)], OK),
                (2, 8, &[append(X, 2), append(Y, 2)], OK),
                (10, 11, &[read(X, &[1, 2]), read(Y, &[2, 1])], OK),
            ],
            cycle,
        ),
        (
            "two readers see two writes in different orders",
            &[
                (1, 9, &[append(X, 1)], OK),
                (1, 9, &[append(Y, 1)], OK),
                (2, 8, &[read(X, &[1]), read(Y, &[])], OK),
                (2, 8, &[read(X, &[]), read(Y, &[1])], OK),
            ],
            cycle,
        ),
        (
            "half of a transaction of unknown outcome",
            &[
                (1, 2, &[append(X, 1), append(Y, 1)], Outcome::Unknown),
                (3, 4, &[read(X, &[1]), read(Y, &[])], OK),
                (3, 4, &[read(Y, &[1]), read(X, &[])], OK),
            ],
            cycle,
        ),
        ("phantom", &[(1, 2, &[read(X, &[7])], OK)], |a| matches!(a, Anomaly::Phantom { element: 7, .. })),
        ("aborted read", &[(1, 2, &[append(X, 7)], Outcome::Failed), (3, 4, &[read(X, &[7])], OK)], |a| {
            matches!(a, Anomaly::AbortedRead { reader: 1, writer: 0, .. })
        }),
        (
            "duplicate: a retried append happened twice",
            &[(1, 2, &[append(X, 7)], OK), (3, 4, &[read(X, &[7, 7])], OK)],
            |a| matches!(a, Anomaly::Duplicate { element: 7, .. }),
        ),
        (
            "lost append: two lists that do not agree",
            &[
                (1, 2, &[append(X, 1)], OK),
                (3, 4, &[append(X, 2)], OK),
                (5, 6, &[read(X, &[1])], OK),
                (7, 8, &[read(X, &[2])], OK),
            ],
            |a| matches!(a, Anomaly::Incompatible { key: X, one: 2, other: 3 }),
        ),
        (
            "between two appends of one transaction",
            &[(1, 9, &[append(X, 1), append(X, 2)], OK), (2, 8, &[read(X, &[1])], OK)],
            |a| matches!(a, Anomaly::TornWrite { writer: 0, .. }),
        ),
        ("a number used twice", &[(1, 2, &[append(X, 1)], OK), (3, 4, &[append(X, 1)], OK)], |a| {
            matches!(a, Anomaly::AppendedTwice { .. })
        }),
    ];
    for (name, operations, expected) in cases {
        let anomaly = check(&history(operations), RealTime::Ignored).expect_err(name);
        assert!(expected(&anomaly), "{name}: {anomaly}");
        println!("{name}: {anomaly}");
    }
}

#[test]
fn real_time_order_excludes_some_serial_orders() {
    let stale: &[Op<'_>] = &[(1, 2, &[append(X, 1)], OK), (3, 4, &[read(X, &[])], OK)];
    assert_eq!(check(&history(stale), RealTime::Ignored), Ok(()));
    let cycle = vec![(0, Dependency::RealTime), (1, Dependency::ReadWrite)];
    for real_time in [RealTime::WhereTheyConflict, RealTime::Respected] {
        let Err(Anomaly::Cycle(mut found)) = check(&history(stale), real_time) else { panic!("stale read missed") };
        found.sort();
        assert_eq!(found, cycle);
    }
    // Two writes of different keys, one after the other; a reader sees only the later one. Nobody promised otherwise
    // but a strictly serializable store.
    let disjoint: &[Op<'_>] =
        &[(1, 2, &[append(X, 1)], OK), (3, 4, &[append(Y, 1)], OK), (1, 9, &[read(X, &[]), read(Y, &[1])], OK)];
    assert_eq!(check(&history(disjoint), RealTime::WhereTheyConflict), Ok(()));
    assert!(check(&history(disjoint), RealTime::Respected).is_err());
}

/// Whether every order of the transactions in which each sees what it saw is ruled out, by trying them all.
fn has_serial_order(history: &History<Transaction>, real_time: RealTime) -> bool {
    let unknown: Vec<usize> =
        (0..history.len()).filter(|number| history.entries()[*number].outcome == Outcome::Unknown).collect();
    let answered: Vec<usize> =
        (0..history.len()).filter(|number| history.entries()[*number].outcome == Outcome::Ok).collect();
    (0..1u32 << unknown.len()).any(|subset| {
        let chosen =
            unknown.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1).map(|(_, number)| *number);
        let open: Vec<usize> = answered.iter().copied().chain(chosen).collect();
        continues(history, real_time, &open, &BTreeMap::new())
    })
}

fn continues(
    history: &History<Transaction>,
    real_time: RealTime,
    open: &[usize],
    state: &BTreeMap<u64, Vec<u64>>,
) -> bool {
    let entries = history.entries();
    let must_wait = |number: usize, other: usize| {
        let counts = match real_time {
            RealTime::Ignored => false,
            RealTime::WhereTheyConflict => conflict(&entries[number].action, &entries[other].action),
            RealTime::Respected => true,
        };
        counts && entries[other].precedes(&entries[number])
    };
    open.is_empty()
        || open.iter().any(|number| {
            if open.iter().any(|other| must_wait(*number, *other)) {
                return false;
            }
            let entry = &entries[*number];
            let fits = entry.outcome == Outcome::Unknown
                || entry.action.iter().all(|step| match step {
                    Step::Read { key, list } => state.get(key).map_or(&[][..], |list| list) == list.as_slice(),
                    Step::Append { .. } => true,
                });
            if !fits {
                return false;
            }
            let mut after = state.clone();
            for step in &entry.action {
                if let Step::Append { key, element } = step {
                    after.entry(*key).or_default().push(*element);
                }
            }
            let rest: Vec<usize> = open.iter().copied().filter(|other| other != number).collect();
            continues(history, real_time, &rest, &after)
        })
}

fn conflict(one: &Transaction, other: &Transaction) -> bool {
    let touches = |steps: &Transaction, appends: bool| -> Vec<u64> {
        let of = |step: &Step| match *step {
            Step::Append { key, .. } => Some(key),
            Step::Read { key, .. } => (!appends).then_some(key),
        };
        steps.iter().filter_map(of).collect()
    };
    let shared = |one: Vec<u64>, other: Vec<u64>| one.iter().any(|key| other.contains(key));
    shared(touches(one, true), touches(other, false)) || shared(touches(one, false), touches(other, true))
}

/// One transaction of a small history, before it is known what it reads.
#[derive(Clone, Debug)]
struct Plan {
    start: u64,
    length: u64,
    reads: Vec<u64>,
    appends: Vec<u64>,
    outcome: Outcome,
    /// How many elements each read falls short of what a serial execution would have seen.
    lag: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let outcome = prop_oneof![6 => Just(OK), 1 => Just(Outcome::Failed), 2 => Just(Outcome::Unknown)];
    let keys = || prop::collection::vec(1u64..3, 0..3);
    let lag = prop_oneof![4 => Just(0usize), 2 => Just(1usize), 1 => Just(2usize)];
    (1u64..20, 0u64..15, keys(), keys(), outcome, lag).prop_map(|(start, length, reads, appends, outcome, lag)| Plan {
        start,
        length,
        reads,
        appends,
        outcome,
        lag,
    })
}

/// A serial execution of the plans in which reads may lag, so that about half of the histories are bad.
fn executed(plans: Vec<Plan>) -> History<Transaction> {
    let mut state: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut history = History::new();
    for (number, plan) in plans.into_iter().enumerate() {
        let mut steps = Transaction::new();
        for key in plan.reads {
            let list = state.get(&key).cloned().unwrap_or_default();
            steps.push(Step::Read { key, list: list[..list.len().saturating_sub(plan.lag)].to_vec() });
        }
        for (place, key) in plan.appends.into_iter().enumerate() {
            let element = 10 * (number as u64 + 1) + place as u64;
            steps.push(Step::Append { key, element });
            // An unknown one happens if its number is even.
            if plan.outcome == OK || plan.outcome == Outcome::Unknown && number % 2 == 0 {
                state.entry(key).or_default().push(element);
            }
        }
        history.push(plan.start, plan.start + plan.length, steps, plan.outcome);
    }
    history
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn agrees_with_trying_every_order(plans in prop::collection::vec(plan(), 0..6)) {
        let history = executed(plans);
        for real_time in [RealTime::Ignored, RealTime::WhereTheyConflict, RealTime::Respected] {
            let verdict = check(&history, real_time);
            prop_assert_eq!(verdict.is_ok(), has_serial_order(&history, real_time), "{:?} {:?}", real_time, verdict);
        }
    }
}

/// Ten thousand transactions one after the other, overlapping in time, and one read tampered with.
#[test]
fn long_histories_are_checked_and_one_stale_read_is_found() {
    let mut state: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut long = History::new();
    for number in 0..10_000u64 {
        let (from, to) = (number * 7 % 50, number * 13 % 50);
        let seen = |key: u64| Step::Read { key, list: state.get(&key).cloned().unwrap_or_default() };
        let steps = vec![seen(from), seen(to), append(from, number), append(to, number)];
        let steps = if from == to { vec![seen(from), append(from, number)] } else { steps };
        for step in &steps {
            if let Step::Append { key, element } = step {
                state.entry(*key).or_default().push(*element);
            }
        }
        long.push(number * 10 + 1, number * 10 + 95, steps, OK);
    }
    assert_eq!(check(&long, RealTime::Respected), Ok(()));
    let mut tampered = long.entries().to_vec();
    let Step::Read { list, .. } = &mut tampered[9_000].action[0] else { panic!("a read comes first") };
    list.pop();
    let tampered: History<Transaction> = tampered.into_iter().collect();
    assert!(matches!(check(&tampered, RealTime::Ignored), Err(Anomaly::Cycle(_))));
}
