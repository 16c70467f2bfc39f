//! The bytes of needs and supplies, and what is refused.

use hlc::Timestamp;
use ordered_kv::{Direction, KeyRange, Reader, Value};
use proptest::prelude::*;

use super::*;
use crate::catalog::TableId;
use crate::codec::DecodeError;
use crate::read::TableVersion;

fn table() -> TableVersion {
    TableVersion { id: TableId(300), version: 2 }
}

fn encoded(need: &Need) -> Vec<u8> {
    let mut out = Vec::new();
    need.encode(&mut out);
    assert_eq!(Need::decode(&out).as_ref(), Ok(need));
    out
}

fn encoded_supply(supply: &Supply) -> Vec<u8> {
    let mut out = Vec::new();
    supply.encode(&mut out);
    assert_eq!(Supply::decode(&Value::from(out.clone())).as_ref(), Ok(supply));
    out
}

#[test]
fn golden_needs() {
    let check = |wants: Wants, bytes: &[u8]| {
        let need = Need { tables: vec![table()], wants };
        assert_eq!(encoded(&need), [&[1, 1, 0xac, 2, 2], bytes].concat());
    };
    check(Wants::Keys { keys: vec![b"ab".to_vec()], bytes_max: 300 }, &[1, 0xac, 2, 1, 2, b'a', b'b']);
    let page = PageNeed {
        start: b"a".to_vec(),
        end: Vec::new(),
        direction: Direction::Backward,
        rows_max: Some(7),
        bytes_max: 1,
        fetch: true,
    };
    check(Wants::Page(page), &[2, 1, b'a', 0, 1, 1, 7, 1, 1]);
    check(Wants::Cut(vec![Vec::new()]), &[3, 1, 0]);
    check(Wants::Marks(vec![b"k".to_vec()]), &[4, 1, 1, b'k']);
}

