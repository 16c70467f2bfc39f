//! The bytes of requests and responses, and what is refused.

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

fn encoded(request: &FetchRequest) -> Vec<u8> {
    let mut out = Vec::new();
    request.encode(&mut out);
    assert_eq!(FetchRequest::decode(&out).as_ref(), Ok(request));
    out
}

fn encoded_response(response: &FetchResponse) -> Vec<u8> {
    let mut out = Vec::new();
    response.encode(&mut out);
    assert_eq!(FetchResponse::decode(&Value::from(out.clone())).as_ref(), Ok(response));
    out
}

#[test]
fn golden_needs() {
    let check = |selector: Selector, bytes: &[u8]| {
        let request = FetchRequest { tables: vec![table()], selector };
        assert_eq!(encoded(&request), [&[1, 1, 0xac, 2, 2], bytes].concat());
    };
    check(Selector::Keys { keys: vec![b"ab".to_vec()], bytes_max: 300 }, &[1, 0xac, 2, 1, 2, b'a', b'b']);
    let page = PageRequest {
        ranges: vec![RowRange { start: b"a".to_vec(), end: Vec::new() }],
        direction: Direction::Backward,
        rows_max: Some(7),
        bytes_max: 1,
        fetch: true,
    };
    check(Selector::Page(page.clone()), &[2, 1, 1, b'a', 0, 1, 1, 7, 1, 1]);
    let two = ["a", "c"].map(|start| RowRange { start: start.into(), end: start.repeat(2).into() });
    let page = PageRequest { ranges: two.to_vec(), ..page };
    check(Selector::Page(page), &[2, 2, 1, b'a', 2, b'a', b'a', 1, b'c', 2, b'c', b'c', 1, 1, 7, 1, 1]);
    check(Selector::Cut(vec![Vec::new()]), &[3, 1, 0]);
    check(Selector::Marks(vec![b"k".to_vec()]), &[4, 1, 1, b'k']);
}

