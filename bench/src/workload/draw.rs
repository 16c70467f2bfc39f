//! How the numbers of a request are drawn.

use std::sync::Arc;

use crate::stats::{Random, Zipf};

/// Which of a load's connections asks.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    /// Number of the connection.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

/// A way to draw numbers.
#[derive(Clone, Debug)]
pub enum Draw {
    /// None.
    Nothing,
    /// So many different numbers below `items`, evenly: one from each of `count` equal stretches.
    Distinct {
        /// Bound of the numbers.
        items: u64,
        /// How many.
        count: u64,
    },
    /// As `Distinct`, and never one that another connection draws too: for transactions, which would conflict.
    Private {
        /// Bound of the numbers.
        items: u64,
        /// How many.
        count: u64,
    },
    /// So many numbers, each drawn for itself.
    Independent {
        /// Bound of the numbers.
        items: u64,
        /// How many.
        count: u64,
    },
    /// One number of so many from `first` on.
    From {
        /// The smallest.
        first: u64,
        /// How many there are.
        items: u64,
    },
    /// One number, few of which are frequent.
    Zipf(Arc<Zipf>),
}

impl Draw {
    /// Appends the numbers of one request.
    pub fn fill(&self, random: &mut Random, lane: Lane, numbers: &mut Vec<u64>) {
        match self {
            Draw::Nothing => {}
            Draw::From { first, items } => numbers.push(first + random.below(*items)),
            Draw::Distinct { items, count } => {
                let stretch = items / count;
                numbers.extend((0..*count).map(|at| at * stretch + random.below(stretch)));
            }
            Draw::Private { items, count } => {
                let stretch = items / count;
                let places = (stretch / lane.of).max(1);
                numbers.extend((0..*count).map(|at| at * stretch + random.below(places) * lane.of + lane.index));
            }
            Draw::Independent { items, count } => numbers.extend((0..*count).map(|_| random.below(*items))),
            Draw::Zipf(zipf) => numbers.push(zipf.key(random)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_numbers_are_distinct_and_private_ones_are_private() {
        let mut random = Random::new(1);
        let mut seen: Vec<Vec<u64>> = vec![Vec::new(); 16];
        for round in 0..500 {
            let lane = Lane { index: round % 16, of: 16 };
            let mut numbers = Vec::new();
            Draw::Distinct { items: 200, count: 25 }.fill(&mut random, lane, &mut numbers);
            let mut sorted = numbers.clone();
            sorted.dedup();
            assert_eq!(sorted.len(), 25);
            assert!(numbers.iter().all(|&number| number < 200));
            numbers.clear();
            Draw::Private { items: 200, count: 4 }.fill(&mut random, lane, &mut numbers);
            assert!(numbers.iter().all(|&number| number < 200), "{numbers:?}");
            seen[lane.index as usize].extend(numbers);
        }
        for (a, numbers) in seen.iter().enumerate() {
            for (b, others) in seen.iter().enumerate().filter(|(b, _)| *b != a) {
                assert!(!numbers.iter().any(|number| others.contains(number)), "{a} and {b} share a number");
            }
        }
    }
}
