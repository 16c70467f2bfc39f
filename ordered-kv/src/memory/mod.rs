//! Stores that live in memory: twins of the disk stores, for tests, simulation and an in-memory server.
//!
//! Both keep their keys in a persistent B-tree (`imbl::OrdMap`): a frozen view is one reference count, and writing
//! while views exist copies only the nodes on the way.
//!
//! # Crashes
//!
//! Memory survives no real crash; these stores *model* one inside a process. The store object stands for the disk:
//! a simulation drops everything else of a node, calls `crash(seed)` and starts the node again on the same object.
//!
//! ```text
//! state:  batch 1 · batch 2 · flush · batch 3 · batch 4 · crash(seed)   keeps 1–2, 1–3 or 1–4
//! log:    synced 1 · lazy 2 · synced 3 · lazy 4 · lazy 5 · crash(seed)  keeps 1–3, 1–4 or 1–5
//! ```
//!
//! A loss always happens between batches, as in the disk stores. The history for it (one cheap map per batch) is only
//! kept by stores made with `with_crashes`, and is bounded; a plain `new()` keeps none.

mod cursor;
mod history;
mod log;
mod map;
mod state;

pub use log::MemoryLog;
pub use state::{MemoryState, MemoryView};
