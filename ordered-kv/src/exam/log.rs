//! What a log keeps.

use super::LogSubject;
use super::model::contents;
use crate::{Direction, KeyRange, LogStore, WriteBatch};

fn entry_key(group: u32, index: u64) -> Vec<u8> {
    [group.to_be_bytes().as_slice(), &index.to_be_bytes()].concat()
}

fn append(store: &dyn LogStore, group: u32, indexes: std::ops::Range<u64>) {
    let mut batch = WriteBatch::new();
    for index in indexes {
        batch.put(&entry_key(group, index), format!("entry {index} of {group}").as_bytes());
    }
    store.write_synced(&batch).expect("a healthy log writes");
}

fn count(store: &dyn LogStore, group: u32) -> usize {
    let prefix = group.to_be_bytes();
    contents(store, KeyRange::prefix(&prefix), Direction::Forward).expect("a healthy log answers").len()
}

pub(super) fn synced_writes_are_counted_and_kept(subject: &mut dyn LogSubject) {
    let store = subject.store();
    let before = store.syncs();
    append(store, 1, 1..10);
    append(store, 1, 10..11);
    assert_eq!(store.syncs(), before + 2);
    let mut lazy = WriteBatch::new();
    lazy.put(b"lazy", b"value");
    store.write_lazy(&lazy).expect("a healthy log writes");
    assert_eq!(store.syncs(), before + 2, "a lazy write does not sync");
    assert!(store.get(b"lazy").expect("a healthy log answers").is_some(), "and is visible at once");
    append(store, 2, 1..2);
    subject.reopen();
    let store = subject.store();
    assert_eq!(count(store, 1), 10);
    assert_eq!(count(store, 2), 1);
    assert!(store.get(b"lazy").expect("a healthy log answers").is_some(), "the later sync covers it");
}

pub(super) fn entries_are_walked_in_order(store: &dyn LogStore) {
    append(store, 1, 1..5);
    append(store, 2, 1..3);
    append(store, 1, 5..400);
    let (start, end) = (entry_key(1, 3), entry_key(1, 301));
    let rows = contents(store, KeyRange::between(&start, &end), Direction::Forward).expect("a healthy log answers");
    let keys: Vec<_> = rows.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, (3..301).map(|index| entry_key(1, index)).collect::<Vec<_>>());
    let prefix = 1u32.to_be_bytes();
    let mut cursor = store.cursor(KeyRange::prefix(&prefix), Direction::Backward).expect("a healthy log answers");
    let last = cursor.next().expect("a healthy log answers").map(|(key, _)| key.to_vec());
    assert_eq!(last, Some(entry_key(1, 399)));
}

pub(super) fn floors_are_kept_apart(subject: &mut dyn LogSubject) {
    let store = subject.store();
    assert_eq!(store.floor().expect("a healthy log answers"), None);
    assert!(!store.floor_due());
    store.record_floor(b"first").expect("a healthy log writes");
    store.record_floor(b"second").expect("a healthy log writes");
    assert_eq!(store.floor().expect("a healthy log answers").as_deref(), Some(b"second".as_slice()));
    let rows = contents(store, KeyRange::all(), Direction::Forward).expect("a healthy log answers");
    assert!(rows.is_empty(), "a floor is no row");
    let large = vec![7; 1 << 20];
    let mut written = 0;
    while !store.floor_due() {
        let mut batch = WriteBatch::new();
        batch.put(&entry_key(1, written), &large);
        store.write_lazy(&batch).expect("a healthy log writes");
        written += 1;
        assert!(written < 64, "a floor falls due in time");
    }
    store.record_floor(b"third").expect("a healthy log writes");
    assert!(!store.floor_due());
    subject.reopen();
    assert_eq!(subject.store().floor().expect("a healthy log answers").as_deref(), Some(b"third".as_slice()));
}

pub(super) fn the_front_is_purged_and_the_end_is_cut(subject: &mut dyn LogSubject) {
    let store = subject.store();
    append(store, 1, 1..101);
    let mut batch = WriteBatch::new();
    batch.delete_range(&entry_key(1, 0), &entry_key(1, 51));
    batch.put(b"purged", b"50");
    store.write_lazy(&batch).expect("a healthy log writes");
    let mut batch = WriteBatch::new();
    for index in 91..101 {
        batch.delete(&entry_key(1, index));
    }
    store.write_synced(&batch).expect("a healthy log writes");
    assert_eq!(count(store, 1), 40);
    append(store, 1, 91..93);
    subject.reopen();
    assert_eq!(count(subject.store(), 1), 42);
}
