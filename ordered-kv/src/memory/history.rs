//! What a crash may leave: the durable map and every state since.

use std::collections::VecDeque;

use super::map::Map;
use crate::conformance::scramble;

/// States kept for a crash to choose from. When it is full the oldest becomes durable, as a store on disk also writes
/// its memory out by itself after a while.
const STATES_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct History {
    /// What certainly survives.
    durable: Map,
    /// The state after each batch since, oldest first; the last one is the current state.
    since: VecDeque<Map>,
}

impl History {
    /// Notes the state after a batch that is not durable yet.
    pub(super) fn push(&mut self, state: Map) {
        if self.since.len() == STATES_MAX {
            self.durable = self.since.pop_front().expect("it was just found to be full");
        }
        self.since.push_back(state);
    }

    /// Makes `state` and everything before it durable.
    pub(super) fn settle(&mut self, state: Map) {
        self.durable = state;
        self.since.clear();
    }

    pub(super) fn durable(&self) -> &Map {
        &self.durable
    }

    /// Chooses what survives by `seed`: the durable state or any later one, each as likely. It is durable from then
    /// on, and returned.
    pub(super) fn crash(&mut self, seed: u64) -> Map {
        let choices = self.since.len() as u64 + 1;
        let chosen = (scramble(seed) % choices) as usize;
        if chosen > 0 {
            self.durable = self.since.swap_remove_back(chosen - 1).expect("chosen among those there are");
        }
        self.since.clear();
        self.durable.clone()
    }
}
