//! A breadth-first explorer: visits every state that a model can reach and checks each.
//!
//! Breadth first, so the first violation found has a shortest path. A visited state is remembered by a 128-bit hash of
//! it rather than by itself: with ten million states the chance that two share one is below 10^-24.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

/// What the explorer walks.
pub trait Model: Clone + Hash {
    /// One step.
    type Action: Copy + Debug;

    /// Every step that is possible here.
    fn actions(&self) -> Vec<Self::Action>;

    /// The state after the step.
    fn after(&self, action: Self::Action) -> Self;

    /// What is wrong with this state, if anything.
    fn violation(&self) -> Option<String>;
}

/// What an exploration found.
pub enum Verdict<A> {
    /// Every reachable state was visited and is fine.
    Holds { states: usize },
    /// A shortest path to a bad state.
    Violated { states: usize, trace: Vec<A>, what: String },
}

/// The most states to visit; a model that has more must be made smaller, an exploration cut short proves nothing.
const STATES_MAX: usize = 6_000_000;

/// Visits every reachable state, or stops at the first violation.
///
/// # Panics
///
/// When there are more than [`STATES_MAX`] states.
pub fn explore<M: Model>(start: M) -> Verdict<M::Action> {
    let mut seen = HashSet::from([fingerprint(&start)]);
    // For each visited state, where it came from: enough to rebuild the path.
    let mut origin: Vec<(u32, Option<M::Action>)> = vec![(0, None)];
    let mut frontier = vec![(0u32, start)];
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (id, state) in frontier {
            if let Some(what) = state.violation() {
                return Verdict::Violated { states: origin.len(), trace: path(&origin, id), what };
            }
            for action in state.actions() {
                let after = state.after(action);
                if seen.insert(fingerprint(&after)) {
                    next.push((origin.len() as u32, after));
                    origin.push((id, Some(action)));
                }
            }
            assert!(origin.len() <= STATES_MAX, "the model is too large to be explored");
        }
        frontier = next;
    }
    Verdict::Holds { states: origin.len() }
}

fn path<A: Copy>(origin: &[(u32, Option<A>)], end: u32) -> Vec<A> {
    let mut path = Vec::new();
    let mut at = end;
    while let (before, Some(action)) = origin[at as usize] {
        path.push(action);
        at = before;
    }
    path.reverse();
    path
}

fn fingerprint<T: Hash>(state: &T) -> u128 {
    let mut lanes = Lanes(0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f);
    state.hash(&mut lanes);
    (lanes.0 as u128) << 64 | lanes.finish() as u128
}

/// Two independent multiply-and-rotate hashes of 64 bits each; nobody chooses the input to make them collide.
struct Lanes(u64, u64);

impl Hasher for Lanes {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value as u64);
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
        self.1 = (self.1.wrapping_add(value)).wrapping_mul(0x9fb2_1c65_1e98_df25).rotate_left(37) ^ (self.1 >> 32);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.1
    }
}
