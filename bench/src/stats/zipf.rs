//! Keys of which few are hot, as YCSB draws them.
//!
//! J. Gray et al., *Quickly generating billion-record synthetic databases*, SIGMOD 1994, with YCSB's constant 0.99;
//! the ranks are scattered over the key space by a hash, so that hot keys are not neighbours (YCSB's "scrambled"
//! generator, which likewise lets two ranks fall on one key).

use super::random::{Random, mix};

/// YCSB's skew.
const THETA: f64 = 0.99;

/// Draws keys below a bound.
#[derive(Clone, Debug)]
pub struct Zipf {
    items: u64,
    alpha: f64,
    zeta: f64,
    eta: f64,
}

impl Zipf {
    /// Draws below `items`, which must be at least 2.
    pub fn new(items: u64) -> Zipf {
        let zeta: f64 = (1..=items).map(|rank| (rank as f64).powf(-THETA)).sum();
        let zeta_2 = 1.0 + 0.5_f64.powf(THETA);
        let eta = (1.0 - (2.0 / items as f64).powf(1.0 - THETA)) / (1.0 - zeta_2 / zeta);
        Zipf { items, alpha: 1.0 / (1.0 - THETA), zeta, eta }
    }

    /// A rank: 0 is the most frequent.
    pub fn rank(&self, random: &mut Random) -> u64 {
        let unit = random.unit();
        let scaled = unit * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(THETA) {
            return 1;
        }
        let rank = self.items as f64 * (self.eta * unit - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(self.items - 1)
    }

    /// A key.
    pub fn key(&self, random: &mut Random) -> u64 {
        mix(self.rank(random).wrapping_add(0x5bd1_e995)) % self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_fall_as_one_over_the_rank() {
        let zipf = Zipf::new(1000);
        let mut random = Random::new(1);
        let mut counts = vec![0_u64; 1000];
        for _ in 0..200_000 {
            counts[zipf.rank(&mut random) as usize] += 1;
        }
        // The sum of 1/k^0.99 for 1000 ranks is about 7.73: rank 0 has 12.9 % of the draws.
        let share = counts[0] as f64 / 200_000.0;
        assert!((0.120..0.140).contains(&share), "{share}");
        let tenth = counts[0] as f64 / counts[9] as f64;
        assert!((8.0..12.5).contains(&tenth), "rank 0 over rank 9: {tenth}");
        assert!(counts[999] < counts[99]);
    }

    #[test]
    fn hot_keys_are_scattered() {
        let zipf = Zipf::new(10_000);
        let mut random = Random::new(2);
        let low = (0..10_000).filter(|_| zipf.key(&mut random) < 5_000).count();
        assert!((1_000..9_000).contains(&low), "{low}");
    }
}
