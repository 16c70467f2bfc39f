//! What stays.

use super::StateSubject;
use super::writing::{keys, put_all};
use crate::{StateStore, StoreError, Value};

fn get(store: &dyn StateStore, key: &[u8]) -> Option<Value> {
    store.get(key).expect("a healthy store answers")
}

pub(super) fn what_is_flushed_is_persisted(subject: &mut dyn StateSubject) {
    put_all(subject.store(), &[(b"a", b"1")]);
    subject.store().flush().expect("a healthy store flushes");
    subject.store().flush().expect("a second flush does nothing");
    let persisted = |subject: &dyn StateSubject| {
        let value = subject.store().get_persisted(b"a").expect("a healthy store answers");
        value.map(|value| value.to_vec())
    };
    assert_eq!(persisted(subject).as_deref(), Some(b"1".as_slice()));
    put_all(subject.store(), &[(b"a", b"2")]);
    assert_eq!(get(subject.store(), b"a").as_deref(), Some(b"2".as_slice()));
    let now = persisted(subject).expect("what was persisted stays");
    assert!(now == b"1" || now == b"2", "a prefix of what was written");
    subject.store().flush().expect("a healthy store flushes");
    assert_eq!(persisted(subject).as_deref(), Some(b"2".as_slice()));
    subject.reopen();
    assert_eq!(get(subject.store(), b"a").as_deref(), Some(b"2".as_slice()));
}

pub(super) fn bulk_loads_replace_ranges(subject: &mut dyn StateSubject) {
    let store = subject.store();
    put_all(store, &[(b"a", b"old"), (b"b1", b"old"), (b"b2", b"old"), (b"c", b"old"), (b"d1", b"old")]);
    let before = store.view();
    let mut load = store.ingest().expect("a healthy store loads");
    load.replace(b"b", b"c").expect("ranges come first");
    load.replace(b"d", b"e").expect("ranges come first");
    load.replace(b"e", b"e").expect("an empty range is ignored");
    load.put(b"a0", b"new").expect("rows may lie outside of what is replaced");
    load.put(b"b1", b"new").expect("keys rise");
    load.put(b"b3", b"new").expect("keys rise");
    assert!(matches!(load.put(b"b3", b"again"), Err(StoreError::Misuse(_))));
    assert!(matches!(load.replace(b"x", b"z"), Err(StoreError::Misuse(_))));
    assert_eq!(get(store, b"b1").as_deref(), Some(b"old".as_slice()), "nothing shows before the commit");
    assert!(matches!(load.commit(), Err(StoreError::Misuse(_))), "it is not sealed");
    load.seal().expect("a healthy store loads");
    load.seal().expect("it is sealed once");
    assert!(matches!(load.put(b"b4", b"late"), Err(StoreError::Misuse(_))));
    assert_eq!(get(store, b"b1").as_deref(), Some(b"old".as_slice()), "nothing shows before the commit");
    load.commit().expect("a healthy store loads");
    drop(load);
    let after: [&[u8]; 5] = [b"a", b"a0", b"b1", b"b3", b"c"];
    assert_eq!(keys(store), after);
    assert_eq!(get(store, b"b1").as_deref(), Some(b"new".as_slice()));
    assert_eq!(before.get(b"b1").expect("a healthy store answers").as_deref(), Some(b"old".as_slice()));
    drop(before);
    let persisted = store.get_persisted(b"b3").expect("a healthy store answers");
    assert_eq!(persisted.as_deref(), Some(b"new".as_slice()));
    let mut load = store.ingest().expect("a healthy store loads");
    load.replace(b"", b"b").expect("a load may only replace");
    load.seal().and_then(|()| load.commit()).expect("a healthy store loads");
    drop(load);
    let mut load = store.ingest().expect("a healthy store loads");
    load.seal().and_then(|()| load.commit()).expect("an empty load does nothing");
    drop(load);
    subject.reopen();
    assert_eq!(keys(subject.store()), &after[2..]);
}

pub(super) fn dropped_bulk_loads_leave_no_trace(store: &dyn StateStore) {
    put_all(store, &[(b"a", b"1")]);
    let mut load = store.ingest().expect("a healthy store loads");
    load.replace(b"a", b"z").expect("ranges come first");
    load.put(b"b", b"2").expect("keys rise");
    drop(load);
    assert_eq!(keys(store), [b"a"]);
}
