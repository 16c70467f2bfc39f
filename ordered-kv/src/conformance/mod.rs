//! The conformance suite of every store.
//!
//! [`check_state`] takes a way to get an empty store, closable and reopenable, and panics with the broken promise. [`mirror`] drives two stores through the same random steps and wants the same answers from both. Another
//! implementation of the traits calls them from its own tests:
//!
//! ```
//! use ordered_kv::{StateStore, conformance, memory::MemoryState};
//!
//! struct InMemory(MemoryState);
//! impl conformance::StateSubject for InMemory {
//!     fn store(&self) -> &dyn StateStore { &self.0 }
//!     fn reopen(&mut self) {}
//! }
//! conformance::check_state(&|| Box::new(InMemory(MemoryState::new())));
//! ```

mod durability;
mod mirror;
mod model;
mod random;
mod reading;
mod subject;
mod writing;

pub use mirror::mirror;
pub use model::{Rows, contents, random_batch};
pub use random::{Random, scramble};
pub use subject::StateSubject;

/// Examines a kind of state store. Each call of `fresh` gives an empty one.
///
/// # Panics
///
/// If a promise of [`StateStore`](crate::StateStore) is broken.
pub fn check_state(fresh: &dyn Fn() -> Box<dyn StateSubject>) {
    writing::batches_apply_in_order(fresh().store());
    writing::range_deletes_end_where_they_say(fresh().store());
    writing::odd_keys_and_values(fresh().store());
    reading::every_range_in_both_directions(fresh().store());
    reading::long_walks(fresh().store());
    reading::views_stand_still(fresh().store());
    reading::cursors_stand_still(fresh().store());
    reading::the_cached_tier_tells_the_truth(fresh().store());
    durability::what_is_flushed_is_persisted(&mut *fresh());
    durability::bulk_loads_replace_ranges(&mut *fresh());
    durability::dropped_bulk_loads_leave_no_trace(fresh().store());
    for seed in 0..8 {
        model::random_steps(&mut *fresh(), seed);
    }
}
