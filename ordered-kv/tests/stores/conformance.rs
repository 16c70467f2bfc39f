//! Every store of the crate passes the conformance suite; the two kinds of state store also run side by side.

use ordered_kv::StateStore;
use ordered_kv::conformance::{self, StateSubject};
use ordered_kv::memory::MemoryState;

/// Memory stands for the disk, so closing and opening is nothing; `crash` makes the most of it: only what is durable
/// survives.
struct Memory {
    state: MemoryState,
    crashes: bool,
}

impl StateSubject for Memory {
    fn store(&self) -> &dyn StateStore {
        &self.state
    }

    fn reopen(&mut self) {
        if self.crashes {
            self.state.flush().unwrap();
            self.state.crash(0);
        }
    }
}

fn memory(crashes: bool) -> Memory {
    let state = if crashes { MemoryState::with_crashes() } else { MemoryState::new() };
    Memory { state, crashes }
}

#[test]
fn memory_state() {
    for crashes in [false, true] {
        conformance::check_state(&|| Box::new(memory(crashes)));
    }
    conformance::mirror(&mut memory(false), &mut memory(true), 1);
}

#[cfg(feature = "rocksdb")]
mod rocks {
    use super::*;
    use ordered_kv::rocks::{RocksState, StateOptions, open_state};
    use tempfile::TempDir;

    /// A store in a folder of its own. `None` only for the moment between closing and opening.
    struct OnDisk<S> {
        store: Option<S>,
        folder: TempDir,
    }

    impl StateSubject for OnDisk<RocksState> {
        fn store(&self) -> &dyn StateStore {
            self.store.as_ref().unwrap()
        }

        fn reopen(&mut self) {
            self.store = None;
            self.store = Some(open_state(self.folder.path(), &StateOptions::default()).unwrap());
        }
    }

    fn state() -> OnDisk<RocksState> {
        let folder = tempfile::tempdir().unwrap();
        let store = open_state(folder.path(), &StateOptions::default()).unwrap();
        OnDisk { store: Some(store), folder }
    }

    #[test]
    fn rocks_state() {
        conformance::check_state(&|| Box::new(state()));
    }

    #[test]
    fn both_agree() {
        for seed in 0..3 {
            conformance::mirror(&mut memory(true), &mut state(), seed);
        }
    }
}
