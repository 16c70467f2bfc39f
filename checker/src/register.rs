//! Linearizability of one register whose writes all carry different numbers, in O(n log n).
//!
//! # The idea
//!
//! Gibbons and Korach, *Testing Shared Memories* (SIAM J. Comput. 26, 1997), section 4: when every read names the write
//! that it saw, the order of the operations falls apart into *clusters*, a write and its reads. In any valid order
//! a cluster's operations stand together, first the write. For a cluster let
//!
//! - `done` be the earliest end of its operations: from then on, its value had been there;
//! - `seen` be the latest start of its operations: until then, its value was still (to be) there.
//!
//! Cluster *a* must come before *b* exactly if some operation of *a* ended before some operation of *b* began, that is
//! if `done(a) < seen(b)`. The history is linearizable if and only if these demands have no cycle. And if they have one,
//! two clusters have one: let *a* have the least `done` on the cycle, let *c* come before *a* on it, and *p* before *c*.
//! Then `done(a) ≤ done(p) < seen(c)`, so *a* must come before *c* as well as *c* before *a*.
//!
//! ```text
//!     write 1   ├──┤                                 cluster 1: done ─┐              seen ─┐
//!     write 2          ├──┤                          cluster 2:       │  done ─┐ seen ─┐   │
//!     read 2                 ├──┤                                     │        │       │   │
//!     read 1                        ├──┤  stale      1 before 2: done(1) < seen(2); 2 before 1: done(2) < seen(1)
//! ```
//!
//! So one looks for a pair with `done(a) < seen(b)` and `done(b) < seen(a)`: sort by `done`, and for each *b* ask for
//! the largest `seen` among those before it.
//!
//! # Unknown outcomes
//!
//! A write without an answer that nobody saw can be left out, since it may never have happened. One that was seen
//! did happen, and ends whenever suits. Reads without an answer say nothing.

use std::collections::BTreeMap;

use crate::history::{History, Outcome};

/// What a client did to the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Wrote the value with this number. No two writes of a history have the same.
    Write(u64),
    /// Saw the value with this number, or `None`: the initial state.
    Read(Option<u64>),
}

/// Why a history is not linearizable. Numbers are positions in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Two writes have the same number: the history is recorded wrongly.
    #[error("operations {one} and {other} both write {value}")]
    WrittenTwice {
        /// The value.
        value: u64,
        /// The one write.
        one: usize,
        /// The other.
        other: usize,
    },
    /// A read saw what nobody wrote.
    #[error("operation {read} saw {value}, which nobody wrote")]
    Phantom {
        /// The read.
        read: usize,
        /// What it saw.
        value: u64,
    },
    /// A read saw a write that was answered with a failure.
    #[error("operation {read} saw the value of operation {write}, which failed")]
    FailedWriteSeen {
        /// The read.
        read: usize,
        /// The write.
        write: usize,
    },
    /// A read was over before the write that it saw began.
    #[error("operation {read} was over before operation {write}, whose value it saw, began")]
    FromTheFuture {
        /// The read.
        read: usize,
        /// The write.
        write: usize,
    },
    /// Each of two values was there before and after the other one: a stale read, or a lost write.
    #[error(
        "{first:?} was there when operation {first_done} ended, before operation {second_seen} began, which concerns \
         {second:?}; and that was there when operation {second_done} ended, before operation {first_seen} began, \
         which concerns {first:?} again"
    )]
    Stale {
        /// The one value, `None` for the initial state.
        first: Option<u64>,
        /// The earliest operation to end that concerns it; `None` in the initial state, which needs no operation.
        first_done: Earliest,
        /// The latest to begin that concerns it.
        first_seen: usize,
        /// The other value.
        second: Option<u64>,
        /// The earliest operation to end that concerns the other value.
        second_done: Earliest,
        /// The latest to begin that concerns the other value.
        second_seen: usize,
    },
}

/// What established a value: an operation, or the beginning of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earliest {
    /// The operation with this number.
    Operation(usize),
    /// The initial state.
    Beginning,
}

impl std::fmt::Display for Earliest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Earliest::Operation(number) => write!(f, "{number}"),
            Earliest::Beginning => write!(f, "0 (the beginning)"),
        }
    }
}

/// A write and its reads.
#[derive(Clone, Copy)]
struct Cluster {
    value: Option<u64>,
    /// The earliest end, and of which operation.
    done: u64,
    done_by: Earliest,
    /// The latest start, and of which operation.
    seen: u64,
    seen_by: usize,
}

