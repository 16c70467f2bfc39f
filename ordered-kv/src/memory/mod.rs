//! A store that lives in memory: the twin of the disk store, for tests, simulation and an in-memory server.
//!
//! It keeps its keys in a persistent B-tree (`imbl::OrdMap`): a frozen view is one reference count, and writing
//! while views exist copies only the nodes on the way.
//!
//! # Crashes
//!
//! Memory survives no real crash; this store *models* one inside a process. The store object stands for the disk:
//! a simulation drops everything else of a node, calls `crash(seed)` and starts the node again on the same object.
//!
//! ```text
//! batch 1 · batch 2 · flush · batch 3 · batch 4 · crash(seed)   keeps 1–2, 1–3 or 1–4
//! ```
//!
//! A loss always happens between batches, as in the disk store. The history for it (one cheap map per batch) is only
//! kept by stores made with `with_crashes`, and is bounded; a plain `new()` keeps none.

mod cursor;
mod history;
mod map;
mod state;

pub use state::{MemoryState, MemoryView};
