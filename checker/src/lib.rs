//! Checkers for recorded histories: was this cluster linearizable, were these transactions serializable?
//!
//! # Problem
//!
//! Concurrent clients write down what they asked, when they asked and when they were answered, while nodes are killed,
//! paused and cut off. Afterwards one wants to know whether some order of the operations explains all answers. A
//! checker that is wrong, or too slow to be run, is worse than none.
//!
//! # What there is
//!
//! | checker | histories | cost | finds |
//! |---|---|---|---|
//! | [`register`] | reads and writes of one key, every write with its own number | O(n log n) | stale reads, lost acknowledged writes, phantoms |
//! | [`search`] | anything with a [`search::Model`], such as conditional writes and counters | exponential in the concurrency; bounded | any violation of linearizability |
//! | [`serial`] | transactions over many keys whose values are lists of the appends | O(n + edges) for the graph | every cycle of dependencies, aborted and torn reads |
//!
//! They know nothing of the database: the harness turns what it recorded into [`History`] entries.
//!
//! # The third answer
//!
//! An operation without an answer (a timeout, a reset connection, a 500) may have happened or not, and may still happen
//! later: [`Outcome::Unknown`]. It is neither success nor failure, and a checker that treats it as either is wrong in
//! one direction. [`Outcome::Failed`] is for an answer that says that nothing happened.
//!
//! # Use
//!
//! ```
//! use checker::register::{self, Action, Violation};
//! use checker::{History, Outcome};
//!
//! let mut history = History::new();
//! history.push(1, 4, Action::Write(1), Outcome::Ok);
//! history.push(5, 9, Action::Write(2), Outcome::Ok);
//! history.push(10, 12, Action::Read(Some(2)), Outcome::Ok);
//! assert_eq!(register::check(&history), Ok(()));
//!
//! history.push(13, 15, Action::Read(Some(1)), Outcome::Ok);    // a stale read
//! assert!(matches!(register::check(&history), Err(Violation::Stale { .. })));
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod history;
pub mod register;
pub mod search;
pub mod serial;

pub use history::{Entry, History, NO_ANSWER, Outcome};
