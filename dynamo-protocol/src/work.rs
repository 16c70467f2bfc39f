//! Work that the calling thread has done, counted for tests.
//!
//! What reads or evaluates notes its steps here before it takes them; a step is about a nanosecond. Nothing decides by
//! these counts, and only builds with debug assertions keep them: elsewhere [`note`] is nothing.

#[cfg(debug_assertions)]
thread_local! {
    static NOTED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts so many steps of the calling thread.
#[inline]
pub fn note(steps: usize) {
    #[cfg(debug_assertions)]
    NOTED.with(|noted| noted.set(noted.get().wrapping_add(steps as u64)));
    #[cfg(not(debug_assertions))]
    let _ = steps;
}

/// The steps that the calling thread has noted so far; always zero in builds without debug assertions.
pub fn noted() -> u64 {
    #[cfg(debug_assertions)]
    let noted = NOTED.with(std::cell::Cell::get);
    #[cfg(not(debug_assertions))]
    let noted = 0;
    noted
}
