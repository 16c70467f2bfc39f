//! Figures from figures: latency histograms, medians, and the random numbers that choose keys.

mod latency;
mod random;
mod summary;
mod zipf;

pub use latency::Latency;
pub use random::{Random, mix};
pub use summary::{Spread, median};
pub use zipf::Zipf;
