//! Serializability of transactions, by looking for cycles of dependencies.
//!
//! # The idea
//!
//! Adya, *Weak Consistency* (1999): a history is serializable if and only if its graph of dependencies has no cycle. The
//! trouble is to know the order of the versions of a key. Kingsbury and Alvaro, *Elle: Inferring Isolation Anomalies from
//! Experimental Observations* (VLDB 2020): let every value be a **list** and every write **append** its own number; then
//! whoever reads the list reads the order of all versions before it.
//!
//! ```text
//!    key x:  [1, 2]    read by C                 A ──ww──▶ B ──wr──▶ C      by x
//!    key y:  []        read by C, then [3] of A  C ──rw──▶ A                by y: C did not see what A appended
//!                                                a cycle: no serial order
//! ```
//!
//! Edges from a transaction to one that must come later:
//!
//! - **ww**: it appended the element right before the other's;
//! - **wr**: the other saw a list that ends with its element;
//! - **rw**: it saw a list to which the other appended the next element;
//! - **rt** (on request): it was over before the other began. Serializability does not ask for that; strict
//!   serializability does, and a store whose single items are linearizable promises it to transactions that conflict
//!   ([`RealTime`]).
//!
//! # Unknown outcomes
//!
//! A transaction without an answer whose append somebody saw did happen; otherwise it is left out. Appends that
//! nobody ever saw come after everything seen; among themselves they have no order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use crate::history::{History, Outcome};

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Appended its own number to the list of `key`. No two appends of a history to one key have the same number.
    Append {
        /// The key.
        key: u64,
        /// The number.
        element: u64,
    },
    /// Saw this list under `key`.
    Read {
        /// The key.
        key: u64,
        /// What it saw; empty when there was nothing.
        list: Vec<u64>,
    },
}

/// What a client ran as one transaction. Reads see the state before the transaction's own appends.
pub type Transaction = Vec<Step>;

/// Whether the order of real time counts too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealTime {
    /// Only dependencies count: serializability. (A final read may then miss acknowledged appends: it counts as early.)
    Ignored,
    /// A transaction that was over before another began comes first, if both touch a key to which at least one of the
    /// two appends: serializability with linearizable items.
    WhereTheyConflict,
    /// A transaction that was over before another began comes first: strict serializability.
    Respected,
}

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependency {
    /// It appended, and the other appended after it.
    WriteWrite,
    /// It appended what the other saw.
    WriteRead,
    /// It did not see yet what the other appended.
    ReadWrite,
    /// It was over before the other began.
    RealTime,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dependency::WriteWrite => "ww",
            Dependency::WriteRead => "wr",
            Dependency::ReadWrite => "rw",
            Dependency::RealTime => "rt",
        })
    }
}

/// Why a history is not serializable. Transactions are named by their position in the history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Anomaly {
    /// Two appends to one key have the same number: the history is recorded wrongly.
    #[error("transactions {one} and {other} both append {element} to key {key}")]
    AppendedTwice {
        /// The key.
        key: u64,
        /// The number.
        element: u64,
        /// The one transaction.
        one: usize,
        /// The other.
        other: usize,
    },
    /// Somebody saw an element that nobody appended.
    #[error("transaction {reader} saw {element} under key {key}, which nobody appended")]
    Phantom {
        /// Who saw it.
        reader: usize,
        /// The key.
        key: u64,
        /// The element.
        element: u64,
    },
    /// Somebody saw an element twice in one list.
    #[error("transaction {reader} saw {element} twice under key {key}")]
    Duplicate {
        /// Who saw it.
        reader: usize,
        /// The key.
        key: u64,
        /// The element.
        element: u64,
    },
    /// Somebody saw what a failed transaction appended (Adya's G1a).
    #[error("transaction {reader} saw {element} under key {key}, appended by transaction {writer}, which failed")]
    AbortedRead {
        /// Who saw it.
        reader: usize,
        /// The key.
        key: u64,
        /// The element.
        element: u64,
        /// Who appended it.
        writer: usize,
    },
    /// Two transactions saw lists of one key neither of which begins with the other: an append was lost or moved.
    #[error("transactions {one} and {other} saw lists of key {key} that do not agree")]
    Incompatible {
        /// The key.
        key: u64,
        /// The one transaction.
        one: usize,
        /// The other.
        other: usize,
    },
    /// A list ends between two appends of one transaction (Adya's G1b), or they are torn apart by another's.
    #[error("transaction {reader} saw only a part of what transaction {writer} appended to key {key}")]
    TornWrite {
        /// The key.
        key: u64,
        /// Who saw it.
        reader: usize,
        /// Who appended.
        writer: usize,
    },
    /// Transactions that must each come before the next, and the last before the first. The class is Adya's: G0 (only
    /// ww), G1c (ww and wr), G-single (one rw), G2 (several rw), each "with real time" if a step is only of time.
    #[error("no serial order: {}", shown(.0))]
    Cycle(Vec<(usize, Dependency)>),
}

