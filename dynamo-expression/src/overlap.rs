//! Paths that get in each other's way.
//!
//! Two paths of one update or projection *overlap* when one is the other or leads to something above it (`a` and
//! `a.b`), and *conflict* when they take the same value for a map and for a list (`a.b` and `a[1]`).
//!
//! In sorted order both show between neighbours, so the usual case, that nothing is wrong, costs one sort.

use std::fmt;

use crate::error::{ExpressionError, ExpressionKind};
use crate::parse::Parsed;
use crate::path::Path;

/// Checks the paths of one expression; an overlap anywhere is reported before any conflict.
pub fn check<'a>(kind: ExpressionKind, paths: impl Iterator<Item = &'a Path>) -> Parsed<()> {
    let paths: Vec<&Path> = paths.collect();
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    let suspicious = sorted.windows(2).any(|pair| pair[0].is_prefix_of(pair[1]) || pair[0].disagrees_with(pair[1]));
    if !suspicious {
        return Ok(());
    }
    if let Some((one, _)) = first_pair(&paths, |one, two| one.is_prefix_of(two) || two.is_prefix_of(one)) {
        // Path two is not the path that overlaps with path one but the last one of all different paths: that is what
        // the service answers to three and more paths (recorded by several projects since 2019). With two paths
        // there is no difference.
        return Err(complaint(kind, "overlap", one, last_distinct(&paths)));
    }
    match first_pair(&paths, |one, two| one.disagrees_with(two)) {
        Some((one, two)) => Err(complaint(kind, "conflict", one, two)),
        None => Ok(()),
    }
}

fn first_pair<'a>(paths: &[&'a Path], wrong: impl Fn(&Path, &Path) -> bool) -> Option<(&'a Path, &'a Path)> {
    paths.iter().enumerate().find_map(|(place, one)| {
        let two = paths[place + 1..].iter().find(|two| wrong(one, two))?;
        Some((*one, *two))
    })
}

fn last_distinct<'a>(paths: &[&'a Path]) -> &'a Path {
    let last = (0..paths.len()).rev().find(|&place| !paths[..place].contains(&paths[place]));
    paths[last.expect("the first path equals none before it")]
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
