//! Paths that get in each other's way.
//!
//! Two paths of one update or projection *overlap* when one is the other or leads to something above it (`a` and
//! `a.b`), and *conflict* when they take the same value for a map and for a list (`a.b` and `a[1]`).
//!
//! In sorted order both show between neighbours, so the usual case, that nothing is wrong, costs one sort. Where
//! something is, all pairs are compared, with numbers in place of names: a text of 4 KB has at most 2,048 paths, but a
//! name may have 64 KB.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::error::{ExpressionError, ExpressionKind};
use crate::name::Name;
use crate::parse::Parsed;
use crate::path::{Path, Step};

/// Checks the paths of one expression; an overlap anywhere is reported before any conflict.
pub fn check<'a>(kind: ExpressionKind, paths: impl Iterator<Item = &'a Path>) -> Parsed<()> {
    let paths: Vec<&Path> = paths.collect();
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    let suspicious = sorted.windows(2).any(|pair| pair[0].is_prefix_of(pair[1]) || pair[0].disagrees_with(pair[1]));
    if !suspicious {
        return Ok(());
    }
    let numbered = Numbered::of(&paths);
    if let Some((one, _)) = numbered.first_pair(|one, two| one.starts_with(two) || two.starts_with(one)) {
        // Path two is not the path that overlaps with path one but the last one of all different paths: that is what
        // the service answers to three and more paths (recorded by several projects since 2019). With two paths
        // there is no difference.
        return Err(complaint(kind, "overlap", paths[one], paths[numbered.last_distinct()]));
    }
    match numbered.first_pair(disagree) {
        Some((one, two)) => Err(complaint(kind, "conflict", paths[one], paths[two])),
        None => Ok(()),
    }
}

/// One part of a path, its name as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Name(usize),
    Index(u32),
}

/// A number for each name; copies of one name are not read twice.
#[derive(Default)]
struct Numbers<'p> {
    by_address: HashMap<*const u8, usize>,
    by_name: HashMap<&'p str, usize>,
}

impl<'p> Numbers<'p> {
    fn of(&mut self, name: &'p Name) -> usize {
        let by_name = &mut self.by_name;
        *self.by_address.entry(name.address()).or_insert_with(|| {
            let next = by_name.len();
            *by_name.entry(name).or_insert(next)
        })
    }
}

/// Paths whose names are numbered.
struct Numbered(Vec<Vec<Part>>);

impl Numbered {
    fn of(paths: &[&Path]) -> Numbered {
        let mut numbers = Numbers::default();
        let numbered = paths.iter().map(|path| {
            let mut parts = vec![Part::Name(numbers.of(path.root_name()))];
            parts.extend(path.steps().iter().map(|step| match step {
                Step::Name(name) => Part::Name(numbers.of(name)),
                Step::Index(index) => Part::Index(*index),
            }));
            parts
        });
        Numbered(numbered.collect())
    }

    fn first_pair(&self, wrong: impl Fn(&[Part], &[Part]) -> bool) -> Option<(usize, usize)> {
        self.0.iter().enumerate().find_map(|(place, one)| {
            let behind = self.0[place + 1..].iter().position(|two| wrong(one, two))?;
            Some((place, place + 1 + behind))
        })
    }

    fn last_distinct(&self) -> usize {
        let mut seen = BTreeSet::new();
        let distinct = (0..self.0.len()).filter(|&place| seen.insert(&self.0[place]));
        distinct.last().expect("the first path equals none before it")
    }
}

/// Whether two paths take the same value once for a map and once for a list.
fn disagree(one: &[Part], two: &[Part]) -> bool {
    let fork = one.iter().zip(two).find(|(one, two)| one != two);
    matches!(fork, Some((Part::Name(_), Part::Index(_)) | (Part::Index(_), Part::Name(_))))
}

fn complaint(kind: ExpressionKind, relation: &str, one: impl fmt::Display, two: impl fmt::Display) -> ExpressionError {
    ExpressionError::invalid(
        kind,
        format!(
            "Two document paths {relation} with each other; must remove or rewrite one of these paths; path one: \
             {one}, path two: {two}"
        ),
    )
}
