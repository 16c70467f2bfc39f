//! Linearizability of anything that has a sequential model, by search.
//!
//! # The idea
//!
//! Wing and Gong, *Testing and Verifying Concurrent Objects* (JPDC 1993): try every operation that may come next (no other
//! one ended before it began), apply it to the model, go on, and go back when nothing fits. Lowe, *Testing for
//! Linearizability* (2017): remember which (set of operations done, state) were tried, since two ways to the same
//! place need only one continuation. Exponential in the number of concurrent operations at worst, so for windows of
//! some hundred operations with a handful of clients; the number of steps is bounded and giving up is an answer of its
//! own, never "fine".
//!
//! # Unknown outcomes
//!
//! They may be applied at any point after their start, or never: the history is explained as soon as every operation
//! with an answer is.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use crate::history::{History, Outcome};

/// What a single client would observe.
pub trait Model {
    /// The state of the object.
    type State: Clone + Eq + Hash;
    /// What a client asked and was answered. Of an unknown outcome the answer part means nothing.
    type Action: Debug;

    /// The state before the history.
    fn initial(&self) -> Self::State;

    /// The state after `action`, or `None` if it could not have been answered so in `state`.
    ///
    /// With `Outcome::Unknown` the answer is not known and must not be compared; there may then be no effect at all,
    /// which is the same state.
    fn apply(&self, state: &Self::State, action: &Self::Action, outcome: Outcome) -> Option<Self::State>;
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This order of operations (positions in the history) explains every answer.
    Linearizable(Vec<usize>),
    /// No order does. The longest explained prefix is a hint where to look.
    Violated {
        /// The longest order that explains its own part.
        longest: Vec<usize>,
    },
    /// The search was given up after this many steps: neither a proof nor a violation.
    GaveUp {
        /// The bound that was reached.
        steps: u64,
    },
}

impl Verdict {
    /// Whether the history was shown to be linearizable.
    pub fn is_linearizable(&self) -> bool {
        matches!(self, Verdict::Linearizable(_))
    }
}

/// Searches for an order that explains the history, trying at most `steps_max` operations.
pub fn check<M: Model>(model: &M, history: &History<M::Action>, steps_max: u64) -> Verdict {
    let mut search = Search::new(model, history);
    search.run(steps_max)
}

/// A set of operation numbers, one bit each.
type Set = Box<[u64]>;