#[test]
fn golden_supplies() {
    let value = |text: &str| Value::copy_from_slice(text.as_bytes());
    let check = |supply: Supply, bytes: &[u8]| assert_eq!(encoded_supply(&supply), bytes);
    check(Supply::Stale, &[1, 0]);
    check(Supply::Rows(vec![Some(value("r")), None]), &[1, 1, 2, 1, 1, b'r', 0]);
    let page = Supply::Page { rows: vec![(value("k"), value("r"))], items: vec![(value("b"), None)], is_end: true };
    check(page, &[1, 2, 1, 1, 1, b'k', 1, b'r', 1, 1, b'b', 0]);
    let mark = Mark { version: Timestamp(0x0102), is_there: true, is_locked: true };
    check(Supply::Cut { rows: vec![None], marks: vec![mark] }, &[1, 3, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    check(Supply::Marks(vec![]), &[1, 4, 0]);
}

#[test]
fn too_many_keys_and_unknown_formats_are_refused() {
    let mut out = Vec::new();
    Need { tables: Vec::new(), wants: Wants::Marks(vec![b"k".to_vec(); need::KEYS_MAX + 1]) }.encode(&mut out);
    assert_eq!(Need::decode(&out), Err(DecodeError::TooLarge));
    assert_eq!(Need::decode(&[2]), Err(DecodeError::Format(2)));
    assert_eq!(Supply::decode(&Value::from_static(&[9, 0])), Err(DecodeError::Format(9)));
    assert_eq!(Supply::decode(&Value::from_static(&[1, 0, 0])), Err(DecodeError::Trailing));
}

/// An answer to another question is not believed, and what was not asked for is an error rather than absent.
#[test]
fn a_supply_answers_its_need_only() {
    let key = |text: &str| text.as_bytes().to_vec();
    let value = |text: &str| Value::copy_from_slice(text.as_bytes());
    let keys = Need { tables: vec![table()], wants: Wants::Keys { keys: vec![key("a"), key("b")], bytes_max: 9 } };
    let supplied = Supplied::new(keys.clone(), Supply::Rows(vec![Some(value("1"))])).unwrap();
    assert_eq!(supplied.get(b"a"), Ok(Some(value("1"))));
    assert!(supplied.get(b"b").is_err(), "cut off by the bound");
    assert!(supplied.get(b"c").is_err());
    assert!(supplied.cursor(KeyRange::all(), Direction::Forward).is_err());
    assert!(Supplied::new(keys.clone(), Supply::Rows(vec![None; 3])).is_err(), "more rows than keys");
    assert!(Supplied::new(keys.clone(), Supply::Marks(Vec::new())).is_err());
    assert!(Supplied::new(keys, Supply::Stale).is_err());

    let page = |direction, fetch| {
        let page = PageNeed { start: key("b"), end: key("f"), direction, rows_max: None, bytes_max: 9, fetch };
        Need { tables: vec![table()], wants: Wants::Page(page) }
    };
    let answer = |keys: &[&str], items: usize, is_end| Supply::Page {
        rows: keys.iter().map(|key| (value(key), value("r"))).collect(),
        items: vec![(value("i"), None); items],
        is_end,
    };
    let forward = page(Direction::Forward, false);
    for (keys, items) in [(&["a"][..], 0), (&["f"], 0), (&["c", "b"], 0), (&["b", "b"], 0), (&["b"], 1)] {
        assert!(Supplied::new(forward.clone(), answer(keys, items, true)).is_err(), "{keys:?} with {items}");
    }
    assert!(Supplied::new(page(Direction::Backward, false), answer(&["b", "c"], 0, true)).is_err());
    assert!(Supplied::new(page(Direction::Backward, true), answer(&["c", "b"], 1, true)).is_err());

    let supplied = Supplied::new(forward.clone(), answer(&["b", "c", "e"], 0, false)).unwrap();
    let mut rows = supplied.cursor(KeyRange::between(b"c", b"e"), Direction::Forward).unwrap();
    assert_eq!(rows.next(), Ok(Some((&b"c"[..], &b"r"[..]))));
    assert!(rows.next().is_err(), "nobody knows what comes behind");
    drop(rows);
    for range in [KeyRange::between(b"a", b"c"), KeyRange::between(b"b", b"g"), KeyRange::from(b"b")] {
        assert!(supplied.cursor(range, Direction::Forward).is_err());
    }
    assert!(supplied.cursor(KeyRange::between(b"b", b"f"), Direction::Backward).is_err());
    let ended = Supplied::new(forward, answer(&["b"], 0, true)).unwrap();
    let mut rows = ended.cursor(KeyRange::between(b"b", b"f"), Direction::Forward).unwrap();
    assert!(rows.next().unwrap().is_some());
    assert_eq!(rows.next(), Ok(None));
}

/// Design §6: a cut is one only where nothing moved between the rounds and nothing was locked in either.
#[test]
fn steady_keys() {
    let mark = |version, is_there, is_locked| Mark { version: Timestamp(version), is_there, is_locked };
    for is_there in [true, false] {
        let steady = mark(9, is_there, false);
        assert!(is_steady(&steady, &steady));
        for changed in [mark(10, is_there, false), mark(9, !is_there, false), mark(9, is_there, true)] {
            assert!(!is_steady(&steady, &changed), "{changed:?}");
            assert!(!is_steady(&changed, &steady), "{changed:?}");
        }
        let locked = mark(9, is_there, true);
        assert!(!is_steady(&locked, &locked), "the same lock in both rounds may hide half of a transaction");
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..6)
}

fn needs() -> impl Strategy<Value = Need> {
    let keys = || proptest::collection::vec(bytes(), 0..5);
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    let page = (bytes(), bytes(), direction, any::<Option<u64>>(), any::<u64>(), any::<bool>()).prop_map(
        |(start, end, direction, rows_max, bytes_max, fetch)| {
            Wants::Page(PageNeed { start, end, direction, rows_max, bytes_max, fetch })
        },
    );
    let wants = prop_oneof![
        (keys(), any::<u64>()).prop_map(|(keys, bytes_max)| Wants::Keys { keys, bytes_max }),
        page,
        keys().prop_map(Wants::Cut),
        keys().prop_map(Wants::Marks),
    ];
    let tables = proptest::collection::vec((any::<u64>(), any::<u32>()), 0..4);
    (tables, wants).prop_map(|(tables, wants)| {
        let tables = tables.into_iter().map(|(id, version)| TableVersion { id: TableId(id), version }).collect();
        Need { tables, wants }
    })
}

fn supplies() -> impl Strategy<Value = Supply> {
    let value = || bytes().prop_map(Value::from);
    let row = || proptest::option::of(value());
    let rows = || proptest::collection::vec(row(), 0..5);
    let mark = (any::<u64>(), any::<bool>(), any::<bool>()).prop_map(|(version, is_there, is_locked)| Mark {
        version: Timestamp(version),
        is_there,
        is_locked,
    });
    let marks = proptest::collection::vec(mark, 0..5).boxed();
    let page = (
        proptest::collection::vec((value(), value()), 0..5),
        proptest::collection::vec((value(), row()), 0..5),
        any::<bool>(),
    );
    prop_oneof![
        Just(Supply::Stale),
        rows().prop_map(Supply::Rows),
        page.prop_map(|(rows, items, is_end)| Supply::Page { rows, items, is_end }),
        (rows(), marks.clone()).prop_map(|(rows, marks)| Supply::Cut { rows, marks }),
        marks.prop_map(Supply::Marks),
    ]
}

proptest! {
    #[test]
    fn needs_come_back(need in needs(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&need);
        prop_assert!(Need::decode(&bytes[..cut.index(bytes.len())]).is_err(), "a part of it is none");
    }

    #[test]
    fn supplies_come_back(supply in supplies(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded_supply(&supply);
        let part = Value::copy_from_slice(&bytes[..cut.index(bytes.len())]);
        prop_assert!(Supply::decode(&part).is_err(), "a part of it is none");
    }
}

/// What a peer sends is fuzzed like everything else that is decoded: no bytes panic, and what is understood is written
/// back the same.
#[test]
fn any_bytes_can_be_decoded() {
    bolero::check!().for_each(|input: &[u8]| {
        if let Ok(need) = Need::decode(input) {
            let mut out = Vec::new();
            need.encode(&mut out);
            assert_eq!(Need::decode(&out), Ok(need));
        }
        if let Ok(supply) = Supply::decode(&Value::copy_from_slice(input)) {
            let mut out = Vec::new();
            supply.encode(&mut out);
            assert_eq!(Supply::decode(&Value::from(out)), Ok(supply));
        }
    });
}
