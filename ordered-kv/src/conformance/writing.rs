//! What batches do.

use super::model::contents;
use crate::{Direction, KeyRange, StateStore, WriteBatch};

pub(super) fn put_all(store: &dyn StateStore, rows: &[(&[u8], &[u8])]) {
    let mut batch = WriteBatch::new();
    for (key, value) in rows {
        batch.put(key, value);
    }
    store.write(&batch).expect("a healthy store writes");
}

pub(super) fn keys(store: &dyn StateStore) -> Vec<Vec<u8>> {
    let rows = contents(store, KeyRange::all(), Direction::Forward).expect("a healthy store answers");
    rows.into_iter().map(|(key, _)| key).collect()
}

pub(super) fn batches_apply_in_order(store: &dyn StateStore) {
    let mut batch = WriteBatch::new();
    batch.put(b"a", b"1");
    batch.put(b"a", b"2");
    batch.put(b"b", b"1");
    batch.delete(b"b");
    batch.delete(b"c");
    batch.put(b"c", b"1");
    batch.put(b"d", b"1");
    batch.delete_range(b"d", b"e");
    batch.put(b"d1", b"1");
    batch.delete(b"never there");
    store.write(&batch).expect("a healthy store writes");
    let rows = contents(store, KeyRange::all(), Direction::Forward).expect("a healthy store answers");
    let expected: [(&[u8], &[u8]); 3] = [(b"a", b"2"), (b"c", b"1"), (b"d1", b"1")];
    assert_eq!(rows, expected.map(|(key, value)| (key.to_vec(), value.to_vec())));
    store.write(&WriteBatch::new()).expect("an empty batch does nothing");
    assert_eq!(keys(store).len(), 3);
}

pub(super) fn range_deletes_end_where_they_say(store: &dyn StateStore) {
    let names: [&[u8]; 6] = [b"", b"a", b"a\0", b"b", b"b\xff", b"c"];
    let check = |start: &[u8], end: &[u8], left: &[&[u8]]| {
        put_all(store, &names.map(|name| (name, name)));
        let mut batch = WriteBatch::new();
        batch.delete_range(start, end);
        store.write(&batch).expect("a healthy store writes");
        assert_eq!(keys(store), left, "after deleting {start:?}..{end:?}");
        let gone = names.iter().filter(|name| !left.contains(name));
        for name in gone {
            assert_eq!(store.get(name).expect("a healthy store answers"), None);
        }
    };
    check(b"a", b"b", &[b"", b"b", b"b\xff", b"c"]);
    check(b"a\0", b"b\xff", &[b"", b"a", b"b\xff", b"c"]);
    check(b"", b"", &names);
    check(b"b", b"a", &names);
    check(b"", b"z", &[]);
    check(b"c", b"c\0", &[b"", b"a", b"a\0", b"b", b"b\xff"]);
}

pub(super) fn odd_keys_and_values(store: &dyn StateStore) {
    let long_key = vec![0xff; 3000];
    let long_value: Vec<u8> = (0..450_000u32).map(|at| at as u8).collect();
    put_all(store, &[(b"", b""), (&long_key, &long_value), (b"\0", b"\0\0")]);
    for flushed in [false, true] {
        let get = |key: &[u8]| store.get(key).expect("a healthy store answers");
        assert_eq!(get(b"").as_deref(), Some(b"".as_slice()), "flushed: {flushed}");
        assert_eq!(get(b"\0").as_deref(), Some(b"\0\0".as_slice()));
        let long = get(&long_key);
        assert_eq!(long.as_deref(), Some(&long_value[..]));
        store.flush().expect("a healthy store flushes");
        // The value is its own: deleting and flushing does not touch it.
        assert_eq!(long.as_deref(), Some(&long_value[..]));
    }
    let many = store.get_many(&[b"\0", b"missing", b""]).expect("a healthy store answers");
    assert_eq!(
        many.iter().map(|value| value.as_deref()).collect::<Vec<_>>(),
        [Some(b"\0\0".as_slice()), None, Some(b"")]
    );
}