struct Search<'a, M: Model> {
    model: &'a M,
    history: &'a History<M::Action>,
    /// The operations that may have happened, in the order of their starts.
    order: Vec<usize>,
    /// Which of `order` are placed.
    placed: Set,
    /// How many operations that must be placed are not.
    open: usize,
    /// The path: the place in `order` of each operation, and the state before it.
    path: Vec<(usize, M::State)>,
    state: M::State,
    tried: HashSet<(Set, M::State)>,
    longest: Vec<usize>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, history: &'a History<M::Action>) -> Self {
        let entries = history.entries();
        let mut order: Vec<usize> =
            (0..entries.len()).filter(|number| entries[*number].outcome != Outcome::Failed).collect();
        order.sort_by_key(|number| (entries[*number].start, entries[*number].end));
        let open = order.iter().filter(|number| entries[**number].outcome == Outcome::Ok).count();
        let placed = vec![0; order.len().div_ceil(64)].into_boxed_slice();
        let state = model.initial();
        Search {
            model,
            history,
            order,
            placed,
            open,
            path: Vec::new(),
            state,
            tried: HashSet::new(),
            longest: Vec::new(),
        }
    }

    fn run(&mut self, steps_max: u64) -> Verdict {
        let mut from = 0;
        let mut steps = 0;
        loop {
            if self.open == 0 {
                return Verdict::Linearizable(self.numbers());
            }
            match self.next_fitting(from, &mut steps, steps_max) {
                Step::Placed => from = 0,
                Step::OutOfSteps => return Verdict::GaveUp { steps: steps_max },
                Step::Nothing => match self.path.pop() {
                    None => return Verdict::Violated { longest: std::mem::take(&mut self.longest) },
                    Some((place, before)) => {
                        self.unplace(place, before);
                        from = place + 1;
                    }
                },
            }
        }
    }

    /// Places the first operation at or after `from` that may come next, fits, and leads somewhere new.
    fn next_fitting(&mut self, from: usize, steps: &mut u64, steps_max: u64) -> Step {
        // An operation may come next if it began no later than the earliest end among those not placed.
        let mut earliest_end = u64::MAX;
        for place in 0..self.order.len() {
            if self.is_placed(place) {
                continue;
            }
            let entry = &self.history.entries()[self.order[place]];
            if entry.start > earliest_end {
                break;
            }
            earliest_end = earliest_end.min(entry.end);
            if place < from {
                continue;
            }
            *steps += 1;
            if *steps > steps_max {
                return Step::OutOfSteps;
            }
            if let Some(after) = self.model.apply(&self.state, &entry.action, entry.outcome)
                && self.place(place, after)
            {
                return Step::Placed;
            }
        }
        Step::Nothing
    }

    /// Places the operation, unless the same set in the same state was tried before.
    fn place(&mut self, place: usize, after: M::State) -> bool {
        self.placed[place / 64] |= 1 << (place % 64);
        if !self.tried.insert((self.placed.clone(), after.clone())) {
            self.placed[place / 64] &= !(1 << (place % 64));
            return false;
        }
        let before = std::mem::replace(&mut self.state, after);
        self.path.push((place, before));
        self.open -= self.must_be_placed(place) as usize;
        if self.path.len() > self.longest.len() {
            self.longest = self.numbers();
        }
        true
    }

    fn unplace(&mut self, place: usize, before: M::State) {
        self.placed[place / 64] &= !(1 << (place % 64));
        self.open += self.must_be_placed(place) as usize;
        self.state = before;
    }

    fn is_placed(&self, place: usize) -> bool {
        self.placed[place / 64] >> (place % 64) & 1 == 1
    }

    fn must_be_placed(&self, place: usize) -> bool {
        self.history.entries()[self.order[place]].outcome == Outcome::Ok
    }

    fn numbers(&self) -> Vec<usize> {
        self.path.iter().map(|(place, _)| self.order[*place]).collect()
    }
}

enum Step {
    Placed,
    Nothing,
    OutOfSteps,
}

/// A register with conditional writes, deletes and additions: what an item with one attribute can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell;

/// What a client asked of a [`Cell`] and was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CellAction {
    /// Saw this value, `None` for absent.
    Read(Option<i64>),
    /// Wrote this value.
    Put(i64),
    /// Deleted; not an error when there is nothing.
    Delete,
    /// Wrote `new` on the condition that the value was `expected`; whether the condition held.
    PutIf {
        /// The condition.
        expected: Option<i64>,
        /// The new value.
        new: i64,
        /// Whether it was written.
        held: bool,
    },
    /// Added to the value (absent counts as 0) and saw the sum.
    Add {
        /// What was added.
        by: i64,
        /// The answer.
        sum: i64,
    },
}

impl Model for Cell {
    type State = Option<i64>;
    type Action = CellAction;

    fn initial(&self) -> Option<i64> {
        None
    }

    fn apply(&self, state: &Option<i64>, action: &CellAction, outcome: Outcome) -> Option<Option<i64>> {
        let is_known = outcome == Outcome::Ok;
        match *action {
            CellAction::Read(seen) => (!is_known || seen == *state).then_some(*state),
            CellAction::Put(value) => Some(Some(value)),
            CellAction::Delete => Some(None),
            CellAction::PutIf { expected, new, held } => {
                let holds = expected == *state;
                (!is_known || holds == held).then_some(if holds { Some(new) } else { *state })
            }
            CellAction::Add { by, sum } => {
                let after = state.unwrap_or(0) + by;
                (!is_known || after == sum).then_some(Some(after))
            }
        }
    }
}
