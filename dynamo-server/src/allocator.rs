//! The allocator of the server's binary: mimalloc, called the short way.
//!
//! `mimalloc`'s own wrapper asks for an alignment with every call, which is the long way through the library even where
//! the alignment is what every block has anyway. That was a twentieth of the instructions of a small request.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, Ordering};

use libmimalloc_sys::{
    mi_collect, mi_free, mi_malloc, mi_malloc_aligned, mi_option_set, mi_option_t, mi_realloc, mi_realloc_aligned,
    mi_zalloc, mi_zalloc_aligned,
};

/// Allocates with mimalloc. For `#[global_allocator]` in a program that embeds the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

/// What every block is aligned to, if it is at least that long (mimalloc's `MI_MAX_ALIGN_SIZE`); a shorter one is aligned
/// to eight.
const NATURAL_ALIGN: usize = 16;

/// How long freed memory is kept for the next request before it goes back to the kernel. The library's own second is
/// long enough for all memory of a burst to pile up; pages of 1 MB for a Scan come again within this time.
const KEEP_FREED_MS: std::ffi::c_long = 10;

/// mimalloc's number for that time (`mi_option_purge_delay`), which its crate has no name for.
const PURGE_DELAY: mi_option_t = 15;

/// Makes the allocator give freed memory back soon. Does nothing in a program that allocates otherwise.
pub(crate) fn give_back_soon() {
    // SAFETY: takes numbers, and is called before threads are started.
    unsafe { mi_option_set(PURGE_DELAY, KEEP_FREED_MS) }
}

/// Whether what is freed goes back at once.
static IS_TIGHT: AtomicBool = AtomicBool::new(false);

/// Says whether memory is tight. While it is, this gives back what all threads have freed; they see to what only they can.
pub(crate) fn note_tight(is_tight: bool) {
    IS_TIGHT.store(is_tight, Ordering::Relaxed);
    if is_tight {
        // SAFETY: takes a flag.
        unsafe { mi_collect(true) }
    }
}

/// Called by a thread that has done a piece of work, and may have nothing to do for a while. The allocator leaves it an empty page
/// of each size that it has used, up to some megabytes, until it asks for other memory: where memory is tight they go back.
#[inline]
pub(crate) fn work_is_done() {
    if IS_TIGHT.load(Ordering::Relaxed) {
        // SAFETY: as above.
        unsafe { mi_collect(true) }
    }
}

#[inline]
fn is_natural(size: usize, align: usize) -> bool {
    align <= 8 || (align <= NATURAL_ALIGN && size >= NATURAL_ALIGN)
}

// SAFETY: every block comes from mimalloc and goes back to it; it has the size asked for, and the alignment: by the rule
// above, or because it was asked for.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: takes numbers; the caller sees to the layout's own rules.
        unsafe { if is_natural(size, align) { mi_malloc(size) } else { mi_malloc_aligned(size, align) } }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        unsafe { if is_natural(size, align) { mi_zalloc(size) } else { mi_zalloc_aligned(size, align) } }.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller promises that the block came from here.
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let align = layout.align();
        // SAFETY: the caller promises that the block came from here.
        unsafe {
            if is_natural(size, align) {
                mi_realloc(block.cast(), size)
            } else {
                mi_realloc_aligned(block.cast(), size, align)
            }
        }
        .cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // Its default tells it from the options around it.
        // SAFETY: takes and gives numbers.
        let default = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(default, 1000);
        give_back_soon();
        // SAFETY: as above.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }, KEEP_FREED_MS);
    }

    #[test]
    fn blocks_are_aligned_as_asked() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in [1, 3, 8, 9, 15, 16, 17, 24, 48, 100, 1000, 5000, 100_000] {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the layout is not empty, and each block is given back once, with its layout.
                unsafe {
                    let block = Allocator.alloc(layout);
                    assert_eq!(block as usize % align, 0, "{size} bytes aligned to {align}");
                    block.write_bytes(7, size);
                    let grown = Allocator.realloc(block, layout, size + 40);
                    assert_eq!(grown as usize % align, 0, "{size} bytes, grown, aligned to {align}");
                    assert_eq!(*grown.add(size - 1), 7);
                    Allocator.dealloc(grown, Layout::from_size_align(size + 40, align).unwrap());
                    let zeroed = Allocator.alloc_zeroed(layout);
                    assert_eq!((zeroed as usize % align, *zeroed), (0, 0));
                    Allocator.dealloc(zeroed, layout);
                }
            }
        }
    }
}