#[test]
fn golden_responses() {
    let value = |text: &str| Value::copy_from_slice(text.as_bytes());
    let check = |response: FetchResponse, bytes: &[u8]| assert_eq!(encoded_response(&response), bytes);
    check(FetchResponse::Stale, &[1, 0]);
    check(FetchResponse::Rows(vec![Some(value("r")), None]), &[1, 1, 2, 1, 1, b'r', 0]);
    let page =
        FetchResponse::Page { rows: vec![(value("k"), value("r"))], items: vec![(value("b"), None)], is_end: true };
    check(page, &[1, 2, 1, 1, 1, b'k', 1, b'r', 1, 1, b'b', 0]);
    let mark = Mark { version: Timestamp(0x0102), is_there: true, is_locked: true };
    check(FetchResponse::Cut { rows: vec![None], marks: vec![mark] }, &[1, 3, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    check(FetchResponse::Marks(vec![]), &[1, 4, 0]);
}

#[test]
fn too_many_keys_and_unknown_formats_are_refused() {
    let mut out = Vec::new();
    FetchRequest { tables: Vec::new(), selector: Selector::Marks(vec![b"k".to_vec(); request::KEYS_MAX + 1]) }
        .encode(&mut out);
    assert_eq!(FetchRequest::decode(&out), Err(DecodeError::TooLarge));
    assert_eq!(FetchRequest::decode(&[2]), Err(DecodeError::Format(2)));
    assert_eq!(FetchResponse::decode(&Value::from_static(&[9, 0])), Err(DecodeError::Format(9)));
    assert_eq!(FetchResponse::decode(&Value::from_static(&[1, 0, 0])), Err(DecodeError::Trailing));
}

/// An answer to another question is not believed, and what was not asked for is an error rather than absent.
#[test]
fn a_response_answers_its_request_only() {
    let key = |text: &str| text.as_bytes().to_vec();
    let value = |text: &str| Value::copy_from_slice(text.as_bytes());
    let keys = FetchRequest {
        tables: vec![table()],
        selector: Selector::Keys { keys: vec![key("a"), key("b")], bytes_max: 9 },
    };
    let fetched = Fetched::new(keys.clone(), FetchResponse::Rows(vec![Some(value("1"))])).unwrap();
    assert_eq!(fetched.get(b"a"), Ok(Some(value("1"))));
    assert!(fetched.get(b"b").is_err(), "cut off by the bound");
    assert!(fetched.get(b"c").is_err());
    assert!(fetched.cursor(KeyRange::all(), Direction::Forward).is_err());
    assert!(Fetched::new(keys.clone(), FetchResponse::Rows(vec![None; 3])).is_err(), "more rows than keys");
    assert!(Fetched::new(keys.clone(), FetchResponse::Marks(Vec::new())).is_err());
    assert!(Fetched::new(keys, FetchResponse::Stale).is_err());

    let page = |direction, fetch| {
        let ranges = vec![RowRange { start: key("b"), end: key("f") }];
        let page = PageRequest { ranges, direction, rows_max: None, bytes_max: 9, fetch };
        FetchRequest { tables: vec![table()], selector: Selector::Page(page) }
    };
    let answer = |keys: &[&str], items: usize, is_end| FetchResponse::Page {
        rows: keys.iter().map(|key| (value(key), value("r"))).collect(),
        items: vec![(value("i"), None); items],
        is_end,
    };
    let forward = page(Direction::Forward, false);
    for (keys, items) in [(&["a"][..], 0), (&["f"], 0), (&["c", "b"], 0), (&["b", "b"], 0), (&["b"], 1)] {
        assert!(Fetched::new(forward.clone(), answer(keys, items, true)).is_err(), "{keys:?} with {items}");
    }
    assert!(Fetched::new(page(Direction::Backward, false), answer(&["b", "c"], 0, true)).is_err());
    assert!(Fetched::new(page(Direction::Backward, true), answer(&["c", "b"], 1, true)).is_err());

    let fetched = Fetched::new(forward.clone(), answer(&["b", "c", "e"], 0, false)).unwrap();
    let mut rows = fetched.cursor(KeyRange::between(b"c", b"e"), Direction::Forward).unwrap();
    assert_eq!(rows.next(), Ok(Some((&b"c"[..], &b"r"[..]))));
    assert!(rows.next().is_err(), "nobody knows what comes behind");
    drop(rows);
    for range in [KeyRange::between(b"a", b"c"), KeyRange::between(b"b", b"g"), KeyRange::from(b"b")] {
        assert!(fetched.cursor(range, Direction::Forward).is_err());
    }
    assert!(fetched.cursor(KeyRange::between(b"b", b"f"), Direction::Backward).is_err());
    let ended = Fetched::new(forward, answer(&["b"], 0, true)).unwrap();
    let mut rows = ended.cursor(KeyRange::between(b"b", b"f"), Direction::Forward).unwrap();
    assert!(rows.next().unwrap().is_some());
    assert_eq!(rows.next(), Ok(None));
}

/// Ranges are read one after the other; only the last one that has rows may have been cut off.
#[test]
fn ranges_are_fetched_in_their_order() {
    let range = |start: &str, end: &str| RowRange { start: start.into(), end: end.into() };
    let value = |text: &str| Value::copy_from_slice(text.as_bytes());
    let request = |direction| {
        let ranges = vec![range("m", "n"), range("a", "c"), range("x", "z")];
        let page = PageRequest { ranges, direction, rows_max: None, bytes_max: 9, fetch: false };
        FetchRequest { tables: vec![table()], selector: Selector::Page(page) }
    };
    let answer = |keys: &[&str]| FetchResponse::Page {
        rows: keys.iter().map(|key| (value(key), value("r"))).collect(),
        items: Vec::new(),
        is_end: false,
    };
    for keys in [&["a", "m"][..], &["m", "x", "a"], &["b", "a"], &["m", "q"]] {
        assert!(Fetched::new(request(Direction::Forward), answer(keys)).is_err(), "{keys:?}");
    }
    for (direction, keys) in [(Direction::Forward, ["m1", "a", "b"]), (Direction::Backward, ["m1", "b", "a"])] {
        let fetched = Fetched::new(request(direction), answer(&keys)).unwrap();
        let read = |start: &[u8], end: &[u8]| {
            let mut rows = fetched.cursor(KeyRange::between(start, end), direction).unwrap();
            let mut found = Vec::new();
            loop {
                match rows.next() {
                    Ok(Some((key, _))) => found.push(String::from_utf8(key.to_vec()).unwrap()),
                    Ok(None) => return (found, true),
                    Err(_) => return (found, false),
                }
            }
        };
        assert_eq!(read(b"m", b"n"), (vec![keys[0].to_owned()], true), "others came behind it");
        assert_eq!(read(b"a", b"c"), (vec![keys[1].to_owned(), keys[2].to_owned()], false), "it may have been cut off");
        assert_eq!(read(b"x", b"z"), (Vec::new(), false), "it was not reached");
        assert!(fetched.cursor(KeyRange::between(b"b", b"n"), direction).is_err(), "no range that was asked for");
    }
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

fn requests() -> impl Strategy<Value = FetchRequest> {
    let keys = || proptest::collection::vec(bytes(), 0..5);
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    let range = (bytes(), bytes()).prop_map(|(start, end)| RowRange { start, end });
    let ranges = proptest::collection::vec(range, 0..4);
    let page = (ranges, direction, any::<Option<u64>>(), any::<u64>(), any::<bool>()).prop_map(
        |(ranges, direction, rows_max, bytes_max, fetch)| {
            Selector::Page(PageRequest { ranges, direction, rows_max, bytes_max, fetch })
        },
    );
    let selector = prop_oneof![
        (keys(), any::<u64>()).prop_map(|(keys, bytes_max)| Selector::Keys { keys, bytes_max }),
        page,
        keys().prop_map(Selector::Cut),
        keys().prop_map(Selector::Marks),
    ];
    let tables = proptest::collection::vec((any::<u64>(), any::<u32>()), 0..4);
    (tables, selector).prop_map(|(tables, selector)| {
        let tables = tables.into_iter().map(|(id, version)| TableVersion { id: TableId(id), version }).collect();
        FetchRequest { tables, selector }
    })
}

fn responses() -> impl Strategy<Value = FetchResponse> {
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
        Just(FetchResponse::Stale),
        rows().prop_map(FetchResponse::Rows),
        page.prop_map(|(rows, items, is_end)| FetchResponse::Page { rows, items, is_end }),
        (rows(), marks.clone()).prop_map(|(rows, marks)| FetchResponse::Cut { rows, marks }),
        marks.prop_map(FetchResponse::Marks),
    ]
}

proptest! {
    #[test]
    fn requests_come_back(request in requests(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&request);
        prop_assert!(FetchRequest::decode(&bytes[..cut.index(bytes.len())]).is_err(), "a part of it is none");
    }

    #[test]
    fn responses_come_back(response in responses(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded_response(&response);
        let part = Value::copy_from_slice(&bytes[..cut.index(bytes.len())]);
        prop_assert!(FetchResponse::decode(&part).is_err(), "a part of it is none");
    }
}

/// What a peer sends is fuzzed like everything else that is decoded: no bytes panic, and what is understood is written
/// back the same.
#[test]
fn any_bytes_can_be_decoded() {
    bolero::check!().for_each(|input: &[u8]| {
        if let Ok(request) = FetchRequest::decode(input) {
            let mut out = Vec::new();
            request.encode(&mut out);
            assert_eq!(FetchRequest::decode(&out), Ok(request));
        }
        if let Ok(response) = FetchResponse::decode(&Value::copy_from_slice(input)) {
            let mut out = Vec::new();
            response.encode(&mut out);
            assert_eq!(FetchResponse::decode(&Value::from(out)), Ok(response));
        }
    });
}
