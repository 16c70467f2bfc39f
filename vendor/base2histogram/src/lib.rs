//! The part of the crate `base2histogram` that openraft calls, in a few kilobytes.
//!
//! openraft keeps histograms of batch sizes, which nothing here ever reads. The original fills tables for all of its
//! sixteen precisions when the first histogram is made: 26 MiB and 15 ms at every start, for one precision of 252
//! buckets. `[patch.crates-io]` in the workspace's manifest puts this crate in its place; what it costs and how to do
//! without it stands in `docs/decisions/start-up-and-memory.md`.
//!
//! Buckets are the original's: exact up to 7, then four per power of two. Percentiles are the lower ends of their
//! buckets (the original interpolates). Of the charts, only that series can be added to them: openraft prints them
//! under a feature that is off.

use std::fmt;
use std::marker::PhantomData;

/// Bits of a value that choose its bucket: the highest one and two below it.
const PRECISION: u32 = 3;
/// Buckets per power of two.
const GROUP: usize = 1 << (PRECISION - 1);
/// Buckets for all values.
const BUCKETS: usize = GROUP * (66 - PRECISION as usize);

/// Counts values by their size, to within an eighth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    buckets: Vec<u64>,
    total: u64,
    meta: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// An empty histogram.
    pub fn new() -> Self {
        Histogram { buckets: Vec::new(), total: 0, meta: PhantomData }
    }

    /// Counts `value` once.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts `value` so many times.
    pub fn record_n(&mut self, value: u64, times: u64) {
        let bucket = bucket_of(value);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += times;
        self.total += times;
    }

    /// How many values were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The lower end of the bucket in which the value of this rank lies (0 to 1); 0 when nothing was counted.
    pub fn percentile(&self, rank: f64) -> u64 {
        let wanted = ((self.total as f64 * rank).ceil() as u64).max(1);
        let mut seen = 0;
        let holds = |count: &u64| {
            seen += count;
            seen >= wanted
        };
        self.buckets.iter().position(holds).map_or(0, lower_end)
    }

    /// The usual percentiles.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total,
            p0_1: self.percentile(0.001),
            p1: self.percentile(0.01),
            p5: self.percentile(0.05),
            p10: self.percentile(0.1),
            p50: self.percentile(0.5),
            p90: self.percentile(0.9),
            p99: self.percentile(0.99),
            p99_9: self.percentile(0.999),
        }
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Histogram::new()
    }
}

fn bucket_of(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    if bits < PRECISION {
        return value as usize;
    }
    let shift = bits - PRECISION;
    GROUP * (shift as usize + 1) + ((value >> shift) as usize & (GROUP - 1))
}

fn lower_end(bucket: usize) -> u64 {
    match bucket / GROUP {
        0 => bucket as u64,
        group => ((GROUP | (bucket % GROUP)) as u64) << (group - 1),
    }
}

const _: () = assert!(BUCKETS == 252, "the number of buckets that the original states");

/// The usual percentiles of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples, median {}, p99 {}", self.samples, self.p50, self.p99)
    }
}

/// Named histograms to be drawn together.
#[derive(Clone, Debug)]
pub struct AsciiChart<T = ()> {
    series: Vec<(String, Histogram<T>)>,
}

impl<T> AsciiChart<T> {
    /// A chart with nothing in it.
    pub fn new() -> Self {
        AsciiChart { series: Vec::new() }
    }

    /// Adds a histogram.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, name: &str, histogram: Histogram<T>) -> Self {
        self.series.push((name.to_owned(), histogram));
        self
    }

    /// What was added.
    pub fn series(&self) -> &[(String, Histogram<T>)] {
        &self.series
    }
}

impl<T> Default for AsciiChart<T> {
    fn default() -> Self {
        AsciiChart::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_consecutive_and_within_an_eighth() {
        assert_eq!((0..8).map(bucket_of).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
        assert_eq!(bucket_of(42), 17);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        for bucket in 1..BUCKETS {
            let lower = lower_end(bucket);
            assert_eq!((bucket_of(lower), bucket_of(lower - 1)), (bucket, bucket - 1));
        }
    }

    #[test]
    fn percentiles_are_lower_ends() {
        let mut histogram = Histogram::<()>::new();
        assert_eq!(histogram.percentile(0.5), 0);
        (1..=100).for_each(|value| histogram.record(value));
        assert_eq!((histogram.total(), histogram.percentile(0.5), histogram.percentile(0.99)), (100, 48, 96));
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p0_1, stats.p90), (100, 1, 80));
        assert_eq!(stats.to_string(), "100 samples, median 48, p99 96");
        assert_eq!(AsciiChart::new().add("a", histogram).series().len(), 1);
    }
}
