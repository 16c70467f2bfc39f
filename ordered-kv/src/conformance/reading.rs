//! What readers, views and cursors show.

use std::ops::Bound;

use super::model::{Model, contents, expected};
use super::writing::{keys, put_all};
use crate::{CachedGet, Direction, KeyRange, StateStore, StoreError, WriteBatch};

const BOTH: [Direction; 2] = [Direction::Forward, Direction::Backward];

pub(super) fn every_range_in_both_directions(store: &dyn StateStore) {
    let names: [&[u8]; 6] = [b"", b"\0", b"a", b"a\0", b"ab", b"\xff\xff"];
    put_all(store, &names.map(|name| (name, name)));
    let model: Model = names.iter().map(|name| (name.to_vec(), name.to_vec())).collect();
    let edges: [&[u8]; 9] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"aa", b"ab", b"\xff\xff", b"\xff\xff\xff"];
    let bounds = || {
        let ends = edges.iter().flat_map(|edge| [Bound::Included(*edge), Bound::Excluded(*edge)]);
        ends.chain([Bound::Unbounded])
    };
    for (start, end) in bounds().flat_map(|start| bounds().map(move |end| (start, end))) {
        for direction in BOTH {
            let range = KeyRange::new(start, end);
            let rows = contents(store, range.clone(), direction).expect("a healthy store answers");
            assert_eq!(rows, expected(&model, &range, direction), "{direction:?} over {start:?}..{end:?}");
        }
    }
    for prefix in [b"".as_slice(), b"a", b"\xff", b"x"] {
        let rows = contents(store, KeyRange::prefix(prefix), Direction::Forward).expect("a healthy store answers");
        let count = names.iter().filter(|name| name.starts_with(prefix)).count();
        assert_eq!(rows.len(), count, "prefix {prefix:?}");
    }
}

/// More rows than any store fetches at once, in memory and on disk.
pub(super) fn long_walks(store: &dyn StateStore) {
    const ROWS: u32 = 5_000;
    let mut batch = WriteBatch::new();
    for number in 0..ROWS {
        batch.put(&number.to_be_bytes(), &number.to_le_bytes());
        if batch.len() == 512 || number == ROWS - 1 {
            store.write(&batch).expect("a healthy store writes");
            batch.clear();
        }
        if number == ROWS / 2 {
            store.flush().expect("a healthy store flushes");
        }
    }
    for direction in BOTH {
        let rows = contents(store, KeyRange::all(), direction).expect("a healthy store answers");
        let mut numbers: Vec<u32> = (0..ROWS).collect();
        if direction == Direction::Backward {
            numbers.reverse();
        }
        assert_eq!(rows.len(), numbers.len());
        for ((key, value), number) in rows.iter().zip(numbers) {
            assert_eq!(key[..], number.to_be_bytes());
            assert_eq!(value[..], number.to_le_bytes());
        }
    }
    assert!(store.size_bytes() > 0);
}

pub(super) fn views_stand_still(store: &dyn StateStore) {
    put_all(store, &[(b"a", b"1"), (b"b", b"1")]);
    let view = store.view();
    let mut batch = WriteBatch::new();
    batch.put(b"a", b"2");
    batch.put(b"c", b"2");
    batch.delete_range(b"b", b"c");
    store.write(&batch).expect("a healthy store writes");
    for _ in 0..2 {
        assert_eq!(view.get(b"a").expect("a healthy store answers").as_deref(), Some(b"1".as_slice()));
        assert_eq!(view.get(b"c").expect("a healthy store answers"), None);
        let rows = contents(&*view, KeyRange::all(), Direction::Backward).expect("a healthy store answers");
        assert_eq!(rows, [(b"b".to_vec(), b"1".to_vec()), (b"a".to_vec(), b"1".to_vec())]);
        assert_eq!(keys(store), [b"a", b"c"]);
        store.flush().expect("a healthy store flushes");
    }
    assert_eq!(store.view().get(b"a").expect("a healthy store answers").as_deref(), Some(b"2".as_slice()));
}

pub(super) fn cursors_stand_still(store: &dyn StateStore) {
    put_all(store, &[(b"a", b"1"), (b"b", b"1"), (b"c", b"1")]);
    let mut cursor = store.cursor(KeyRange::all(), Direction::Forward).expect("a healthy store answers");
    let first = cursor.next().expect("a healthy store answers");
    assert_eq!(first, Some((b"a".as_slice(), b"1".as_slice())));
    let mut batch = WriteBatch::new();
    batch.delete(b"b");
    batch.put(b"b2", b"2");
    batch.put(b"c", b"2");
    store.write(&batch).expect("a healthy store writes");
    let second = cursor.next().expect("a healthy store answers");
    assert_eq!(second, Some((b"b".as_slice(), b"1".as_slice())));
    let third = cursor.next().expect("a healthy store answers");
    assert_eq!(third, Some((b"c".as_slice(), b"1".as_slice())));
    assert_eq!(cursor.next().expect("a healthy store answers"), None);
}

pub(super) fn the_cached_tier_tells_the_truth(store: &dyn StateStore) {
    put_all(store, &[(b"a", b"1"), (b"b", b"1")]);
    for _ in 0..2 {
        for (key, there) in [(b"a", true), (b"x", false)] {
            match store.get_cached(key).expect("a healthy store answers") {
                CachedGet::Hit(value) => assert_eq!(value.is_some(), there),
                CachedGet::Miss => {}
            }
        }
        match contents(&*store.view_cached(), KeyRange::all(), Direction::Forward) {
            Ok(rows) => assert_eq!(rows.len(), 2),
            Err(error) => assert_eq!(error, StoreError::NotCached),
        }
        store.flush().expect("a healthy store flushes");
    }
    // What was just read is in memory.
    assert!(store.get(b"a").expect("a healthy store answers").is_some());
    assert!(matches!(store.get_cached(b"a"), Ok(CachedGet::Hit(Some(_)))));
}