/// Whether the history of one register is linearizable.
///
/// # Errors
///
/// The first [`Violation`] found.
pub fn check(history: &History<Action>) -> Result<(), Violation> {
    let mut clusters: Vec<Cluster> = clusters(history)?;
    clusters.sort_by_key(|cluster| cluster.done);
    find_conflict(&clusters).map_or(Ok(()), |(first, second)| {
        Err(Violation::Stale {
            first: first.value,
            first_done: first.done_by,
            first_seen: first.seen_by,
            second: second.value,
            second_done: second.done_by,
            second_seen: second.seen_by,
        })
    })
}

/// Whether each register of a store is linearizable; linearizability is local (Herlihy and Wing 1990, theorem 1), so
/// checking key by key misses nothing.
///
/// # Errors
///
/// The first key with a violation.
pub fn check_each<'a, K: Ord>(
    histories: impl IntoIterator<Item = (K, &'a History<Action>)>,
) -> Result<(), (K, Violation)> {
    histories.into_iter().try_for_each(|(key, history)| check(history).map_err(|violation| (key, violation)))
}

/// The clusters of everything that must have happened.
fn clusters(history: &History<Action>) -> Result<Vec<Cluster>, Violation> {
    let writes = writes(history)?;
    let mut clusters: BTreeMap<Option<u64>, Cluster> = BTreeMap::new();
    for (number, entry) in history.entries().iter().enumerate() {
        let value = match (entry.action, entry.outcome) {
            (Action::Write(value), Outcome::Ok) => Some(value),
            (Action::Read(value), Outcome::Ok) => {
                if let Some(value) = value {
                    let write = *writes.get(&value).ok_or(Violation::Phantom { read: number, value })?;
                    require_possible(history, number, write)?;
                    // A write without an answer counts from here on: it was seen.
                    let start = history.entries()[write].start;
                    extend(&mut clusters, Some(value), start, history.entries()[write].end, write);
                }
                value
            }
            _ => continue,
        };
        extend(&mut clusters, value, entry.start, entry.end, number);
    }
    if let Some(initial) = clusters.get_mut(&None) {
        (initial.done, initial.done_by) = (0, Earliest::Beginning);
    }
    Ok(clusters.into_values().collect())
}

/// The position of the write of each value.
fn writes(history: &History<Action>) -> Result<BTreeMap<u64, usize>, Violation> {
    let mut writes = BTreeMap::new();
    for (number, entry) in history.entries().iter().enumerate() {
        if let Action::Write(value) = entry.action
            && let Some(one) = writes.insert(value, number)
        {
            return Err(Violation::WrittenTwice { value, one, other: number });
        }
    }
    Ok(writes)
}

fn require_possible(history: &History<Action>, read: usize, write: usize) -> Result<(), Violation> {
    let (reader, writer) = (&history.entries()[read], &history.entries()[write]);
    if writer.outcome == Outcome::Failed {
        return Err(Violation::FailedWriteSeen { read, write });
    }
    if reader.precedes(writer) { Err(Violation::FromTheFuture { read, write }) } else { Ok(()) }
}

/// Counts the operation `number` in.
fn extend(clusters: &mut BTreeMap<Option<u64>, Cluster>, value: Option<u64>, start: u64, end: u64, number: usize) {
    let done_by = Earliest::Operation(number);
    let cluster = clusters.entry(value).or_insert(Cluster { value, done: end, done_by, seen: start, seen_by: number });
    if end < cluster.done {
        (cluster.done, cluster.done_by) = (end, done_by);
    }
    if start > cluster.seen {
        (cluster.seen, cluster.seen_by) = (start, number);
    }
}

/// Two clusters each of which must come before the other; `clusters` are in the order of `done`.
///
/// For each cluster its rival is the one with the latest `seen` among those that must come before it. That may be the
/// cluster itself, which tells nothing; but of two clusters in conflict, the one that was seen less late has another
/// rival than itself, and that one's `seen` is late enough.
fn find_conflict(clusters: &[Cluster]) -> Option<(Cluster, Cluster)> {
    // The place of the latest `seen` among the first so many clusters, at least one.
    let mut latest = Vec::with_capacity(clusters.len());
    for (place, cluster) in clusters.iter().enumerate() {
        let before: usize = latest.last().copied().unwrap_or(place);
        latest.push(if cluster.seen > clusters[before].seen { place } else { before });
    }
    clusters.iter().enumerate().find_map(|(place, cluster)| {
        let earlier = clusters.partition_point(|other| other.done < cluster.seen);
        let rival = latest[earlier.checked_sub(1)?];
        let conflicts = rival != place && cluster.done < clusters[rival].seen;
        conflicts.then(|| (clusters[rival], *cluster))
    })
}
