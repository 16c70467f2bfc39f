//! A check costs no allocation, and the whole lease is one word.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lease::{AtomicLease, Moment};

/// The system's allocator, counting per thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; the counter itself allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System.alloc` with this layout, as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn a_check_allocates_nothing() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1, "the counter counts");
    let lease = AtomicLease::new();
    let checked = allocations(|| {
        assert!(lease.renew(lease.generation(), Moment::from_nanos(1 << 30)));
        assert!(lease.check(|| Moment::from_nanos(1)));
        assert!(!lease.check(|| Moment::from_nanos(1 << 31)));
        lease.revoke();
    });
    assert_eq!(checked, 0);
    assert_eq!(size_of::<AtomicLease>(), 8);
}