fn shown(cycle: &[(usize, Dependency)]) -> String {
    let mut text: String = cycle.iter().map(|(number, dependency)| format!("{number} -{dependency}-> ")).collect();
    text.push_str(&cycle[0].0.to_string());
    format!("{text} ({})", class(cycle))
}

fn class(cycle: &[(usize, Dependency)]) -> String {
    let count = |wanted| cycle.iter().filter(|(_, dependency)| *dependency == wanted).count();
    let name = match (count(Dependency::ReadWrite), count(Dependency::WriteRead)) {
        (0, 0) => "G0",
        (0, _) => "G1c",
        (1, _) => "G-single",
        _ => "G2",
    };
    if count(Dependency::RealTime) > 0 { format!("{name} with real time") } else { name.to_owned() }
}

/// Whether the transactions can have run one after the other.
///
/// # Errors
///
/// The first [`Anomaly`] found; of cycles, a shortest one through some transaction on a cycle.
pub fn check(history: &History<Transaction>, real_time: RealTime) -> Result<(), Anomaly> {
    let appends = appends(history)?;
    let versions = versions(history, &appends)?;
    let happened = happened(history, &appends, &versions);
    require_whole_writes(history, &appends, &versions)?;
    let mut graph = Graph::new(history.len());
    for (number, entry) in history.entries().iter().enumerate().filter(|(number, _)| happened.contains(number)) {
        if entry.outcome == Outcome::Ok {
            add_read_edges(&mut graph, number, &entry.action, &appends, &versions, &happened);
        }
    }
    add_write_edges(&mut graph, &appends, &versions, &happened);
    match real_time {
        RealTime::Ignored => {}
        RealTime::WhereTheyConflict => add_conflict_time_edges(&mut graph, history, &happened),
        RealTime::Respected => add_time_edges(&mut graph, history, &happened, &happened),
    }
    graph.find_cycle().map_or(Ok(()), |cycle| Err(Anomaly::Cycle(cycle)))
}

/// For each key, who appended each element.
type Appends = BTreeMap<u64, BTreeMap<u64, usize>>;

fn appends(history: &History<Transaction>) -> Result<Appends, Anomaly> {
    let mut appends = Appends::new();
    for (number, entry) in history.entries().iter().enumerate() {
        for step in &entry.action {
            if let Step::Append { key, element } = *step
                && let Some(one) = appends.entry(key).or_default().insert(element, number)
            {
                return Err(Anomaly::AppendedTwice { key, element, one, other: number });
            }
        }
    }
    Ok(appends)
}

/// The longest list seen of a key, and by whom. Every other list seen is a beginning of it.
#[derive(Clone, Debug, Default)]
struct Longest {
    list: Vec<u64>,
    reader: usize,
}

type Versions = BTreeMap<u64, Longest>;

fn versions(history: &History<Transaction>, appends: &Appends) -> Result<Versions, Anomaly> {
    let mut versions = Versions::new();
    for (reader, key, list) in reads(history) {
        require_appended(history, appends, reader, key, list)?;
        let longest = versions.entry(key).or_insert_with(|| Longest { list: Vec::new(), reader });
        let common = list.len().min(longest.list.len());
        if list[..common] != longest.list[..common] {
            return Err(Anomaly::Incompatible { key, one: longest.reader, other: reader });
        }
        if list.len() > longest.list.len() {
            *longest = Longest { list: list.to_vec(), reader };
        }
    }
    Ok(versions)
}

/// Every answered read: by whom, of which key, what.
fn reads(history: &History<Transaction>) -> impl Iterator<Item = (usize, u64, &[u64])> {
    let answered = history.entries().iter().enumerate().filter(|(_, entry)| entry.outcome == Outcome::Ok);
    answered.flat_map(|(number, entry)| {
        entry.action.iter().filter_map(move |step| match step {
            Step::Read { key, list } => Some((number, *key, list.as_slice())),
            Step::Append { .. } => None,
        })
    })
}

fn require_appended(
    history: &History<Transaction>,
    appends: &Appends,
    reader: usize,
    key: u64,
    list: &[u64],
) -> Result<(), Anomaly> {
    let mut seen = BTreeSet::new();
    for element in list.iter().copied() {
        let writer = appends.get(&key).and_then(|of_key| of_key.get(&element)).copied();
        let writer = writer.ok_or(Anomaly::Phantom { reader, key, element })?;
        if history.entries()[writer].outcome == Outcome::Failed {
            return Err(Anomaly::AbortedRead { reader, key, element, writer });
        }
        if !seen.insert(element) {
            return Err(Anomaly::Duplicate { reader, key, element });
        }
    }
    Ok(())
}

