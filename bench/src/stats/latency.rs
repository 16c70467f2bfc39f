//! Latencies of one load, to three digits.

use hdrhistogram::Histogram;

/// Shortest time told apart: below a microsecond nothing answers over TCP.
const LOW_NS: u64 = 1_000;
/// Longest time told apart; longer ones count as this.
const HIGH_NS: u64 = 120_000_000_000;

/// A histogram of times in nanoseconds.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Latency {
        Latency(Histogram::new_with_bounds(LOW_NS, HIGH_NS, 3).expect("the bounds are valid"))
    }
}

impl Latency {
    /// Counts one time.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Counts all times of another histogram too.
    pub fn merge(&mut self, other: &Latency) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time within which this share of requests was answered, in microseconds; 0 when nothing was counted.
    pub fn quantile_us(&self, share: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_quantile(share) as f64 / 1e3 }
    }

    /// The longest time, in microseconds.
    pub fn max_us(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.max() as f64 / 1e3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_thousand_evenly_spread_times() {
        let (mut low, mut high) = (Latency::default(), Latency::default());
        for us in 1..=1000_u64 {
            if us <= 500 { low.record(us * 1000) } else { high.record(us * 1000) }
        }
        low.merge(&high);
        assert_eq!(low.count(), 1000);
        for (share, us) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let got = low.quantile_us(share);
            assert!((got - us).abs() <= us * 0.002 + 1.0, "{share}: {got}");
        }
        assert!((low.max_us() - 1000.0).abs() <= 2.0);
        assert_eq!(Latency::default().quantile_us(0.5), 0.0);
    }

    #[test]
    fn times_beyond_the_bounds_are_kept_as_the_bound() {
        let mut latency = Latency::default();
        latency.record(u64::MAX);
        latency.record(0);
        assert_eq!(latency.count(), 2);
        assert!(latency.max_us() >= 100e6);
    }
}
