//! One copy of each description in memory, however many shards have it installed.
//!
//! A descriptor with all its strings takes some kilobytes, and a node may have a thousand shards: each would hold its own
//! copy of those of thousands of tables. Equal descriptors are therefore held once in a process, behind the same [`Arc`].

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use super::{TableDescriptor, TableId};

/// Descriptors in use, by table and version, and some that were dropped since the last sweep.
static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(Mutex::default);

/// Fewer entries than this are not swept for dropped ones.
const SWEPT_MIN: usize = 64;

#[derive(Default)]
struct Shared {
    /// Of several that differ (of other nodes in one process) the one that came last.
    descriptors: HashMap<(TableId, u32), Weak<TableDescriptor>>,
    /// How many there may be before the next look.
    sweep_at: usize,
}

/// The descriptor in use that equals this one; otherwise this one, which later callers get.
pub fn shared(table: TableDescriptor) -> Arc<TableDescriptor> {
    // A poisoned lock: the map is whole after every step of its holder.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (table.id, table.schema_version);
    if let Some(held) = shared.descriptors.get(&key).and_then(Weak::upgrade).filter(|held| **held == table) {
        return held;
    }
    if shared.descriptors.len() >= shared.sweep_at {
        shared.descriptors.retain(|_, held| held.strong_count() > 0);
        shared.sweep_at = SWEPT_MIN.max(2 * shared.descriptors.len());
    }
    let table = Arc::new(table);
    shared.descriptors.insert(key, Arc::downgrade(&table));
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fixture;

    #[test]
    fn equal_descriptors_are_held_once() {
        let table = |name: &str| TableDescriptor { id: TableId(u64::MAX), name: name.to_owned(), ..fixture::orders() };
        let one = shared(table("one"));
        assert!(Arc::ptr_eq(&one, &shared(table("one"))));
        let other = shared(table("other"));
        assert_eq!((&*one.name, &*other.name), ("one", "other"), "another node's, of the same number and version");
        assert!(!Arc::ptr_eq(&one, &shared(table("one"))), "only the last is known");
    }

    #[test]
    fn what_nobody_holds_goes() {
        for id in 0..100 * SWEPT_MIN as u64 {
            drop(shared(TableDescriptor { id: TableId(u64::MAX - 1 - id), ..fixture::orders() }));
        }
        let shared = SHARED.lock().unwrap();
        assert!(shared.descriptors.len() < 50 * SWEPT_MIN, "{}", shared.descriptors.len());
    }
}