/// The transactions that happened: those answered so, and those of unknown outcome of which something was seen.
fn happened(history: &History<Transaction>, appends: &Appends, versions: &Versions) -> BTreeSet<usize> {
    let answered = (0..history.len()).filter(|number| history.entries()[*number].outcome == Outcome::Ok);
    let seen = versions.iter().flat_map(|(key, longest)| longest.list.iter().map(move |element| appends[key][element]));
    answered.chain(seen).collect()
}

/// No list ends inside, and none is interleaved with, the appends of one transaction to its key.
fn require_whole_writes(history: &History<Transaction>, appends: &Appends, versions: &Versions) -> Result<(), Anomaly> {
    let mut counts: BTreeMap<(usize, u64), usize> = BTreeMap::new();
    for (key, of_key) in appends {
        for writer in of_key.values() {
            *counts.entry((*writer, *key)).or_default() += 1;
        }
    }
    // The places in a list at which it may end: behind the last append of a transaction, all its appends in a row.
    let mut ends: BTreeMap<u64, BTreeMap<usize, usize>> = BTreeMap::new();
    for (key, longest) in versions {
        let writers: Vec<usize> = longest.list.iter().map(|element| appends[key][element]).collect();
        let mut place = 0;
        let of_key = ends.entry(*key).or_default();
        of_key.insert(0, 0);
        while place < writers.len() {
            let writer = writers[place];
            let run = writers[place..].iter().take_while(|other| **other == writer).count();
            if run != counts[&(writer, *key)] {
                return Err(Anomaly::TornWrite { key: *key, reader: longest.reader, writer });
            }
            place += run;
            of_key.insert(place, writer);
        }
    }
    for (reader, key, list) in reads(history) {
        if let Some(last) = list.last()
            && !ends[&key].contains_key(&list.len())
        {
            return Err(Anomaly::TornWrite { key, reader, writer: appends[&key][last] });
        }
    }
    Ok(())
}

fn add_read_edges(
    graph: &mut Graph,
    reader: usize,
    transaction: &Transaction,
    appends: &Appends,
    versions: &Versions,
    happened: &BTreeSet<usize>,
) {
    for step in transaction {
        let Step::Read { key, list } = step else { continue };
        if let Some(last) = list.last() {
            graph.add(appends[key][last], reader, Dependency::WriteRead);
        }
        match versions[key].list.get(list.len()) {
            Some(next) => graph.add(reader, appends[key][next], Dependency::ReadWrite),
            // It saw everything that anyone ever saw; what happened and was never seen came later.
            None => {
                for writer in unseen(*key, appends, versions, happened) {
                    graph.add(reader, writer, Dependency::ReadWrite);
                }
            }
        }
    }
}

fn add_write_edges(graph: &mut Graph, appends: &Appends, versions: &Versions, happened: &BTreeSet<usize>) {
    for (key, longest) in versions {
        let writers: Vec<usize> = longest.list.iter().map(|element| appends[key][element]).collect();
        for pair in writers.windows(2) {
            graph.add(pair[0], pair[1], Dependency::WriteWrite);
        }
        if let Some(last) = writers.last() {
            for writer in unseen(*key, appends, versions, happened) {
                graph.add(*last, writer, Dependency::WriteWrite);
            }
        }
    }
}

/// The transactions that happened and whose appends to `key` nobody saw.
fn unseen<'a>(
    key: u64,
    appends: &'a Appends,
    versions: &'a Versions,
    happened: &'a BTreeSet<usize>,
) -> impl Iterator<Item = usize> + 'a {
    let seen: BTreeSet<u64> = versions.get(&key).into_iter().flat_map(|longest| longest.list.iter().copied()).collect();
    let of_key = appends.get(&key).into_iter().flatten();
    of_key
        .filter(move |(element, writer)| !seen.contains(element) && happened.contains(writer))
        .map(|(_, writer)| *writer)
}

/// Real time between transactions that share a key to which one of them appends.
fn add_conflict_time_edges(graph: &mut Graph, history: &History<Transaction>, happened: &BTreeSet<usize>) {
    let mut readers: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    let mut writers: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for number in happened {
        for step in &history.entries()[*number].action {
            match step {
                Step::Read { key, .. } => readers.entry(*key).or_default().insert(*number),
                Step::Append { key, .. } => writers.entry(*key).or_default().insert(*number),
            };
        }
    }
    for (key, writers) in &writers {
        add_time_edges(graph, history, writers, writers);
        if let Some(readers) = readers.get(key) {
            add_time_edges(graph, history, writers, readers);
            add_time_edges(graph, history, readers, writers);
        }
    }
}

