//! Voter configurations, and since when a quorum of one is known to follow.

use std::collections::BTreeSet;

use crate::moment::Moment;

/// A voter configuration: one set of voters, or several during a joint change, each of which needs its own quorum.
///
/// A configuration without any set, or with an empty set, has no quorum: it never gives a lease.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Voters<N> {
    /// Each of them has a majority to agree; two while the voters change.
    sets: Vec<BTreeSet<N>>,
}

impl<N: Ord + Clone> Voters<N> {
    /// The plain configuration of these voters.
    pub fn of(voters: impl IntoIterator<Item = N>) -> Voters<N> {
        Voters { sets: vec![voters.into_iter().collect()] }
    }

    /// The joint configuration of these sets: every decision needs a quorum of each.
    pub fn joint<S: IntoIterator<Item = N>>(sets: impl IntoIterator<Item = S>) -> Voters<N> {
        Voters { sets: sets.into_iter().map(|set| set.into_iter().collect()).collect() }
    }

    /// Whether `node` alone is every voter of this configuration.
    pub fn is_only(&self, node: &N) -> bool {
        !self.sets.is_empty() && self.sets.iter().all(|set| set.len() == 1 && set.contains(node))
    }

    /// Voters in the largest set.
    pub fn count_max(&self) -> usize {
        self.sets.iter().map(BTreeSet::len).max().unwrap_or(0)
    }

    /// The newest moment that a quorum of every set has reached, where `reached` tells the newest moment of one
    /// voter. `None` while there is no such quorum.
    pub(crate) fn quorum_moment(&self, reached: impl Fn(&N) -> Option<Moment>) -> Option<Moment> {
        let mut earliest: Option<Moment> = None;
        for set in &self.sets {
            let of_set = majority_moment(set, &reached)?;
            earliest = Some(earliest.map_or(of_set, |moment| moment.min(of_set)));
        }
        earliest
    }
}

/// The newest moment that a majority of `set` has reached.
///
/// Quadratic without allocation: sets have a handful of members and this runs for every acknowledgement.
fn majority_moment<N: Ord>(set: &BTreeSet<N>, reached: &impl Fn(&N) -> Option<Moment>) -> Option<Moment> {
    let majority = set.len() / 2 + 1;
    let supporters = |moment: Moment| set.iter().filter(|voter| reached(voter) >= Some(moment)).count();
    set.iter().filter_map(reached).filter(|moment| supporters(*moment) >= majority).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment_of(sets: &[&[usize]], reached: &[Option<u64>]) -> Option<Moment> {
        Voters::joint(sets.iter().map(|set| set.iter().copied()))
            .quorum_moment(|node| reached[*node].map(Moment::from_nanos))
    }

    #[test]
    fn a_majority_of_every_set_is_needed() {
        let reached = [Some(9), Some(5), None, Some(7), Some(1)];
        assert_eq!(moment_of(&[&[0, 1, 2]], &reached), Some(Moment::from_nanos(5)));
        assert_eq!(moment_of(&[&[0, 1, 2], &[0, 3, 4]], &reached), Some(Moment::from_nanos(5)));
        assert_eq!(moment_of(&[&[0, 1, 3, 4]], &reached), Some(Moment::from_nanos(5)), "an even set needs 3 of 4");
        assert_eq!(moment_of(&[&[0], &[2]], &reached), None);
    }

    #[test]
    fn an_empty_voter_set_has_no_quorum() {
        assert_eq!(moment_of(&[], &[]), None);
        assert_eq!(moment_of(&[&[]], &[]), None);
        assert_eq!(moment_of(&[&[0], &[]], &[Some(1)]), None);
    }

    /// Against sorting, over every assignment of five values to up to five voters.
    #[test]
    fn agrees_with_sorting_in_every_small_case() {
        for voters in 1..=5usize {
            let nodes: Vec<usize> = (0..voters).collect();
            for code in 0..5usize.pow(voters as u32) {
                let reached: Vec<Option<u64>> = (0..voters)
                    .map(|voter| (code / 5usize.pow(voter as u32) % 5).checked_sub(1).map(|value| value as u64))
                    .collect();
                let mut sorted = reached.clone();
                sorted.sort();
                let expected = sorted[voters - (voters / 2 + 1)].map(Moment::from_nanos);
                assert_eq!(moment_of(&[&nodes], &reached), expected, "{reached:?}");
            }
        }
    }
}
