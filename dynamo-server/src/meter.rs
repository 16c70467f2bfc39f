//! The work of each turn of a task, counted: for the tests of this crate.
//!
//! A step is about a nanosecond: eight bytes of memory that is taken (something is copied into them), a sixteenth of taking or
//! freeing a piece of it, and what reads, evaluates and writes JSON notes in [`dynamo_protocol::work`]. That is most of what
//! requests are made of, and needs no clock.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Steps of taking or freeing a piece of memory.
const PIECE: u64 = 16;

/// The system's allocator, counting what each thread takes and frees.
struct Counting;

thread_local! {
    static MEMORY: Cell<u64> = const { Cell::new(0) };
    static LARGEST: Cell<[u64; 2]> = const { Cell::new([0; 2]) };
}

fn count(bytes: usize) {
    MEMORY.with(|steps| steps.set(steps.get().wrapping_add(PIECE + bytes as u64 / 8)));
}

// SAFETY: every call is passed on unchanged to the system's allocator; the counter itself allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0);
        // SAFETY: `pointer` came from `System.alloc` with this layout, as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // What is there is copied, at the worst.
        count(size);
        // SAFETY: as for the others.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn steps() -> u64 {
    MEMORY.with(Cell::get).wrapping_add(dynamo_protocol::work::noted())
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// A connection's.
    Connection,
    /// A task's of a Raft group or its sequencer, or a connection's.
    Any,
}

/// A turn, until it is dropped.
pub(crate) struct Turn {
    /// By whom it is counted.
    whose: Whose,
    /// Steps that were counted before it.
    began: u64,
}

impl Turn {
    pub(crate) fn of(whose: Whose) -> Turn {
        Turn { whose, began: steps() }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let took = steps().wrapping_sub(self.began);
        LARGEST.with(|largest| {
            let mut turns = largest.get();
            turns[self.whose as usize] = turns[self.whose as usize].max(took);
            largest.set(turns);
        });
    }
}

/// The steps of the longest turns on the calling thread since this was last asked, of connections and of any.
pub(crate) fn take_longest_turns() -> [u64; 2] {
    LARGEST.with(Cell::take)
}