/// From each of `first` to each of `then` that began after it was over, with as many edges as transactions: a chain of
/// instants, one for each end. A transaction that ends leads to its instant, every instant to the next, and the latest
/// instant before a start to the transaction that starts.
fn add_time_edges(graph: &mut Graph, history: &History<Transaction>, first: &BTreeSet<usize>, then: &BTreeSet<usize>) {
    let entries = history.entries();
    let mut ended: Vec<usize> =
        first.iter().copied().filter(|number| entries[*number].outcome == Outcome::Ok).collect();
    ended.sort_by_key(|number| entries[*number].end);
    let instants: Vec<usize> = ended.iter().map(|_| graph.add_node()).collect();
    for (place, number) in ended.iter().enumerate() {
        graph.add(*number, instants[place], Dependency::RealTime);
        if place > 0 {
            graph.add(instants[place - 1], instants[place], Dependency::RealTime);
        }
    }
    for number in then {
        let before = ended.partition_point(|other| entries[*other].end < entries[*number].start);
        if before > 0 {
            graph.add(instants[before - 1], *number, Dependency::RealTime);
        }
    }
}

/// Transactions (and, behind them, instants) with the edges between them.
struct Graph {
    transactions: usize,
    edges: Vec<BTreeMap<usize, Dependency>>,
}

impl Graph {
    fn new(transactions: usize) -> Graph {
        Graph { transactions, edges: vec![BTreeMap::new(); transactions] }
    }

    fn add_node(&mut self) -> usize {
        self.edges.push(BTreeMap::new());
        self.edges.len() - 1
    }

    /// Adds an edge; of several between the same two the strongest is kept, so that a cycle gets its worst class.
    fn add(&mut self, from: usize, to: usize, dependency: Dependency) {
        if from != to {
            let edge = self.edges[from].entry(to).or_insert(dependency);
            *edge = dependency.min(*edge);
        }
    }

    /// A cycle, shortest through one of the nodes that lie on cycles.
    fn find_cycle(&self) -> Option<Vec<(usize, Dependency)>> {
        let start = self.on_a_cycle()?;
        let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for next in self.edges[node].keys() {
                if *next == start {
                    came_from.insert(start, node);
                    return Some(self.cycle_through(start, &came_from));
                }
                if !came_from.contains_key(next) {
                    came_from.insert(*next, node);
                    queue.push_back(*next);
                }
            }
        }
        unreachable!("a node on a cycle leads back to itself")
    }

    /// Walks back from `start` to itself, leaving out the instants.
    fn cycle_through(&self, start: usize, came_from: &BTreeMap<usize, usize>) -> Vec<(usize, Dependency)> {
        let mut nodes = vec![start];
        while nodes.len() == 1 || nodes[nodes.len() - 1] != start {
            nodes.push(came_from[&nodes[nodes.len() - 1]]);
        }
        nodes.reverse();
        let steps = nodes.windows(2).map(|pair| (pair[0], self.edges[pair[0]][&pair[1]]));
        steps.filter(|(node, _)| *node < self.transactions).collect()
    }

    /// A transaction that lies on a cycle. Nodes without a way in are taken away again and again (Kahn's algorithm), then
    /// those without a way out; what remains is on cycles or between two, and a walk along it must repeat itself.
    fn on_a_cycle(&self) -> Option<usize> {
        let remaining = self.without_sources();
        let first = *remaining.first()?;
        let mut visited = BTreeSet::new();
        let mut node = first;
        // Every remaining node has a predecessor among the remaining; walking backwards never ends but repeats.
        let mut before: BTreeMap<usize, usize> = BTreeMap::new();
        for from in &remaining {
            for to in self.edges[*from].keys().filter(|to| remaining.contains(to)) {
                before.insert(*to, *from);
            }
        }
        while visited.insert(node) {
            node = before[&node];
        }
        // `node` repeats, so it is on a cycle; a cycle has a transaction, since instants alone only go forward.
        while node >= self.transactions {
            node = before[&node];
        }
        Some(node)
    }

    fn without_sources(&self) -> BTreeSet<usize> {
        let mut ways_in = vec![0usize; self.edges.len()];
        for to in self.edges.iter().flat_map(|edges| edges.keys()) {
            ways_in[*to] += 1;
        }
        let mut remaining: BTreeSet<usize> = (0..self.edges.len()).collect();
        let mut sources: Vec<usize> = (0..self.edges.len()).filter(|node| ways_in[*node] == 0).collect();
        while let Some(source) = sources.pop() {
            remaining.remove(&source);
            for to in self.edges[source].keys() {
                ways_in[*to] -= 1;
                if ways_in[*to] == 0 {
                    sources.push(*to);
                }
            }
        }
        remaining
    }
}
