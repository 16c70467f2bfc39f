//! What clients wrote down.

/// How an operation ended, as its client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It happened, between its start and its end.
    Ok,
    /// It did not happen and never will; the answer said so.
    Failed,
    /// Nobody knows: it may have happened at any time since its start, may happen yet, or never.
    Unknown,
}

/// The end of an operation that was never answered.
pub const NO_ANSWER: u64 = u64::MAX;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry<A> {
    /// When the client sent it, on a clock that all clients share. At least 1.
    pub start: u64,
    /// When the client had the answer; [`NO_ANSWER`] exactly for unknown outcomes.
    pub end: u64,
    /// What was asked and, where that matters, answered.
    pub action: A,
    /// How it ended.
    pub outcome: Outcome,
}

impl<A> Entry<A> {
    /// Whether this operation was over before `other` began. Equal times count as concurrent, which accuses nobody.
    pub fn precedes(&self, other: &Entry<A>) -> bool {
        self.end < other.start
    }
}

/// Operations of all clients, in any order. The number of an entry is its position.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct History<A> {
    entries: Vec<Entry<A>>,
}

impl<A> History<A> {
    /// A history in which nothing happened.
    pub fn new() -> History<A> {
        History { entries: Vec::new() }
    }

    /// Adds an operation and returns its number.
    ///
    /// `start` and `end` are readings of one steady clock, taken before the request was sent and after the answer was
    /// there. For an unknown outcome `end` is when the client gave up, which says nothing: it is replaced by
    /// [`NO_ANSWER`].
    ///
    /// # Panics
    ///
    /// When `start` is 0 (the time of the initial state) or after `end`: such a history is recorded wrongly, and no
    /// verdict over it would mean anything.
    pub fn push(&mut self, start: u64, end: u64, action: A, outcome: Outcome) -> usize {
        assert!(start > 0, "time 0 is that of the initial state");
        assert!(start <= end, "an answer came before the question: {start} > {end}");
        let end = if outcome == Outcome::Unknown { NO_ANSWER } else { end };
        self.entries.push(Entry { start, end, action, outcome });
        self.entries.len() - 1
    }

    /// The operations in the order in which they were added.
    pub fn entries(&self) -> &[Entry<A>] {
        &self.entries
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none. A verdict over nothing is worth nothing; harnesses should look.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<A> Default for History<A> {
    fn default() -> History<A> {
        History::new()
    }
}

impl<A> FromIterator<Entry<A>> for History<A> {
    fn from_iter<I: IntoIterator<Item = Entry<A>>>(entries: I) -> History<A> {
        let mut history = History::new();
        for Entry { start, end, action, outcome } in entries {
            history.push(start, end, action, outcome);
        }
        history
    }
}
